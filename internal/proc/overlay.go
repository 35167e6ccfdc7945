// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Overlay lists what an overlay is made of (Linux, filesystems/overlayfs.rst).
type Overlay struct {
	Upper string   // the directory that keeps changes; "": it is read-only
	Lower []string // the layers below, the topmost first; none: unknown
	Flags []string // options that change how the layers are read
}

// ErrNoOverlay means that a directory is not the root of an overlay.
var ErrNoOverlay = errors.New("it is not an overlay")

// OverlayOf returns the layers of an overlay, by a descriptor of its root.
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

// overlayAt returns the overlay of a mount. It has either all of its lower layers or none of them.
func overlayAt(mounts Mounts, id string) Overlay {
	m, _ := mounts.Find(id)
	o, complete := ParseOverlay(m.Options)
	if !complete {
		o.Lower = nil
	}
	return o
}

// ParseOverlay parses the options of an overlay, as passed to mount(2) and shown in mountinfo. complete means that Lower has
// all of the lower layers, and that each can be found by its path.
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
			complete = false // data-only layers, needed to read the others
		case "userxattr", "metacopy", "redirect_dir":
			o.Flags = append(o.Flags, option)
		}
	}
	for _, dir := range o.Lower {
		// "::" comes before data-only layers, and leaves an empty element.
		complete = complete && Findable(dir)
	}
	return o, complete
}

// Findable reports whether the path by which a layer was mounted still leads to it. A relative path does not, because its
// starting point is unknown; nor does a file descriptor of the process that mounted it, which is another file for every
// other process.
func Findable(dir string) bool {
	return strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "/proc/") && !strings.HasPrefix(dir, "/dev/")
}

// lowerdirs splits a list of layers like overlayfs: a backslash escapes a colon, comma or backslash in a path.
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
