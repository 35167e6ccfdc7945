// SPDX-License-Identifier: Apache-2.0

// Package hostns works in the mount namespace of a daemon: files opened and written and programs run there are the
// host's. To enter it, the caller has to be privileged on the host and share its process ids. What is done there does
// not belong here.
package hostns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Namespace is a mount namespace that is kept open: it stays the host's even after the daemon by which it was found has
// ended.
type Namespace struct {
	ns, root *os.File
	lock     *os.File // nil: not locked
}

// Of finds the namespace of the process that listens on a unix socket. This is the daemon's own, not that of process 1:
// it determines the daemon's configuration and the programs that it starts.
func Of(socket string) (*Namespace, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var failed error
	// For a listening socket, this is the process that called listen(2) (unix(7), SO_PEERCRED).
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("ask who listens on %q: %w", socket, failed)
	}
	if peer.Pid == 0 {
		return nil, fmt.Errorf("whoever listens on %q is in another process namespace\nhint: the pod needs hostPID: true", socket)
	}
	return open(strconv.Itoa(int(peer.Pid)))
}

// Own returns the namespace of the calling thread, for tests.
func Own() (*Namespace, error) { return open("thread-self") }

func open(pid string) (*Namespace, error) {
	ns, err := os.Open("/proc/" + pid + "/ns/mnt")
	if err != nil {
		return nil, err
	}
	root, err := os.Open("/proc/" + pid + "/root")
	if err != nil {
		_ = ns.Close() // nothing was written
		return nil, err
	}
	return &Namespace{ns: ns, root: root}, nil
}

// Lock reports whether the caller is now the only one that has locked a directory of the namespace (flock(2)). Any user
// who may list the directory can take the lock, so it must be closed to all but root. The lock is held until Close, or
// until the process ends in any way.
func (n *Namespace) Lock(dir string) (locked bool, err error) {
	err = n.Do(func() error {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: dir, Err: err}
		}
		held := os.NewFile(uintptr(fd), dir)
		switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); {
		case errors.Is(err, unix.EWOULDBLOCK):
			return held.Close()
		case err != nil:
			return errors.Join(fmt.Errorf("lock %q: %w", dir, err), held.Close())
		}
		// The previous holder may have removed the directory, and another caller may then lock a new one.
		var own, there unix.Stat_t
		if unix.Fstat(fd, &own) != nil || unix.Lstat(dir, &there) != nil || own.Ino != there.Ino || own.Dev != there.Dev {
			return held.Close()
		}
		n.lock, locked = held, true
		return nil
	})
	return locked, err
}

// Close releases the namespace and the lock.
func (n *Namespace) Close() {
	_ = n.ns.Close() // nothing was written
	_ = n.root.Close()
	if n.lock != nil {
		_ = n.lock.Close()
	}
}

// Do calls a function in the namespace, in its root directory. The paths that f opens and the programs that it starts
// are the host's; open files stay what they are. f must not leave work that depends on it to other goroutines.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error)
	go func() {
		// Afterwards the thread is unfit for anything else: it stays locked, and ends with the goroutine.
		runtime.LockOSThread()
		done <- n.enter(f)
	}()
	return <-done
}

func (n *Namespace) enter(f func() error) error {
	// Threads of a process share one root directory, and a thread that shares it can't change namespaces (setns(2)).
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leave the shared root: %w", err)
	}
	if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the host's mount namespace: %w\nhint: the container needs to be privileged", err)
	}
	if err := unix.Fchdir(int(n.root.Fd())); err != nil {
		return fmt.Errorf("enter the host's root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the host's root: %w", err)
	}
	return f()
}
