// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
)

// Replace replaces one of the directory's files, or creates it. At any moment, even after a crash or on a full disk,
// the old file or the new one is there, complete. It is not synced: a bundle does not outlive a reboot. The file gets
// the owner and mode of the one it replaces, except for others' right to write; a new one gets the caller as owner, and
// the given mode. A label that isn't empty becomes the new file's SELinux label.
func (d *Dir) Replace(name string, data []byte, mode uint32, label string) error {
	return d.replace(name, [][]byte{data}, mode, label, func(temp string) error {
		return unix.Renameat(d.fd, temp, d.fd, name)
	})
}

// ReplaceSynced is Replace for a file that outlives a reboot: it is on disk when this returns, and after a crash the
// old one or the new one is there, complete. Temporary files of killed calls are removed.
func (d *Dir) ReplaceSynced(name string, data []byte, mode uint32) error {
	d.Sweep()
	return d.replace(name, [][]byte{data}, mode, "", func(temp string) error {
		if err := d.sync(temp); err != nil {
			return err
		}
		if err := unix.Renameat(d.fd, temp, d.fd, name); err != nil {
			return err
		}
		return d.sync(".") // the name
	})
}

func (d *Dir) sync(name string) error {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsync(fd), unix.Close(fd))
}

// ReplaceKeeping is Replace for an existing file whose new text comes in parts; the old one is kept under another
// name. On a file system that can't exchange files (renameat2(2), EINVAL) the old one is not kept.
func (d *Dir) ReplaceKeeping(name string, data [][]byte, mode uint32, kept string) error {
	return d.replace(name, data, mode, "", func(temp string) error {
		err := unix.Renameat2(d.fd, temp, d.fd, name, unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			return unix.Renameat(d.fd, temp, d.fd, name)
		}
		if err != nil {
			return err
		}
		return unix.Renameat(d.fd, temp, d.fd, kept)
	})
}

// replace writes a temporary file, and has put move it into place.
func (d *Dir) replace(name string, data [][]byte, mode uint32, label string, put func(temp string) error) error {
	uid, gid := -1, -1
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		mode, uid, gid = st.Mode&0o7775, int(st.Uid), int(st.Gid)
	}
	temp := tempPrefix + name + "." + strconv.Itoa(os.Getpid())
	if err := d.writeNew(temp, data, mode, uid, gid, label); err != nil {
		_ = unix.Unlinkat(d.fd, temp, 0)
		return fmt.Errorf("write %q: %w", path.Join(d.Path, temp), err)
	}
	if err := put(temp); err != nil {
		_ = unix.Unlinkat(d.fd, temp, 0)
		return fmt.Errorf("replace %q: %w", path.Join(d.Path, name), err)
	}
	return nil
}

// tempPrefix begins the names of Replace's temporary files; the process id of the call ends them.
const tempPrefix = ".nonroot-"

// Sweep removes temporary files that killed calls have left in the directory. Files of running calls stay.
func (d *Dir) Sweep() {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // nothing here is needed for the container
	}
	defer unix.Close(fd)
	for e, err := range dirents.All(fd) {
		if err != nil || !strings.HasPrefix(e.Name, tempPrefix) {
			continue
		}
		pid, err := strconv.Atoi(e.Name[strings.LastIndexByte(e.Name, '.')+1:])
		if err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = unix.Unlinkat(d.fd, e.Name, 0)
		}
	}
}

func (d *Dir) writeNew(temp string, data [][]byte, mode uint32, uid, gid int, label string) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(d.fd, temp, flags, 0o600)
	if errors.Is(err, unix.EEXIST) { // a killed call with this process id has left it behind
		if err = unix.Unlinkat(d.fd, temp, 0); err == nil {
			fd, err = unix.Openat(d.fd, temp, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	err = fill(fd, data, mode, uid, gid, label)
	// A full disk or a quota may be reported only now (close(2)).
	return errors.Join(err, unix.Close(fd))
}

func fill(fd int, parts [][]byte, mode uint32, uid, gid int, label string) error {
	for _, data := range parts {
		for len(data) > 0 {
			n, err := unix.Write(fd, data)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return err
			}
			if n == 0 {
				return io.ErrShortWrite
			}
			data = data[n:]
		}
	}
	if uid >= 0 && (uid != os.Geteuid() || gid != os.Getegid()) {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return err
		}
	}
	if label != "" {
		if err := unix.Fsetxattr(fd, "security.selinux", append([]byte(label), 0), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return err
		}
	}
	return unix.Fchmod(fd, mode)
}

// Remove removes one of the directory's files, if it exists.
func (d *Dir) Remove(name string) error {
	if err := unix.Unlinkat(d.fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %q: %w", path.Join(d.Path, name), err)
	}
	return nil
}
