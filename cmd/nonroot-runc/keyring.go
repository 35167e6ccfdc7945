// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// leaveKeyring starts the next runtime with an empty session keyring. crun's exec gives the process its caller's
// keyring, keys included; so does runc's for a container that the bare runtime created with its option
// --no-new-keyring, otherwise it joins the container's own (SECURITY.md C7). Keyrings belong to threads until execve,
// so this thread must be the one that calls it.
func leaveKeyring() error {
	runtime.LockOSThread()
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if errors.Is(err, unix.ENOSYS) {
		return nil // a kernel without keyrings
	}
	return wrap(err, "leave the caller's session keyring")
}
