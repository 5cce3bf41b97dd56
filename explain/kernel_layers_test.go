package explain_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"syscallstory/kernel"
)

// TestKernelOverlayLayers: what overlayfs asks of its layers when it is mounted, and what the mount shows then. Each scene is played
// in a mount namespace of its own, as root and, with userxattr, as the root of a user namespace.
func TestKernelOverlayLayers(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	if has, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(has), "nodev\toverlay\n") {
		t.Skip("this kernel has no overlay loaded")
	}
	s := newStage(t, dir, "dir m 755 0:0\ndir l 755 0:0\ndir l/only 755 0:0\nfile l/f 644 0:0\ndir l2 755 0:0\ndir u 777 0:0\ndir u/sub 755 0:0\ndir w 777 0:0\ndir w/in 755 0:0\ndir w2 755 0:0\nfile f 644 0:0\n"+
		"dir x 755 0:0\ndir x/u 755 0:0\ndir x/u/s 755 0:0\ndir x/w 755 0:0\ndir ro 755 0:0\ndir b 755 0:0\ndir closed 755 0:0\ndir plain 777 1000:1000\ndir plain/u 755 1000:1000\ndir plain/w 755 1000:1000\n")
	parses := s.Kernel.Has(kernel.OverlayParsesLayers) == kernel.Yes
	s.Filesystems.V, s.Filesystems.At = []string{"overlay"}, s.at
	mount := func(data, want string) row {
		return row{fmt.Sprintf("mount(\"o\", \"/m\", \"overlay\", 0, %q)", data), want}
	}
	own := row{"unshare(CLONE_NEWNS)", "-"}
	const full = "lowerdir=/l,upperdir=/u,workdir=/w"
	var scenes []scene
	var random []row
	for _, r := range []row{
		mount("", "EINVAL"), mount("lowerdir=/l", "EINVAL"), mount("lowerdir=/l:/l2", "-"), mount("lowerdir=/l:/l", "ELOOP"), mount("lowerdir=/l,upperdir=/u", "EINVAL"), mount("lowerdir=/l,workdir=/w", "EINVAL"),
		mount("upperdir=/u,workdir=/w", "EINVAL"), mount(full, "-"), mount("lowerdir=/l,upperdir=/u,workdir=/u", "EINVAL"), mount("lowerdir=/l,upperdir=/u,workdir=/u/sub", "EINVAL"),
		mount("lowerdir=/l,upperdir=/w/in,workdir=/w", "EINVAL"), mount("lowerdir=/u,upperdir=/u,workdir=/w", "ELOOP"), mount("lowerdir=/u/sub,upperdir=/u,workdir=/w", "ELOOP"), mount("lowerdir=/w,upperdir=/u,workdir=/w", "ELOOP"),
		mount("lowerdir=/w/in,upperdir=/u,workdir=/w", "ELOOP"), mount("lowerdir=/x,upperdir=/x/u,workdir=/x/w", "-"), mount("lowerdir=/x/u/s,upperdir=/x/u,workdir=/x/w", "ELOOP"), mount("lowerdir=/x:/x/u", "ELOOP"),
		mount("lowerdir=/x/u:/x", "ELOOP"), mount("lowerdir=/,upperdir=/u,workdir=/w", "-"), mount("lowerdir=/f,upperdir=/u,workdir=/w", "EINVAL"), mount("lowerdir=/l,upperdir=/gone,workdir=/w", "ENOENT"),
		mount(full+",foo", "EINVAL"), mount(full+",userxattr", "-"), mount(full+",default_permissions", "-"), mount(full+",xino=off", "-"), mount("lowerdir=/l,upperdir=,workdir=/w", "EINVAL"), mount("lowerdir=/l,upperdir,workdir=/w", "EINVAL"),
		mount("lowerdir=:/l", "EINVAL"), mount("lowerdir=/l:", "EINVAL"), mount("lowerdir=", "EINVAL"), mount("lowerdir=/gone,lowerdir=/l,upperdir=/u,workdir=/w", map[bool]string{true: "ENOENT", false: "-"}[parses]),
	} {
		if !parses && (r.call == mount("lowerdir=:/l", "").call || r.call == mount("lowerdir=/l:", "").call) {
			continue
		}
		scenes = append(scenes, scene{"root", initRoot, []row{own, r}})
	}
	for _, r := range optionRows(s.Kernel) {
		r.call = mount(r.call, "").call
		scenes = append(scenes, scene{"options", initRoot, []row{own, r}})
	}
	for _, o := range randomOptions(t, s.Kernel) {
		random = append(random, mount(o, ""), row{`umount2("/m", MNT_DETACH)`, ""})
	}
	tmp := row{`mount("t", "/ro", "tmpfs", 0, NULL)`, "-"}
	readOnly := []row{own, tmp, {`mkdir("/ro/u", 0755)`, "-"}, {`mkdir("/ro/w", 0755)`, "-"}, {`mount(NULL, "/ro", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)`, "-"}}
	nested := []row{own, mount(full, "-"), {`mkdir("/m/u", 0755)`, "-"}, {`mkdir("/m/w", 0755)`, "-"}, {`mkdir("/m/l", 0755)`, "-"}}
	onto := func(point, data, want string) row {
		return row{fmt.Sprintf("mount(\"o\", %q, \"overlay\", 0, %q)", point, data), want}
	}
	scenes = append(scenes,
		scene{"read-only layers", initRoot, append(append([]row{}, readOnly...), mount("lowerdir=/l,upperdir=/ro/u,workdir=/ro/w", "EINVAL"), mount("lowerdir=/l,upperdir=/u,workdir=/ro/w", "EINVAL"), mount("lowerdir=/ro/u:/l", "-"))},
		scene{"an overlay's overlay", initRoot, append(append([]row{}, nested...), onto("/b", "lowerdir=/l2,upperdir=/m/u,workdir=/m/w", "EINVAL"), onto("/b", "lowerdir=/m/l:/l2", "-"), onto("/closed", "lowerdir=/b:/l2", "EINVAL"))},
		scene{"another mount", initRoot, []row{own, {`mount("/w2", "/b", NULL, MS_BIND, NULL)`, "-"}, mount("lowerdir=/l,upperdir=/u,workdir=/b", "EINVAL"), {`mount("/l", "/b", NULL, MS_BIND, NULL)`, "-"}, mount("lowerdir=/b:/l2", "-")}},
		scene{"volatile", initRoot, []row{own, mount(full+",volatile", "-"), {`umount2("/m", 0)`, "-"}, mount(full, "EINVAL"), mount(full+",volatile", "EINVAL"),
			{`unlink("/w/work/incompat/volatile/dirty")`, "-"}, mount(full, "EINVAL"), {`rmdir("/w/work/incompat/volatile")`, "-"}, mount(full, "-"), {`umount2("/m", 0)`, "-"}, {`rmdir("/w/work")`, "-"}}},
		scene{"index=on, in use", initRoot, []row{own, mount(full, "-"), onto("/b", "lowerdir=/l2,upperdir=/u,workdir=/w2,index=on", "EBUSY"), {`umount2("/m", 0)`, "-"}, {`rmdir("/w/work")`, "-"}}},
		scene{"index=on, another lower layer", initRoot, []row{own, {`mount("t", "/ro", "tmpfs", 0, NULL)`, "-"}, {`mkdir("/ro/u", 0755)`, "-"}, {`mkdir("/ro/w", 0755)`, "-"},
			mount("lowerdir=/l,upperdir=/ro/u,workdir=/ro/w,index=on", "-"), {`umount2("/m", 0)`, "-"}, mount("lowerdir=/l2,upperdir=/ro/u,workdir=/ro/w,index=on", "ESTALE"),
			mount("lowerdir=/l2,upperdir=/ro/u,workdir=/ro/w", "-"), {`umount2("/m", 0)`, "-"}, mount("lowerdir=/l:/l2,upperdir=/ro/u,workdir=/ro/w,nfs_export=on", "-")}},
		scene{"an unbindable layer", initRoot, []row{own, {`mount("/l", "/b", NULL, MS_BIND, NULL)`, "-"}, {`mount(NULL, "/b", NULL, MS_UNBINDABLE, NULL)`, "-"}, mount("lowerdir=/b:/l2", "EINVAL")}},
		scene{"what it shows", initRoot, []row{own, mount(full, "-"), {`open("/m/f", O_RDONLY)`, "-"}, {`mkdir("/m/only/new", 0755)`, "-"}, {`rmdir("/u/only/new")`, "-"}, {`mkdir("/m/sub", 0755)`, "EEXIST"}, {`open("/m/gone", O_RDONLY)`, "ENOENT"}, {`rmdir("/w/work")`, "-"}}},
		scene{"two lower layers", initRoot, []row{own, mount("lowerdir=/l:/l2", "-"), {`open("/m/f", O_RDONLY)`, "-"}, {`mkdir("/m/new", 0755)`, "EROFS"}}},
		scene{"uid 1000", initPlain, []row{mount(full, "EPERM")}})
	s.play(append(scenes, scene{"random options", initRoot, append([]row{own}, random...)}))
	trusted := map[bool]string{true: "EPERM", false: "-"}[s.Kernel.Has(kernel.OverlayAsksTrusted) == kernel.Yes]
	enter := row{"unshare(CLONE_NEWUSER|CLONE_NEWNS)", "-"}
	s.play([]scene{{"random options in a user namespace", initRoot, append([]row{own, enter}, random...)}})
	maps := []row{{"open uid_map 0", "-"}, {`write(3, "0 1000 1", 8)`, "-"}, {"open setgroups 0", "-"}, {`write(4, "deny", 4)`, "-"}, {"open gid_map 0", "-"}, {`write(5, "0 1000 1", 8)`, "-"}}
	s.play([]scene{
		{"an ordinary user", initPlain, append(append([]row{enter}, maps...), mount("lowerdir=/l,upperdir=/plain/u,workdir=/plain/w,userxattr", "-"), row{`mkdir("/m/new", 0755)`, "-"})},
		{"an ordinary user, whose workdir is root's", initPlain, append(append([]row{enter}, maps...), mount("lowerdir=/l,upperdir=/x/u,workdir=/x/w,userxattr", "-"), row{`mkdir("/m/new", 0755)`, "EROFS"})},
		{"trusted.* in a user namespace", initRoot, []row{own, enter, mount("lowerdir=/l:/l2,redirect_dir=on", trusted), mount("lowerdir=/l:/l2,redirect_dir=off", trusted), mount("lowerdir=/l:/l2,metacopy=on", trusted),
			mount("lowerdir=/l:/l2,redirect_dir=nofollow", "-"), mount("lowerdir=/l:/l2,index=on,nfs_export=on", "-"), mount("lowerdir=/l:/l2,userxattr,redirect_dir=on", "EINVAL")}},
		{"a layer with a locked mount", initRoot, []row{own, {`mount("t", "/x/u", "tmpfs", 0, NULL)`, "-"}, mount("lowerdir=/x:/l", "-"), {`umount2("/m", 0)`, "-"}, enter, mount("lowerdir=/x:/l", "EINVAL"), mount("lowerdir=/l2:/l", "-")}},
	})
}

// optionRows are options of an overlay and what the kernel makes of them.
func optionRows(k kernel.Release) []row {
	const full, read = "lowerdir=/l,upperdir=/u,workdir=/w,", "lowerdir=/l:/l2,"
	rows := []row{
		{full + "redirect_dir=on", "-"}, {full + "redirect_dir=off", "-"}, {full + "redirect_dir=follow", "-"}, {full + "redirect_dir=nofollow", "-"}, {full + "redirect_dir=yes", "EINVAL"},
		{full + "redirect_dir=", "EINVAL"}, {full + "redirect_dir", "EINVAL"}, {full + "index=on", "-"}, {full + "index=1", "EINVAL"}, {full + "index", "EINVAL"}, {full + "xino=auto", "-"}, {full + "xino=on", "-"}, {full + "xino=maybe", "EINVAL"},
		{full + "metacopy=on", "-"}, {full + "metacopy=on,redirect_dir=on", "-"}, {full + "metacopy=on,redirect_dir=off", "EINVAL"}, {full + "metacopy=on,redirect_dir=follow", "EINVAL"}, {full + "metacopy=on,redirect_dir=nofollow", "EINVAL"},
		{read + "metacopy=on,redirect_dir=follow", "-"}, {read + "metacopy=on,redirect_dir=nofollow", "EINVAL"}, {full + "metacopy=off,redirect_dir=nofollow", "-"},
		{full + "nfs_export=on", "-"}, {full + "nfs_export=on,index=off", "EINVAL"}, {full + "index=off,nfs_export=on", "EINVAL"}, {full + "nfs_export=off,index=off", "-"}, {read + "nfs_export=on,index=off", "-"},
		{read + "nfs_export=on,index=off,redirect_dir=nofollow", "EINVAL"}, {read + "nfs_export=on,index=on,redirect_dir=nofollow", "-"}, {full + "nfs_export=on,metacopy=on", "EINVAL"}, {full + "nfs_export=on,metacopy=off", "-"},
		{full + "userxattr,redirect_dir=on", "EINVAL"}, {full + "userxattr,redirect_dir=off", "EINVAL"}, {full + "userxattr,redirect_dir=nofollow", "-"}, {full + "userxattr,metacopy=on", "EINVAL"}, {full + "userxattr,metacopy=off", "-"},
		{full + "userxattr,index=on", "-"}, {full + "metacopy=on,metacopy=off,redirect_dir=nofollow", "-"}, {full + "volatile=on", "EINVAL"}, {full + "userxattr=on", "EINVAL"}, {full + "nosuchoption=1", "EINVAL"},
		{full + "metacopy=on,upperdir=/gone", "ENOENT"}, {"metacopy=on,redirect_dir=off", "EINVAL"}, {"lowerdir=/l,upperdir=/u,metacopy=on,redirect_dir=off", "EINVAL"},
	}
	if k.Has(kernel.OverlayDataOnly) != kernel.Yes {
		return rows
	}
	plain := map[bool]string{true: "-", false: "EINVAL"}[k.Has(kernel.OverlayDataPlain) == kernel.Yes]
	return append(rows, row{"lowerdir=/l::/l2,metacopy=on", "-"}, row{"lowerdir=/l::/l2,upperdir=/u,workdir=/w,metacopy=on", "-"}, row{"lowerdir=/l::/l2", plain}, row{"lowerdir=/l::/l2,userxattr", plain}, row{"lowerdir=/l::/l2:/x,metacopy=on", "EINVAL"},
		row{"lowerdir=/l::/gone,metacopy=on", "ENOENT"}, row{"lowerdir=/l::/gone:/x,metacopy=on", "ENOENT"}, row{"lowerdir=/l:::/l2,metacopy=on", "EINVAL"}, row{"lowerdir=/l::/l2::,metacopy=on", "EINVAL"}, row{"lowerdir=::/l,metacopy=on", "EINVAL"},
		row{"lowerdir=/l::/l,metacopy=on", "ELOOP"}, row{"lowerdir=/x::/x/u,metacopy=on", "ELOOP"}, row{"lowerdir=/l::/l2::/x,metacopy=on", "-"}, row{"lowerdir=/l::/f,metacopy=on", "EINVAL"})
}

// randomOptions are options of every kind, some of them without sense, above layers that go together.
func randomOptions(t *testing.T, k kernel.Release) (out []string) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	layers := []string{"lowerdir=/l,upperdir=/u,workdir=/w", "lowerdir=/l,upperdir=/u,workdir=/w", "lowerdir=/l:/l2", "lowerdir=/l2,upperdir=/u"}
	if k.Has(kernel.OverlayDataOnly) == kernel.Yes {
		layers = append(layers, "lowerdir=/l::/l2", "lowerdir=/l::/l2,upperdir=/u,workdir=/w")
	}
	options := []string{"redirect_dir=on", "redirect_dir=off", "redirect_dir=follow", "redirect_dir=nofollow", "index=on", "index=off", "nfs_export=on", "nfs_export=off", "metacopy=on", "metacopy=off", "userxattr", "xino=on", "xino=auto", "default_permissions", "ro", "index=yes"}
	for range 120 {
		o := []string{layers[r.IntN(len(layers))]}
		for range r.IntN(5) {
			o = append(o, options[r.IntN(len(options))])
		}
		r.Shuffle(len(o), func(i, k int) { o[i], o[k] = o[k], o[i] })
		out = append(out, strings.Join(o, ","))
	}
	return out
}
