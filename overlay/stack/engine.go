package stack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// known are the places where engines keep layers: what stands in the place of the star is the engine's own name of one.
var known = []struct {
	path *regexp.Regexp
	what string
	name func(base, id string) string
}{
	{regexp.MustCompile(`^(.*)/overlay2/([0-9a-z-]+)/diff$`), "docker", dockerLayer},
	{regexp.MustCompile(`^(.*)/overlay/([0-9a-f]{64})/diff$`), "podman or CRI-O", storageLayer},
	{regexp.MustCompile(`^(.*)/snapshots/([0-9]+)/fs$`), "containerd", func(_, id string) string { return "snapshot " + id }},
}

// maxEngineFile bounds what is read of an engine's own records.
const maxEngineFile = 16 << 20

// Engine says whose layer a directory is and which: the image layer's digest, or a snapshot's number. It returns nothing where
// that is not known.
func Engine(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for _, k := range known {
		if m := k.path.FindStringSubmatch(dir); m != nil {
			if name := k.name(m[1], m[2]); name != "" {
				return k.what + ": " + name
			}
			return k.what + ": " + m[2]
		}
	}
	return ""
}

// dockerLayer finds the digest of docker's layer by its directory (layerdb's cache-id).
func dockerLayer(base, id string) string {
	if rest, ok := strings.CutSuffix(id, "-init"); ok {
		return "what the engine adds for container " + short(rest)
	}
	all, _ := filepath.Glob(filepath.Join(base, "image/overlay2/layerdb/sha256/*/cache-id"))
	for _, f := range all {
		if text, err := readSmall(f); err == nil && strings.TrimSpace(string(text)) == id {
			if diff, err := readSmall(filepath.Join(filepath.Dir(f), "diff")); err == nil {
				return "image layer " + strings.TrimSpace(string(diff))
			}
		}
	}
	return "container or build layer " + short(id)
}

// storageLayer finds the digest of a layer of containers/storage.
func storageLayer(base, id string) string {
	text, err := readSmall(filepath.Join(base, "overlay-layers/layers.json"))
	if err != nil {
		return ""
	}
	var all []struct {
		ID     string `json:"id"`
		Digest string `json:"diff-digest"`
	}
	if json.Unmarshal(text, &all) != nil {
		return ""
	}
	for _, l := range all {
		if l.ID == id && l.Digest != "" {
			return "image layer " + l.Digest
		}
	}
	return "container layer " + short(id)
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

func readSmall(name string) ([]byte, error) {
	st, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxEngineFile {
		return nil, os.ErrInvalid
	}
	return os.ReadFile(name)
}
