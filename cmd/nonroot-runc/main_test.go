// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// The tests run the program as it is shipped, with a fake runtime, in a private mount namespace in which /etc, /run and
// /usr/local/sbin are the tests' own: they depend neither on the machine's policy and groups nor on its runtimes, and
// write nothing outside of a temporary directory.

// programs are the other programs that this test binary contains: it is called by these names.
var programs = map[string]func(){
	"runc":     fakeRuntime,
	"crun":     fakeRuntime,
	"withfds":  withFDs,
	"filtered": filtered,
	"leaves":   leaves,
}

// insideVariable holds the tests' directory, once the namespace exists.
const insideVariable = "NONROOT_TEST_INSIDE"

// binaries returns the directory with the program under test and the helpers.
func binaries() string { return filepath.Join(os.Getenv(insideVariable), "bin") }

func TestMain(m *testing.M) {
	if program := programs[filepath.Base(os.Args[0])]; program != nil {
		program()
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	unix.Umask(0o022)
	if dir := os.Getenv(insideVariable); dir != "" {
		defer os.RemoveAll(dir) // it's the system's temporary directory
		// The program must not inherit this process's descriptors.
		if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the tests:", err)
			return 1
		}
		return m.Run()
	}
	if os.Geteuid() != 0 {
		if os.Getenv("NONROOT_REQUIRE_ALL") != "" {
			fmt.Fprintln(os.Stderr, "these tests need root")
			return 1
		}
		fmt.Fprintln(os.Stderr, "skipped: most of these tests need root")
		return withoutRoot(m)
	}
	dir, err := os.MkdirTemp("", "nonroot-test")
	if err == nil {
		err = enter(dir)
	}
	fmt.Fprintln(os.Stderr, "prepare the tests:", err)
	_ = os.RemoveAll(dir)
	return 1
}

// withoutRoot runs the tests that need only the test binary under other names.
func withoutRoot(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nonroot-test")
	if err == nil {
		defer os.RemoveAll(dir) // it's the system's temporary directory
		err = os.Mkdir(filepath.Join(dir, "bin"), 0o700)
	}
	self, selfErr := os.Executable()
	if err = errors.Join(err, selfErr); err == nil {
		for _, name := range []string{"filtered", "leaves"} {
			err = errors.Join(err, os.Symlink(self, filepath.Join(dir, "bin", name)))
		}
		err = errors.Join(err, os.Setenv(insideVariable, dir))
	}
	flag.Parse()
	if err = errors.Join(err, flag.Set("test.run", "^TestLeaveGroups$")); err != nil {
		fmt.Fprintln(os.Stderr, "prepare the tests:", err)
		return 1
	}
	return m.Run()
}

// enter builds the program and calls this test binary again, in the private namespace.
func enter(dir string) error {
	runtime.LockOSThread() // the namespace belongs to this thread, which calls execve
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "bin")
	build := osexec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "urfave_cli_no_docs", "-o", bin+"/nonroot-runc", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// Copy it: a file that go built for the tests may be writable by a group, and would not be accepted as a runtime.
	helper := filepath.Join(bin, "helper")
	if err := testkit.CopyFile(self, helper); err != nil {
		return err
	}
	if err := os.Chmod(helper, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"withfds", "filtered", "leaves"} {
		if err := os.Symlink(helper, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	linker, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, at := range []string{"/etc", "/run", "/usr/local/sbin", "/var/lib"} {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount a tmpfs at %s: %w", at, err)
		}
	}
	for file, text := range map[string]string{
		"/etc/passwd":      "root:x:0:0:root:/root:/bin/sh\n",
		"/etc/group":       "root:x:0:\ndisk:x:6:\nshadow:x:42:\ndocker:x:998:\npeople:x:2000:\n",
		"/etc/ld.so.cache": string(linker),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"runc", "crun"} {
		if err := os.Symlink(helper, "/usr/local/sbin/"+name); err != nil {
			return err
		}
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), insideVariable+"="+dir))
}
