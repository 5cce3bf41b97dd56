// Package image reads the layers of a container image where it lies: an OCI image layout or what docker save writes, as a
// directory or an archive. Nothing is unpacked: of each file its attributes are kept, of its data only the size. What an image
// claims is bounded, and refused where it leads out of itself.
package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Limits. An image that goes beyond one is refused.
const (
	MaxEntries  = 1 << 20   // names in all layers
	MaxFile     = 8 << 30   // bytes that a file claims to have, holes included
	MaxUnpacked = 32 << 30  // bytes of a layer's archive
	MaxRatio    = 200       // how much the layers may grow when they are unpacked …
	RatioFrom   = 256 << 20 // … once they have become that large
	MaxText     = 8 << 20   // bytes of a manifest or a configuration
	MaxLayers   = 500
)

// Image is one image.
type Image struct {
	Name   string // how the archive calls it, if it does
	Layers []Layer
}

// Layer is one layer, the lowest first in an Image.
type Layer struct {
	Digest    string // of the blob, as the manifest names it
	DiffID    string // of the archive, as the configuration names it
	CreatedBy string // the build's step, as the configuration tells it
	Size      int64  // of the blob, packed
	Tree      *Tree
}

// Error says what of an image is refused.
type Error struct {
	Image, Part string // the image's path; the blob or member
	Err         error
}

func (e *Error) Error() string {
	if e.Part == "" {
		return fmt.Sprintf("image %s: %v", e.Image, e.Err)
	}
	return fmt.Sprintf("image %s: %s: %v", e.Image, e.Part, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Open reads an image. Of several, name picks one: a tag or a digest; empty takes the only one.
func Open(path, name string) (*Image, error) {
	b, err := openBlobs(path)
	if err != nil {
		return nil, &Error{path, "", err}
	}
	defer b.close()
	im, part, err := read(b, name)
	if err != nil {
		return nil, &Error{path, part, err}
	}
	return im, nil
}

// descriptor is what OCI calls one.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
	Platform    *struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	} `json:"platform"`
}

type manifest struct {
	Manifests []descriptor `json:"manifests"` // of an index
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

type config struct {
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	} `json:"history"`
}

// read reads an image from its blobs; part is what an error is about.
func read(b blobs, name string) (im *Image, part string, err error) {
	im = &Image{}
	var layers []descriptor
	var conf config
	switch {
	case b.has("index.json"):
		layers, part, err = fromIndex(b, name, im, &conf)
	case b.has("manifest.json"):
		layers, part, err = fromDocker(b, name, im, &conf)
	default:
		err = errors.New("it is neither an OCI image layout (index.json) nor what docker save writes (manifest.json)")
	}
	if err != nil {
		return nil, part, err
	}
	if len(layers) > MaxLayers {
		return nil, "", fmt.Errorf("it has %d layers, at most %d are read", len(layers), MaxLayers)
	}
	var steps []string
	for _, h := range conf.History {
		if !h.EmptyLayer {
			steps = append(steps, h.CreatedBy)
		}
	}
	left := NewBudget()
	for i, d := range layers {
		l := Layer{Digest: d.Digest}
		if i < len(conf.RootFS.DiffIDs) {
			l.DiffID = conf.RootFS.DiffIDs[i]
		}
		if len(steps) == len(layers) {
			l.CreatedBy = steps[i]
		}
		if l.Tree, l.Size, err = readLayer(b, d, left); err != nil {
			return nil, "layer " + d.Digest, err
		}
		im.Layers = append(im.Layers, l)
	}
	return im, "", nil
}

func readJSON(b blobs, name string, to any) error {
	text, err := b.text(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// blob is where a layout keeps a blob.
func blob(digest string) (string, error) {
	alg, hex, ok := strings.Cut(digest, ":")
	if !ok || alg != "sha256" || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a sha256 digest", digest)
	}
	return "blobs/sha256/" + hex, nil
}

// fromIndex reads an OCI layout.
func fromIndex(b blobs, name string, im *Image, conf *config) ([]descriptor, string, error) {
	file := "index.json"
	for depth := 0; ; depth++ {
		var m manifest
		if err := readJSON(b, file, &m); err != nil {
			return nil, file, err
		}
		if len(m.Manifests) == 0 {
			f, err := blob(m.Config.Digest)
			if err == nil {
				err = readJSON(b, f, conf)
			}
			return m.Layers, "config of " + file, err
		}
		if depth > 4 {
			return nil, file, errors.New("indexes lead to indexes without end")
		}
		d, err := pick(m.Manifests, name)
		if err != nil {
			return nil, file, err
		}
		if tag := d.tag(); tag != "" {
			im.Name = tag
		}
		if file, err = blob(d.Digest); err != nil {
			return nil, file, err
		}
		name = "" // what follows are platforms
	}
}

func (d *descriptor) tag() string { return d.Annotations["org.opencontainers.image.ref.name"] }

// pick takes the image that is named, else the only one for Linux, else the first.
func pick(all []descriptor, name string) (*descriptor, error) {
	var found []*descriptor
	var names []string
	for i := range all {
		d := &all[i]
		if d.Platform != nil && d.Platform.OS != "linux" {
			continue
		}
		names = append(names, d.tag()+" "+d.Digest)
		if name == "" || d.tag() == name || d.Digest == name {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no image %q for Linux; there are: %s", name, strings.Join(names, ", "))
	case len(found) > 1 && found[0].Platform == nil && name == "":
		return nil, fmt.Errorf("there are %d images, name one: %s", len(found), strings.Join(names, ", "))
	}
	return found[0], nil
}

// fromDocker reads what docker save writes.
func fromDocker(b blobs, name string, im *Image, conf *config) ([]descriptor, string, error) {
	var all []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := readJSON(b, "manifest.json", &all); err != nil {
		return nil, "manifest.json", err
	}
	var names []string
	for _, m := range all {
		names = append(names, m.RepoTags...)
		if name != "" && !contains(m.RepoTags, name) || name == "" && len(all) > 1 {
			continue
		}
		if len(m.RepoTags) > 0 {
			im.Name = m.RepoTags[0]
		}
		if err := readJSON(b, m.Config, conf); err != nil {
			return nil, m.Config, err
		}
		var layers []descriptor
		for _, l := range m.Layers {
			layers = append(layers, descriptor{Digest: l})
		}
		return layers, "", nil
	}
	return nil, "manifest.json", fmt.Errorf("name one of %d images: %s", len(all), strings.Join(names, ", "))
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s || strings.TrimPrefix(x, "docker.io/library/") == s {
			return true
		}
	}
	return false
}

// isDir reports whether a path is a directory.
func isDir(path string) (bool, error) {
	st, err := os.Stat(path)
	if err != nil {
		return false, errors.Unwrap(err)
	}
	return st.IsDir(), nil
}
