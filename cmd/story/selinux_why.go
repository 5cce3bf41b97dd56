package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/selinux"
)

func (p *program) selinuxWhyCommand() *cobra.Command {
	var f policyFlags
	var command string
	c := &cobra.Command{Use: "why [--policy FILE] SCON TCON CLASS PERM[,PERM...]", Short: "whether a source may do something to a target, and why",
		Long: `Decide as the kernel's security server does (security_compute_av): rules by attributes, conditionals by boolean, constraints, changes of
roles, type bounds, extended permissions. The answer names the rule that allows, or what refuses and, of a constraint, the part
that fails; whether an AVC record is written; and what would let it pass, where each proposal was tried on the policy.

Exit status: 0 every permission is allowed, or the source's type is permissive; 1 one is denied; 2 usage or bad input; 5 no
policy runs and none is named.`,
		Example: `  story selinux why --policy policy.33 system_u:system_r:container_t:s0:c1,c2 system_u:object_r:container_file_t:s0:c3 file read
  story selinux why system_u:system_r:init_t:s0 system_u:object_r:tty_device_t:s0 chr_file ioctl --command 0x5401 -o json`,
		Args: takes("SCON TCON CLASS PERM[,PERM...]"),
		RunE: func(_ *cobra.Command, args []string) error { return p.selinuxWhy(&f, args, command) }}
	f.add(c.Flags())
	c.Flags().StringVar(&command, "command", "", "an ioctl command or a netlink message's type, which extended rules may name")
	return c
}

// whyView is an answer as JSON.
type whyView struct {
	SchemaVersion string              `json:"schemaVersion"`
	Source        string              `json:"source"`
	Target        string              `json:"target"`
	Class         string              `json:"class"`
	Permission    string              `json:"permission"`
	Command       string              `json:"command,omitempty"`
	Allowed       bool                `json:"allowed"`    // by the policy
	Permissive    bool                `json:"permissive"` // the source's type: a denial is logged and let pass
	Reason        string              `json:"reason"`
	Text          string              `json:"text"`
	Logged        bool                `json:"logged"`
	Rules         []selinux.RuleText  `json:"rules"`
	Audit         []selinux.RuleText  `json:"audit"`
	Booleans      []selinux.Boolean   `json:"booleans"`
	Constraint    *constraintView     `json:"constraint"`
	Bounds        string              `json:"bounds,omitempty"`
	Fixes         []selinux.PolicyFix `json:"fixes"`
}

type constraintView struct {
	Text              string   `json:"text"`
	Failed            string   `json:"failed"`
	Facts             []string `json:"facts"`
	MissingCategories string   `json:"missingCategories,omitempty"`
}

// viewOf asks, and makes the answer a view; lists are never null.
func viewOf(pol *selinux.Policy, q selinux.Question) (*whyView, error) {
	w, err := pol.Explain(q)
	if err != nil {
		return nil, err
	}
	v := &whyView{SchemaVersion: "1", Source: pol.Text(q.Source), Target: pol.Text(q.Target), Class: q.Class, Permission: q.Perm, Allowed: w.Allowed, Permissive: w.Permissive,
		Reason: string(w.Reason), Text: w.Text, Logged: w.Logged, Rules: w.Rules, Audit: w.Audit, Booleans: w.Booleans, Bounds: w.Bounds, Fixes: w.Fixes}
	if q.Command != nil {
		v.Command = fmt.Sprintf("%#x", uint16(*q.Command))
	}
	if c := w.Constraint; c != nil {
		v.Constraint = &constraintView{c.Text, c.Failed, c.Facts, c.MissingCategories}
	}
	if v.Rules == nil {
		v.Rules = []selinux.RuleText{}
	}
	if v.Audit == nil {
		v.Audit = []selinux.RuleText{}
	}
	if v.Booleans == nil {
		v.Booleans = []selinux.Boolean{}
	}
	if v.Fixes == nil {
		v.Fixes = []selinux.PolicyFix{}
	}
	return v, nil
}

func (p *program) selinuxWhy(f *policyFlags, args []string, command string) error {
	pol, err := f.load()
	if err != nil {
		return err
	}
	q := selinux.Question{Class: args[2]}
	if q.Source, err = pol.Label(args[0]); err != nil {
		return err
	}
	if q.Target, err = pol.Label(args[1]); err != nil {
		return err
	}
	if command != "" {
		n, err := strconv.ParseUint(command, 0, 16)
		if err != nil {
			return fmt.Errorf("--command %s: it is a number of 16 bits", command)
		}
		x := selinux.Extended(n)
		q.Command = &x
	}
	var all []*whyView
	for _, perm := range strings.Split(args[3], ",") {
		if perm == "" {
			return errNoPermissions
		}
		q.Perm = perm
		v, err := viewOf(pol, q)
		if err != nil {
			return err
		}
		if all = append(all, v); !v.Allowed && !v.Permissive {
			p.code = exitDenied
		}
	}
	if f.output == "json" {
		return encodeAll(p.out, all)
	}
	out := p.plain()
	for i, v := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		v.write(out)
		if v.Reason == string(selinux.ByUnknown) {
			fmt.Fprintf(p.errs, "note: this is what the kernel answers where it asks for more than the policy knows%s\n", pol.Nearest(v.Class, v.Permission))
		}
	}
	return out.Flush()
}

func (v *whyView) write(out io.Writer) {
	verdict := "ALLOWED"
	switch {
	case !v.Allowed && v.Permissive:
		verdict = "DENIED, and let pass: the source's type is permissive"
	case !v.Allowed:
		verdict = "DENIED"
	}
	if !v.Allowed && !v.Logged {
		verdict += ", silently"
	}
	perm := v.Permission
	if v.Command != "" {
		perm += " " + v.Command
	}
	fmt.Fprintf(out, "%s → %s  %s %s\n%s (%s): %s\n", v.Source, v.Target, v.Class, perm, verdict, v.Reason, v.Text)
	v.writeReasons(out)
	for _, x := range v.Fixes {
		fmt.Fprintf(out, "help: %s (%s)\n", x.Text, fixWord(&x))
	}
}

// fixWord says what kind of change a proposal is.
func fixWord(x *selinux.PolicyFix) string {
	if x.Kind == "rule" {
		return "rule, tried; the last resort"
	}
	return x.Kind + ", tried"
}

// writeReasons prints the rules that count, and what of a constraint fails.
func (v *whyView) writeReasons(out io.Writer) {
	for i := range v.Rules {
		r := &v.Rules[i]
		fmt.Fprintf(out, "  rule  %s", ruleLine(r))
		if r.Via != "" {
			fmt.Fprintf(out, "  (%s)", r.Via)
		}
		fmt.Fprintln(out)
	}
	if c := v.Constraint; c != nil {
		fmt.Fprintf(out, "  constraint  %s\n", c.Text)
		for _, f := range c.Facts {
			fmt.Fprintf(out, "    %s\n", f)
		}
	}
	for i := range v.Audit {
		fmt.Fprintf(out, "  audit %s\n", ruleLine(&v.Audit[i]))
	}
}

func (p *program) selinuxAVCCommand() *cobra.Command {
	var f policyFlags
	c := &cobra.Command{Use: "avc [--policy FILE] LOG|-", Short: "explain the AVC records of a log, and what the log does not show",
		Long: `Read AVC records (auditd's log, the kernel's, or what ausearch prints), and answer for each different one why the policy refuses or
allows it, as why does. Permissions between the same two labels that the policy would refuse without a record (dontaudit)
are listed: those are the denials that a log cannot show.

Exit status: 0, also where there are none; 2 usage or bad input; 5 no policy runs and none is named.`,
		Example: `  story selinux avc --policy policy.33 /var/log/audit/audit.log
  ausearch -m avc | story selinux avc - -o json`,
		Args: takes("LOG|-"),
		RunE: func(_ *cobra.Command, args []string) error { return p.selinuxAVC(&f, args[0]) }}
	f.add(c.Flags())
	return c
}

// avcView is what avc prints of equal records.
type avcView struct {
	SchemaVersion string            `json:"schemaVersion"`
	Line          int               `json:"line"`  // of the first record
	Count         int               `json:"count"` // of records that say the same
	Denied        bool              `json:"denied"`
	Source        string            `json:"source"`
	Target        string            `json:"target"`
	Class         string            `json:"class"`
	Permissions   []string          `json:"permissions"`
	Fields        map[string]string `json:"fields"` // of the first record: comm, name, path …
	Agrees        bool              `json:"agrees"` // the policy says what the record says
	Problem       string            `json:"problem,omitempty"`
	Answers       []*whyView        `json:"answers"`
	Hidden        []string          `json:"hidden"` // permissions that would be denied without a record
}

func (p *program) selinuxAVC(f *policyFlags, name string) error {
	pol, err := f.load()
	if err != nil {
		return err
	}
	in := p.in
	if name != "-" {
		file, err := openFile(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	records, err := distinct(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(records) == 0 {
		fmt.Fprintf(p.errs, "%s: there is no AVC record\n", name)
	}
	out := p.plain()
	if f.output == "json" {
		l := newList[*avcView](out.Writer, "")
		for _, r := range records {
			if err := l.add(explainRecord(pol, r)); err != nil {
				return err
			}
		}
		if err := l.end(); err != nil {
			return err
		}
		fmt.Fprintln(out)
		return out.Flush()
	}
	for i, r := range records {
		if i > 0 {
			fmt.Fprintln(out)
		}
		explainRecord(pol, r).write(out)
	}
	return out.Flush()
}

// maxDifferent bounds the text of the records that are kept.
const maxDifferent = 32 << 20

// counted is a record, and how many say the same.
type counted struct {
	*selinux.Record
	count int
}

// distinct reads a log, and keeps of records that say the same the first.
func distinct(in io.Reader) (all []*counted, err error) {
	seen := map[string]*counted{}
	size := 0
	for r, err := range selinux.ReadAVC(in) {
		if err != nil {
			return nil, err
		}
		key := fmt.Sprint(r.Denied, r.Perms, r.Source, r.Target, r.Class, r.Permissive)
		if r.Command != nil {
			key += fmt.Sprint(*r.Command)
		}
		if c := seen[key]; c != nil {
			c.count++
			continue
		}
		r.Source, r.Target, r.Class = strings.Clone(r.Source), strings.Clone(r.Target), strings.Clone(r.Class) // the line is let go of
		for i := range r.Perms {
			r.Perms[i] = strings.Clone(r.Perms[i])
		}
		c := &counted{r, 1}
		seen[key] = c
		all = append(all, c)
		if size += 1024 + len(key); size > maxDifferent {
			return nil, fmt.Errorf("line %d: more than %d MiB of records differ: give the log in parts", r.Line, maxDifferent>>20)
		}
		fields := make(map[string]string, len(r.Fields))
		for name, v := range r.Fields {
			fields[strings.Clone(name)] = strings.Clone(v)
			size += 100 + len(name) + len(v)
		}
		r.Fields = fields
	}
	return all, nil
}

// explainRecord answers for each permission of a record.
func explainRecord(pol *selinux.Policy, r *counted) *avcView {
	v := &avcView{SchemaVersion: "1", Line: r.Line, Count: r.count, Denied: r.Denied, Source: r.Source, Target: r.Target, Class: r.Class, Permissions: r.Perms, Fields: r.Fields,
		Answers: []*whyView{}, Hidden: []string{}}
	q := selinux.Question{Class: r.Class, Command: r.Command}
	var err error
	if q.Source, err = pol.Label(r.Source); err == nil {
		q.Target, err = pol.Label(r.Target)
	}
	if err != nil {
		v.Problem = err.Error()
		return v
	}
	refused := false
	for _, perm := range r.Perms {
		q.Perm = perm
		a, err := viewOf(pol, q)
		if err != nil {
			v.Problem = err.Error()
			return v
		}
		refused = refused || !a.Allowed
		v.Answers = append(v.Answers, a)
	}
	if v.Agrees = refused == r.Denied; !v.Agrees {
		v.Problem = "the policy says otherwise: it was another one, or its booleans had other values"
	}
	v.Hidden = append(v.Hidden, pol.Hidden(q.Source, q.Target, r.Class)...)
	return v
}

func (v *avcView) write(out io.Writer) {
	word := "granted"
	if v.Denied {
		word = "denied"
	}
	fmt.Fprintf(out, "line %d: %s { %s } %s → %s %s", v.Line, word, strings.Join(v.Permissions, " "), v.Source, v.Target, v.Class)
	for _, name := range []string{"comm", "path", "name"} {
		if x := v.Fields[name]; x != "" {
			fmt.Fprintf(out, " %s=%q", name, x)
		}
	}
	if v.Count > 1 {
		fmt.Fprintf(out, " (%d records)", v.Count)
	}
	fmt.Fprintln(out)
	if v.Problem != "" {
		fmt.Fprintf(out, "  note: %s\n", v.Problem)
	}
	for _, a := range v.Answers {
		fmt.Fprintf(out, "  %s (%s): %s\n", a.Permission, a.Reason, a.Text)
		if a.Constraint != nil {
			for _, f := range a.Constraint.Facts {
				fmt.Fprintf(out, "    %s\n", f)
			}
		}
		for _, x := range a.Fixes {
			fmt.Fprintf(out, "  help: %s (%s)\n", x.Text, fixWord(&x))
		}
	}
	if len(v.Hidden) > 0 {
		fmt.Fprintf(out, "  not shown by any log: { %s } would be denied silently (dontaudit)\n", strings.Join(v.Hidden, " "))
	}
}
