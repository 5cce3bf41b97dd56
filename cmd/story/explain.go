package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"syscallstory/render/text"
	"syscallstory/story"
)

// view is the flags that say how stories are printed.
type view struct {
	output, color  string
	verbose, quiet bool
}

// explainFlags are the flags of explain.
type explainFlags struct {
	subject
	whatIf
	view
	got                   string
	sequence, independent bool
}

func (p *program) explainCommand() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{Use: "explain -f FILE | --pid PID | --world FILE [flags] CALL... | - | CODE", Short: "predict the story of a call, or print the long text of a code such as MNT001",
		Long: `Predict what the kernel does with calls of a container's first process, or of a process that runs: which gate decides, why, and what to change.

A call is written as strace writes it. With - calls are read from standard input, one a line; strace's output is
accepted, and its results are then compared. Calls given as arguments are judged independently of each other, a stream in
order, on a world that changes with it.

Exit status: 0 allowed, 1 denied or killed, 2 usage or bad input, 3 undetermined, 4 the story does not explain --got or
strace's result.`,
		Example: `  story explain -f pod.yaml --rootfs ./image --host-root ./node --node node.yaml 'open("/data/x", O_WRONLY)'
  story explain --pid 4711 'mkdir("/x", 0700)'
  story explain -f pod.yaml --got EPERM 'mkdir("/x", 0700)'
  story explain MNT001`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New(`name a call such as 'open("/data/x", O_WRONLY)', or a code such as MNT001`)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return p.explain(&f, args) }}
	s := c.Flags()
	f.subject.flags(s)
	f.whatIf.flags(s)
	s.StringVar(&f.got, "got", "", "the errno that the call is known to have answered, 0 for success")
	f.view.flags(s)
	s.BoolVar(&f.sequence, "sequence", false, "judge calls in order, on a world that changes with them")
	s.BoolVar(&f.independent, "independent", false, "judge each call against the first world")
	c.MarkFlagsMutuallyExclusive("sequence", "independent")
	c.MarkFlagsMutuallyExclusive("quiet", "verbose")
	return c
}

func (p *program) explain(f *explainFlags, args []string) error {
	if f.file == "" && f.pid == 0 && f.world == "" && len(args) == 1 {
		if c, ok := story.ParseCode(args[0]); ok {
			_, err := io.WriteString(p.out, c.Explain())
			return err
		}
		return fmt.Errorf("%q: name a Pod with -f FILE, a process with --pid PID or a snapshot with --world FILE, or a code such as MNT001", args[0])
	}
	if err := f.view.check(); err != nil {
		return err
	}
	var got *story.Errno
	if f.got != "" {
		e, ok := story.ParseErrno(strings.ToUpper(f.got))
		if !ok && f.got != "0" {
			return fmt.Errorf("--got %s: it is no errno such as EACCES, nor 0", f.got)
		}
		got = &e
	}
	in, err := f.input(p.in)
	if err != nil {
		return err
	}
	facts, err := f.facts()
	if err != nil {
		return err
	}
	t := &teller{in: facts.Over(in), f: f, w: newWriter(p.out, f.view), errs: p.errs}
	if err := t.bind(); err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "-" {
		if f.file == "-" {
			return errors.New("standard input holds the Pod or the calls, not both")
		}
		t.evolve = !f.independent
		if err := t.stream(p.in, got); err != nil {
			return err
		}
	} else {
		t.evolve = f.sequence
		if err := t.calls(args, got); err != nil {
			return err
		}
	}
	p.code = t.code
	return t.w.close()
}

func (v *view) flags(s *pflag.FlagSet) {
	s.StringVarP(&v.output, "output", "o", "text", "text, json or jsonl")
	s.StringVar(&v.color, "color", "auto", "auto, always or never")
	s.BoolVarP(&v.verbose, "verbose", "v", false, "print every step")
	s.BoolVarP(&v.quiet, "quiet", "q", false, "print one line a call")
}

func (v *view) check() error {
	switch v.output {
	case "text", "json", "jsonl":
	default:
		return fmt.Errorf("-o %s: text, json and jsonl exist", v.output)
	}
	switch v.color {
	case "auto", "always", "never":
	default:
		return fmt.Errorf("--color %s: auto, always and never exist", v.color)
	}
	return nil
}

// writer prints stories, or pairs of them, as they come; JSON of several calls is one array.
type writer struct {
	out   io.Writer
	v     view
	text  text.Options
	first any // held back until it is known whether more follow
	n     int
}

func newWriter(out io.Writer, v view) *writer {
	return &writer{out: out, v: v, text: text.Options{Verbose: v.verbose, Quiet: v.quiet, Color: colored(v.color, out)}}
}

// write prints a *story.Story or a *story.Run.
func (w *writer) write(s any) error {
	w.n++
	switch w.v.output {
	case "jsonl":
		return w.encode(s, "")
	case "json":
		if w.n == 1 {
			w.first = s
			return nil
		}
		if w.n == 2 {
			if _, err := io.WriteString(w.out, "[\n"); err != nil {
				return err
			}
			if err := w.encode(w.first, "  "); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w.out, ",\n"); err != nil {
			return err
		}
		return w.encode(s, "  ")
	}
	if w.n > 1 && !w.v.quiet {
		fmt.Fprintln(w.out)
	}
	if r, ok := s.(*story.Run); ok {
		return text.WriteRun(w.out, r, w.text)
	}
	return text.Write(w.out, s.(*story.Story), w.text)
}

func (w *writer) encode(v any, indent string) error {
	enc := json.NewEncoder(w.out)
	enc.SetEscapeHTML(false)
	if indent != "" {
		enc.SetIndent("", indent)
	}
	return enc.Encode(v)
}

func (w *writer) close() error {
	switch {
	case w.v.output != "json" || w.n == 0:
		return nil
	case w.n == 1:
		return w.encode(w.first, "  ")
	}
	_, err := io.WriteString(w.out, "]\n")
	return err
}

// colored says whether the output gets colour.
func colored(mode string, out io.Writer) bool {
	file, ok := out.(*os.File)
	if mode != "auto" || !ok {
		return mode == "always"
	}
	st, err := file.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
