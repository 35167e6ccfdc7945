// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// InNetwork calls a function in the network namespace that a file stands for: the kernel shows a thread the /proc/sys/net
// of the network that the thread is in. It fails, and calls nothing, where the namespace can't be joined.
func InNetwork(namespace string, look func() error) error {
	fd, err := unix.Open(namespace, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and nothing else runs in that network
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- look()
	}()
	return <-done
}
