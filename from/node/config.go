package node

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"strings"

	"syscallstory/kernel"
)

// configuration reads how this machine's kernel was built: /proc/config.gz where there is one (CONFIG_IKCONFIG_PROC), else
// the file that distributions put beside the kernel.
func (n *Node) configuration() {
	for _, name := range []string{"/proc/config.gz", "/boot/config-" + n.Kernel.Release} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			r, err = gzip.NewReader(f)
		}
		if err == nil && n.readConfig(io.LimitReader(r, 4<<20)) {
			for f := range kernel.NumFeatures {
				n.local["features["+quote(f.String())+"]"] = name
			}
			n.secretMemory("/sys/module/secretmem/parameters/enable")
		}
		f.Close()
		return
	}
}

// readConfig reads lines such as CONFIG_MODULES=y; an option that does not stand there is off. It reports false for a text
// that is no configuration.
func (n *Node) readConfig(r io.Reader) bool {
	on, lines := map[string]bool{}, bufio.NewScanner(r)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "CONFIG_") {
			on[name] = value == "y" || value == "m"
		}
	}
	if lines.Err() != nil || len(on) == 0 {
		return false
	}
	for f := range kernel.NumFeatures {
		n.Features[f.String()] = on[f.Config()]
	}
	return true
}

// secretMemory: the boot parameter secretmem.enable switches memfd_secret off in a kernel that is built with it; only root
// may read what it came to.
func (n *Node) secretMemory(parameter string) {
	name := kernel.SecretMemory.String()
	if !n.Features[name] {
		return
	}
	enabled, err := os.ReadFile(parameter)
	if err != nil {
		delete(n.Features, name)
		delete(n.local, "features["+quote(name)+"]")
		return
	}
	n.Features[name] = strings.TrimSpace(string(enabled)) == "Y"
	n.local["features["+quote(name)+"]"] = parameter
}
