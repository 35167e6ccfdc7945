// SPDX-License-Identifier: Apache-2.0

package rootfs_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

func TestMay(t *testing.T) {
	for _, test := range []struct {
		uid, gid uint32 // the file's
		mode     uint32
		rights   uint32
		want     bool
	}{
		{1000, 0, 0o700, 7, true},
		{1000, 0, 0o500, unix.W_OK, false},
		{1000, 0, 0o077, unix.R_OK, false}, // only the owner's bits count
		{1000, 5, 0o070, unix.R_OK, false},
		{0, 5, 0o070, 7, true},
		{0, 6, 0o050, unix.R_OK | unix.X_OK, true},
		{0, 6, 0o050, unix.R_OK | unix.W_OK, false},
		{0, 5, 0o707, unix.R_OK, false}, // likewise the group's
		{0, 7, 0o705, unix.R_OK | unix.X_OK, true},
		{0, 7, 0o705, unix.W_OK, false},
		{0, 7, 0o770, unix.X_OK, false},
		{0, 7, 0, 0, true},
		{0, 7, unix.S_IFDIR | unix.S_ISVTX | 0o703, unix.W_OK | unix.X_OK, true},
	} {
		st := unix.Stat_t{Uid: test.uid, Gid: test.gid, Mode: test.mode}
		if got := rootfs.May(test.rights, &st, 1000, []uint32{5, 6}); got != test.want {
			t.Errorf("%d to a file of %d:%d %04o: %t", test.rights, test.uid, test.gid, test.mode, got)
		}
	}
	if rootfs.May(unix.R_OK, &unix.Stat_t{Mode: 0o770}, 1000, nil) {
		t.Error("who has no group has that of a file")
	}
}
