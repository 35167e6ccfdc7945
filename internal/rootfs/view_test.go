// SPDX-License-Identifier: Apache-2.0

package rootfs_test

import (
	"errors"
	"os"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestBounded: the contents of a mount are not accessed, and earlier lookups count (SECURITY.md H16).
func TestBounded(t *testing.T) {
	root, source := t.TempDir(), t.TempDir()
	testkit.Must(t,
		os.WriteFile(source+"/file", nil, 0o600),
		os.MkdirAll(root+"/a/b", 0o755), os.Mkdir(root+"/m", 0o755), os.Symlink("a", root+"/link"), os.Symlink("m/file", root+"/in"))
	view, err := rootfs.Open(root, root, false, []rootfs.Mount{{Destination: "/m", Type: "bind", Source: source, Options: []string{"bind"}}})
	testkit.Must(t, err)
	defer view.Close() // a test
	bounded := view.Bounded(12, nil)
	for _, p := range []string{"/m/file", "/in"} {
		if at, err := view.Look(p); err != nil || !at.Exists {
			t.Fatalf("%s: %+v, %v", p, at, err)
		}
		if at, err := bounded.Look(p); err != nil || at.Mount == nil || at.Exists {
			t.Errorf("%s: %+v, %v", p, at, err)
		}
	}
	if at, err := bounded.Look("/link/b"); err != nil || at.Path != "/a/b" || !at.Exists {
		t.Errorf("%+v, %v", at, err)
	}
	for answers, want := range map[bool]bool{true: true, false: false} {
		at, err := view.Bounded(12, func(int) bool { return answers }).Look("/in")
		if at.Exists != want || (err == nil) != want {
			t.Errorf("a file system that answers: %t: %+v, %v", answers, at, err)
		}
	}
	for range 3 {
		_, err = bounded.Look("/a/b")
	}
	if !errors.Is(err, links.ErrMany) {
		t.Errorf("it has no end: %v", err)
	}
	if _, err := view.Look("/a/b"); err != nil {
		t.Errorf("the view that it is of: %v", err)
	}
}
