// Package docker reads the flags of docker run: what a container would be started with.
package docker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// MaxSize bounds a command line in bytes.
const MaxSize = 128 << 10

// Run is a docker run.
type Run struct {
	Image      string
	Command    []string
	Privileged bool
	PID, IPC   string // host, container:NAME, private …; "" as the daemon has it
	Label      Label
	Volumes    []Volume
}

// Label is what --security-opt label= asks of SELinux.
type Label struct {
	Disable, Nested                   bool // nested is podman's: the container may use labels of its own
	User, Role, Type, Level, FileType string
}

// Volume is a -v or --mount.
type Volume struct {
	Source, Target string
	Bind           bool   // a path of the host, not a volume of Docker's
	Relabel        string // z, Z or ""
	ReadOnly       bool
}

// flags of docker run that have a value, and those that have none; of them only few are looked at here.
var (
	valued = strings.Fields(`add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime
		cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option dns-search domainname entrypoint env env-file
		expose gpus group-add health-cmd health-interval health-retries health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file
		link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network network-alias oom-score-adj pid pids-limit platform publish pull restart runtime
		security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir`)
	plain = strings.Fields(`detach disable-content-trust init interactive no-healthcheck oom-kill-disable privileged publish-all quiet read-only rm sig-proxy tty use-api-socket`)
	short = map[string]string{"attach": "a", "cpu-shares": "c", "detach": "d", "env": "e", "hostname": "h", "interactive": "i", "label": "l", "memory": "m", "publish": "p", "publish-all": "P", "quiet": "q", "tty": "t", "user": "u", "volume": "v", "workdir": "w"}
)

// Parse reads a command line: "docker run …", "run …" or the flags alone, with an image behind them.
func Parse(line string) (*Run, error) {
	if len(line) > MaxSize {
		return nil, fmt.Errorf("a command line has at most %d bytes", MaxSize)
	}
	words, err := split(line)
	if err != nil {
		return nil, err
	}
	for _, skip := range []string{"docker", "podman", "container", "run", "create"} {
		if len(words) > 0 && words[0] == skip {
			words = words[1:]
		}
	}
	set := pflag.NewFlagSet("docker run", pflag.ContinueOnError)
	set.SetInterspersed(false)
	set.Usage = func() {}
	for _, name := range valued {
		set.StringArrayP(name, short[name], nil, "")
	}
	for _, name := range plain {
		set.BoolP(name, short[name], false, "")
	}
	set.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "net" {
			name = "network"
		}
		return pflag.NormalizedName(name)
	})
	if err := set.Parse(words); errors.Is(err, pflag.ErrHelp) {
		return nil, errors.New("--help starts no container")
	} else if err != nil {
		return nil, err
	}
	if set.NArg() == 0 {
		return nil, errors.New("no image stands behind the flags")
	}
	r := &Run{Image: set.Arg(0), Command: set.Args()[1:]}
	r.Privileged, _ = set.GetBool("privileged")
	last := func(name string) string {
		all, _ := set.GetStringArray(name)
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1]
	}
	r.PID, r.IPC = last("pid"), last("ipc")
	opts, _ := set.GetStringArray("security-opt")
	for _, o := range opts {
		if err := r.Label.option(o); err != nil {
			return nil, err
		}
	}
	volumes, _ := set.GetStringArray("volume")
	for _, v := range volumes {
		if err := r.volume(v); err != nil {
			return nil, err
		}
	}
	mounts, _ := set.GetStringArray("mount")
	for _, m := range mounts {
		if err := r.mount(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// option reads a --security-opt; those that are not about labels are left alone.
func (l *Label) option(o string) error {
	text, ok := strings.CutPrefix(o, "label")
	if !ok || text == "" || text[0] != '=' && text[0] != ':' {
		return nil
	}
	text = text[1:]
	switch text {
	case "disable":
		l.Disable = true
		return nil
	case "nested":
		l.Nested = true
		return nil
	}
	i := strings.IndexAny(text, ":=")
	if i < 0 || i == len(text)-1 {
		return fmt.Errorf("--security-opt %s: label=disable, label=nested and label=user:, role:, type:, level: or filetype: with a value exist", o)
	}
	into := map[string]*string{"user": &l.User, "role": &l.Role, "type": &l.Type, "level": &l.Level, "filetype": &l.FileType}[text[:i]]
	if into == nil {
		return fmt.Errorf("--security-opt %s: a label has no %s; user, role, type, level and filetype exist", o, text[:i])
	}
	*into = text[i+1:]
	return nil
}

// volume reads a -v: [SOURCE:]TARGET[:OPTIONS].
func (r *Run) volume(text string) error {
	parts := strings.Split(text, ":")
	v := Volume{}
	switch {
	case len(parts) == 1:
		v.Target = parts[0]
	case len(parts) <= 3:
		v.Source, v.Target = parts[0], parts[1]
	default:
		return fmt.Errorf("-v %s: it is written [SOURCE:]TARGET[:OPTIONS]", text)
	}
	if !strings.HasPrefix(v.Target, "/") {
		return fmt.Errorf("-v %s: %q is no absolute path of the container", text, v.Target)
	}
	v.Bind = strings.HasPrefix(v.Source, "/") || strings.HasPrefix(v.Source, ".") || strings.HasPrefix(v.Source, "~")
	if len(parts) == 3 {
		for o := range strings.SplitSeq(parts[2], ",") {
			switch o {
			case "z", "Z":
				if v.Relabel != "" && v.Relabel != o {
					return fmt.Errorf("-v %s: z and Z exclude each other", text)
				}
				v.Relabel = o
			case "ro":
				v.ReadOnly = true
			case "rw", "nocopy", "shared", "slave", "private", "rshared", "rslave", "rprivate", "consistent", "cached", "delegated", "U", "O", "exec", "noexec", "dev", "nodev", "suid", "nosuid", "idmap", "upperdir", "workdir":
			default:
				return fmt.Errorf("-v %s: there is no option %q", text, o)
			}
		}
	}
	r.Volumes = append(r.Volumes, v)
	return nil
}

// mount reads a --mount: KEY=VALUE pairs with commas.
func (r *Run) mount(text string) error {
	v, typ := Volume{}, "volume"
	for pair := range strings.SplitSeq(text, ",") {
		key, value, has := strings.Cut(pair, "=")
		switch key {
		case "type":
			typ = value
		case "source", "src":
			v.Source = value
		case "target", "destination", "dst":
			v.Target = value
		case "readonly", "ro":
			v.ReadOnly = !has || value == "true" || value == "1"
		case "relabel": // podman's
			v.Relabel = map[string]string{"shared": "z", "private": "Z"}[value]
			if v.Relabel == "" {
				return fmt.Errorf("--mount %s: relabel=%s: shared and private exist", text, value)
			}
		}
	}
	if !strings.HasPrefix(v.Target, "/") {
		return fmt.Errorf("--mount %s: it has no target that is an absolute path", text)
	}
	if v.Bind = typ == "bind"; typ == "bind" || typ == "volume" {
		r.Volumes = append(r.Volumes, v)
	}
	return nil
}

// split takes a command line apart as a shell does, without anything that a shell would replace.
func split(line string) (words []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			if c != '\n' {
				if quote == '"' && c != '"' && c != '\\' && c != '$' && c != '`' {
					word.WriteByte('\\')
				}
				word.WriteRune(c)
				inside = true
			}
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, inside = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inside {
				words = append(words, word.String())
				word.Reset()
				inside = false
			}
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	case escaped:
		return nil, errors.New("the line ends in a backslash")
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

// Contexts are what the container gets where the daemon runs with --selinux-enabled, as podman always does. A context without a level has
// one that the engine picks for this container.
type Contexts struct {
	Process, Files, Why string
}

// Contexts returns the container's contexts. Any label option keeps --pid and --ipc from having a say, as in moby's
// generateSecurityOpt; a privileged container has no context for its processes whatever is asked for.
func (r *Run) Contexts() Contexts {
	l := r.Label
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	const unconfined, nobodys = "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0:c1022,c1023"
	asked, off := l != Label{}, ""
	switch {
	case l.Disable:
		off = "--security-opt label=disable"
	case asked:
	case r.Privileged:
		off = "--privileged"
	case r.PID == "host":
		off = "--pid host"
	case r.IPC == "host":
		off = "--ipc host"
	}
	if off != "" {
		return Contexts{unconfined, nobodys, off + ": labels are off, the policy makes the processes spc_t, and the files have categories that no other container has"}
	}
	user := or(l.User, "system_u")
	c := Contexts{Process: user + ":" + or(l.Role, "system_r") + ":" + or(l.Type, "container_t"), Files: user + ":object_r:" + or(l.FileType, "container_file_t")}
	_, pid, byPID := strings.Cut(r.PID, "container:")
	_, ipc, byIPC := strings.Cut(r.IPC, "container:")
	switch {
	case l.Level != "":
		c.Process, c.Files = c.Process+":"+l.Level, c.Files+":"+l.Level
	case !asked && byPID && byIPC && pid != ipc:
		return Contexts{"", "", "that of " + pid + " and " + ipc + ", whose namespaces it shares: it starts only where both have the same"}
	case !asked && (byPID || byIPC):
		return Contexts{"", "", "that of " + or(pid, ipc) + ", whose namespace it shares"}
	default:
		c.Why = "the engine picks two categories for this container"
	}
	if r.Privileged {
		c.Process, c.Why = unconfined, strings.TrimSuffix("--privileged: the policy makes the processes spc_t, the options count for files; "+c.Why, "; ")
	}
	return c
}

// Relabelled says what becomes of the labels of a volume: "" that they stay, with the reason.
func (c Contexts) Relabelled(v Volume) (label, why string) {
	switch {
	case v.Relabel != "" && c.Files == "":
		return "", ":" + v.Relabel + " relabels every file with a label that is not known"
	case v.Relabel == "Z":
		return c.Files, ":Z relabels every file for this container alone, and takes it from whoever used it"
	case v.Relabel == "z":
		kind := strings.Join(strings.SplitN(c.Files, ":", 4)[:3], ":")
		return kind + ":s0", ":z relabels every file for all containers"
	case v.Bind:
		return "", "without :z or :Z the host's labels stay"
	}
	return "", "a volume of the engine's keeps the labels that its directory has"
}
