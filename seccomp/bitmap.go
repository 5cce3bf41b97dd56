package seccomp

// Cacheable reports whether the kernel answers a number from its bitmap of constant answers, without running the filters:
// where each of them allows it whatever the arguments are (seccomp_cache_prepare). Requires at least Linux 5.11.
func (s Stack) Cacheable(nr, arch uint32) bool {
	for _, p := range s {
		if !p.Constant(nr, arch) {
			return false
		}
	}
	return true
}

// Constant reports whether the kernel finds that the program allows a number for certain (seccomp_is_const_allow): until it does, only number
// and ABI may be loaded, compared with constants and masked with them.
func (p Program) Constant(nr, arch uint32) bool {
	a := uint32(0)
	for pc := 0; pc < len(p); pc++ {
		in := p[pc]
		switch in.Code {
		case ldAbs:
			switch in.K {
			case 0:
				a = nr
			case 4:
				a = arch
			default:
				return false
			}
		case retK:
			return Action(in.K) == Allow
		case ja:
			pc += int(in.K)
		case jeqK, jgtK, jgeK, jsetK:
			pc += branch(holds(in.Code, a, in.K), &in)
		case andK:
			a &= in.K
		default:
			return false
		}
	}
	return false
}
