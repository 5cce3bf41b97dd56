package selinux

// rawLevel and rawRange are levels as the file holds them: users come before the sensitivities and categories that they name.
type rawLevel struct {
	sens uint32
	cats bitmap
}

type rawRange struct{ low, high rawLevel }

// rawLevel reads a level (mls_read_level).
func (r *reader) rawLevel() rawLevel { return rawLevel{r.u32(), r.bitmap()} }

// rawRange reads a range: both sensitivities, then both sets, the second only where they differ (mls_read_range_helper).
func (r *reader) rawRange() (x rawRange) {
	n := r.u32()
	if r.err == nil && n != 1 && n != 2 {
		r.fail("a range of %d levels", n)
	}
	x.low.sens = r.u32()
	if n == 2 {
		x.high.sens = r.u32()
	}
	x.low.cats = r.bitmap()
	if n == 1 {
		x.high = x.low
	} else {
		x.high.cats = r.bitmap()
	}
	return x
}

// level checks a level (mls_level_isvalid) and turns it into a value.
func (p *Policy) level(r *reader, x rawLevel) Level {
	if !r.value("sensitivity", x.sens, p.sensitivities.count()) {
		return Level{}
	}
	s := p.sensitivities.at(x.sens)
	if s.name == "" || !s.cats.contains(&x.cats) {
		r.fail("a level of sensitivity %d has categories that it may not have", x.sens)
		return Level{}
	}
	return Level{x.sens, r.categories(&x.cats)}
}

// categories turns a bitmap into a set.
func (r *reader) categories(b *bitmap) Categories {
	if b.end() == 0 || !r.book(int(b.end()/8)+1) {
		return Categories{}
	}
	set := make([]byte, (b.end()+7)/8)
	for n := range b.all() {
		set[n/8] |= 1 << (n % 8)
	}
	return Categories{string(set)}
}

// rangeOf checks a range (mls_range_isvalid); a policy without MLS has none.
func (p *Policy) rangeOf(r *reader, x rawRange) Range {
	if !p.mls || r.err != nil {
		return Range{}
	}
	rng := Range{p.level(r, x.low), p.level(r, x.high)}
	if r.err == nil && !rng.High.Dominates(rng.Low) {
		r.fail("a range ends at %s, which does not dominate its start %s", rng.High, rng.Low)
	}
	return rng
}
