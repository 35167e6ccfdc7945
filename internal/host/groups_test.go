// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

func TestGroups(t *testing.T) {
	file := filepath.Join(t.TempDir(), "group")
	if err := os.WriteFile(file, []byte("root:x:0:\ndisk:x:6:\ndocker:x:4242:me\nplain:x:4000:\nodd:x:nonsense:\nhuge:x:4294967302:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := ReadGroups(file)
	want := []policy.HostGroup{{Name: "root"}, {Name: "disk", GID: 6}, {Name: "docker", GID: 4242}, {Name: "plain", GID: 4000}, {Name: "odd"}}
	if g.Unreadable || !slices.Equal(g.Groups, want) {
		t.Errorf("%+v", g)
	}
}

func TestGroupsWithoutAFile(t *testing.T) {
	if g := ReadGroups(filepath.Join(t.TempDir(), "none")); g.Unreadable || len(g.Groups) > 0 {
		t.Errorf("a host without a group file: %+v", g)
	}
	if g := ReadGroups(t.TempDir()); !g.Unreadable { // a directory can't be read
		t.Error("where the file can't be read, a gid is taken for harmless")
	}
	if g := ParseGroups([]byte("plain:x:4000:\n")); len(g.Groups) != 1 || len(g.Sockets) > 0 {
		t.Errorf("a text: %+v", g)
	}
}

func TestNodeGroup(t *testing.T) {
	for _, test := range []struct {
		path string
		mode uint32
		want bool
	}{
		{"/dev/dri/card0", unix.S_IFCHR | 0o660, true},
		{"/dev/dri/card0", unix.S_IFBLK | 0o660, false},
		{"/dev/dri/card0", unix.S_IFLNK | 0o777, false},
		{"/dev", unix.S_IFCHR, false},
		{"/device/card0", unix.S_IFCHR | 0o660, false},
		{"/data/card0", unix.S_IFCHR | 0o660, false},
	} {
		if gid, ok := NodeGroup(test.path, &unix.Stat_t{Mode: test.mode, Gid: 44}); ok != test.want || ok && gid != 44 {
			t.Errorf("%s %o: %d, %t", test.path, test.mode, gid, ok)
		}
	}
	var null unix.Stat_t
	if err := unix.Stat("/dev/null", &null); err != nil {
		t.Fatal(err)
	}
	if gid, ok := DeviceGroup("/dev/null"); !ok || gid != null.Gid {
		t.Errorf("/dev/null: %d, %t, want %d", gid, ok, null.Gid)
	}
}
