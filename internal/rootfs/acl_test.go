// SPDX-License-Identifier: Apache-2.0

package rootfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestRights: the rights of users by a list, as defined in acl(5).
func TestRights(t *testing.T) {
	// The owner may do everything, 1000 read and write, its group nothing, 50 read, others search; the mask denies
	// writing to all.
	masked := ListOf(0, 7, map[uint32]uint16{1000: 6}, map[uint32]uint16{50: 4}, 5, 1)
	whole := ListOf(0, 7, map[uint32]uint16{1000: 6}, map[uint32]uint16{50: 4}, 7, 1)
	st := &unix.Stat_t{Uid: 7, Gid: 8, Mode: 0o751}
	for _, test := range []struct {
		text     []byte
		uid, gid uint32
		want     uint32
	}{
		{masked, 7, 1, 7}, {masked, 1000, 1, 4}, {whole, 1000, 50, 6}, {masked, 1, 50, 4}, {masked, 1, 8, 0}, {masked, 1, 9, 1}, {whole, 1, 9, 1},
	} {
		a, ok := rootfs.ParseACL(test.text)
		if !ok {
			t.Fatalf("%v", test.text)
		}
		if got := a.Rights(st, test.uid, test.gid); got != test.want {
			t.Errorf("%d:%d has %d, want %d", test.uid, test.gid, got, test.want)
		}
		if a.Names() != (test.text[len(test.text)-14] == 7) { // the mask
			t.Errorf("somebody may write: %v", a.Names())
		}
	}
	for _, bad := range [][]byte{nil, {2, 0, 0}, {1, 0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0}, {2, 0, 0, 0}, append([]byte{2, 0, 0, 0}, 1, 2, 3)} {
		if _, ok := rootfs.ParseACL(bad); ok {
			t.Errorf("%v is a list", bad)
		}
	}
}

// TestReadACL: a file with a list, one without, and a missing one.
func TestReadACL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	Must(t, os.WriteFile(file, nil, 0o600))
	if a, ok := rootfs.ReadACL(file); !ok || a != nil {
		t.Errorf("%v, %v", a, ok)
	}
	Must(t, unix.Setxattr(file, "system.posix_acl_access", ListOf(0, 6, map[uint32]uint16{1000: 6}, nil, 6, 0), 0))
	if a, ok := rootfs.ReadACL(file); !ok || len(a) != 5 {
		t.Errorf("%v, %v", a, ok)
	}
	if _, ok := rootfs.ReadACL(file + "/none"); ok {
		t.Error("what is not there has no list")
	}
}
