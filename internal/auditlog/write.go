// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Write sends the entry to each place that the policy names. The error names those that did not get it. It does not
// block, neither for a reader of a FIFO nor for a daemon that hangs.
func Write(to *policy.Log, e *decision.Decision, owners trusted.Owners) error {
	line := Line(e)
	var failed []error
	if to.File != "" {
		if err := appendLine(to.File, line, owners); err != nil {
			failed = append(failed, fmt.Errorf("append to %q: %w", to.File, err))
		}
	}
	text := line[:len(line)-1]
	if to.Syslog {
		if err := send(syslogSocket, syslogMessage(e, text)); err != nil {
			failed = append(failed, fmt.Errorf("send to syslog: %w", err))
		}
	}
	if to.Journald {
		if err := send(journalSocket, journalMessage(e, text)); err != nil {
			failed = append(failed, fmt.Errorf("send to the journal: %w", err))
		}
	}
	return errors.Join(failed...)
}

// guarded returns an error if users other than the owners can redirect a log's path, by a directory or a link on the
// way.
func guarded(name string, owners trusted.Owners) error {
	_, _, err := trusted.CheckPath(path.Dir(name), owners.WithGroups())
	if errors.Is(err, unix.ENOENT) {
		return nil // opening it reports the error
	}
	return err
}

// appendLine appends a line to a file, which it creates if necessary. It closes the file again, so that a rotated one
// is no longer used.
//
// The kernel does not interleave writes with O_APPEND (open(2); on NFS it may), so a line is one write. On a full disk
// half of it may have been written: the next writer then begins on a new line. The half stays as evidence: truncating
// it could remove a line that another process has appended since. A call that looks while another one writes may see
// half a line, too, and adds an empty one, which does no harm.
func appendLine(name string, line []byte, owners trusted.Owners) error {
	if err := guarded(name, owners); err != nil {
		return err
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0o640)
	if errors.Is(err, unix.ELOOP) {
		return errors.New("it is a symbolic link, which can point elsewhere")
	}
	if err != nil {
		return err
	}
	err = appendTo(fd, line, owners)
	// An error because of a quota or a full server may be reported only now (close(2)).
	return errors.Join(err, unix.Close(fd))
}

func appendTo(fd int, line []byte, owners trusted.Owners) error {
	st, err := isLog(fd, owners)
	if err != nil {
		return err
	}
	if st.Size > 0 {
		last := []byte{'\n'} // assumed if the file was truncated in the meantime
		if _, err := unix.Pread(fd, last, st.Size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	n, err := unix.Write(fd, line)
	if err == nil && n < len(line) {
		return fmt.Errorf("only %d of %d bytes were written, as the disk is full", n, len(line))
	}
	return err
}

// isLog returns an error if an open file can't be trusted with lines.
func isLog(fd int, owners trusted.Owners) (st unix.Stat_t, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return st, errors.New("it is not a regular file")
	case st.Nlink > 1:
		return st, fmt.Errorf("it has %d hard links, so it may be another file", st.Nlink)
	case !owners.Trusts(st.Uid):
		return st, fmt.Errorf("it belongs to uid %d, neither to the caller nor to root\nhint: chown it to root", st.Uid)
	case st.Mode&(unix.S_IWGRP|unix.S_IWOTH) != 0:
		return st, fmt.Errorf("it can be written by others (mode %04o)\nhint: chmod go-w it", st.Mode&0o7777)
	}
	return st, nil
}

// Both daemons get datagrams, which are dropped if sending would block. The usual libraries (the standard log/syslog;
// go-systemd's journal) write through package net without a deadline: a daemon that has stopped reading would block
// every container once its queue is full.
const (
	syslogSocket  = "/dev/log"                    // syslog(3)
	journalSocket = "/run/systemd/journal/socket" // systemd, docs/JOURNAL_NATIVE_PROTOCOL.md
)

// priority is a message's severity (syslog(3)): a refusal is a warning.
func priority(e *decision.Decision) int {
	if e.Mode == policy.Refuse {
		return 4
	}
	return 6
}

// facility is the one for daemons (syslog(3), LOG_DAEMON).
const facility = 3 << 3

// syslogMessage returns a message in the form that local daemons read (RFC 3164, section 4.1). It has no time of its
// own: the daemon's and the line's are better.
func syslogMessage(e *decision.Decision, text []byte) []byte {
	m := fmt.Appendf(nil, "<%d>nonroot-runc[%d]: ", facility|priority(e), os.Getpid())
	return append(m, text...)
}

// journalMessage returns a message with one field per line, without a newline in it.
func journalMessage(e *decision.Decision, text []byte) []byte {
	m := append([]byte("SYSLOG_IDENTIFIER=nonroot-runc\nPRIORITY="), strconv.Itoa(priority(e))...)
	m = append(append(m, "\nNONROOT_EVENT="...), e.Event...)
	m = append(append(m, "\nNONROOT_MODE="...), e.Mode...)
	m = append(append(m, "\nNONROOT_CONTAINER="...), e.ID...) // [A-Za-z0-9_+.-]+, see runcargs
	m = append(append(m, "\nMESSAGE="...), text...)
	return append(m, '\n')
}

func send(socket string, message []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // what was sent is sent
	return unix.Sendto(fd, message, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: socket})
}
