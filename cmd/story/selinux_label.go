package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/from/docker"
	"syscallstory/from/pod"
)

func (p *program) selinuxLabelCommand() *cobra.Command {
	var s subject
	var output, run string
	c := &cobra.Command{Use: "label -f FILE | --docker 'run …'", Short: "the contexts that containers of a Pod or of docker run, their root filesystems and volumes get", Args: cobra.NoArgs,
		Long: "Say for each container of the Pods in the file which context its processes get, which its files, and what becomes of the labels of each volume: relabelled by\n" +
			"the engine, mounted with context=, or kept as they are (hostPath). Where containers use one volume under labels that exclude each other, that is told.\n" +
			"Of docker run (or podman run) --security-opt label=, :z, :Z, --privileged, --pid and --ipc count.\n\n" +
			"Exit status: 0; 1 containers exclude each other; 2 bad input.",
		Example: "  story selinux label -f pod.yaml\n  story selinux label -f two-pods.yaml --node node.yaml -o json\n  story selinux label --docker 'run --security-opt label=level:s0:c1,c2 -v /data:/data:Z alpine'",
		RunE:    func(*cobra.Command, []string) error { return p.selinuxLabel(&s, run, output) }}
	f := c.Flags()
	f.StringVarP(&s.file, "file", "f", "", "Pod, workload with a pod template, or List of them; - for standard input")
	f.StringVarP(&s.pod, "pod", "p", "", "name of the Pod or workload, where only one is meant")
	f.StringVar(&s.node, "node", "", "the node's engine and kubelet: a file, or local for this machine")
	f.StringVar(&run, "docker", "", "the command line of a docker run, in one argument")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// labelView is the JSON of label.
type labelView struct {
	SchemaVersion string              `json:"schemaVersion"`
	Pods          []pod.PodLabels     `json:"pods"`
	Conflicts     []pod.LabelConflict `json:"conflicts"`
}

func (p *program) selinuxLabel(s *subject, run, output string) error {
	if err := textOrJSON(output); err != nil {
		return err
	}
	switch {
	case run != "" && (s.file != "" || s.pod != "" || s.node != ""):
		return fmt.Errorf("--docker and -f exclude each other")
	case run != "":
		r, err := docker.Parse(run)
		if err != nil {
			return fmt.Errorf("--docker: %w", err)
		}
		return p.printLabels(labelView{"1", []pod.PodLabels{{Pod: "docker run " + r.Image, Containers: []pod.ContainerLabels{dockerLabels(r)}}}, []pod.LabelConflict{}}, output)
	case s.file == "":
		return fmt.Errorf("name a Pod with -f FILE, or a docker run with --docker")
	}
	ws, o, err := s.manifest(p.in)
	if err != nil {
		return err
	}
	if s.pod != "" {
		w, err := s.workload(s.name(), ws)
		if err != nil {
			return err
		}
		ws = []*pod.Workload{w}
	}
	view := labelView{"1", []pod.PodLabels{}, nil}
	for _, w := range ws {
		l, err := w.Labels(o)
		if err != nil {
			return err
		}
		view.Pods = append(view.Pods, l)
	}
	if view.Conflicts = pod.Conflicts(view.Pods); len(view.Conflicts) > 0 {
		p.code = 1
	}
	return p.printLabels(view, output)
}

// dockerLabels says of a docker run what Labels says of a Pod's container.
func dockerLabels(r *docker.Run) pod.ContainerLabels {
	c := r.Contexts()
	l := pod.ContainerLabels{Container: r.Image, Process: c.Process, Files: c.Files, Level: "given", Note: c.Why, Volumes: []pod.VolumeLabel{}}
	if strings.Count(c.Files, ":") < 3 {
		l.Level = "own"
	}
	for _, v := range r.Volumes {
		x := pod.VolumeLabel{Volume: v.Source, Kind: "volume", Path: v.Target, How: "kept"}
		if v.Bind {
			x.Kind = "bind"
		}
		switch x.Label, x.Why = c.Relabelled(v); {
		case x.Label != "":
			x.How = "relabelled"
		case v.Relabel != "":
			x.How = "unknown"
		}
		l.Volumes = append(l.Volumes, x)
	}
	return l
}

func (p *program) printLabels(view labelView, output string) error {
	if output == "json" {
		return encodeAll(p.out, []labelView{view})
	}
	out := p.plain()
	for _, w := range view.Pods {
		for _, c := range w.Containers {
			fmt.Fprintf(out, "%s, container %s\n  processes  %s\n  files      %s\n", w.Pod, c.Container, orUnknown(c.Process), orUnknown(c.Files))
			if c.Note != "" {
				fmt.Fprintf(out, "  note       %s\n", c.Note)
			}
			for _, v := range c.Volumes {
				fmt.Fprintf(out, "  %s (%s %s): %s", v.Path, v.Kind, v.Volume, v.How)
				if v.Label != "" {
					fmt.Fprintf(out, " %s", v.Label)
				}
				fmt.Fprintf(out, " (%s)\n", v.Why)
			}
		}
	}
	for _, c := range view.Conflicts {
		fmt.Fprintf(out, "conflict: %s: %s\n", c.Volume, c.Text)
		for _, u := range c.Users {
			fmt.Fprintf(out, "  %s\n", u)
		}
		for _, f := range c.Fixes {
			fmt.Fprintf(out, "  help: %s\n", f)
		}
	}
	return out.Flush()
}

func orUnknown(context string) string {
	if context == "" {
		return "not known"
	}
	return context
}
