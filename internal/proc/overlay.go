// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Overlay is what an overlay is made of (Linux, filesystems/overlayfs.rst).
type Overlay struct {
	Upper string   // the directory that keeps what was changed in it; "": nothing can be
	Lower []string // the layers below, the topmost first; none: they can't be told
	Flags []string // options that say how the layers are to be read
}

// ErrNoOverlay says that a directory is not the root of an overlay.
var ErrNoOverlay = errors.New("it is not an overlay")

// OverlayOf finds the layers of the overlay whose root is open.
func OverlayOf(fd int) (Overlay, error) {
	var o Overlay
	var fs unix.Statfs_t
	var st unix.Statx_t
	if err := errors.Join(unix.Fstatfs(fd, &fs), unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)); err != nil {
		return o, err
	}
	if fs.Type != unix.OVERLAYFS_SUPER_MAGIC || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 || st.Mask&unix.STATX_MNT_ID == 0 {
		return o, ErrNoOverlay
	}
	mounts, err := Read("/proc/thread-self/mountinfo")
	if err != nil {
		return o, err
	}
	return overlay(string(mounts), strconv.FormatUint(st.Mnt_id, 10)), nil
}

// overlay reads the options of a mount.
func overlay(mounts, id string) (o Overlay) {
	known := true
	for _, option := range MountOptions(mounts, id) {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "upperdir":
			o.Upper = octal(value)
		case "lowerdir":
			o.Lower = append(o.Lower, lowerdirs(octal(value))...)
		case "lowerdir+": // since Linux 6.5, one by one
			o.Lower = append(o.Lower, octal(value))
		case "datadir+":
			known = false // what lies there is not read without it
		case "userxattr", "metacopy", "redirect_dir":
			o.Flags = append(o.Flags, option)
		}
	}
	for _, dir := range o.Lower {
		// An empty one stands before layers of data alone ("::").
		known = known && Findable(dir)
	}
	if !known {
		o.Lower = nil
	}
	return o
}

// Findable says that the path by which a layer was mounted leads there still: it is neither relative to a directory that nobody
// knows, nor a descriptor of whoever mounted it, by which somebody else finds something of its own.
func Findable(dir string) bool {
	return strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "/proc/") && !strings.HasPrefix(dir, "/dev/")
}

// lowerdirs takes a list of layers apart as overlayfs does: a backslash stands before a colon, comma or backslash of a path.
func lowerdirs(list string) (dirs []string) {
	var dir strings.Builder
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && i+1 < len(list):
			i++
			dir.WriteByte(list[i])
		case c == ':':
			dirs = append(dirs, dir.String())
			dir.Reset()
		default:
			dir.WriteByte(c)
		}
	}
	return append(dirs, dir.String())
}

// octal reads what the kernel writes as octal numbers: blanks, backslashes, and commas, as options end at one.
func octal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\054`, ",").Replace(s)
}
