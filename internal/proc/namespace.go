// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// InNetwork calls look in the network namespace that a file refers to, because /proc/sys/net shows a thread the network that
// it is in. If the namespace can't be joined, it returns the error without calling look.
func InNetwork(namespace string, look func() error) error {
	fd, err := unix.Open(namespace, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, so that nothing else runs in that network
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- look()
	}()
	return <-done
}
