// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGroups(t *testing.T) {
	file := filepath.Join(t.TempDir(), "group")
	if err := os.WriteFile(file, []byte("root:x:0:\ndisk:x:6:\ndocker:x:4242:me\nplain:x:4000:\nodd:x:nonsense:\nhuge:x:4294967302:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := Groups{File: file, Privileges: []string{"disk", "docker"}}
	for gid, want := range map[uint32][2]bool{0: {true, true}, 6: {true, true}, 4242: {true, true}, 4000: {true, false}, 5000: {false, false}} {
		if got := [2]bool{g.Named(gid), g.Privileged(gid)}; got != want {
			t.Errorf("%d: named and privileged are %v, want %v", gid, got, want)
		}
	}
}

func TestGroupsWithoutAFile(t *testing.T) {
	g := Groups{File: filepath.Join(t.TempDir(), "none")}
	if g.Named(5000) || g.Privileged(5000) || !g.Privileged(0) {
		t.Error("a host without a group file")
	}
	g = Groups{File: t.TempDir()} // a directory can't be read
	if !g.Named(5000) || !g.Privileged(5000) {
		t.Error("where the file can't be read, a gid is taken for harmless")
	}
}
