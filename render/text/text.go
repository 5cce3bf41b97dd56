// Package text prints a story for a terminal: a view of the JSON, with nothing that the JSON does not hold.
package text

import (
	"fmt"
	"io"
	"strings"

	"syscallstory/story"
)

// Options steer the view.
type Options struct {
	Verbose bool // every step instead of one row a gate
	Color   bool
}

// Write prints a story.
func Write(out io.Writer, s *story.Story, o Options) error {
	p := &printer{s: s, o: o}
	p.head()
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

func (p *printer) f(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

func (p *printer) paint(code, text string) string {
	if !p.o.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) head() {
	s := p.s
	p.f("%s\n", s.Call.Text)
	head := strings.ToUpper(s.Verdict)
	if s.DecidedBy != nil {
		head += " by " + *s.DecidedBy
	}
	switch {
	case s.Errno != nil:
		head += ": " + *s.Errno
	case len(s.Possible) > 0:
		head += ": possible are " + strings.Join(s.Possible, ", ")
	}
	kernel := "kernel not known"
	if s.Kernel.Release != "" {
		kernel = "Linux " + s.Kernel.Release
	}
	color := map[string]string{"allowed": "32", "denied": "31", "killed": "31"}[s.Verdict]
	if color == "" {
		color = "33"
	}
	p.f("%s   %s, %s\n", p.paint(color, head), s.Source, kernel)
	for i := range s.Steps {
		if e := &s.Steps[i]; e.Decides {
			p.f("error[%s]: %s\n", e.Code, e.Text)
			p.excerpt(e)
		}
	}
}

// excerpt quotes the line of the input that the deciding fact stands on.
func (p *printer) excerpt(e *story.Entry) {
	for i := len(e.Facts) - 1; i >= 0; i-- {
		at := e.Facts[i].At
		if at == nil || at.Line == 0 {
			continue
		}
		p.f("  --> %s:%d:%d\n", at.File, at.Line, at.Col)
		for _, src := range p.s.Sources {
			n := at.Line - src.First
			if src.File != at.File || n < 0 || n >= len(src.Lines) {
				continue
			}
			for k := max(0, n-1); k <= n; k++ {
				p.f("%4d | %s\n", src.First+k, src.Lines[k])
			}
			p.f("     | %s%s\n", strings.Repeat(" ", max(0, at.Col-1)), strings.Repeat("^", max(1, at.End-at.Col)))
		}
		return
	}
}

// steps prints one row a gate, where the gate's deciding step stands, else its last.
func (p *printer) steps() {
	type row struct {
		e    *story.Entry
		text string
	}
	var rows []row
	seen := map[string]bool{}
	for i := len(p.s.Steps) - 1; i >= 0; i-- {
		e := &p.s.Steps[i]
		name := gate(e)
		if p.o.Verbose || !seen[name] || e.Outcome == "unknown" && e.Text != "" {
			rows = append([]row{{e, words(e)}}, rows...)
		}
		seen[name] = true
		seen[e.Gate] = true
	}
	for i, r := range rows {
		mark := ""
		if r.e.Decides {
			mark = "   ← decides"
		}
		outcome := r.e.Outcome
		if outcome == "deny" || outcome == "kill" {
			outcome = strings.ToUpper(outcome)
		}
		p.f("%2d %-10s %-8s %s%s\n", i+1, gate(r.e), outcome, r.text, mark)
	}
	for _, g := range story.Gates() {
		if !seen[g.String()] && g != story.Other {
			p.f(" - %-10s -        not reached\n", g)
		}
	}
}

func gate(e *story.Entry) string {
	if e.LSM != "" {
		return e.LSM
	}
	return e.Gate
}

func words(e *story.Entry) string {
	if e.Outcome == "unknown" {
		return e.Text
	}
	if e.Object != "" && !strings.Contains(e.Short, e.Object) {
		return e.Object + ": " + e.Short
	}
	return e.Short
}

func (p *printer) notes() {
	for _, f := range p.s.Findings {
		at := ""
		if f.At != nil {
			at = fmt.Sprintf("%s:%d:%d: ", f.At.File, f.At.Line, f.At.Col)
		}
		p.f("%s: %s%s\n", f.Severity, at, f.Text)
	}
	for _, m := range p.s.Missing {
		p.f("missing: %s", m.Text)
		if m.Settles != "" {
			p.f(" (settled by %s)", m.Settles)
		}
		p.f("\n")
	}
	for _, a := range p.s.Assumptions {
		p.f("assumed: %s\n", a.Text)
	}
	for _, e := range p.s.Effects {
		p.f("effect: %s %s", e.Kind, e.Path)
		if e.Bytes != nil {
			p.f(", %d bytes", *e.Bytes)
		}
		p.f("\n")
	}
	for _, n := range p.s.Next {
		p.f("next: %s would refuse: %s\n", n.Gate, n.Text)
	}
	for _, x := range p.s.Fixes {
		p.f("help: %s (exposes %s)\n", x.Text, x.Exposes)
	}
}
