package main

import (
	"bytes"
	"os"
	"testing"
)

// TestGenerated compares the file in the repository with what the generator writes now.
func TestGenerated(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../../story/errno_names.go"
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what its generator writes: run make generate", file)
	}
}
