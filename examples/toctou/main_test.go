package main

import (
	"os"
	"testing"
)

// TestMain is the supervised process too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "target" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestKernelRace: with "continue" the wrong file is opened, with an added descriptor never.
func TestKernelRace(t *testing.T) {
	var c counts
	var err error
	for range 3 { // on a busy machine the threads may take turns
		if c, err = race(false); err != nil {
			t.Fatal(err)
		}
		if t.Logf("continue: %+v", c); c.Wrong > 0 {
			break
		}
	}
	if c.Wrong == 0 || c.Refused == 0 {
		t.Errorf("the race was never lost: %+v", c)
	}
	if c, err = race(true); err != nil {
		t.Fatal(err)
	}
	t.Logf("added descriptor: %+v", c)
	if c.Wrong != 0 || c.Opened == 0 || c.Refused == 0 {
		t.Errorf("%+v", c)
	}
}
