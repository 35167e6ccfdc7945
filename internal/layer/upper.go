// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// upper is the folder in which an overlay keeps what was changed in it (Linux, filesystems/overlayfs.rst). It is looked for when
// it is asked for. Nothing is changed in it, and what it says is only what a change would cost.
type upper struct {
	fd     int
	looked bool
}

func (u *upper) close() {
	if u.looked && u.fd >= 0 {
		_ = unix.Close(u.fd)
	}
}

// has says that a file of the overlay is there.
func (u *upper) has(overlay int, p string, st *unix.Stat_t) bool {
	if !u.looked {
		u.fd, u.looked = openUpper(overlay), true
	}
	if u.fd < 0 {
		return false
	}
	there, err := openEntry(u.fd, beneath(p))
	if err != nil {
		return false
	}
	defer unix.Close(there.fd) //nolint:errcheck // nothing was written
	return there.Mode == st.Mode && there.Size == st.Size && there.Mtim == st.Mtim
}

// openUpper opens it by the path that the overlay was mounted with; -1: it has none, or not one that can be found.
func openUpper(overlay int) int {
	var st unix.Statx_t
	if unix.Statx(overlay, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return -1
	}
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return -1
	}
	dir := upperdir(string(mounts), strconv.FormatUint(st.Mnt_id, 10))
	if !strings.HasPrefix(dir, "/") {
		return -1
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// upperdir is that option of a mount; "": it has none.
func upperdir(mounts, id string) string {
	for _, option := range proc.MountOptions(mounts, id) {
		if dir, ok := strings.CutPrefix(option, "upperdir="); ok {
			return octal(dir)
		}
	}
	return ""
}

// octal reads what the kernel writes as octal numbers: blanks, backslashes, and commas, as options end at one.
func octal(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\054`, ",").Replace(s)
}
