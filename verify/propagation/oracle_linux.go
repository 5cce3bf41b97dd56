package propagation

import (
	"errors"
	"os"

	"syscallstory/from/node"
	"syscallstory/kernel"
)

// oracle is the kernel that is asked.
type oracle struct{ *machine }

func able() error {
	if os.Getuid() != 0 {
		return errors.New("it makes mount namespaces in the initial user namespace: run it as root")
	}
	return nil
}

func newOracle() (*oracle, kernel.Release, error) {
	release, err := node.Running()
	if err != nil {
		return nil, release, err
	}
	k, err := newMachine()
	if err != nil {
		return nil, release, err
	}
	return &oracle{k}, release, nil
}

func (o *oracle) hidden() int { return o.machine.hidden }

// begin starts a sequence.
func (o *oracle) begin() (*attempt, error) {
	a, err := o.machine.begin()
	if err != nil {
		return nil, err
	}
	return &attempt{k: o.machine, agents: []*caller{a}}, nil
}

func (t *attempt) end() error { return t.k.end() }

// differs compares what every agent sees.
func (t *attempt) differs(m *model) (*difference, error) {
	devices, groups := newPairing(), newPairing()
	for i, a := range t.agents {
		theirs, err := t.view(a, nil)
		if err != nil {
			return nil, err
		}
		if s := compare(i, m.view(i), theirs, devices, groups); s != "" {
			return &difference{"one topology", "another", s}, nil
		}
	}
	return nil, nil
}

// probe asks for locks and users of every mount that a path leads to.
func (t *attempt) probe(m *model) (*difference, error) {
	paths := []string{"a", "b", "c", "a/d", "a/e", "b/d", "a/a", "a/b", "b/a", "c/a", "a/d/a"}
	for i, a := range t.agents {
		got, err := t.expires(a, paths)
		if err != nil {
			return nil, err
		}
		for k, p := range paths {
			if want := m.expires(&m.agents[i], p); want != got[k] {
				return &difference{errnoText(want), errnoText(got[k]), "  then umount2(/" + p + ", MNT_EXPIRE) by agent " + string(rune('0'+i)) + "\n"}, nil
			}
		}
	}
	return nil, nil
}
