package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// dumped is a live filter, as `seccomp dump -o json` prints it.
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
			s := &source{}
			l, err := s.live(strconv.Itoa(pid))
			if err != nil {
				return err
			}
			if len(l.Others) > 0 {
				fmt.Fprintf(p.errs, "threads %s have other filters: dump them by their ids\n", strings.Trim(fmt.Sprint(l.Others), "[]"))
			}
			if only >= len(s.filters) {
				return fmt.Errorf("process %d has %d filters, counted from 0", pid, len(s.filters))
			}
			list := []dumped{}
			for i, f := range s.filters {
				if only < 0 || i == only {
					list = append(list, dumped{i, l.Filters[i].Log, inJSON(f.Program)})
				}
			}
			if output == "json" {
				enc := json.NewEncoder(p.out)
				return enc.Encode(list)
			}
			if len(list) == 0 {
				fmt.Fprintf(p.errs, "process %d has no seccomp filter\n", pid)
			}
			if output == "raw" && len(list) > 1 {
				return fmt.Errorf("process %d has %d filters: choose one with --filter", pid, len(list))
			}
			for _, d := range list {
				if output == "text" {
					flags := ""
					if d.Log {
						flags = ", SECCOMP_FILTER_FLAG_LOG"
					}
					fmt.Fprintf(p.out, "; process %d, filter %d of %d, %d instructions%s\n", pid, d.Index, len(s.filters), len(d.Program), flags)
				}
				if err := p.printProgram(s.filters[d.Index].Program, output); err != nil {
					return err
				}
			}
			return nil
		}}
	c.Flags().IntVar(&pid, "pid", 0, "process or thread")
	c.Flags().IntVar(&only, "filter", -1, "only this filter; 0 is the oldest")
	c.Flags().StringVarP(&output, "output", "o", "text", "text, c for a C array, raw for the kernel's bytes, or json")
	return c
}
