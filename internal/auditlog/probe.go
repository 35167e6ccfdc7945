// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Probe tries each place that a policy logs to, as Write would, and returns an error for each that would not get a
// line. It writes nothing, leaves no new file behind, and only connects to the daemons' sockets.
func Probe(to *policy.Log, owners trusted.Owners) []error {
	var failed []error
	if to.File != "" {
		if err := probeFile(to.File, owners); err != nil {
			failed = append(failed, fmt.Errorf("log.file %q: %w", to.File, err))
		}
	}
	for _, daemon := range []struct {
		wanted    bool
		key, path string
	}{{to.Syslog, "log.syslog", syslogSocket}, {to.Journald, "log.journald", journalSocket}} {
		if !daemon.wanted {
			continue
		}
		if err := probeSocket(daemon.path); err != nil {
			failed = append(failed, fmt.Errorf("%s: nothing listens on %q (%w)\nhint: start the daemon, or log elsewhere", daemon.key, daemon.path, err))
		}
	}
	return failed
}

func probeFile(name string, owners trusted.Owners) error {
	if err := guarded(name, owners); err != nil {
		return err
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		_, err = isLog(fd, owners)
		return errors.Join(err, unix.Close(fd))
	case errors.Is(err, unix.ELOOP):
		return errors.New("it is a symbolic link, which can point elsewhere\nhint: name the file itself")
	case !errors.Is(err, unix.ENOENT):
		return err
	}
	// The file would be created. A nameless one shows that it can be, if the file system supports that (open(2),
	// O_TMPFILE).
	dir := path.Dir(name)
	fd, err = unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("there is no directory %q\nhint: create it", dir)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR):
		return unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	return fmt.Errorf("no file can be created in %q: %w", dir, err)
}

func probeSocket(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // nothing was sent
	return unix.Connect(fd, &unix.SockaddrUnix{Name: name})
}
