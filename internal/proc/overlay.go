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
	mounts, err := ReadMounts()
	if err != nil {
		return o, err
	}
	return overlayAt(mounts, strconv.FormatUint(st.Mnt_id, 10)), nil
}

// overlayAt gives the overlay of a mount. Where one of the layers below can't be told, none is.
func overlayAt(mounts Mounts, id string) Overlay {
	m, _ := mounts.Find(id)
	o, complete := ParseOverlay(m.Options)
	if !complete {
		o.Lower = nil
	}
	return o
}

// ParseOverlay reads the options of an overlay, as mount(2) takes them and mountinfo shows them. It says whether the
// layers below are all that there are, and can all be found by their paths.
func ParseOverlay(options []string) (o Overlay, complete bool) {
	complete = true
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "upperdir":
			o.Upper = value
		case "lowerdir":
			o.Lower = append(o.Lower, lowerdirs(value)...)
		case "lowerdir+": // since Linux 6.5, one by one
			o.Lower = append(o.Lower, value)
		case "datadir+":
			complete = false // what lies there is not read without it
		case "userxattr", "metacopy", "redirect_dir":
			o.Flags = append(o.Flags, option)
		}
	}
	for _, dir := range o.Lower {
		// An empty one stands before layers of data alone ("::").
		complete = complete && Findable(dir)
	}
	return o, complete
}

// Findable says that the path by which a layer was mounted leads there still: it is neither relative to a directory that
// nobody knows, nor a descriptor of whoever mounted it, by which somebody else finds something of its own.
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
