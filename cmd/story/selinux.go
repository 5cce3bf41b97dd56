package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"syscallstory/container"
	"syscallstory/selinux"
)

func (p *program) selinuxCommand() *cobra.Command {
	c := &cobra.Command{Use: "selinux", Short: "what an SELinux policy says, and why",
		Long: `Ask a binary SELinux policy: that of the running kernel, or with --policy a file, as checkpolicy and secilc write it, or a snapshot of a
process (story snapshot) that was taken under SELinux. No SELinux host is needed. docs/selinux.md has the meaning and the JSON.`,
		PersistentPreRun: func(*cobra.Command, []string) { boundMemory() }}
	c.AddCommand(p.selinuxWhyCommand(), p.selinuxQueryCommand(), p.selinuxContextCommand(), p.selinuxBooleansCommand(), p.selinuxDiffCommand(), p.selinuxAVCCommand(), p.selinuxLabelCommand())
	return c
}

// boundMemory has garbage collected early where a policy, which may be made to take memory, comes near 256 MB; whoever has
// set another limit keeps it.
func boundMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(200 << 20)
	}
}

// collectLate has garbage of a policy of a usual size collected late: most of what a question about one allocates is the policy.
func collectLate(policy os.FileInfo) {
	if policy.Size() < 4<<20 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(500)
	}
}

// runningPolicy is where the kernel gives its policy, booleans as they are.
const runningPolicy = "/sys/fs/selinux/policy"

// policyFlags choose a policy.
type policyFlags struct {
	policy   string
	booleans []string
	output   string
}

func (f *policyFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.policy, "policy", "", "a binary policy, or a snapshot that holds one; the running kernel's where none is given")
	s.StringArrayVar(&f.booleans, "boolean", nil, "NAME=on|off: what if a boolean had this value")
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
}

// load reads the policy, with its booleans as they are asked for.
func (f *policyFlags) load() (*selinux.Policy, error) {
	if err := textOrJSON(f.output); err != nil {
		return nil, err
	}
	name := f.policy
	if name == "" {
		name = runningPolicy
	}
	if info, err := os.Stat(name); err == nil {
		collectLate(info)
	} else if f.policy == "" {
		return nil, &container.Incapable{Err: errors.New("this kernel runs no SELinux policy: name one with --policy FILE")}
	}
	p, err := readPolicy(name)
	if err != nil {
		return nil, err
	}
	states := map[string]bool{}
	for _, b := range f.booleans {
		name, value, _ := strings.Cut(b, "=")
		switch value {
		case "on", "1", "true":
			states[name] = true
		case "off", "0", "false":
			states[name] = false
		default:
			return nil, fmt.Errorf("--boolean %s: it is written NAME=on or NAME=off", b)
		}
	}
	if len(states) == 0 {
		return p, nil
	}
	return p.WithBooleans(states)
}

func (p *program) selinuxBooleansCommand() *cobra.Command {
	var f policyFlags
	c := &cobra.Command{Use: "booleans [--policy FILE] [NAME...]", Short: "the policy's booleans, and how many rules depend on each",
		Long: `List the booleans of the policy with their values, and how many rules have a condition that names each. Names pick some of them.

Exit status: 0; 2 usage or bad input; 5 no policy runs and none is named.`,
		Example: `  story selinux booleans --policy /etc/selinux/default/policy/policy.33
  story selinux booleans httpd_can_network_connect -o json`,
		RunE: func(_ *cobra.Command, args []string) error { return p.selinuxBooleans(&f, args) }}
	f.add(c.Flags())
	return c
}

// booleansView is the JSON of booleans.
type booleansView struct {
	SchemaVersion string            `json:"schemaVersion"`
	Booleans      []selinux.Boolean `json:"booleans"`
}

func (p *program) selinuxBooleans(f *policyFlags, names []string) error {
	pol, err := f.load()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, n := range names {
		if _, err := pol.WithBooleans(map[string]bool{n: true}); err != nil {
			return err
		}
		wanted[n] = true
	}
	view := booleansView{"1", []selinux.Boolean{}}
	for _, b := range pol.Booleans() {
		if len(names) == 0 || wanted[b.Name] {
			view.Booleans = append(view.Booleans, b)
		}
	}
	if f.output == "json" {
		return encodeAll(p.out, []booleansView{view})
	}
	out := p.plain()
	for _, b := range view.Booleans {
		fmt.Fprintf(out, "%-3s  %s  (%d rules)\n", onOff(b.On), b.Name, b.Rules)
	}
	return out.Flush()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (p *program) selinuxDiffCommand() *cobra.Command {
	var output string
	c := &cobra.Command{Use: "diff A B", Short: "what differs between two policies",
		Long: `Compare two binary policies by names: settings, classes, types with their attributes, roles, users, booleans, constraints, labels of ports,
filesystems and the like, and rules, permission by permission. Attributes are compared too, so that a type that gains one is a
difference of its own, and the rules about the attribute are not repeated.

Exit status: 0 no difference; 1 some; 2 usage or bad input.`,
		Example: `  story selinux diff /etc/selinux/default/policy/policy.33 new.33
  story selinux diff -o json old.33 new.33`,
		Args: takes("A B"),
		RunE: func(_ *cobra.Command, args []string) error { return p.selinuxDiff(args[0], args[1], output) }}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func (p *program) selinuxDiff(a, b, output string) error {
	if err := textOrJSON(output); err != nil {
		return err
	}
	from, err := readPolicy(a)
	if err != nil {
		return err
	}
	to, err := readPolicy(b)
	if err != nil {
		return err
	}
	all := selinux.Diff(from, to)
	if len(all) > 0 {
		p.code = exitDenied
	}
	out := p.plain()
	if output == "json" {
		if err := listJSON(out.Writer, fmt.Sprintf("\"equal\": %t,\n  \"differences\"", len(all) == 0), slices.Values(all)); err != nil {
			return err
		}
		return out.Flush()
	}
	sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}
	for _, d := range all {
		fmt.Fprintf(out, "%s %s %s\n", sign[d.Change], d.Kind, d.What)
		if d.Change == "changed" {
			fmt.Fprintf(out, "    from %s\n    to   %s\n", short(d.From), short(d.To))
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "the policies say the same")
	}
	return out.Flush()
}

// short keeps a line of many names readable; the JSON has them all.
func short(s string) string {
	if len(s) > 400 {
		return s[:400] + " …"
	}
	if s == "" {
		return "nothing"
	}
	return s
}

func (p *program) selinuxQueryCommand() *cobra.Command {
	var f policyFlags
	var q selinux.Query
	c := &cobra.Command{Use: "query [--policy FILE] [-s SOURCE] [-t TARGET] [-c CLASS] [-p PERM]...", Short: "the rules about types, classes and permissions",
		Long: `List the rules that are about a source, a target, a class or a permission. A type stands for itself and its attributes, an attribute
for itself and its types, unless --exact is given. A conditional rule is printed with its condition; one whose condition does
not hold is marked.

Exit status: 0, also where there are none; 2 usage or bad input; 5 no policy runs and none is named.`,
		Example: `  story selinux query --policy policy.33 -s init_t -t var_log_t -c file
  story selinux query --kind dontaudit -t shadow_t -o json
  story selinux query --kind type_transition -s sshd_t`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.selinuxQuery(&f, &q) }}
	s := c.Flags()
	s.StringVar(&f.policy, "policy", "", "a binary policy, or a snapshot that holds one; the running kernel's where none is given")
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
	s.StringArrayVar(&f.booleans, "set", nil, "NAME=on|off: what if a boolean had this value")
	s.StringSliceVar(&q.Kinds, "kind", nil, "allow, auditallow, dontaudit, type_transition, type_change, type_member, range_transition, allowxperm …")
	s.StringVarP(&q.Source, "source", "s", "", "a type or attribute")
	s.StringVarP(&q.Target, "target", "t", "", "a type or attribute")
	s.StringVarP(&q.Class, "class", "c", "", "an object class")
	s.StringSliceVarP(&q.Perms, "perm", "p", nil, "permissions, of which a rule has any")
	s.StringVar(&q.Default, "default", "", "the type that a rule of types makes")
	s.StringVar(&q.Boolean, "boolean", "", "rules whose condition names it")
	s.BoolVar(&q.Exact, "exact", false, "source and target as the rule names them")
	return c
}

// selinuxQuery prints rules one by one: those of a whole policy may be far longer than the policy.
func (p *program) selinuxQuery(f *policyFlags, q *selinux.Query) error {
	pol, err := f.load()
	if err != nil {
		return err
	}
	rules, err := pol.Rules(*q)
	if err != nil {
		return err
	}
	out := p.plain()
	if f.output == "json" {
		if err := listJSON(out.Writer, `"rules"`, rules); err != nil {
			return err
		}
		return out.Flush()
	}
	for r := range rules {
		if _, err := fmt.Fprintln(out, ruleLine(&r)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// listJSON writes an object that ends in a list; name is that of the list, with what stands before it.
func listJSON[T any](out io.Writer, name string, all iter.Seq[T]) error {
	if _, err := fmt.Fprintf(out, "{\n  \"schemaVersion\": \"1\",\n  %s: ", name); err != nil {
		return err
	}
	l := newList[T](out, "  ")
	for x := range all {
		if err := l.add(x); err != nil {
			return err
		}
	}
	if err := l.end(); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n}\n")
	return err
}

// jsonList writes an array element by element.
type jsonList[T any] struct {
	out    io.Writer
	indent string
	buf    bytes.Buffer
	n      int
}

func newList[T any](out io.Writer, indent string) *jsonList[T] {
	return &jsonList[T]{out: out, indent: indent}
}

func (l *jsonList[T]) add(x T) error {
	l.buf.Reset()
	l.buf.WriteString(map[bool]string{true: "[\n  ", false: ",\n  "}[l.n == 0] + l.indent)
	enc := json.NewEncoder(&l.buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent(l.indent+"  ", "  ")
	if err := enc.Encode(x); err != nil {
		return err
	}
	l.n++
	_, err := l.out.Write(bytes.TrimRight(l.buf.Bytes(), "\n"))
	return err
}

func (l *jsonList[T]) end() error {
	text := "\n" + l.indent + "]"
	if l.n == 0 {
		text = "[]"
	}
	_, err := io.WriteString(l.out, text)
	return err
}

// ruleLine is a rule with its condition.
func ruleLine(r *selinux.RuleText) string {
	if r.Condition == "" {
		return r.Text
	}
	mark := ""
	if !r.Enabled {
		mark = " (does not hold)"
	}
	return r.Text + " [ " + r.Condition + " ]" + mark
}

// errNoPermissions is for a question without any.
var errNoPermissions = errors.New("name a permission")
