// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"path"

	"golang.org/x/sys/unix"
)

// Shell returns a shell that exists: the entry's, else root's, else a usual one. If the image has none, it is nologin,
// which shadow-utils and distroless images use for accounts without logins, whether it exists or not. An account of the
// image may have nologin, as nobody was meant to work as it; but ssh and git run commands by the entry's shell.
func (im *Image) Shell(entry string) string {
	if im.isShell(entry) {
		return entry
	}
	root, _ := im.UserByID(0)
	for _, sh := range []string{root.Shell, "/bin/bash", "/bin/sh", "/bin/ash", "/bin/dash", "/busybox/sh", "/usr/bin/sh", "/usr/bin/bash"} {
		if im.isShell(sh) {
			return sh
		}
	}
	if im.isProgram("/usr/sbin/nologin") {
		return "/usr/sbin/nologin"
	}
	return "/sbin/nologin"
}

// isShell reports whether a path of the image is a program that all users may run and that isn't one of those that
// stand in for "no shell".
func (im *Image) isShell(p string) bool {
	switch path.Base(p) {
	case "nologin", "false", "true", "sync", "halt", "shutdown", "reboot":
		return false
	}
	return im.isProgram(p)
}

// isProgram reports whether a path of the image is a file that all users may run.
func (im *Image) isProgram(p string) bool {
	if len(p) > longLine/4 || !path.IsAbs(p) || path.Clean(p) != p {
		return false
	}
	s, err := im.Find(p)
	if err != nil || s.FD < 0 {
		return false
	}
	defer s.Close()
	st, err := s.Stat()
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o001 != 0
}
