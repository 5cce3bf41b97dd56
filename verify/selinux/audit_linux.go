package selinux

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/selinux"
)

// audit listens to the kernel's records: to the multicast group that anybody with CAP_AUDIT_READ may join.
type audit struct {
	fd   int
	mark int
}

const (
	auditUserAVC = 1107 // AUDIT_USER_AVC, which counts also where auditing is off
	readLog      = 1    // AUDIT_NLGRP_READLOG
)

func listen() (*audit, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return nil, fmt.Errorf("the kernel's audit records: %w", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: readLog}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("the kernel's audit records: %w", err)
	}
	return &audit{fd: fd}, nil
}

func (a *audit) close() { unix.Close(a.fd) }

// read returns the records of all that was done before: records come in order, so that a message of one's own marks the end.
func (a *audit) read() ([]*selinux.Record, error) {
	a.mark++
	mark := fmt.Sprintf("story-mark-%d", a.mark)
	msg := make([]byte, unix.NLMSG_HDRLEN+len(mark)+1)
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], auditUserAVC)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	copy(msg[unix.NLMSG_HDRLEN:], mark)
	if err := unix.Sendto(a.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("a mark among the audit records: %w", err)
	}
	var all []*selinux.Record
	buf := make([]byte, 16<<10)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		n, _, err := unix.Recvfrom(a.fd, buf, 0)
		if err == unix.EINTR {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("reading audit records: %w", err)
		}
		if n < unix.NLMSG_HDRLEN {
			continue
		}
		text := strings.TrimRight(string(buf[unix.NLMSG_HDRLEN:n]), "\x00")
		if strings.Contains(text, mark) {
			return all, nil
		}
		if r, err := selinux.ParseAVC(text); err != nil {
			return nil, fmt.Errorf("an audit record: %w: %s", err, text)
		} else if r != nil && r.Denied {
			all = append(all, r)
		}
	}
	return nil, fmt.Errorf("the mark %s has not come back among the audit records", mark)
}
