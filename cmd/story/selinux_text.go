package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/render/text"
)

// plain is text output of names that a policy or log holds, which may be anything: only newlines are taken as they are.
type plain struct{ *bufio.Writer }

func (p *program) plain() plain { return plain{bufio.NewWriterSize(p.out, 1<<16)} }

func (w plain) Write(b []byte) (int, error) {
	for i, line := range strings.Split(string(b), "\n") {
		if i > 0 {
			w.WriteByte('\n')
		}
		if _, err := w.WriteString(text.Visible(line)); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

var _ io.Writer = plain{}

// takes refuses another number of arguments than the words name; one that ends in "..." may be given several times.
func takes(words string) cobra.PositionalArgs {
	n := len(strings.Fields(words))
	many := strings.HasSuffix(words, "...")
	return func(c *cobra.Command, args []string) error {
		if len(args) == n || many && len(args) > n {
			return nil
		}
		what := fmt.Sprintf("%d were given", len(args))
		switch {
		case len(args) == 0:
			what = "nothing was given"
		case len(args) == 1:
			what = "only " + args[0] + " was given"
		}
		return fmt.Errorf("%s takes %s, and %s: see %[1]s --help", c.CommandPath(), words, what)
	}
}
