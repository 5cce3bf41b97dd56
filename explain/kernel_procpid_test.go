package explain_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// procPIDCases: root, root without capabilities, uid 1000, uid 1001 with CAP_SYS_PTRACE, root of a user namespace, uid 1000
// there. $u1000 and $net are uid 1000's, net with a capability; $undumpable is closed; $inside is the root inside.
var procPIDCases = []row{
	{`open("proc/$u1000", O_RDONLY)`, "-"},
	{`open("proc/$u1000/status", O_RDONLY)`, "-"},
	{`open("proc/$u1000/maps", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("proc/$u1000/smaps", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("proc/$root/maps", O_RDONLY)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("proc/$net/maps", O_RDONLY)`, "- EACCES EACCES - EACCES EACCES"}, // more capabilities than the task
	{`open("proc/$inside/maps", O_RDONLY)`, "- - EACCES - - EACCES"},        // uid 0 has made its user namespace
	{`open("proc/$in1001/maps", O_RDONLY)`, "- - EACCES - - EACCES"},
	{`readlink("proc/$u1000/cwd")`, "- EACCES - - EACCES EACCES"},
	{`readlink("proc/$u1000/ns/net")`, "- EACCES - - EACCES EACCES"},
	{`readlink("proc/$root/exe")`, "- EACCES EACCES - EACCES EACCES"},
	{`readlink("proc/$inside/root")`, "- - EACCES - - EACCES"},
	{`stat("proc/$root/cwd")`, "?- EACCES EACCES ?- EACCES EACCES"},
	{`open("proc/$root/ns/user", O_RDONLY)`, "?- EACCES EACCES ?- EACCES EACCES"},
	{`open("proc/$root/root/etc", O_RDONLY)`, "?- EACCES EACCES ?- EACCES EACCES"},
}

// hiddenCases are with hidepid: how the directory of another user's process is closed, in place of E.
var hiddenCases = []row{
	{`open("hide/$u1000", O_RDONLY)`, "- - - - E E"},
	{`open("hide/$u1000/status", O_RDONLY)`, "- - - - E E"},
	{`open("hide/$root/status", O_RDONLY)`, "- - E - E E"},
	{`open("hide/$inside/status", O_RDONLY)`, "- - E - - E"},
	{`open("hide/version", O_RDONLY)`, "-"},
}

func TestKernelProcOfOthers(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lab := newLab(t, dir, "dir . 755 0:0\ndir proc 755 0:0\ndir hide1 755 0:0\ndir hide2 755 0:0\ndir hide4 755 0:0")
	lab.must(os.Chdir(dir)) // the tasks are forked where this process is
	p := newProcesses(lab)
	p.targets()
	p.pseudo("proc", "proc")
	for _, name := range []string{"u1000", "root", "inside"} { // a directory that is read as any other does not tell links that jump
		for _, link := range []string{"cwd", "exe", "root", "net", "user"} {
			at := p.place(p.root, "proc/"+strconv.Itoa(p.pids[name]))
			if link == "net" || link == "user" {
				at = p.place(at, "ns")
			}
			d, _ := p.FS.Lookup(at.Dentry, link)
			p.FS.I(d).Magic, p.FS.I(d).Link = true, ""
		}
	}
	tasks := p.everybody(kernel.CapSysPtrace)
	tasks[3].uid, tasks[3].gid = 1001, 1001
	p.table(tasks, procPIDCases)
	for _, how := range []int{1, 2, 4} {
		point := "hide" + strconv.Itoa(how)
		p.must(unix.Mount("proc", p.path(point), "proc", 0, "hidepid="+strconv.Itoa(how)))
		sb := p.filesystem(world.SB{Type: "proc", Name: "proc", HidePID: world.Given(how, p.at)}, p.path(point))
		p.attach(point, world.Mount{SB: sb})
		rows := []row{}
		for _, r := range hiddenCases {
			rows = append(rows, row{strings.ReplaceAll(r.call, "hide/", point+"/"), strings.ReplaceAll(r.want, "E", map[int]string{1: "EPERM", 2: "ENOENT", 4: "ENOENT"}[how])})
		}
		if how == 2 {
			rows = append(rows, row{`stat("hide2/$root")`, "- - ENOENT - ENOENT ENOENT"})
		}
		if how == 4 { // no group passes, and a name that somebody has looked up is there, but closed
			const no = "?EPERM/ENOENT"
			for k, want := range []string{"- E - - E E", "- E - - E E", "- E E - E E", "- - E - - E"} {
				rows[k].want = strings.ReplaceAll(want, "E", no)
			}
		}
		p.table(tasks, rows)
	}
}
