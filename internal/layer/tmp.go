// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Tmp lists the directories for temporary files of all users.
var Tmp = []string{"/tmp", "/var/tmp"}

// OpenTmp sets their usual mode, 1777, in an image that closes them to all but root. It returns those that it changed.
func OpenTmp(w *Options) ([]string, error) {
	root, err := w.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	var opened []string
	for _, p := range Tmp {
		if w.Covered(p) {
			continue
		}
		fd, err := unix.Openat2(root, strings.TrimPrefix(p, "/"), &unix.OpenHow{
			Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inside,
		})
		if err != nil {
			continue // missing, or a link
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && w.From(st.Uid) && st.Mode&0o1777 != 0o1777 {
			if !w.DryRun {
				err = worded(unix.Fchmod(fd, 0o1777))
			}
			if err == nil {
				opened = append(opened, p)
			}
		}
		_ = unix.Close(fd)
		if err != nil {
			return opened, err
		}
	}
	return opened, nil
}
