// SPDX-License-Identifier: Apache-2.0

package idmap

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

func TestMap(t *testing.T) {
	m := Map{{Inside: 0, Outside: 1000, Size: 1}, {Inside: 1, Outside: 100000, Size: 65536}}
	for _, test := range []struct {
		inside, outside uint32
		ok              bool
	}{{0, 1000, true}, {1, 100000, true}, {65536, 165535, true}, {65537, 0, false}, {1<<32 - 1, 0, false}} {
		if got, ok := m.Outside(test.inside); got != test.outside || ok != test.ok {
			t.Errorf("Outside(%d) is %d, %v", test.inside, got, ok)
		}
		if got, ok := m.Inside(test.outside); test.ok && (got != test.inside || !ok) {
			t.Errorf("Inside(%d) is %d, %v", test.outside, got, ok)
		}
	}
	if _, ok := m.Inside(0); ok {
		t.Error("the host's root is mapped")
	}
	whole := Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}
	if got, ok := whole.Outside(1<<32 - 2); !ok || got != 1<<32-2 {
		t.Errorf("the host's own map gives %d, %v", got, ok)
	}
}

func TestParse(t *testing.T) {
	m, err := Parse("         0       1000          1\n         1     100000      65536\n")
	if err != nil || !slices.Equal(m, Map{{0, 1000, 1}, {1, 100000, 65536}}) {
		t.Errorf("got %v, %v", m, err)
	}
	for _, text := range []string{"0 0\n", "0 0 0 0\n", "a 0 1\n", "0 -1 1\n", "0 0 4294967296\n"} {
		if m, err := Parse(text); err == nil {
			t.Errorf("%q gives %v", text, m)
		}
	}
}

// TestOfNamespace reads the maps of another process's namespace.
func TestOfNamespace(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 70000, Size: 10}, {ContainerID: 500, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 80000, Size: 10}},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close() // only read
	check := func() {
		t.Helper()
		got, err := OfNamespace(int(ns.Fd()))
		if err != nil || !slices.Equal(got.UID, Map{{0, 70000, 10}, {500, 0, 1}}) || !slices.Equal(got.GID, Map{{0, 80000, 10}}) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	check()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	// No process lives in it any more. The child that joins it must not be left behind.
	for range 100 {
		check()
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close() // only read
	if got, err := ofEmpty(int(null.Fd())); err == nil {
		t.Errorf("what is not a namespace has the maps %+v", got)
	}
}

func TestOwn(t *testing.T) {
	own, err := Own()
	if err != nil || len(own.UID) == 0 || len(own.GID) == 0 {
		t.Errorf("got %+v, %v", own, err)
	}
}
