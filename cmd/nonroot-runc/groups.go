// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"syscall"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
)

// isHostRoot says that this call itself is the host's root.
func isHostRoot(c facts.Caller) bool { return c.IsHostRoot() && os.Geteuid() == 0 }

// leaveGroups lets the next runtime start without additional groups. Where the container's user namespace takes none
// (user_namespaces(7), /proc/pid/setgroups), as one that is joined by path may, runtimes leave those of whoever called them to
// the process (runc, libcontainer/init_linux.go, setupUser; crun likewise): a root shell's are root's, at least (SECURITY.md A3).
//
// A rootless engine's are its user's own, who may need them to get to his files.
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
