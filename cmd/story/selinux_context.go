package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"syscallstory/container"
	"syscallstory/render/text"
	"syscallstory/selinux"
	"syscallstory/selinux/filecontext"
)

// contextFlags are the flags of context.
type contextFlags struct{ contexts, mode, root, output string }

func (p *program) selinuxContextCommand() *cobra.Command {
	var f contextFlags
	c := &cobra.Command{Use: "context [--file-contexts FILE] PATH...", Short: "the label that file_contexts give to a path, and the one that the file has",
		Long: `Look a path up in file_contexts as libselinux does (.homedirs, .local, .subs and .subs_dist beside it count), name the entry that counts,
and compare with the label that the file has. The kind of file is that of the file, or --mode; of a file that is not there and
without --mode, entries of every kind count.

Exit status: 0; 2 usage or bad input; 3 an expression cannot be followed; 5 no policy is configured and no file is named.`,
		Example: `  story selinux context /var/log/messages
  story selinux context --file-contexts /etc/selinux/default/contexts/files/file_contexts --mode dir /var/lib/containers -o json`,
		Args: takes("PATH..."),
		RunE: func(_ *cobra.Command, args []string) error { return p.selinuxContext(&f, args) }}
	s := c.Flags()
	s.StringVar(&f.contexts, "file-contexts", "", "file_contexts; those of the policy that /etc/selinux/config names where none is given")
	s.StringVar(&f.mode, "mode", "", "file, dir, link, pipe, socket, block, char, any")
	s.StringVar(&f.root, "root", "", "a directory below which the files lie")
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
	return c
}

// contextView is what context prints of a path.
type contextView struct {
	SchemaVersion string `json:"schemaVersion"`
	Path          string `json:"path"`
	LookedUp      string `json:"lookedUp,omitempty"` // behind substitutions
	Mode          string `json:"mode"`
	Wanted        string `json:"wanted"`           // "" for none: the label is left as it is
	At            string `json:"at,omitempty"`     // file:line of the entry
	Entry         string `json:"entry,omitempty"`  // its expression
	Actual        string `json:"actual,omitempty"` // what the file has, "" where it is not there or has none
	Differs       string `json:"differs"`          // "", type, or context
	Unknown       string `json:"unknown,omitempty"`
}

func (p *program) selinuxContext(f *contextFlags, paths []string) error {
	if err := textOrJSON(f.output); err != nil {
		return err
	}
	mode := filecontext.AnyMode
	if f.mode != "" {
		var err error
		if mode, err = filecontext.ParseMode(f.mode); err != nil {
			return fmt.Errorf("--mode: %w", err)
		}
	}
	name, err := f.file()
	if err != nil {
		return err
	}
	set, err := filecontext.Load(name)
	if err != nil {
		return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "stat "), "open "))
	}
	var all []*contextView
	for _, path := range paths {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q: a path begins with /", path)
		}
		v := f.lookUp(set, path, mode)
		if v.Unknown != "" {
			p.code = exitUndetermined
		}
		all = append(all, v)
	}
	if f.output == "json" {
		return encodeAll(p.out, all)
	}
	out := p.plain()
	for _, v := range all {
		v.write(out)
	}
	return out.Flush()
}

// file finds file_contexts by /etc/selinux/config.
func (f *contextFlags) file() (string, error) {
	if f.contexts != "" {
		return f.contexts, nil
	}
	config, err := readFile(filepath.Join(f.root, "/etc/selinux/config"), 1<<16)
	if err == nil {
		for line := range strings.SplitSeq(string(config), "\n") {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "SELINUXTYPE="); ok && !strings.Contains(name, "/") {
				return filepath.Join(f.root, "/etc/selinux", strings.TrimSpace(name), "contexts/files/file_contexts"), nil
			}
		}
	}
	return "", &container.Incapable{Err: errors.New("/etc/selinux/config names no policy: name the file with --file-contexts")}
}

func (f *contextFlags) lookUp(set *filecontext.Set, path string, mode filecontext.Mode) *contextView {
	path = filepath.Clean(path)
	v := &contextView{SchemaVersion: "1", Path: path}
	real := filepath.Join(f.root, path)
	if info, err := os.Lstat(real); err == nil {
		if f.mode == "" {
			mode = modeOf(info.Mode())
		}
		v.Actual = labelOf(real)
	}
	v.Mode = mode.String()
	m, err := set.Lookup(path, mode)
	switch {
	case err == nil:
		v.At, v.Entry, v.Wanted = m.At(), m.Expr, m.Context
		if v.Wanted == filecontext.None {
			v.Wanted = ""
		}
		if m.Path != path {
			v.LookedUp = m.Path
		}
	case !errors.Is(err, filecontext.ErrNoMatch):
		v.Unknown = err.Error()
	}
	if v.Wanted != "" && v.Actual != "" && v.Wanted != v.Actual {
		v.Differs = "context"
		a, errA := selinux.ParseContext(v.Wanted)
		b, errB := selinux.ParseContext(v.Actual)
		if errA == nil && errB == nil && a.Type != b.Type {
			v.Differs = "type"
		}
	}
	return v
}

func modeOf(m os.FileMode) filecontext.Mode {
	switch {
	case m.IsDir():
		return filecontext.Directory
	case m&os.ModeSymlink != 0:
		return filecontext.Link
	case m&os.ModeNamedPipe != 0:
		return filecontext.Pipe
	case m&os.ModeSocket != 0:
		return filecontext.Socket
	case m&os.ModeCharDevice != 0:
		return filecontext.Char
	case m&os.ModeDevice != 0:
		return filecontext.Block
	}
	return filecontext.File
}

// labelOf reads a file's label.
func labelOf(path string) string {
	var b [4096]byte
	n, err := unix.Lgetxattr(path, "security.selinux", b[:])
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b[:n]), "\x00")
}

func (v *contextView) write(out io.Writer) {
	fmt.Fprintf(out, "%s (%s)\n", text.Visible(v.Path), v.Mode)
	if v.LookedUp != "" {
		fmt.Fprintf(out, "  looked up as %s\n", text.Visible(v.LookedUp))
	}
	switch {
	case v.Unknown != "":
		fmt.Fprintf(out, "  UNKNOWN: %s\n", v.Unknown)
		return
	case v.At == "":
		fmt.Fprintln(out, "  no entry matches: the label is left as it is")
	case v.Wanted == "":
		fmt.Fprintf(out, "  %s says %s: the label is left as it is\n", v.At, filecontext.None)
	default:
		fmt.Fprintf(out, "  wanted  %s  by %s  %s\n", v.Wanted, v.At, v.Entry)
	}
	switch {
	case v.Actual == "":
		fmt.Fprintln(out, "  the file is not there, or no label can be read")
	case v.Differs != "":
		flag := ""
		if v.Differs != "type" {
			flag = "-F " // without it only the type is set
		}
		fmt.Fprintf(out, "  has     %s: another %s\nhelp: restorecon %s%s\n", v.Actual, v.Differs, flag, text.Visible(v.Path))
	default:
		fmt.Fprintf(out, "  has     %s\n", v.Actual)
	}
}
