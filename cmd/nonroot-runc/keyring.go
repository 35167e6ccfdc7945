// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// leaveKeyring lets the next runtime start with an empty session keyring. crun's exec gives the process the one of whoever
// called it, with the keys in it; runc's gives it the container's own, but for a container that the bare runtime has
// created with --no-new-keyring (SECURITY.md C7). Keyrings belong to threads until execve, so this one must be the one that
// calls it.
func leaveKeyring() error {
	runtime.LockOSThread()
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if errors.Is(err, unix.ENOSYS) {
		return nil // a kernel without keys
	}
	return wrap(err, "leave the caller's session keyring")
}
