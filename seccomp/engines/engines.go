// Package engines gives the default seccomp profiles of container engines by version: RuntimeDefault of a Pod.
package engines

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"syscallstory/seccomp/docker"
)

//go:generate sh -c "cd ../../internal/gen/engines && go run . -o ../../../seccomp/engines/data"

//go:embed data
var data embed.FS

// Names are the engines that are known.
var Names = []string{"containerd", "cri-o", "docker", "podman"}

// Profile is an engine's default profile.
type Profile struct {
	File string // as stories name it
	Text []byte
	Note string // what was assumed, where the version's own profile is not known; else empty
}

// entry is a line of data/index.json: the versions From to To were seen with a profile.
type entry struct {
	Engine, From, To, File, Source string
}

var index = sync.OnceValues(func() (list []entry, err error) {
	text, err := data.ReadFile("data/index.json")
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	return list, err
})

// Default returns the default profile of an engine's version. Without a version it is the newest one that is known. Versions between two that
// have the same profile are taken to have it too.
func Default(engine, version string) (*Profile, error) {
	if engine == "moby" {
		engine = "docker"
	}
	if !slices.Contains(Names, engine) {
		return nil, fmt.Errorf("the default profile of engine %q is not known; those of %s are", engine, strings.Join(Names, ", "))
	}
	list, err := index()
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return e.Engine != engine })
	newest := list[len(list)-1]
	if version == "" || engine == "docker" && after(version, newest.To) {
		p, note := &Profile{}, ""
		if version == "" {
			note = fmt.Sprintf("the version of %s is not known: its newest known profile is taken, that of %s", engine, newest.To)
			if engine == "docker" {
				note = "the version of docker is not known: its newest profile is taken, that of the module github.com/moby/profiles"
			}
		}
		if engine == "docker" {
			if p.File, p.Note = docker.File, note; version != "" {
				p.Note = fmt.Sprintf("the profile of docker %s is that of the module github.com/moby/profiles", version)
			}
			p.Text, err = docker.Default()
			return p, err
		}
		return read(newest, note)
	}
	for i := len(list) - 1; i >= 0; i-- {
		e := list[i]
		switch {
		case after(e.From, version):
		case !after(version, e.To):
			return read(e, "")
		case i == len(list)-1:
			return read(e, fmt.Sprintf("no profile of %s newer than %s's is known: that one is taken for %s", engine, e.To, version))
		default:
			return read(e, fmt.Sprintf("between %s %s and %s the profile has changed: that of %s is taken for %s", engine, e.To, list[i+1].From, e.To, version))
		}
	}
	return read(list[0], fmt.Sprintf("no profile of %s older than %s's is known: that one is taken for %s", engine, list[0].From, version))
}

func read(e entry, note string) (*Profile, error) {
	text, err := data.ReadFile("data/" + e.File)
	return &Profile{e.File, text, note}, err
}

// after reports whether version a comes after b, by the numbers between their dots.
func after(a, b string) bool {
	x, y := numbers(a), numbers(b)
	return slices.Compare(x, y) > 0
}

func numbers(s string) []int {
	var out []int
	for _, part := range strings.Split(strings.TrimPrefix(s, "v"), ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}
