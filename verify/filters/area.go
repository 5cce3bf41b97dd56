// Package filters is the area seccomp of verify: profiles, the compiler and the machine, against their meaning written down a second time, against
// gVisor's compiler and interpreter, and against the kernel.
package filters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"syscallstory/seccomp"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/verify"
)

// Area is the area seccomp.
var Area = verify.Area{Name: "seccomp", Skips: skips, Start: func() (verify.Worker, error) { return newWorker(), nil }}

func skips() []string {
	k, err := newKernel()
	if err != nil {
		return []string{"kernel: " + err.Error()}
	}
	defer k.Close()
	if !k.old {
		return []string{"kernel: calls of i386 cannot be made here (int 0x80)"}
	}
	return nil
}

// The oracles.
const (
	byMeaning     = "meaning of the rules"
	byEval        = "Resolved.Eval"
	byInterpreter = "gVisor's interpreter"
	byCompiler    = "gVisor's compiler"
	byKernel      = "kernel"
	byChecker     = "kernel, whether it installs"
)

// perRound is how many calls a random program is asked.
const perRound = 48

type worker struct {
	kernel *kernelOracle // nil: it cannot be asked here
}

func newWorker() *worker {
	k, err := newKernel()
	if err != nil {
		k = nil
	}
	return &worker{k}
}

func (w *worker) Close() {
	if w.kernel != nil {
		w.kernel.Close()
	}
}

// Round makes one random profile, program, stack, or a batch of programs that may be invalid.
func (w *worker) Round(rng *rand.Rand, r *verify.Report) error {
	switch n := rng.IntN(20); {
	case n < 11:
		return w.profile(rng, r)
	case n < 16:
		return w.stack(rng, r, 1)
	case n < 18:
		return w.stack(rng, r, 2+rng.IntN(3))
	}
	return w.checks(rng, r)
}

// count enters a comparison into the report.
func count(r *verify.Report, oracle string, c *call, a seccomp.Action) {
	denied := a.Kind() != seccomp.Allow && a.Kind() != seccomp.Log
	r.Count++
	if denied {
		r.Denials++
	}
	name := c.name
	if name == "" {
		name = "(no call)"
	}
	verify.Tick(r.ByCall, name, denied)
	verify.Tick(r.ByOracle, oracle, denied)
	verify.Tick(r.ByAction, strings.TrimSuffix(seccomp.Action(a.Kind()).String(), "(0)"), denied)
	verify.Tick(r.ByGate, "seccomp", denied)
	if a.Kind() == seccomp.Errno {
		verify.Tick(r.ByErrno, story.Errno(a.Data()).String(), denied)
	}
}

// same reports whether two answers are the same to the kernel.
func same(a, b seccomp.Action) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	k := a.Kind()
	return k != seccomp.Errno && k != seccomp.Trap && k != seccomp.Trace || a.Data() == b.Data()
}

// profile holds a compiled profile against its meaning and gVisor's compiler, and its program against gVisor's interpreter and the kernel.
func (w *worker) profile(rng *rand.Rand, r *verify.Report) error {
	p, t := randomProfile(rng)
	known := p.values()
	calls := make([]call, perRound)
	for i := range calls {
		calls[i] = p.randomCall(rng, t, known)
	}
	res, prog, err := build(p, t)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.text())
	}
	theirs, err := p.compiled(t)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.text())
	}
	for i := range calls {
		c := &calls[i]
		d := c.data()
		got, _ := prog.Run(&d)
		count(r, byMeaning, c, got)
		if want := seccomp.Action(p.means(t, c.abi, c.name, c.taken())); !same(got, want) {
			w.shrinkProfile(r, p, t, c, byMeaning)
		}
		if p.listed(t, c.abi) {
			count(r, byEval, c, got)
			if want := res.Eval(c.name, c.taken()).Action; !same(got, want) {
				w.shrinkProfile(r, p, t, c, byEval)
			}
		}
		if theirs != nil && c.abi == syscalls.X8664 {
			count(r, byCompiler, c, got)
			if a, _ := theirs.Run(&d); !same(got, a) {
				w.shrinkProfile(r, p, t, c, byCompiler)
			}
		}
	}
	if t.abi == syscalls.ARM64 {
		return nil
	}
	return w.programs(rng, r, seccomp.Stack{prog}, calls)
}

func build(p *profile, t target) (*seccomp.Resolved, seccomp.Program, error) {
	parsed, err := seccomp.Parse("profile.json", p.text())
	if err != nil {
		return nil, nil, err
	}
	res := parsed.Resolve(t.model())
	prog, err := res.Compile()
	return res, prog, err
}

// shrinkProfile records a disagreement with the smallest profile that shows it.
func (w *worker) shrinkProfile(r *verify.Report, p *profile, t target, c *call, oracle string) {
	answers := func(p *profile) (model, other seccomp.Action, bad bool) {
		res, prog, err := build(p, t)
		if err != nil {
			return 0, 0, false
		}
		d := c.data()
		model, _ = prog.Run(&d)
		switch oracle {
		case byMeaning:
			other = seccomp.Action(p.means(t, c.abi, c.name, c.taken()))
		case byEval:
			other = res.Eval(c.name, c.taken()).Action
		default:
			theirs, err := p.compiled(t)
			if err != nil || theirs == nil {
				return 0, 0, false
			}
			other, _ = theirs.Run(&d)
		}
		return model, other, !same(model, other)
	}
	for again := true; again; {
		again = false
		for i := range p.Syscalls {
			var tries []*profile
			without := *p
			without.Syscalls = slices.Delete(slices.Clone(p.Syscalls), i, i+1)
			tries = append(tries, &without)
			for j := range p.Syscalls[i].Args {
				less := clone(p)
				less.Syscalls[i].Args = slices.Delete(less.Syscalls[i].Args, j, j+1)
				tries = append(tries, less)
			}
			if k := slices.IndexFunc(tries, func(q *profile) bool { _, _, bad := answers(q); return bad }); k >= 0 {
				p, again = tries[k], true
				break
			}
		}
	}
	model, other, _ := answers(p)
	d := c.data()
	r.Disagree(verify.Disagreement{Oracle: oracle, Model: model.String(), Answer: other.String(), Repeat: fmt.Sprintf("%s\ncapabilities %#x, Linux %d.%d, %v %s, %s", p.text(), uint64(t.caps), t.kernel[0], t.kernel[1], c.abi, c.name, dataSource(&d))})
}

func clone(p *profile) *profile {
	var out profile
	if err := json.NewDecoder(bytes.NewReader(p.text())).Decode(&out); err != nil {
		panic(err) // it was just written
	}
	return &out
}

// stack holds random programs against gVisor's interpreter and the kernel.
func (w *worker) stack(rng *rand.Rand, r *verify.Report, n int) error {
	s := make(seccomp.Stack, n)
	for i := range s {
		s[i] = randomProgram(rng, false)
	}
	calls := make([]call, perRound)
	for i := range calls {
		calls[i] = randomData(rng)
	}
	return w.programs(rng, r, s, calls)
}

func (w *worker) programs(rng *rand.Rand, r *verify.Report, s seccomp.Stack, calls []call) error {
	if len(s) == 1 && !shiftsByX(s[0]) {
		g, err := interpret(s[0])
		if err != nil {
			return fmt.Errorf("gVisor's interpreter does not take a program: %w\n%s", err, source(s))
		}
		for i := range calls {
			d := calls[i].data()
			got, _ := s[0].Run(&d)
			a, err := g.run(&d)
			count(r, byInterpreter, &calls[i], got)
			if err != nil || !same(got, seccomp.Action(a)) {
				r.Disagree(verify.Disagreement{Oracle: byInterpreter, Model: got.String(), Answer: fmt.Sprint(seccomp.Action(a), err), Repeat: source(s) + "\n" + dataSource(&d)})
			}
		}
	}
	if w.kernel == nil {
		return nil
	}
	return w.performed(r, stacked(s), calls)
}

// shiftsByX reports whether a program shifts by X: gVisor's interpreter does not cut the amount to five bits.
func shiftsByX(p seccomp.Program) bool {
	return slices.ContainsFunc(p, func(in seccomp.Insn) bool { return in.Code == lsh|srcX || in.Code == rsh|srcX })
}

// performed has children make the calls below the filters: one that is killed leaves its remaining calls to the next.
func (w *worker) performed(r *verify.Report, s seccomp.Stack, calls []call) error {
	k := w.kernel
	calls = slices.DeleteFunc(slices.Clone(calls), func(c call) bool {
		return c.abi == syscalls.I386 && !k.old || c.abi == syscalls.ARM64 || c.name != "" && !slices.Contains(harmless, c.name)
	})
	// A number that no call has: the tables are those of the newest kernel, so that any older one does not have it either.
	for children := 0; len(calls) > 0 && children < 6; children++ {
		res, err := k.run(s, calls, true)
		if err != nil {
			return err
		}
		for i, e := range res.installs {
			if e != 0 {
				r.Disagree(verify.Disagreement{Oracle: byChecker, Model: "it is valid", Answer: fmt.Sprintf("errno %d", e), Repeat: source(s[i : i+1])})
				return nil
			}
		}
		n := min(res.done+1, len(calls))
		for i := range n {
			c := &calls[i]
			d := c.data()
			d.IP = k.entry(c)
			a, _, _ := s.Run(&d)
			count(r, byKernel, c, a)
			if other := k.differs(res, i, c, a); other != "" {
				r.Disagree(verify.Disagreement{Oracle: byKernel, Model: a.String(), Answer: other, Repeat: source(w.smaller(s, *c)) + "\n" + dataSource(&d)})
				return nil
			}
		}
		calls = calls[n:]
	}
	return nil
}

// smaller leaves out the filters and instructions without which model and kernel still disagree about a call.
func (w *worker) smaller(s seccomp.Stack, c call) seccomp.Stack {
	bad := func(s seccomp.Stack) bool {
		if slices.ContainsFunc(s, func(p seccomp.Program) bool { return p.Check() != nil }) {
			return false
		}
		res, err := w.kernel.run(s, []call{c}, true)
		if err != nil || slices.ContainsFunc(res.installs, func(e uint32) bool { return e != 0 }) {
			return false
		}
		d := c.data()
		d.IP = w.kernel.entry(&c)
		a, _, _ := s.Run(&d)
		return w.kernel.differs(res, 0, &c, a) != ""
	}
	for i := 0; i < len(s); i++ {
		if less := slices.Delete(slices.Clone(s), i, i+1); len(less) > 0 && bad(less) {
			s = less
			i--
		}
	}
	for i := range s {
		for j := len(s[i]) - 1; j >= 0; j-- {
			less := slices.Clone(s)
			less[i] = slices.Clone(s[i])
			less[i][j] = seccomp.Insn{Code: ldImm}
			if s[i][j] != less[i][j] && bad(less) {
				s = less
			}
		}
	}
	return s
}

// checks asks the kernel which of many programs, most of them broken, it would install.
func (w *worker) checks(rng *rand.Rand, r *verify.Report) error {
	if w.kernel == nil {
		return w.stack(rng, r, 1)
	}
	progs := make([]seccomp.Program, maxChecks/2)
	for i := range progs {
		progs[i] = mutated(rng, randomProgram(rng, false))
	}
	ok, err := w.kernel.accepts(progs)
	if err != nil {
		return err
	}
	for i, p := range progs {
		err := p.Check()
		a := seccomp.Allow
		if err != nil {
			a = seccomp.Errno | 22
		}
		count(r, byChecker, &call{name: "seccomp"}, a)
		if ok[i] != (err == nil) {
			r.Disagree(verify.Disagreement{Oracle: byChecker, Model: fmt.Sprint(err), Answer: fmt.Sprintf("installs: %v", ok[i]), Repeat: source(seccomp.Stack{p})})
		}
	}
	return nil
}
