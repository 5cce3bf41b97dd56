//go:build linux && amd64

package gates

import (
	"math/rand/v2"
	"testing"

	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestCallsAreRead holds every text that is written against the parser, and the list of routes against the calls that are written.
func TestCallsAreRead(t *testing.T) {
	release, err := kernel.ParseRelease("6.18.0")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{release: release, caps: world.AllCaps}
	bad := map[string]bool{}
	for seed := range uint64(60) {
		g := m.scene(rand.New(rand.NewPCG(seed, 0)))
		for i := range g.s.Tasks {
			for _, name := range routeNames {
				text := g.write(name, &g.s.Tasks[i])
				c, err := syscalls.Parse(syscalls.X8664, text)
				if err == nil {
					_, err = c.Encode()
				}
				if err != nil && !bad[text] {
					bad[text] = true
					t.Error(err)
				}
				if err == nil && c.Name != name {
					t.Errorf("%s is written for %s", text, name)
				}
			}
		}
	}
	made := map[string]bool{}
	for _, name := range routeNames {
		if made[name] {
			t.Errorf("%s is written twice", name)
		}
		made[name] = true
	}
	for name := range reachable() {
		if !made[name] {
			t.Errorf("no call of %s is written", name)
		}
	}
}
