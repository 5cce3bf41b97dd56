package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// MaxProfile is the largest profile that is read, in bytes.
const MaxProfile = 1 << 20

// Pos is a place in a profile's file, counted from 1.
type Pos struct{ Line, Col int }

// Profile is a seccomp profile as Docker (includes, excludes, archMap) or the OCI runtime specification write it.
type Profile struct {
	File     string
	Default  Action
	At       Pos // of the default action
	Arches   []ArchMap
	Rules    []Rule
	Listener bool // somebody listens for SCMP_ACT_NOTIFY
	Warnings []Warning
}

// ArchMap is an architecture with those whose calls the filter judges beside it.
type ArchMap struct {
	Arch string
	Sub  []string
}

// Rule is one element of the profile's syscalls.
type Rule struct {
	Names    []string
	NamesAt  []Pos
	Action   Action
	Args     []Arg
	Includes Filter
	Excludes Filter
	At       Pos
}

// Filter is a rule's includes or excludes.
type Filter struct {
	Caps      []kernel.Cap
	Arches    []string
	MinKernel [2]int
}

// Op compares an argument.
type Op uint8

const (
	NE Op = iota
	LT
	LE
	EQ
	GE
	GT
	MaskedEQ
)

var ops = map[string]Op{"SCMP_CMP_NE": NE, "SCMP_CMP_LT": LT, "SCMP_CMP_LE": LE, "SCMP_CMP_EQ": EQ, "SCMP_CMP_GE": GE, "SCMP_CMP_GT": GT, "SCMP_CMP_MASKED_EQ": MaskedEQ}

// Arg is a condition on one argument: Value, or for MaskedEQ the mask Value and the wanted ValueTwo.
type Arg struct {
	Index           uint8
	Op              Op
	Value, ValueTwo uint64
	Low             bool // only the lower 32 bits are compared
}

// Holds reports whether the condition holds for a register's value.
func (a Arg) Holds(v uint64) bool {
	if a.Low {
		const low = 1<<32 - 1
		v, a.Value, a.ValueTwo = v&low, a.Value&low, a.ValueTwo&low
	}
	switch a.Op {
	case NE:
		return v != a.Value
	case LT:
		return v < a.Value
	case LE:
		return v <= a.Value
	case EQ:
		return v == a.Value
	case GE:
		return v >= a.Value
	case GT:
		return v > a.Value
	}
	return v&a.Value == a.ValueTwo
}

// Warning is a remark on a profile that does not make it invalid.
type Warning struct {
	At  Pos
	Msg string
}

// ParseError is a profile that cannot be read.
type ParseError struct {
	File string
	At   Pos
	Msg  string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.At.Line, e.At.Col, e.Msg)
}

// Parse reads a profile.
func Parse(file string, text []byte) (p *Profile, err error) {
	r := &reader{file: file, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	defer func() {
		if e, ok := recover().(*ParseError); ok {
			p, err = nil, e
		} else if e != nil {
			panic(e)
		}
	}()
	if len(text) > MaxProfile {
		r.fail("the profile has %d bytes, at most %d are read", len(text), MaxProfile)
	}
	p = &Profile{File: file}
	seen := false
	errno := -1
	r.object("profile", map[string]func(){
		"defaultAction":    func() { p.At = r.pos(); p.Default = r.action(); seen = true },
		"defaultErrnoRet":  func() { errno = r.errno() },
		"defaultErrno":     func() { r.errnoName(&errno) },
		"archMap":          func() { r.array(func() { p.Arches = append(p.Arches, r.archMap()) }) },
		"architectures":    func() { p.Arches = append(p.Arches, r.architectures()...) },
		"syscalls":         func() { r.array(func() { p.Rules = append(p.Rules, r.rule(p)) }) },
		"flags":            r.skip,
		"listenerPath":     func() { p.Listener = r.str() != "" },
		"listenerMetadata": r.skip,
		"comment":          r.skip,
	})
	if _, e := r.dec.Token(); e != io.EOF {
		r.fail("something follows the profile")
	}
	if !seen {
		r.at = 0
		r.fail("the profile has no defaultAction")
	}
	p.Default = withErrno(p.Default, errno)
	return p, nil
}

// withErrno puts the errno into an action that carries one; EPERM where the profile names none.
func withErrno(a Action, errno int) Action {
	if k := a.Kind(); k != Errno && k != Trace {
		return a
	}
	if errno < 0 {
		errno = 1
	}
	return a.Kind() | Action(errno&0xffff)
}

// reader walks the tokens of a JSON text and knows where it stands.
type reader struct {
	file string
	text []byte
	dec  *json.Decoder
	at   int64 // where the last token began
	line int   // lines before lineAt, counted as the reader goes on
	lpos int64
	lbeg int64
}

func (r *reader) fail(format string, args ...any) {
	panic(&ParseError{r.file, r.pos(), fmt.Sprintf(format, args...)})
}

// pos returns the place of the last token.
func (r *reader) pos() Pos {
	if r.at < r.lpos {
		r.line, r.lpos, r.lbeg = 0, 0, 0
	}
	for ; r.lpos < r.at; r.lpos++ {
		if r.text[r.lpos] == '\n' {
			r.line++
			r.lbeg = r.lpos + 1
		}
	}
	return Pos{r.line + 1, int(r.at-r.lbeg) + 1}
}

// token reads the next token and remembers where it began.
func (r *reader) token() json.Token {
	r.at = r.dec.InputOffset()
	for r.at < int64(len(r.text)) && strings.IndexByte(" \t\r\n:,", r.text[r.at]) >= 0 {
		r.at++
	}
	t, err := r.dec.Token()
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "json: ")
		if s, ok := err.(*json.SyntaxError); ok {
			r.at = max(s.Offset-1, 0)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			r.at, msg = int64(len(r.text)), "the profile ends too early"
		}
		r.fail("%s", msg)
	}
	return t
}

func (r *reader) object(what string, fields map[string]func()) {
	switch t := r.token(); t {
	case json.Delim('{'):
	case nil:
		return
	default:
		r.fail("%s: an object is expected", what)
	}
	for r.dec.More() {
		name, _ := r.token().(string)
		f := fields[name]
		if f == nil {
			var known []string
			for k := range fields {
				known = append(known, k)
			}
			r.fail("unknown field %q in %s%s", name, what, suggest(name, known))
		}
		f()
	}
	r.token()
}

func suggest(word string, known []string) string {
	slices.Sort(known)
	if near := syscalls.Near(word, known); len(near) > 0 {
		return "; did you mean " + strings.Join(near[:1], "") + "?"
	}
	return ""
}

func (r *reader) array(item func()) {
	switch t := r.token(); t {
	case json.Delim('['):
	case nil:
		return
	default:
		r.fail("an array is expected")
	}
	for r.dec.More() {
		item()
	}
	r.token()
}

func (r *reader) skip() {
	depth := 0
	for {
		switch t := r.token(); t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 64 {
				r.fail("nested too deeply")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return
		}
	}
}

func (r *reader) str() string {
	s, ok := r.token().(string)
	if !ok {
		r.fail("a string is expected")
	}
	return s
}

func (r *reader) uint(bits int) uint64 {
	n, ok := r.token().(json.Number)
	if !ok {
		r.fail("a number is expected")
	}
	v, err := strconv.ParseUint(string(n), 10, bits)
	if err != nil {
		r.fail("%s is not a number of 0 to %d", n, uint64(1)<<bits-1)
	}
	return v
}

func (r *reader) errno() int { return int(r.uint(16)) }

// errnoName reads an errno's name, as containers/common writes it beside the number.
func (r *reader) errnoName(into *int) {
	name := r.str()
	e, ok := story.ParseErrno(name)
	switch {
	case name == "":
	case !ok:
		r.fail("unknown errno %q", name)
	case *into < 0:
		*into = int(e)
	}
}

func (r *reader) action() Action {
	name := r.str()
	a, ok := profileActions[name]
	if !ok {
		var known []string
		for k := range profileActions {
			known = append(known, k)
		}
		r.fail("unknown action %q%s", name, suggest(name, known))
	}
	return a
}

func (r *reader) archMap() ArchMap {
	var m ArchMap
	r.object("archMap", map[string]func(){
		"architecture":     func() { m.Arch = r.arch() },
		"subArchitectures": func() { r.array(func() { m.Sub = append(m.Sub, r.arch()) }) },
	})
	return m
}

// architectures reads the OCI list: every one of them is judged.
func (r *reader) architectures() []ArchMap {
	var all []string
	r.array(func() { all = append(all, r.arch()) })
	var maps []ArchMap
	for _, a := range all {
		maps = append(maps, ArchMap{Arch: a, Sub: all})
	}
	return maps
}

func (r *reader) arch() string {
	s := r.str()
	if !strings.HasPrefix(s, "SCMP_ARCH_") {
		r.fail("unknown architecture %q: names begin with SCMP_ARCH_", s)
	}
	return s
}

func (r *reader) rule(p *Profile) Rule {
	var rule Rule
	errno := -1
	name := func() {
		n := r.str()
		rule.Names, rule.NamesAt = append(rule.Names, n), append(rule.NamesAt, r.pos())
		if !syscalls.Exists(n) && !otherCalls[n] {
			p.Warnings = append(p.Warnings, Warning{r.pos(), fmt.Sprintf("unknown syscall %q%s", n, suggest(n, syscalls.Nearest(n)))})
		}
	}
	first := true
	r.object("a rule of syscalls", map[string]func(){
		"names": func() { r.array(name) }, "name": name,
		"action":   func() { rule.Action = r.action(); rule.At = r.pos(); first = false },
		"errnoRet": func() { errno = r.errno() },
		"errno":    func() { r.errnoName(&errno) },
		"args":     func() { r.array(func() { rule.Args = append(rule.Args, r.arg()) }) },
		"includes": func() { rule.Includes = r.filter("includes") },
		"excludes": func() { rule.Excludes = r.filter("excludes") },
		"comment":  r.skip,
	})
	if first {
		r.fail("a rule has no action")
	}
	if len(rule.Names) == 0 {
		r.fail("a rule names no syscall")
	}
	rule.Action = withErrno(rule.Action, errno)
	return rule
}

func (r *reader) arg() Arg {
	var a Arg
	r.object("args", map[string]func(){
		"index":    func() { a.Index = uint8(r.uint(8)) },
		"value":    func() { a.Value = r.uint(64) },
		"valueTwo": func() { a.ValueTwo = r.uint(64) },
		"op": func() {
			name := r.str()
			op, ok := ops[name]
			if !ok {
				var known []string
				for k := range ops {
					known = append(known, k)
				}
				r.fail("unknown operator %q%s", name, suggest(name, known))
			}
			a.Op = op
		},
	})
	if a.Index > 5 {
		r.fail("a call has arguments 0 to 5")
	}
	return a
}

func (r *reader) filter(what string) Filter {
	var f Filter
	r.object(what, map[string]func(){
		"arches": func() { r.array(func() { f.Arches = append(f.Arches, r.str()) }) },
		"caps": func() {
			r.array(func() {
				s := r.str()
				c, ok := kernel.ParseCap(s)
				if !ok {
					r.fail("unknown capability %q", s)
				}
				f.Caps = append(f.Caps, c)
			})
		},
		"minKernel": func() {
			s := r.str()
			k, err := kernel.ParseRelease(s)
			if err != nil {
				r.fail("%v", err)
			}
			f.MinKernel = [2]int{k.Major, k.Minor}
		},
	})
	return f
}

// otherCalls are names that profiles carry for architectures that are not modelled here.
var otherCalls = map[string]bool{"sync_file_range2": true,
	"s390_pci_mmio_read": true, "s390_pci_mmio_write": true, "s390_runtime_instr": true, "riscv_flush_icache": true, "riscv_hwprobe": true, "swapcontext": true,
	"recv": true, "send": true, "subpage_prot": true, "switch_endian": true, "rtas": true, "spu_create": true, "spu_run": true, "multiplexer": true, "sys_debug_setcontext": true, "pciconfig_read": true, "pciconfig_write": true, "pciconfig_iobase": true, "atomic_barrier": true, "atomic_cmpxchg_32": true, "getpagesize": true, "timerfd": true}

// Target is what a profile is resolved against.
type Target struct {
	ABI    syscalls.ABI // of the machine: X8664 or ARM64
	Caps   world.CapSet // the container's bounding set
	Kernel kernel.Release
}

// Resolved is a profile for one target.
type Resolved struct {
	Profile *Profile
	Target  Target
	Rules   []int  // indexes of the rules that are kept
	Maybe   []int  // of those that the kernel's release, which is not known, would decide
	Dropped []Drop // of the others
	ABIs    []syscalls.ABI
	Listed  bool // the profile itself names the ABIs
	byName  map[string][]int
	loader  *loader // nil: the profile is loaded as it is written
}

// Drop says why a rule is not in force.
type Drop struct {
	Rule int
	Why  string
}

// Resolve keeps the rules that are in force for a target: the includes must hold and the excludes must not.
func (p *Profile) Resolve(t Target) *Resolved {
	r := &Resolved{Profile: p, Target: t, byName: map[string][]int{}, ABIs: p.abis(t.ABI), Listed: len(p.Arches) > 0}
	for i := range p.Rules {
		rule := &p.Rules[i]
		why, answer := rule.inForce(t)
		switch answer {
		case kernel.No:
			r.Dropped = append(r.Dropped, Drop{i, why})
			continue
		case kernel.NotKnown:
			r.Maybe = append(r.Maybe, i)
		default:
			r.Rules = append(r.Rules, i)
		}
		for _, n := range rule.Names {
			r.byName[n] = append(r.byName[n], i)
		}
	}
	return r
}

// abis lists the ABIs that the filter judges on a machine.
func (p *Profile) abis(native syscalls.ABI) []syscalls.ABI {
	names := map[string]syscalls.ABI{"SCMP_ARCH_X86_64": syscalls.X8664, "SCMP_ARCH_X86": syscalls.I386, "SCMP_ARCH_X32": syscalls.X32, "SCMP_ARCH_AARCH64": syscalls.ARM64, "SCMP_ARCH_ARM": syscalls.ARM}
	out := []syscalls.ABI{native}
	for _, m := range p.Arches {
		if a, ok := names[m.Arch]; !ok || a != native {
			continue
		}
		for _, s := range m.Sub {
			if a, ok := names[s]; ok && a != native {
				out = append(out, a)
			}
		}
	}
	return out
}

// inForce is what moby's and containerd's loaders do with includes and excludes.
func (rule *Rule) inForce(t Target) (string, kernel.Answer) {
	goarch := map[syscalls.ABI]string{syscalls.X8664: "amd64", syscalls.ARM64: "arm64"}[t.ABI]
	has := func(list []string) bool {
		for _, a := range list {
			if a == goarch {
				return true
			}
		}
		return false
	}
	ex, in := &rule.Excludes, &rule.Includes
	if has(ex.Arches) {
		return "excluded on " + goarch, kernel.No
	}
	for _, c := range ex.Caps {
		if t.Caps.Has(c) {
			return fmt.Sprintf("excluded because %v is in the bounding set", c), kernel.No
		}
	}
	answer := kernel.Yes
	if ex.MinKernel != [2]int{} {
		switch t.Kernel.AtLeast(ex.MinKernel[0], ex.MinKernel[1]) {
		case kernel.Yes:
			return fmt.Sprintf("excluded from Linux %d.%d on", ex.MinKernel[0], ex.MinKernel[1]), kernel.No
		case kernel.NotKnown:
			answer = kernel.NotKnown
		}
	}
	if len(in.Arches) > 0 && !has(in.Arches) {
		return "included on " + strings.Join(in.Arches, ", ") + " only", kernel.No
	}
	for _, c := range in.Caps {
		if !t.Caps.Has(c) {
			return fmt.Sprintf("included only with %v, which is not in the bounding set", c), kernel.No
		}
	}
	if in.MinKernel != [2]int{} {
		switch t.Kernel.AtLeast(in.MinKernel[0], in.MinKernel[1]) {
		case kernel.No:
			return fmt.Sprintf("included from Linux %d.%d on", in.MinKernel[0], in.MinKernel[1]), kernel.No
		case kernel.NotKnown:
			answer = kernel.NotKnown
		}
	}
	return "", answer
}

// Why says what keeps a rule in force, empty where nothing conditions it.
func (r *Resolved) Why(rule int) string {
	in := &r.Profile.Rules[rule].Includes
	switch {
	case len(in.Caps) > 0:
		return fmt.Sprintf("because %v is in the bounding set", in.Caps[0])
	case in.MinKernel != [2]int{}:
		return fmt.Sprintf("from Linux %d.%d on", in.MinKernel[0], in.MinKernel[1])
	}
	return ""
}

// Missing returns a dropped rule that names the call and would have allowed it.
func (r *Resolved) Missing(name string) (Drop, bool) {
	for _, d := range r.Dropped {
		rule := &r.Profile.Rules[d.Rule]
		if rule.Action.Kind() != Allow {
			continue
		}
		for _, n := range rule.Names {
			if n == name {
				return d, true
			}
		}
	}
	return Drop{}, false
}

// Decision is what the rules say to a call.
type Decision struct {
	Action Action
	Rule   int // -1: the default action
}

// Eval applies the rules' meaning to a call of a listed ABI.
func (r *Resolved) Eval(name string, args *[6]uint64) Decision {
	best := Decision{r.Profile.Default, -1}
	for _, i := range r.byName[name] {
		rule := &r.Profile.Rules[i]
		if rule.matches(args) && (best.Rule < 0 || rule.Action.Stricter(best.Action)) {
			best = Decision{rule.Action, i}
		}
	}
	return best
}

// Every returns the decisions that are possible where the registers of unknown may hold anything and rules of Maybe may be
// in force or not; one where it does not matter.
func (r *Resolved) Every(name string, args *[6]uint64, unknown uint8) []Decision {
	rules := r.byName[name]
	out := []Decision{}
	if len(rules) > 12 {
		rules = rules[:12]
	}
	// Each rule that may or may not match doubles the cases; profiles have a few of them a call.
	var walk func(i int, best Decision)
	walk = func(i int, best Decision) {
		if i == len(rules) {
			for _, d := range out {
				if d == best {
					return
				}
			}
			out = append(out, best)
			return
		}
		rule := &r.Profile.Rules[rules[i]]
		yes, no := rule.may(args, unknown)
		for _, m := range r.Maybe {
			if m == rules[i] {
				no = true
			}
		}
		if no {
			walk(i+1, best)
		}
		if yes {
			if best.Rule < 0 || rule.Action.Stricter(best.Action) {
				best = Decision{rule.Action, rules[i]}
			}
			walk(i+1, best)
		}
	}
	walk(0, Decision{r.Profile.Default, -1})
	return out
}

// separate reports whether two conditions stand on one argument: then each is a rule of its own.
func (rule *Rule) separate() bool {
	seen := uint8(0)
	for _, a := range rule.Args {
		if seen>>a.Index&1 != 0 {
			return true
		}
		seen |= 1 << a.Index
	}
	return false
}

func (rule *Rule) matches(args *[6]uint64) bool {
	if len(rule.Args) == 0 {
		return true
	}
	any := rule.separate()
	for _, a := range rule.Args {
		if a.Holds(args[a.Index]) == any {
			return any
		}
	}
	return !any
}

// may says whether a rule may match and whether it may not, where some registers are not known.
func (rule *Rule) may(args *[6]uint64, unknown uint8) (yes, no bool) {
	if len(rule.Args) == 0 {
		return true, false
	}
	any := rule.separate()
	open := false
	for _, a := range rule.Args {
		switch {
		case unknown>>a.Index&1 != 0:
			open = true
		case a.Holds(args[a.Index]) == any:
			return any, !any
		}
	}
	if open {
		return true, true
	}
	return !any, any
}

// Depends reports whether the answer to a call may depend on one of the unknown registers or on a rule of Maybe.
func (r *Resolved) Depends(name string, unknown uint8) bool {
	for _, i := range r.byName[name] {
		for _, m := range r.Maybe {
			if m == i {
				return true
			}
		}
		for _, a := range r.Profile.Rules[i].Args {
			if unknown>>a.Index&1 != 0 {
				return true
			}
		}
	}
	return false
}
