// SPDX-License-Identifier: Apache-2.0

package dirents

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, name string) int {
	t.Helper()
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// TestAll: each entry once with its kind, in a directory that takes several calls, as os.ReadDir has it.
func TestAll(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("a rather long name that fills the buffer soon %d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.Symlink("nowhere", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]byte{}
	for e, err := range All(open(t, dir)) {
		if _, twice := kinds[e.Name]; err != nil || twice {
			t.Fatalf("%q, %v", e.Name, err)
		}
		kinds[e.Name] = e.Kind
	}
	if len(kinds) != len(want) || kinds["sub"] != unix.DT_DIR || kinds["link"] != unix.DT_LNK {
		t.Errorf("%d entries, want %d; sub is %d, link is %d", len(kinds), len(want), kinds["sub"], kinds["link"])
	}
	for _, e := range want {
		if _, ok := kinds[e.Name()]; !ok {
			t.Errorf("%q is missing", e.Name())
		}
	}
}

// TestNames: no more than asked for, nothing of an empty directory, and a failure where there is none to read.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	if names, err := Names(open(t, dir), 10); err != nil || len(names) != 0 {
		t.Errorf("an empty directory: %q, %v", names, err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for most, want := range map[int]int{-1: 0, 0: 0, 2: 2, 3: 3, 4: 3} {
		if names, err := Names(open(t, dir), most); err != nil || len(names) != want {
			t.Errorf("at most %d: %q, %v", most, names, err)
		}
	}
	names, err := Names(open(t, dir), 10)
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := Names(open(t, os.DevNull), 10); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a device: %v", err)
	}
}
