// Command story tells what the kernel does with a syscall in a container, and why.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/internal/strictyaml"
	"syscallstory/overlay"
	"syscallstory/render/text"
	"syscallstory/seccomp/docker"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Exit codes, as docs/architecture.md gives them.
const (
	exitDenied       = 1
	exitUsage        = 2
	exitUndetermined = 3
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program without the process around it.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	code := 0
	root := &cobra.Command{Use: "story", Short: "what the kernel does with a syscall in a container, and why", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(explainCommand(in, out, &code), &cobra.Command{Use: "version", Short: "print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { _, err := fmt.Fprintln(out, "story", version); return err }})
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(errs, "story:", err)
		return exitUsage
	}
	return code
}

// flags of explain.
type flags struct {
	file, container, rootfs, hostRoot, node, output, color string
	verbose                                                bool
}

func explainCommand(in io.Reader, out io.Writer, code *int) *cobra.Command {
	var f flags
	c := &cobra.Command{Use: "explain -f FILE CALL...", Short: "predict the story of a call, or print the long text of a code such as MNT001", Args: cobra.MinimumNArgs(1),
		Example: `  story explain -f pod.yaml --rootfs ./image --host-root ./node --node node.yaml 'open("/data/x", O_WRONLY)'` + "\n  story explain MNT001",
		RunE: func(_ *cobra.Command, args []string) (err error) {
			*code, err = explainCalls(f, args, in, out)
			return err
		}}
	s := c.Flags()
	s.StringVarP(&f.file, "file", "f", "", "Pod or workload with a pod template; - for standard input")
	s.StringVarP(&f.container, "container", "c", "", "container, where there are several")
	s.StringVar(&f.rootfs, "rootfs", "", "the image's files: a directory, or embedded")
	s.StringVar(&f.hostRoot, "host-root", "", "the host's files: a directory")
	s.StringVar(&f.node, "node", "", "node file: kernel, security modules, sysctls, engine, mounts")
	s.StringVarP(&f.output, "output", "o", "text", "text, json or jsonl")
	s.StringVar(&f.color, "color", "auto", "auto, always or never")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "print every step")
	return c
}

func explainCalls(f flags, args []string, in io.Reader, out io.Writer) (int, error) {
	if f.file == "" && len(args) == 1 {
		if c, ok := story.ParseCode(args[0]); ok {
			_, err := io.WriteString(out, c.Explain())
			return 0, err
		}
		return 0, fmt.Errorf("%q: name a Pod with -f FILE, or a code such as MNT001", args[0])
	}
	if f.file == "" {
		return 0, errors.New("name a Pod with -f FILE")
	}
	switch f.output {
	case "text", "json", "jsonl":
	default:
		return 0, fmt.Errorf("-o %s: text, json and jsonl exist", f.output)
	}
	judge, err := bind(f, in)
	if err != nil {
		return 0, err
	}
	var calls []*syscalls.Call
	for _, a := range args {
		call, err := syscalls.Parse(judge.ABI(), a)
		if err != nil {
			return 0, err
		}
		calls = append(calls, call)
	}
	var stories []*story.Story
	code := 0
	for _, call := range calls {
		s := judge.Story(call)
		stories = append(stories, s)
		code = worse(code, s.Verdict)
	}
	return code, write(f, stories, out)
}

// worse combines exit codes: of several calls the first that applies of 3, 1, 0.
func worse(code int, verdict string) int {
	switch verdict {
	case "undetermined":
		return exitUndetermined
	case "denied", "killed", "blocks":
		if code == 0 {
			return exitDenied
		}
	}
	return code
}

func write(f flags, stories []*story.Story, out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	switch {
	case f.output == "json" && len(stories) == 1:
		enc.SetIndent("", "  ")
		return enc.Encode(stories[0])
	case f.output == "json":
		enc.SetIndent("", "  ")
		return enc.Encode(stories)
	}
	for i, s := range stories {
		if f.output == "jsonl" {
			if err := enc.Encode(s); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := text.Write(out, s, text.Options{Verbose: f.verbose, Color: colored(f.color, out)}); err != nil {
			return err
		}
	}
	return nil
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

// bind reads the inputs and prepares a judge.
func bind(f flags, in io.Reader) (*explain.Judge, error) {
	name, data := f.file, []byte(nil)
	var err error
	if f.file == "-" {
		name = "<stdin>"
		data, err = io.ReadAll(io.LimitReader(in, strictyaml.MaxSize+1))
	} else {
		data, err = readFile(f.file, strictyaml.MaxSize)
	}
	if err != nil {
		return nil, err
	}
	o := pod.Options{Container: f.container, Rootfs: f.rootfs, HostRoot: f.hostRoot, Merger: overlay.Merger{}}
	if f.node != "" {
		if err := readNode(f.node, &o); err != nil {
			return nil, err
		}
	}
	ws, err := pod.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if len(ws) > 1 {
		return nil, fmt.Errorf("%s: it holds %d workloads; give one", name, len(ws))
	}
	w, err := ws[0].World(o)
	if err != nil {
		return nil, err
	}
	return explain.Bind(w, func(engine string) (string, []byte, error) {
		text, err := docker.Default()
		return docker.File, text, err
	})
}

func readNode(file string, o *pod.Options) error {
	data, err := readFile(file, strictyaml.MaxSize)
	if err != nil {
		return err
	}
	if o.Node, err = node.Parse(file, data); err != nil {
		return err
	}
	if o.Node.Files != "" {
		o.OwnersAt = filepath.Join(filepath.Dir(file), o.Node.Files)
		o.Owners, err = readFile(o.OwnersAt, files.MaxSpec)
	}
	return err
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	fh, err := os.Open(name)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "open "))
	}
	defer fh.Close()
	data, err := io.ReadAll(io.LimitReader(fh, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: it has more than %d bytes", name, limit)
	}
	return data, err
}
