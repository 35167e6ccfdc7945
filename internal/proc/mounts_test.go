// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"/plain": "/plain", `/a\040b`: "/a b", `\011\012\134\043\054\075`: "\t\n\\#,=", `\134040`: `\040`,
		`\04`: `\04`, `\0408`: " 8", `\480`: `\480`, `\08x`: `\08x`, `\377`: "\xff", `\400`: `\400`, `\`: `\`,
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestMounts checks lines with and without optional fields, a line that is too short, and an early end of All.
func TestMounts(t *testing.T) {
	const mounts = Mounts(`21 1 0:20 / / rw shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
22 21 0:43 / /a\040b rw - tmpfs tmpfs rw,size=1k
too short
23 21 0:44 /x /c rw shared:7 master:2 - fuse.sshfs me@there: rw,user_id=1000
`)
	var points []string
	for m := range mounts.All() {
		points = append(points, m.ID+m.Point)
	}
	if want := []string{"21/", "22/a b", "23/c"}; !slices.Equal(points, want) {
		t.Errorf("%q, want %q", points, want)
	}
	for range mounts.All() {
		break
	}
	if m, ok := mounts.Find("23"); !ok || m.Point != "/c" || !slices.Equal(m.Options, []string{"rw", "user_id=1000"}) {
		t.Errorf("%+v, %t", m, ok)
	}
	for _, id := range []string{"2", "too", ""} {
		if m, ok := mounts.Find(id); ok {
			t.Errorf("%q: %+v", id, m)
		}
	}
}

// TestReadMounts checks a mount point whose name has every character that the kernel escapes.
func TestReadMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed")
	}
	dir := filepath.Join(t.TempDir(), "a b\tc\nd\\e#f,g\\040")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH) // otherwise the directory could not be removed
	mounts, err := ReadMounts()
	if err != nil {
		t.Fatal(err)
	}
	for m := range mounts.All() {
		if m.Point == dir {
			return
		}
	}
	t.Errorf("%q is not among them:\n%s", dir, mounts)
}

// TestLarge checks that a file over the limit is an error, and is not truncated.
func TestLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, make([]byte, limit+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(name); err == nil {
		t.Errorf("%d bytes", len(text))
	}
	if text, err := read(name, mountsLimit); err != nil || len(text) != limit+1 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// TestMountWithoutASource: for a mount with an empty source, the kernel writes two blanks in a row.
func TestMountWithoutASource(t *testing.T) {
	text := Mounts("137 112 0:56 / /run/podman rw,relatime - tmpfs  rw,mode=755\n")
	m, ok := text.Find("137")
	if !ok || m.Point != "/run/podman" || len(m.Options) != 2 || m.Options[1] != "mode=755" {
		t.Errorf("%+v, %v", m, ok)
	}
}
