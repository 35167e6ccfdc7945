// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"syscall"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
)

// isHostRoot reports whether this process is the host's root.
func isHostRoot(c facts.Caller) bool { return c.IsHostRoot() && os.Geteuid() == 0 }

// leaveGroups starts the next runtime without supplementary groups. If the container's user namespace forbids setgroups
// (user_namespaces(7), /proc/pid/setgroups), as one that is joined by path may, runtimes leave the process with their
// caller's groups (runc, libcontainer/init_linux.go, setupUser; crun likewise): from a root shell, that includes root's
// (SECURITY.md A3).
//
// A rootless engine has its user's own groups, which may be needed to access that user's files.
func leaveGroups(c facts.Caller) error {
	if !isHostRoot(c) {
		return nil
	}
	have, err := syscall.Getgroups()
	if err == nil && len(have) > 0 {
		err = syscall.Setgroups(nil)
	}
	return wrap(err, "leave the caller's additional groups")
}
