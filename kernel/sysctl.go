package kernel

// Sysctl is one of the kernel's settings that decide a syscall.
type Sysctl uint8

const (
	ProtectedSymlinks Sysctl = iota
	ProtectedHardlinks
	ProtectedFifos
	ProtectedRegular
	NumSysctls
)

var sysctlNames = [NumSysctls]string{"fs.protected_symlinks", "fs.protected_hardlinks", "fs.protected_fifos", "fs.protected_regular"}

// String returns the setting's name as sysctl(8) prints it.
func (s Sysctl) String() string { return sysctlNames[s] }

// ParseSysctl returns the setting of a name such as fs.protected_regular; settings that decide no modelled call are not
// known here.
func ParseSysctl(name string) (Sysctl, bool) {
	for i, n := range sysctlNames {
		if n == name {
			return Sysctl(i), true
		}
	}
	return 0, false
}
