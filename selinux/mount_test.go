package selinux

import "testing"

// TestMount holds what the lab's kernels cannot show, as they mount no disk with labels; the rest is in TestLoadedPolicy.
func TestMount(t *testing.T) {
	p := every(t, 33)
	task, other := p.MustLabel("system_u:system_r:init_t:s0"), p.MustLabel("system_u:object_r:tmp_t:s0:c1")
	text := func(l Label) string { return p.Text(l) }
	s, err := p.Mount("ext4", MountOptions{})
	if err != nil || s.By != ByXattr || text(s.Label) != "system_u:object_r:fs_t:s0" {
		t.Fatalf("%+v, %v", s, err)
	}
	for stored, want := range map[string]string{
		"":                                 "system_u:object_r:unlabeled_t:s0", // the initial SID file
		"system_u:object_r:shadow_t:s0:c1": "system_u:object_r:shadow_t:s0:c1",
		"system_u:object_r:shadow_t":       "system_u:object_r:shadow_t:s0",
		"system_u:object_r:gone_t:s0":      "system_u:object_r:unlabeled_t:s0",
	} {
		if got := text(s.Existing(task, "/x", "file", stored)); got != want {
			t.Errorf("%q: %s, want %s", stored, got, want)
		}
	}
	if s, err = p.Mount("ext4", MountOptions{DefContext: other}); err != nil || text(s.Existing(task, "/x", "file", "")) != text(other) {
		t.Errorf("defcontext: %v", err)
	}
	if s, err = p.Mount("ext4", MountOptions{Context: other}); err != nil || s.By != ByMount || text(s.Label) != text(other) || text(s.Existing(task, "/x", "file", "system_u:object_r:shadow_t:s0")) != text(other) {
		t.Errorf("context: %v", err)
	}
	if s, err = p.Mount("pipefs", MountOptions{}); err != nil || text(s.Existing(task, "", "fifo_file", "")) != text(task) {
		t.Errorf("pipefs: %v", err)
	}
	if _, err = p.Mount("ext4", MountOptions{Context: other, DefContext: other}); err != ErrContextAndDefault {
		t.Error(err)
	}
	if _, err = p.Mount("tmpfs", MountOptions{DefContext: other}); err != ErrDefaultUnused {
		t.Error(err)
	}
}
