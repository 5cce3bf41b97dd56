package docker

import (
	"strings"
	"testing"
)

func TestLabels(t *testing.T) {
	for line, want := range map[string]string{
		`docker run --rm -it -v /data:/data:Z alpine sh -c 'ls -l'`:                                                                             "system_u:system_r:container_t system_u:object_r:container_file_t /data=system_u:object_r:container_file_t",
		`run --security-opt label=level:s0:c1,c2 -v /data:/d:z -v /etc:/etc:ro -v cache:/c x`:                                                   "system_u:system_r:container_t:s0:c1,c2 system_u:object_r:container_file_t:s0:c1,c2 /d=system_u:object_r:container_file_t:s0 /etc= /c=",
		`docker run --security-opt label:type:my_t --security-opt=label=user:u --security-opt label=role:r --security-opt label=filetype:f_t x`: "u:r:my_t u:object_r:f_t",
		`docker run --security-opt label=disable x`:                                                                                             "system_u:system_r:spc_t:s0 system_u:object_r:container_file_t:s0:c1022,c1023",
		`docker run --privileged --pid=host x`:                                                                                                  "system_u:system_r:spc_t:s0 system_u:object_r:container_file_t:s0:c1022,c1023",
		`docker run --ipc host x`:                                                                                                               "system_u:system_r:spc_t:s0 system_u:object_r:container_file_t:s0:c1022,c1023",
		`podman run --net host --mount type=bind,src=/a,dst=/b,relabel=private --mount type=tmpfs,dst=/t --security-opt seccomp=unconfined x`:   "system_u:system_r:container_t system_u:object_r:container_file_t /b=system_u:object_r:container_file_t",
		`docker run --pid host --security-opt label=level:s0:c1 x`:                                                                              "system_u:system_r:container_t:s0:c1 system_u:object_r:container_file_t:s0:c1",
		`docker run --privileged --security-opt label=level:s0:c1 x`:                                                                            "system_u:system_r:spc_t:s0 system_u:object_r:container_file_t:s0:c1",
		`docker run --privileged --security-opt label=disable --security-opt label=user:u x`:                                                    "system_u:system_r:spc_t:s0 system_u:object_r:container_file_t:s0:c1022,c1023",
		`docker run --pid container:a --ipc container:a -v /d:/d:Z x`:                                                                           "  /d=",
		`docker run --pid container:a --security-opt label=type:my_t x`:                                                                         "system_u:system_r:my_t system_u:object_r:container_file_t",
		`podman run --security-opt label=nested x`:                                                                                              "system_u:system_r:container_t system_u:object_r:container_file_t",
		"docker run \\\n  -e 'A=b c' \\\n  x --privileged":                                                                                      "system_u:system_r:container_t system_u:object_r:container_file_t",
	} {
		r, err := Parse(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		c := r.Contexts()
		got := c.Process + " " + c.Files
		for _, v := range r.Volumes {
			label, _ := c.Relabelled(v)
			got += " " + v.Target + "=" + label
		}
		if got != want {
			t.Errorf("%s:\n %s, want\n %s", line, got, want)
		}
	}
}

func TestBad(t *testing.T) {
	for line, want := range map[string]string{
		"":                                         "no image",
		"docker run -v /a":                         "no image",
		"docker run --privleged x":                 "unknown flag: --privleged",
		"docker run 'x":                            "not closed",
		`docker run x\`:                            "backslash",
		"docker run -v a:b x":                      `"b" is no absolute path`,
		"docker run -v /a:/b:Z,z x":                "exclude each other",
		"docker run -v /a:/b:q x":                  `no option "q"`,
		"docker run -v /a:/b:z:z x":                "[SOURCE:]TARGET[:OPTIONS]",
		"docker run --mount dst=b x":               "absolute path",
		"docker run --security-opt label=kind:x x": "a label has no kind",
		"docker run --security-opt label=level: x": "with a value",
		"docker run --mount type=bind,dst=/a,relabel=all x": "shared and private exist",
		"docker run --help":            "--help starts no container",
		strings.Repeat("a", MaxSize+1): "at most",
	} {
		if r, err := Parse(line); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %+v, %v, want %q", line, r, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`docker run --rm -v /data:/data:Z,ro --security-opt label=level:s0:c1 --mount type=bind,src=/a,dst=/b alpine sh -c "a b"`)
	f.Fuzz(func(t *testing.T, line string) {
		r, err := Parse(line)
		if err != nil {
			return
		}
		c := r.Contexts()
		for _, v := range r.Volumes {
			if _, why := c.Relabelled(v); why == "" || !strings.HasPrefix(v.Target, "/") {
				t.Fatalf("%q: %+v", line, v)
			}
		}
	})
}
