package pod

import (
	"fmt"
	"strings"
	"testing"

	"syscallstory/from/node"
)

// labelsOf writes what Labels says of the Pods of a text: a line a container, process, files, whose level, and the volumes.
func labelsOf(t *testing.T, engine, text string) (string, []LabelConflict) {
	t.Helper()
	ws, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Parse("n", []byte("engine: {name: "+engine+"}"))
	if err != nil {
		t.Fatal(err)
	}
	var all []PodLabels
	var lines []string
	for _, w := range ws {
		l, err := w.Labels(Options{Rootfs: "embedded", Node: n, Merger: layers{}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		for _, c := range l.Containers {
			line := fmt.Sprintf("%s %s %s %s", c.Container, strings.TrimPrefix(c.Process, "system_u:system_r:"), strings.TrimPrefix(c.Files, "system_u:object_r:"), c.Level)
			for _, v := range c.Volumes {
				line += " " + v.Volume + "=" + v.How
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n"), Conflicts(all)
}

func TestEngineLabels(t *testing.T) {
	const vol = "volumeMounts: [{name: e, mountPath: /e}]"
	pod := func(spec, containers string) string {
		return "{kind: Pod, metadata: {name: p}, spec: {" + spec + "containers: [" + containers + "], volumes: [{name: e, emptyDir: {}}]}}"
	}
	level := `securityContext: {seLinuxOptions: {level: "s0:c1,c2"}}, `
	for _, tt := range []struct {
		name, engine, spec, containers, want string
		conflicts                            int
	}{
		{"nothing is said", "containerd", "", "{name: a, " + vol + "}, {name: b, " + vol + "}", "a container_t container_file_t shared e=relabelled\nb container_t container_file_t shared e=relabelled", 0},
		{"the Pod's level", "containerd", level, "{name: a, " + vol + "}, {name: b, " + vol + "}", "a container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled\nb container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled", 0},
		{"a container's options replace the Pod's", "containerd", level, "{name: a, " + vol + ", securityContext: {seLinuxOptions: {type: my_t}}}, {name: b, " + vol + "}", "a my_t container_file_t own e=relabelled\nb container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled", 1},
		{"CRI-O takes part by part", "cri-o", level, "{name: a, " + vol + ", securityContext: {seLinuxOptions: {type: my_t}}}, {name: b, " + vol + "}", "a my_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled\nb container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled", 0},
		{"a type alone: a level for each container", "containerd", "securityContext: {seLinuxOptions: {type: my_t}}, ", "{name: a, " + vol + "}, {name: b, " + vol + "}", "a my_t container_file_t own e=relabelled\nb my_t container_file_t own e=relabelled", 1},
		{"with CRI-O the sandbox's", "cri-o", "securityContext: {seLinuxOptions: {type: my_t}}, ", "{name: a, " + vol + "}, {name: b, " + vol + "}", "a my_t container_file_t shared e=relabelled\nb my_t container_file_t shared e=relabelled", 0},
		{"empty options are none", "containerd", level, "{name: a, securityContext: {seLinuxOptions: {}}}", "a container_t:s0:c1,c2 container_file_t:s0:c1,c2 given", 0},
		{"privileged: files have what is asked for", "containerd", level, "{name: a, " + vol + ", securityContext: {privileged: true}}, {name: b, " + vol + "}", "a spc_t:s0 container_file_t:s0:c1,c2 given e=relabelled\nb container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled", 0},
		{"hostPID changes nothing with containerd", "containerd", "hostPID: true, ", "{name: a, " + vol + "}", "a container_t container_file_t shared e=relabelled", 0},
		{"and all with CRI-O", "cri-o", "hostPID: true, ", "{name: a, " + vol + "}", "a spc_t:s0  own e=kept", 0},
		{"the host's network with CRI-O", "cri-o", "hostNetwork: true, ", "{name: a, " + vol + "}", "a spc_t:s0 container_file_t shared e=relabelled", 0},
		{"spc_t with CRI-O", "cri-o", "securityContext: {seLinuxOptions: {type: spc_t}}, ", "{name: a, " + vol + "}", "a spc_t container_file_t shared e=kept", 0},
		{"init containers count", "containerd", "initContainers: [{name: i, " + vol + `, securityContext: {seLinuxOptions: {level: "s0:c3"}}}], ` + level, "{name: a, " + vol + "}", "i container_t:s0:c3 container_file_t:s0:c3 given e=relabelled\na container_t:s0:c1,c2 container_file_t:s0:c1,c2 given e=relabelled", 1},
	} {
		got, conflicts := labelsOf(t, tt.engine, pod(tt.spec, tt.containers))
		if got != tt.want || len(conflicts) != tt.conflicts {
			t.Errorf("%s:\n%s\n%+v, want\n%s\nand %d conflicts", tt.name, got, conflicts, tt.want, tt.conflicts)
		}
	}
}

func TestClaimConflicts(t *testing.T) {
	pod := func(name, ns, spec string) string {
		return "kind: Pod\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec: {securityContext: {" + spec + "}, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}\n"
	}
	c1, c2 := `seLinuxOptions: {level: "s0:c1"}`, `seLinuxOptions: {level: "s0:c2"}`
	recursive := ", seLinuxChangePolicy: Recursive"
	for _, tt := range []struct{ name, a, b, want string }{
		{"one level", pod("a", "n", c1), pod("b", "n", c1), ""},
		{"two levels", pod("a", "n", c1), pod("b", "n", c2), "it has one label"},
		{"two levels, relabelled", pod("a", "n", c1+recursive), pod("b", "n", c2+recursive), "starts last"},
		{"one level, two ways", pod("a", "n", c1), pod("b", "n", c1+recursive), "seLinuxChangePolicy"},
		{"levels of the engine's", pod("a", "n", ""), pod("b", "n", ""), "starts last"},
		{"claims of two namespaces", pod("a", "n", c1), pod("a", "m", c2), ""},
	} {
		_, got := labelsOf(t, "containerd", tt.a+"---\n"+tt.b)
		if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0].Text, tt.want) || len(got[0].Fixes) == 0 || len(got[0].Users) != 2) {
			t.Errorf("%s: %+v, want %q", tt.name, got, tt.want)
		}
	}
}
