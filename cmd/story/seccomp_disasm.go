package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

func (p *program) disasmCommand() *cobra.Command {
	var output string
	c := &cobra.Command{Use: "disasm FILE", Short: "the assembly of a program in any form, or another of its forms", Args: cobra.ExactArgs(1),
		Long: "Print a program as assembly text. FILE, or - for standard input, holds struct sock_filter as it lies in memory, a C array (numbers,\n" +
			"or BPF_STMT and BPF_JUMP with the constants of the kernel's headers), JSON, or assembly text; -o turns each of them into another.",
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := readSource(p, args[0])
			if err != nil {
				return err
			}
			name := args[0]
			if name == "-" {
				name = "<stdin>"
			}
			if kind := kindOf(text); kind != "program" {
				return fmt.Errorf("%s: a program is needed here, not a %s, which story seccomp compile makes a program of", name, map[string]string{"profile": "profile", "pod": "Pod", "bundle": "bundle's configuration"}[kind])
			}
			prog, err := seccomp.ReadProgram(name, text, syscalls.X8664)
			if err != nil {
				return err
			}
			return p.printProgram(prog, output)
		}}
	c.Flags().StringVarP(&output, "output", "o", "text", "text, c for a C array, raw for the kernel's bytes, or json")
	return c
}
