// Package debian fetches packages with apt, which checks their signatures, and unpacks them into a directory. Nothing is
// installed: dpkg's database and the root of this machine stay as they are.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Package is one version of a package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (p Package) String() string { return p.Name + " " + p.Version }

// NotFoundError says that apt knows no such package.
type NotFoundError struct{ Want string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("apt knows no package %s: run apt-get update, or add the suite that has it to apt's sources", e.Want)
}

// Newest returns what apt would install as each of the packages.
func Newest(ctx context.Context, names ...string) ([]Package, error) {
	stanzas, err := show(ctx, append([]string{"--no-all-versions"}, names...)...)
	if err != nil {
		return nil, err
	}
	version := map[string]string{}
	for _, s := range stanzas {
		version[s["Package"]] = s["Version"]
	}
	var all []Package
	for _, n := range names {
		if version[n] == "" {
			return nil, &NotFoundError{n}
		}
		all = append(all, Package{n, version[n]})
	}
	return all, nil
}

var exactDependency = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+) \(= ([^)]+)\)$`)

// KernelImage returns the package of the generic kernel of a series such as 6.12. The metapackages name it: one of the
// series' own, and the release's default, of which a suite with backports has several versions. The cloud flavours are
// left out: they lack modules.
func KernelImage(ctx context.Context, series, arch string) (Package, error) {
	for _, meta := range []string{"linux-image-" + series + "-" + arch, "linux-image-" + arch} {
		stanzas, err := show(ctx, meta)
		if err != nil {
			return Package{}, err
		}
		for _, s := range stanzas {
			for dep := range strings.SplitSeq(s["Depends"], ", ") {
				if m := exactDependency.FindStringSubmatch(dep); m != nil && strings.HasPrefix(m[1], "linux-image-"+series+".") {
					return Package{m[1], m[2]}, nil
				}
			}
		}
	}
	return Package{}, &NotFoundError{"linux-image-" + series + ".…-" + arch}
}

// show returns what apt-cache says of a package, one map a version, the one it would install first. A package that it does
// not know has none.
func show(ctx context.Context, args ...string) ([]map[string]string, error) {
	cmd := exec.CommandContext(ctx, "apt-cache", append([]string{"show"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && bytes.Contains(exit.Stderr, []byte("No packages found")) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking apt: %w", withStderr(err))
	}
	return parseStanzas(string(out)), nil
}

func parseStanzas(text string) []map[string]string {
	var all []map[string]string
	for stanza := range strings.SplitSeq(text, "\n\n") {
		fields := map[string]string{}
		for line := range strings.SplitSeq(stanza, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, " ") {
				fields[name] = value
			}
		}
		if len(fields) > 0 {
			all = append(all, fields)
		}
	}
	return all
}

// Download fetches those of the packages that are not in dir, and returns the path of each.
func Download(ctx context.Context, dir string, packages ...Package) ([]string, error) {
	var paths, wanted []string
	for _, p := range packages {
		paths = append(paths, filepath.Join(dir, p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a")+"_"))
		if deb, _ := filepath.Glob(paths[len(paths)-1] + "*.deb"); len(deb) == 0 {
			wanted = append(wanted, p.Name+"="+p.Version)
		}
	}
	if len(wanted) > 0 {
		if err := download(ctx, dir, wanted); err != nil {
			return nil, err
		}
	}
	for i, p := range packages {
		deb, _ := filepath.Glob(paths[i] + "*.deb")
		if len(deb) != 1 {
			return nil, fmt.Errorf("downloading %s: apt-get left %d files of it", p, len(deb))
		}
		paths[i] = deb[0]
	}
	return paths, nil
}

// download lets apt-get download into a directory of its own, and moves what is complete to dir.
func download(ctx context.Context, dir string, wanted []string) error {
	tmp, err := os.MkdirTemp(dir, "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"download", "-q"}, wanted...)...)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if _, err := cmd.Output(); err != nil {
		return fmt.Errorf("downloading %s: %w", strings.Join(wanted, ", "), withStderr(err))
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, "*.deb"))
	for _, d := range debs {
		if err := os.Rename(d, filepath.Join(dir, filepath.Base(d))); err != nil {
			return err
		}
	}
	return nil
}

// Unpack unpacks the files of a package into dir.
func Unpack(ctx context.Context, deb, dir string) error {
	if _, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, dir).Output(); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(deb), withStderr(err))
	}
	return nil
}

// withStderr puts a program's own words into the error of its run.
func withStderr(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	var words []string
	for line := range strings.Lines(string(exit.Stderr)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "W: ") {
			words = append(words, line)
		}
	}
	return fmt.Errorf("%w: %s", err, strings.Join(words, "; "))
}
