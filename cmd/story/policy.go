package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"syscallstory/render/text"
	"syscallstory/selinux"
	"syscallstory/world"
)

// readPolicy reads a binary policy: a file of its own, or the one that a snapshot holds.
func readPolicy(name string) (*selinux.Policy, error) {
	data, err := policyFile(name)
	if err != nil {
		return nil, err
	}
	return parsePolicy(name, data)
}

func parsePolicy(name string, data []byte) (*selinux.Policy, error) {
	p, err := selinux.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, text.Visible(err.Error())) // it quotes names of the file
	}
	return p, nil
}

// worldPolicy reads a policy as a world holds it.
func worldPolicy(name string) (*world.Policy, error) {
	data, err := policyFile(name)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(name, data)
	if err != nil {
		return nil, err
	}
	return &world.Policy{File: world.PolicyFile{Name: name, SHA256: sum(data)}, Engine: p}, nil
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// policyFile reads a binary policy's bytes.
func policyFile(name string) ([]byte, error) {
	if !isJSON(name) {
		return readFile(name, selinux.MaxPolicySize)
	}
	snapshot, err := readFile(name, world.MaxSnapshot)
	if err != nil {
		return nil, err
	}
	w, err := world.ReadSnapshot(bytes.NewReader(snapshot))
	if err != nil {
		return nil, fmt.Errorf("%s: it is no binary policy, and %w", name, err)
	}
	if w.SELinux.Packed == nil {
		return nil, fmt.Errorf("%s: the snapshot holds no SELinux policy", name)
	}
	data, err := unpackPolicy(&w.SELinux)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// isJSON says whether a file begins like a snapshot. Pipes, which can be read once, are taken for policies.
func isJSON(name string) bool {
	if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [1]byte
	n, _ := f.Read(b[:])
	return n == 1 && b[0] == '{'
}

// packPolicy puts the policy that a world's stories ask into its snapshot.
func packPolicy(s *world.SELinux) error {
	if s.Engine == nil || s.Packed != nil {
		return nil
	}
	data, err := policyFile(s.Policy.V.Name)
	if err != nil {
		return err
	}
	if sum(data) != s.Policy.V.SHA256 {
		return fmt.Errorf("%s: it has changed meanwhile", s.Policy.V.Name)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	s.Packed = b.Bytes()
	return nil
}

// unpackPolicy is the reverse.
func unpackPolicy(s *world.SELinux) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(s.Packed))
	if err != nil {
		return nil, fmt.Errorf("the snapshot's SELinux policy: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, selinux.MaxPolicySize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the snapshot's SELinux policy: %w", err)
	case len(data) > selinux.MaxPolicySize:
		return nil, fmt.Errorf("the snapshot's SELinux policy has more than %d bytes", selinux.MaxPolicySize)
	case sum(data) != s.Policy.V.SHA256:
		return nil, errors.New("the snapshot's SELinux policy is not the one whose SHA-256 it names")
	}
	return data, nil
}
