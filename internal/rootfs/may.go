// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"

	"golang.org/x/sys/unix"
)

// May reports whether a process has all of some rights to a file by the file's mode (path_resolution(7),
// "Permissions"). Rights are those of access(2): 4 read, 2 write, 1 execute or search. The process's ids must be of the
// same namespace as the file's owner. Capabilities and access control lists are ignored.
func May(rights uint32, st *unix.Stat_t, uid uint32, gids []uint32) bool {
	shift := 0
	switch {
	case st.Uid == uid:
		shift = 6
	case slices.Contains(gids, st.Gid):
		shift = 3
	}
	return st.Mode>>shift&rights == rights
}
