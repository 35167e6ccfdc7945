// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideVariable says that this process is in the tests' own namespaces.
const insideVariable = "NONROOT_TEST_PRIVATE"

// Private runs a package's tests in a mount namespace of their own, in which /etc, /run and /var/lib are empty and theirs, so that
// neither the machine's groups, sockets and policies have a say, nor anything is left on it. Whoever is not root is it in a
// user namespace of his own, and nobody else is there; where the kernel lets nobody make one, the tests run without (NeedPrivate).
func Private(m *testing.M) int {
	if os.Getenv(insideVariable) != "" {
		if err := furnish(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the tests:", err)
			return 1
		}
		return m.Run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) // #nosec G204 G702 -- this program
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests have no namespaces of their own:", err)
		return m.Run()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "the tests ended:", err)
	return 1
}

func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, at := range []string{"/etc", "/run", "/var/lib"} {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount a tmpfs at %s: %w", at, err)
		}
	}
	return nil
}

// NeedPrivate skips a test of a package that is not in namespaces of its own (Private), unless skips are failures.
func NeedPrivate(t testing.TB) {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return
	}
	if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
		t.Fatal("namespaces of its own are needed")
	}
	t.Skip("namespaces of its own are needed")
}

// OwnMounts gives the calling thread mounts of its own, for good: the goroutine is locked to it. Subtests run in other goroutines, and
// see the machine's mounts.
func OwnMounts(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
}

// IsRoot reports whether the tests run as the machine's root, who can give files to others.
func IsRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, size uint32
	_, scanned := fmt.Sscan(string(text), &inside, &outside, &size)
	return err == nil && scanned == nil && os.Geteuid() == 0 && size > 1
}
