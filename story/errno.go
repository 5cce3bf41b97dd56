package story

import "strconv"

//go:generate go run syscallstory/internal/gen/errno -o errno_names.go

// Errno is a Linux error number as x86_64 and arm64 number them; 0 means that the call succeeds.
type Errno uint16

// Name returns the symbolic name, "EACCES", or the empty string for 0 and for numbers that Linux does not define.
func (e Errno) Name() string {
	if int(e) < len(errnoNames) {
		return errnoNames[e]
	}
	return ""
}

// String returns the symbolic name, "0" for success, or the bare number where Linux defines no name.
func (e Errno) String() string {
	if n := e.Name(); n != "" {
		return n
	}
	return strconv.Itoa(int(e))
}

// Error makes Errno an error, so that a library user can return one.
func (e Errno) Error() string { return e.String() }

// ParseErrno returns the number of a symbolic name such as "EACCES".
func ParseErrno(name string) (Errno, bool) {
	if name == "" {
		return 0, false
	}
	switch name {
	case "EWOULDBLOCK":
		name = "EAGAIN"
	case "EDEADLOCK":
		name = "EDEADLK"
	case "ENOTSUP":
		name = "EOPNOTSUPP"
	}
	for i, n := range errnoNames {
		if n == name {
			return Errno(i), true
		}
	}
	return 0, false
}
