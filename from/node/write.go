package node

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Write writes the node's facts in the form that Parse reads. What is not known is left out.
func (n *Node) Write(out io.Writer) error {
	type object = map[string]any
	built := object{"release": n.Kernel.Release, "arch": n.Kernel.Arch}
	if n.Kernel.Version != "" {
		built["version"] = n.Kernel.Version
	}
	doc := object{"kernel": built}
	lsm := object{}
	if n.LSM.Active != nil {
		lsm["active"] = n.LSM.Active
	}
	if n.LSM.BPFPrograms != nil {
		lsm["bpfPrograms"] = n.LSM.BPFPrograms
	}
	if n.LSM.EVMKey != nil {
		lsm["evmKey"] = *n.LSM.EVMKey
	}
	if n.LSM.Lockdown != "" {
		lsm["lockdown"] = n.LSM.Lockdown
	}
	doc["lsm"] = lsm
	sysctls := object{}
	for _, name := range slices.Sorted(maps.Keys(n.Sysctls)) {
		sysctls[name] = n.Sysctls[name]
	}
	doc["sysctls"] = sysctls
	if n.Filesystems != nil {
		doc["filesystems"] = n.Filesystems
	}
	if n.Binfmts != nil {
		doc["binfmtMisc"] = *n.Binfmts
	}
	mounts := []object{}
	for _, m := range n.Mounts {
		if !utf8.ValidString(m.Point) { // a node file cannot name it
			continue
		}
		o := object{"mountPoint": m.Point, "fsType": m.Type, "options": m.Options, "propagation": m.Propagation}
		if m.Source != "" && utf8.ValidString(m.Source) {
			o["source"] = m.Source
		}
		mounts = append(mounts, o)
	}
	doc["mounts"] = mounts
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}
