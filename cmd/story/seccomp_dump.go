package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// dump is what a task has loaded, as `seccomp dump -o json` prints it.
type dump struct {
	PID        int      `json:"pid"`
	NoNewPrivs bool     `json:"noNewPrivs"`
	Others     []int    `json:"otherThreads"` // those whose mode or number of filters is another
	Filters    []dumped `json:"filters"`      // oldest first
}

type dumped struct {
	Index   int    `json:"index"` // 0 is the oldest
	Log     bool   `json:"log"`   // it was installed with SECCOMP_FILTER_FLAG_LOG
	Program []insn `json:"program"`
}

func (p *program) dumpCommand() *cobra.Command {
	var pid, only int
	var output string
	c := &cobra.Command{Use: "dump --pid PID", Short: "the filters that a live process has loaded", Args: cobra.NoArgs,
		Long: "Print the filters of a process, or of a thread by its id, oldest first. They are read through ptrace; the task stops for less\n" +
			"than a millisecond. Root is needed, and a kernel with CONFIG_CHECKPOINT_RESTORE.",
		RunE: func(*cobra.Command, []string) error {
			if pid <= 0 {
				return errors.New("name a process with --pid PID")
			}
			if !slices.Contains([]string{"text", "c", "raw", "json"}, output) {
				return wrongForm(output)
			}
			s := &source{}
			l, err := s.live(strconv.Itoa(pid))
			if err != nil {
				return err
			}
			if only >= len(s.filters) {
				return fmt.Errorf("process %d has %d filters, counted from 0", pid, len(s.filters))
			}
			d := dump{PID: pid, NoNewPrivs: l.NoNewPrivs, Others: append([]int{}, l.Others...), Filters: []dumped{}}
			for i, f := range s.filters {
				if only < 0 || i == only {
					d.Filters = append(d.Filters, dumped{i, l.Filters[i].Log, inJSON(f.Program)})
				}
			}
			return p.printDump(s, d, output)
		}}
	c.Flags().IntVar(&pid, "pid", 0, "process or thread")
	c.Flags().IntVar(&only, "filter", -1, "only this filter; 0 is the oldest")
	c.Flags().StringVarP(&output, "output", "o", "text", "text, c for a C array, raw for the kernel's bytes, or json")
	return c
}

func (p *program) printDump(s *source, d dump, output string) error {
	if output == "json" {
		return json.NewEncoder(p.out).Encode(d)
	}
	if len(d.Others) > 0 {
		fmt.Fprintf(p.errs, "threads %s have other filters: dump them by their ids\n", strings.Trim(fmt.Sprint(d.Others), "[]"))
	}
	if len(d.Filters) == 0 {
		fmt.Fprintf(p.errs, "process %d has no seccomp filter\n", d.PID)
	}
	if output == "raw" && len(d.Filters) > 1 {
		return fmt.Errorf("process %d has %d filters: choose one with --filter", d.PID, len(d.Filters))
	}
	for _, f := range d.Filters {
		if output == "text" {
			flags := ""
			if f.Log {
				flags += ", SECCOMP_FILTER_FLAG_LOG"
			}
			if d.NoNewPrivs {
				flags += ", no_new_privs"
			}
			fmt.Fprintf(p.out, "; process %d, filter %d of %d, %d instructions%s\n", d.PID, f.Index, len(s.filters), len(f.Program), flags)
		}
		if err := p.printProgram(s.filters[f.Index].Program, output); err != nil {
			return err
		}
	}
	return nil
}
