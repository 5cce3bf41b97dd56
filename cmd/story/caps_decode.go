package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"syscallstory/kernel"
	"syscallstory/world"
)

// capSet is a capability set as caps decode prints it.
type capSet struct {
	SchemaVersion string     `json:"schemaVersion"`
	From          string     `json:"from"` // the argument, or the line of /proc/PID/status
	Mask          string     `json:"mask"` // as /proc/PID/status prints it
	Names         string     `json:"names"`
	Capabilities  []capWords `json:"capabilities"`
	UnknownBits   []int      `json:"unknownBits"` // beyond the capabilities that are known here
}

type capWords struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Allows string `json:"allows"`
	Since  string `json:"since"`
}

func (p *program) capsDecodeCommand() *cobra.Command {
	var output string
	var pid int
	c := &cobra.Command{Use: "decode MASK|NAMES... | --pid PID", Short: "what a capability set holds, as a mask, as names, and in words",
		Long: `Read capability sets, and print each as a mask, as names, and what each capability allows.

A set is a mask in hex as /proc/PID/status prints it, or names with commas, with or without CAP_, in any case; all and none
too. With --pid the five sets of a process or thread are read.

Exit status: 0; 2 usage or bad input; 5 the process cannot be read.`,
		Example: `  story caps decode 00000000a80425fb
  story caps decode net_admin,CAP_SYS_PTRACE
  story caps decode --pid 4711 -o json`,
		RunE: func(_ *cobra.Command, args []string) error { return p.capsDecode(args, pid, output) }}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().IntVar(&pid, "pid", 0, "a process or thread that runs, by its id")
	return c
}

func (p *program) capsDecode(args []string, pid int, output string) error {
	if err := textOrJSON(output); err != nil {
		return err
	}
	var sets []capSet
	switch {
	case pid < 0:
		return fmt.Errorf("--pid %d: it is not the id of a process", pid)
	case pid > 0 && len(args) > 0:
		return errors.New("--pid and sets exclude each other")
	case pid > 0:
		var err error
		if sets, err = processSets(pid); err != nil {
			return err
		}
	case len(args) == 0:
		return errors.New("name a mask such as 00000000a80425fb, capabilities such as net_admin,chown, or --pid PID")
	}
	for _, a := range args {
		set, err := parseSet(a)
		if err != nil {
			return err
		}
		sets = append(sets, describe(a, set))
	}
	if output == "json" {
		return encodeAll(p.out, sets)
	}
	for i := range sets {
		if i > 0 {
			fmt.Fprintln(p.out)
		}
		if err := sets[i].write(p.out); err != nil {
			return err
		}
	}
	return nil
}

// parseSet reads a mask or names.
func parseSet(text string) (set world.CapSet, err error) {
	if strings.EqualFold(text, "none") {
		return 0, nil
	}
	if digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X"); digits != "" {
		if n, e := strconv.ParseUint(digits, 16, 64); e == nil {
			return world.CapSet(n), nil
		} else if errors.Is(e, strconv.ErrRange) {
			return 0, fmt.Errorf("%s: a mask has at most 64 bits", text)
		}
	}
	for _, n := range strings.Split(text, ",") {
		n = strings.TrimSpace(n)
		c, ok := kernel.ParseCap(n)
		switch {
		case strings.EqualFold(n, "all"):
			set |= world.AllCaps
		case !ok:
			return 0, fmt.Errorf("%q: it is neither a mask in hex nor the name of a capability", n)
		default:
			set = set.With(c)
		}
	}
	return set, nil
}

func describe(from string, set world.CapSet) capSet {
	s := capSet{SchemaVersion: "1", From: from, Mask: fmt.Sprintf("%016x", uint64(set)), Names: set.String(), Capabilities: []capWords{}, UnknownBits: []int{}}
	for bit := range 64 {
		c := kernel.Cap(bit)
		switch {
		case !set.Has(c):
		case c < kernel.NumCaps:
			s.Capabilities = append(s.Capabilities, capWords{bit, c.String(), c.Allows(), c.Since()})
		default:
			s.UnknownBits = append(s.UnknownBits, bit)
		}
	}
	if set != 0 && len(s.Capabilities) == 0 {
		s.Names = "none that is known"
	}
	return s
}

func (s *capSet) write(out io.Writer) error {
	if s.From == s.Mask {
		fmt.Fprintf(out, "%s = %s\n", s.Mask, s.Names)
	} else {
		fmt.Fprintf(out, "%s: %s = %s\n", s.From, s.Mask, s.Names)
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range s.Capabilities {
		fmt.Fprintf(tw, "  %d\t%s\t%s\n", c.Number, c.Name, c.Allows)
	}
	for _, b := range s.UnknownBits {
		fmt.Fprintf(tw, "  %d\t\tnot a capability that is known here\n", b)
	}
	return tw.Flush()
}

// processSets reads the five sets of /proc/PID/status.
func processSets(pid int) ([]capSet, error) {
	text, err := readFile(fmt.Sprintf("/proc/%d/status", pid), 1<<20)
	if _, gone := os.Stat(fmt.Sprintf("/proc/%d", pid)); gone != nil {
		return nil, fmt.Errorf("--pid %d: there is no such process", pid)
	}
	if err != nil {
		return nil, err
	}
	var sets []capSet
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(key, "Cap") {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("/proc/%d/status: %s is no mask: %q", pid, key, value)
		}
		sets = append(sets, describe(key, world.CapSet(n)))
	}
	return sets, nil
}

// textOrJSON refuses other forms of output.
func textOrJSON(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("-o %s: text and json exist", output)
	}
	return nil
}

// encodeAll prints one object, or several as an array.
func encodeAll[T any](out io.Writer, all []T) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if len(all) == 1 {
		return enc.Encode(all[0])
	}
	return enc.Encode(all)
}
