package pod

import "testing"

func TestSysctlNamespace(t *testing.T) {
	for name, want := range map[string]string{"net.core.somaxconn": "network", "kernel.shmmax": "IPC", "kernel.sem": "IPC", "fs.mqueue.msg_max": "IPC", "kernel.hostname": "UTS",
		"kernel.pid_max": "", "vm.swappiness": "", "fs.file-max": "", "network": ""} {
		if got := sysctlNamespace(name); got != want {
			t.Errorf("%s belongs to %q, want %q", name, got, want)
		}
	}
	for name := range safeSysctls {
		if sysctlNamespace(name) == "" {
			t.Errorf("%s is safe, but belongs to no namespace", name)
		}
	}
}
