// Package text prints a story for a terminal: a view of the JSON, with nothing that the JSON does not hold.
package text

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"syscallstory/story"
)

// Options steer the view.
type Options struct {
	Verbose bool // every step instead of one row a gate
	Quiet   bool // the call and its verdict alone
	Color   bool
}

// Write prints a story.
func Write(out io.Writer, s *story.Story, o Options) error {
	p := &printer{s: s, o: o}
	if o.Quiet {
		p.line()
	} else {
		p.head()
		p.steps()
		p.notes()
	}
	_, err := io.WriteString(out, p.b.String())
	return err
}

// WriteRun prints a call that was predicted and performed.
func WriteRun(out io.Writer, r *story.Run, o Options) error {
	p := &printer{s: r.Predicted, o: o}
	k := &printer{s: r.Performed, o: o}
	agree := painted("")
	switch {
	case r.Agree != nil && *r.Agree:
		agree = p.paint("32", "agree")
	case r.Agree != nil:
		agree = p.paint("31", "DISAGREE")
	case r.Performed != nil:
		agree = p.paint("33", "the prediction is undetermined")
	default:
		agree = p.paint("33", "not performed")
	}
	if o.Quiet {
		if r.Performed != nil {
			p.f("%s   %s   %s\n", agree, k.verdict(), r.Predicted.Call.Text)
		} else {
			p.f("%s   %s   %s\n", agree, p.verdict(), r.Predicted.Call.Text)
		}
		_, err := io.WriteString(out, p.b.String())
		return err
	}
	p.f("%s\n", r.Predicted.Call.Text)
	if r.Performed != nil {
		p.f("performed  %s   in a container of its own, Linux %s\n", k.verdict(), r.Performed.Kernel.Release)
		for _, e := range r.Performed.Effects {
			p.f("           %s\n", effect(e))
		}
	} else {
		p.f("performed  nothing: %s\n", r.Reason)
	}
	p.f("predicted  %s   %s\n", p.verdict(), agree)
	p.error()
	p.steps()
	p.notes()
	_, err := io.WriteString(out, p.b.String())
	return err
}

type printer struct {
	b strings.Builder
	s *story.Story
	o Options
}

// f prints; what comes from the input, as the name of a file, moves no cursor and begins no line.
func (p *printer) f(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = visible(s)
		}
	}
	fmt.Fprintf(&p.b, format, args...)
}

// painted is text with the codes of a colour.
type painted string

func (p *printer) paint(code, text string) painted {
	if text = visible(text); !p.o.Color {
		return painted(text)
	}
	return painted("\x1b[" + code + "m" + text + "\x1b[0m")
}

// Visible writes what is no printable character as C does, for text that goes to a terminal and may come from anywhere.
func Visible(s string) string { return visible(s) }

func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case hidden(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// hidden reports control characters, those that turn the direction of text, and what is no UTF-8.
func hidden(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// verdict says how the call ends, with the gate and the errno.
func (p *printer) verdict() painted {
	s := p.s
	head := strings.ToUpper(s.Verdict)
	if s.DecidedBy != nil {
		head += " by " + *s.DecidedBy
		for i := range s.Steps {
			if e := &s.Steps[i]; e.Decides && e.LSM != "" {
				head = strings.ToUpper(s.Verdict) + " by " + e.LSM
			}
		}
	}
	switch {
	case s.Errno != nil:
		head += ": " + *s.Errno
	case len(s.Possible) > 0:
		head += ": " + endings(s.Possible)
	}
	color := map[string]string{"allowed": "32", "denied": "31", "killed": "31"}[s.Verdict]
	if color == "" {
		color = "33"
	}
	return p.paint(color, head)
}

// endings lists what is possible, success by its name.
func endings(list []string) string {
	out := make([]string, len(list))
	for i, e := range list {
		if out[i] = e; e == "0" {
			out[i] = "success"
		}
	}
	return "possible are " + strings.Join(out, ", ")
}

func (p *printer) line() { p.f("%s   %s\n", p.verdict(), p.s.Call.Text) }

func (p *printer) head() {
	s := p.s
	p.f("%s\n", s.Call.Text)
	kernel := "kernel not known"
	if s.Kernel.Release != "" {
		kernel = "Linux " + s.Kernel.Release
	}
	p.f("%s   %s, %s\n", p.verdict(), s.Source, kernel)
	p.error()
}

// error says why the deciding step refuses, and quotes what it goes back to.
func (p *printer) error() {
	for i := range p.s.Steps {
		if e := &p.s.Steps[i]; e.Decides {
			p.f("%s: %s\n", p.paint("31", "error["+e.Code+"]"), e.Text)
			p.excerpt(e)
		}
	}
}

// excerpt quotes the line of the input that a deciding fact stands on: the subject's own file before any other.
func (p *printer) excerpt(e *story.Entry) {
	var best *story.Place
	for i := len(e.Facts) - 1; i >= 0; i-- {
		at := e.Facts[i].At
		if at != nil && at.Line > 0 && (best == nil || best.File != p.s.Subject.File && at.File == p.s.Subject.File) {
			best = at
		}
	}
	if best != nil {
		p.f("  --> %s:%d:%d\n", best.File, best.Line, best.Col)
		p.quote(best)
	}
}

func (p *printer) quote(at *story.Place) {
	for _, src := range p.s.Sources {
		n := at.Line - src.First
		if src.File != at.File || n < 0 || n >= len(src.Lines) {
			continue
		}
		for k := max(0, n-1); k <= n; k++ {
			p.f("%4d | %s\n", src.First+k, strings.ReplaceAll(src.Lines[k], "\t", " "))
		}
		if at.End > at.Col {
			p.f("     | %s%s\n", strings.Repeat(" ", max(0, at.Col-1)), strings.Repeat("^", at.End-at.Col))
		}
		return
	}
}

// row is one line of the table.
type row struct {
	gate, outcome, text string
	decides             bool
}

// steps prints one row a gate, where the gate's deciding step stands, else its last.
func (p *printer) steps() {
	rows := p.rows()
	width := 10
	for _, r := range rows {
		width = max(width, len(r.gate))
	}
	seen := map[string]bool{}
	count := 0
	for _, r := range rows {
		outcome := fmt.Sprintf("%-8s", r.outcome)
		mark, shown := "", painted(outcome)
		if r.decides {
			mark = "   ← decides"
			shown = p.paint("31", strings.ToUpper(outcome))
		}
		n := " -"
		if r.outcome != "n/a" {
			count++
			n = fmt.Sprintf("%2d", count)
		}
		p.f("%s %-*s %s %s%s\n", n, width, r.gate, shown, r.text, mark)
	}
	for i := range p.s.Steps {
		seen[p.s.Steps[i].Gate] = true
	}
	decided := p.s.DecidedBy != nil
	for _, g := range story.Gates() {
		switch {
		case seen[g.String()] || g == story.Other:
		case decided:
			p.f(" - %-*s -        not reached\n", width, g)
		default:
			p.f(" - %-*s n/a      nothing to decide\n", width, g)
		}
	}
}

// rows folds the steps: one row a gate, and one for each fact that is missing; with Verbose every step.
func (p *printer) rows() []row {
	steps := p.s.Steps
	last := map[string]int{} // by gate, the step that stands for it
	unknown := map[string]bool{}
	for i := range steps {
		e := &steps[i]
		if have, ok := last[gate(e)]; !ok || !steps[have].Decides {
			last[gate(e)] = i
		}
	}
	var rows []row
	var path []string
	for i := range steps {
		e := &steps[i]
		path = walk(path, e)
		switch {
		case p.o.Verbose:
			rows = append(rows, row{gate(e), e.Outcome, words(e), e.Decides})
		case e.Outcome == "unknown":
			if !unknown[e.Text] {
				rows = append(rows, row{gate(e), e.Outcome, e.Text, false})
			}
			unknown[e.Text] = true
		case last[gate(e)] != i:
		case e.Gate == "lookup" && e.Outcome == "allow":
			rows = append(rows, row{"lookup", e.Outcome, strings.Join(path, " › "), false})
		case e.LSM != "" && e.Outcome == "n/a" && len(rows) > 0 && rows[len(rows)-1].gate == "lsm" && rows[len(rows)-1].outcome == "n/a":
			rows[len(rows)-1].text += "; " + e.LSM + ": " + e.Short
		case e.LSM != "" && e.Outcome == "n/a":
			rows = append(rows, row{"lsm", "n/a", e.LSM + ": " + e.Short, false})
		default:
			rows = append(rows, row{gate(e), e.Outcome, words(e), e.Decides})
		}
	}
	return rows
}

// walk adds what a step of the lookup has found to the chain of names.
func walk(path []string, e *story.Entry) []string {
	if e.Gate != "lookup" || e.Outcome != "allow" {
		return path
	}
	if path == nil {
		path = []string{"/"}
	}
	switch e.Code {
	case "LKP006", "LKP007": // a name was found, or is to be made
		path = append(path, e.Facts[0].Value)
	case "LKP011": // a link
		path[len(path)-1] += " → " + e.Facts[0].Value
	case "LKP015": // a mount
		path[len(path)-1] += " (" + e.Facts[0].Value + ")"
	}
	return path
}

func gate(e *story.Entry) string {
	if e.LSM != "" {
		return e.LSM
	}
	return e.Gate
}

// words are the few words of a row.
func words(e *story.Entry) string {
	switch {
	case e.Outcome == "unknown":
		return e.Text
	case e.Object != "" && e.Outcome != "n/a" && !strings.Contains(e.Short, e.Object):
		return e.Object + ": " + e.Short
	}
	return e.Short
}

// note prints a line of its kind, and those that follow indented below its text.
func (p *printer) note(kind, format string, args ...any) {
	p.f("%s: %s\n", p.paint("1", kind), fmt.Sprintf(format, args...))
}

func (p *printer) notes() {
	for _, f := range p.s.Findings {
		switch {
		case f.At == nil:
			p.note(f.Severity, "%s", f.Text)
			continue
		case f.At.File == "":
			p.note(f.Severity, "%s (%s)", f.Text, f.At.Text)
			continue
		}
		p.note(f.Severity, "%s:%d:%d: %s", f.At.File, f.At.Line, f.At.Col, f.Text)
		p.quote(f.At)
	}
	for _, m := range p.s.Missing {
		settles := ""
		if m.Settles != "" {
			settles = " (settled by " + m.Settles + ")"
		}
		p.note("missing", "%s%s", m.Text, settles)
	}
	for _, a := range p.s.Assumptions {
		p.note("assumed", "%s", a.Text)
	}
	for _, e := range p.s.Effects {
		p.note("effect", "%s", effect(e))
	}
	for i := range p.s.Steps {
		if e := &p.s.Steps[i]; e.Decides && e.Note != "" {
			p.note("note", "%s", e.Note)
		}
	}
	for _, n := range p.s.Next {
		p.note("next", "%s would refuse: %s", gate(&n), n.Text)
	}
	p.got()
	for i := range p.s.Fixes {
		p.fix(&p.s.Fixes[i])
	}
}

func effect(e story.Effect) string {
	if e.Name != "" {
		return fmt.Sprintf("%s: %s → %s", e.Name, e.Before, e.After)
	}
	if e.Bytes != nil {
		return fmt.Sprintf("%s %s, %d bytes", e.Kind, e.Path, *e.Bytes)
	}
	return e.Kind + " " + e.Path
}

// got says whether the story explains what the call has answered.
func (p *printer) got() {
	g := p.s.Got
	if g == nil {
		return
	}
	name := g.Errno
	if name == "0" {
		name = "success"
	}
	switch {
	case g.Explained:
		p.note("got", "%s, as predicted", name)
		return
	case g.Possible:
		p.note("got", "%s, which is one of the possible endings; it comes from one of", name)
	default:
		p.note("got", "%s, which is not what is predicted; what could answer it:", name)
	}
	for _, c := range g.Candidates {
		who := c.Gate
		if c.LSM != "" {
			who = c.LSM
		}
		tail := map[string]string{"missing": "a fact is missing", "next": "it would refuse next", "fact": "it passed; is the fact right?"}[c.Why]
		if len(c.Settles) > 0 {
			tail += ": " + strings.Join(c.Settles, "; ")
		}
		if c.At != nil && c.At.File != "" {
			tail += fmt.Sprintf(" %s:%d", c.At.File, c.At.Line)
		}
		p.f("     %s %s: %s (%s)\n", c.Code, who, c.Text, tail)
	}
	if len(g.Candidates) == 0 {
		p.f("     nothing that was met on the way: look at what is not modelled, or report it\n")
	}
}

// fix prints one change that helps.
func (p *printer) fix(x *story.Fix) {
	tags := []string{}
	if x.By != "" {
		tags = append(tags, "by "+map[string]string{"node": "whoever runs the node", "image": "the image's author", "program": "the program's author"}[x.By])
	}
	if x.Risk != "" {
		tags = append(tags, string(x.Risk))
	}
	if x.Verified {
		tags = append(tags, "verified")
	} else {
		tags = append(tags, "not verified: facts are missing")
	}
	at := ""
	if x.Kind == "yaml" && x.At.Line > 0 {
		at = fmt.Sprintf("%s:%d: ", x.At.File, x.At.Line)
	}
	text := x.Text
	if x.Through > 0 {
		text = fmt.Sprintf("all %d calls pass with this: %s", x.Through, text)
	}
	p.note("help", "%s%s (exposes %s) [%s]", at, text, x.Exposes, strings.Join(tags, ", "))
	p.patch(x.Kind, x.Patch)
	for _, w := range x.With {
		p.f("      and %s\n", w.Text)
		p.patch(w.Kind, w.Patch)
	}
}

func (p *printer) patch(kind, patch string) {
	if kind == "yaml" && !p.o.Verbose {
		return
	}
	for _, l := range strings.Split(patch, "\n") {
		p.f("      %s\n", l)
	}
}
