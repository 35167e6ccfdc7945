// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// list sets an access control list that gives a user rights, up to a mask, and root's group none.
func list(t *testing.T, p string, uid uint32, rights, mask uint16) {
	t.Helper()
	text := testkit.ListOf(0, 7, map[uint32]uint16{uid: rights}, nil, mask, 0)
	testkit.Must(t, unix.Setxattr(p, "system.posix_acl_access", text, 0))
}

// TestVolumesWithLists: a volume of root's in which a list lets the identity write needs no other owner; what a list
// does not open is reported.
func TestVolumesWithLists(t *testing.T) {
	root := t.TempDir()
	fill(t, root, map[string]string{
		"docker/volumes/": "0:0 701", "docker/volumes/metadata.db": "0:0 600",
		"docker/volumes/v/_data/": "0:0 755", "docker/volumes/v/_data/db/": "0:0 755",
		"docker/volumes/theirs/_data/": "65532:65532 755", "docker/volumes/part/_data/": "999:999 755", "docker/volumes/part/_data/roots/": "0:0 755",
		"docker/volumes/files/_data/": "999:999 755", "docker/volumes/files/_data/table": "0:0 644", "docker/volumes/files/_data/theirs": "999:999 644",
	})
	testkit.Must(t, unix.Chmod(root, 0o755), unix.Chmod(filepath.Dir(root), 0o755))
	at := root + "/docker/volumes/v/_data"
	w, trusted := wish(root), trusted.CallersOwners(nil)
	w.FromGroup = func(gid uint32) bool { return gid == 0 }
	isRoot := func(uid uint32) bool { return uid == 0 }
	look := func(source string) Outcome {
		t.Helper()
		of, err := GiveVolume(Volume{Source: source, Destination: "/v"}, w, isRoot, func(uid uint32) bool { return uid == 0 || uid == 65532 }, trusted)
		testkit.Must(t, err)
		return of
	}
	if of := look(at); !of.Roots || NamedByList(at, trusted) {
		t.Errorf("without a list: %+v", of)
	}
	list(t, at, w.UID, 7, 5)
	if of := look(at); !of.Roots || of.Group != "" || NamedByList(at, trusted) {
		t.Errorf("whom the mask stops: %+v", of)
	}
	list(t, at, w.UID, 7, 7)
	if of := look(at); of.Roots || of.Part != "db" || of.Group != "" || !NamedByList(at, trusted) {
		t.Errorf("who may write at the top alone: %+v", of)
	}
	list(t, at+"/db", w.UID, 7, 7)
	if of := look(at); of.Roots || of.Part != "" || of.Group != "" || GroupsVolume(at, trusted) {
		t.Errorf("who may write: %+v", of)
	}
	if name, who := PartOfVolume(root+"/docker/volumes/part/_data", trusted); name != "roots" || who != (Owner{999, 999}) {
		t.Errorf("a part: %q, %+v", name, who)
	}
	// The note names it, as it would a file that can be read but not written.
	if name, who := PartOfVolume(root+"/docker/volumes/files/_data", trusted); name != "table" || who != (Owner{999, 999}) {
		t.Errorf("a file: %q, %+v", name, who)
	}
	list(t, root+"/docker/volumes/part/_data/roots", 999, 7, 7)
	if name, _ := PartOfVolume(root+"/docker/volumes/part/_data", trusted); name != "" {
		t.Errorf("a part that a list opens: %q", name)
	}
	// The mask of one that changes owner still limits what others have.
	theirs := root + "/docker/volumes/theirs/_data"
	list(t, theirs, 1500, 7, 5)
	w.From = func(uint32) bool { return false }
	if of := look(theirs); !of.Given || owners(t, root)["/docker/volumes/theirs/_data"] != "1000:65532 750" {
		t.Errorf("an empty one: %+v, %s", of, owners(t, root)["/docker/volumes/theirs/_data"])
	}
}

// TestLendsNoList: the group's bits of a file with a list limit what others have by it, and stay unchanged.
func TestLendsNoList(t *testing.T) {
	rootfs := overlay(t, map[string]string{"usr/bin/app": "0:0 700", "usr/lib/own/": "0:0 700", "usr/lib/own/app": "0:0 755"})
	list(t, rootfs+"/usr/bin/app", 1500, 7, 0)
	list(t, rootfs+"/usr/lib/own", 1500, 7, 0)
	w := wish(rootfs)
	w.Lend, w.Programs = true, []string{"/usr/bin/app", "/usr/lib/own/app"}
	_, err := Give(w)
	testkit.Must(t, err)
	checkOwners(t, rootfs, map[string]string{"/usr/bin/app": "0:0 700", "/usr/lib/own": "0:0 700"})
}
