// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// ownFiles finds bind mounts of this program's own files, and of anything below them: a user of the engine's API could
// have it write there as root without calling a runtime (moby: docker cp). Files are compared by device and inode, so
// links and other mounts of the same directory, such as an engine's volume, make no difference. A mount of a directory
// above, such as /etc, is allowed: no process in the container is root, and host directories are mounted for many
// reasons.
func ownFiles(p *policy.Policy, binds []host.Bind) (found []policy.OwnFile) {
	if len(binds) == 0 {
		return nil
	}
	ours := protected(p)
	for _, b := range binds {
		if own := shows(b.Source, ours); own != nil {
			own.Mount, own.ReadOnly = b.Destination, b.ReadOnly
			found = append(found, *own)
		}
	}
	return found
}

type ownFile struct {
	policy.OwnFile
	dev, ino uint64
}

// shows walks up from a mount's source, and returns the protected file that it is in; nil if it is in none.
func shows(source string, protected []ownFile) *policy.OwnFile {
	fd, err := unix.Open(source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // the runtime will report it
	}
	defer func() { _ = unix.Close(fd) }()
	var last unix.Stat_t
	const deepest = 256
	for range deepest {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Dev == last.Dev && st.Ino == last.Ino {
			return nil // the root is its own parent
		}
		for i := range protected {
			if protected[i].dev == st.Dev && protected[i].ino == st.Ino {
				own := protected[i].OwnFile
				return &own
			}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			// A file's parent directory can only be found by path.
			real, err := host.RealPath(source)
			if err != nil {
				return nil
			}
			return shows(path.Dir(real), protected)
		}
		up, err := unix.Openat(fd, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil
		}
		_ = unix.Close(fd)
		fd, last = up, st
	}
	return nil
}

// protected returns the files and directories that exist.
func protected(p *policy.Policy) []ownFile {
	var all []ownFile
	add := func(what string, names ...string) {
		for _, name := range names {
			var st unix.Stat_t
			if name != "" && unix.Stat(name, &st) == nil {
				all = append(all, ownFile{policy.OwnFile{What: what, Path: name}, st.Dev, st.Ino})
			}
		}
	}
	add("policy", path.Dir(policy.DefaultFile), p.File)
	add("pins of policies", pin.File)
	add("list of people", p.UsersFile, p.GroupsFile)
	good := path.Dir(policy.GoodFile(policy.DefaultFile))
	add("state", path.Dir(good), good)
	if p.State != path.Dir(good) {
		add("state", p.State)
	}
	add("log", p.Log.File)
	if exe, err := os.Readlink("/proc/self/exe"); err == nil && path.Base(exe) != "nonroot-ctl" {
		add("program", exe, path.Join(path.Dir(exe), "nonroot-ctl"))
	}
	return all
}
