// SPDX-License-Identifier: Apache-2.0

package hostns

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestMain is also a daemon in a mount namespace of its own, if the environment says so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOSTNS_DAEMON"); dir != "" {
		if err := daemon(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// daemon mounts a file system over a directory, visible only in its own namespace, and listens.
func daemon(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", filepath.Join(dir, "place"), "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "place", "inside"), nil, 0o600); err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	defer l.Close() // a test's
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // waits until the test ends
	return nil
}

func TestDo(t *testing.T) {
	testkit.NeedRoot(t)
	dir := t.TempDir()
	place := filepath.Join(dir, "place")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOSTNS_DAEMON="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	ns, err := Of(filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	inside := filepath.Join(place, "inside")
	for range 3 { // each call has a thread of its own
		if err := ns.Do(func() error {
			if err := os.WriteFile(filepath.Join(place, "written"), []byte("x"), 0o600); err != nil {
				return err
			}
			// A program is started there, too.
			text, err := osexec.Command("/bin/ls", place).CombinedOutput()
			if err == nil && !strings.Contains(string(text), "written") {
				err = fmt.Errorf("a program sees %q", text)
			}
			_, missing := os.Stat(inside)
			return errors.Join(err, missing)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(inside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the test's own namespace has the daemon's file: %v", err)
	}
	want := errors.New("as it is")
	if err := ns.Do(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	// Two agents on one node do not hold it at the same time, and those on different nodes don't wait for each other.
	another, err := Of(filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	dir, private := filepath.Join(place, "lock"), t.TempDir()
	locks := func(ns *Namespace, dir string) bool {
		locked, err := ns.Lock(dir)
		if err != nil {
			t.Error(err)
		}
		return locked
	}
	if _, err := ns.Lock(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if err := ns.Do(func() error { return os.Mkdir(dir, 0o700) }); err != nil {
		t.Fatal(err)
	}
	if !locks(ns, dir) || locks(another, dir) || !locks(own, private) {
		t.Error("expected the lock of one directory to be held once")
	}
	// A new directory in its place is another one.
	if err := ns.Do(func() error { return errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700)) }); err != nil {
		t.Fatal(err)
	}
	ns.Close()
	if !locks(another, dir) {
		t.Error("the lock is still held by who has closed it")
	}
	if err := os.Remove(place); err != nil { // nothing is mounted on it here
		t.Error(err)
	}
}
