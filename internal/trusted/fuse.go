// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// fuseMagic is the type of a file system that a program serves (statfs(2), FUSE_SUPER_MAGIC).
const fuseMagic = 0x65735546

// servedByOwner returns an error if a directory's file system can't be trusted, because another user's program serves
// it (FUSE). It can report any owner and mode, and show one text when it is checked and another when it is used. If
// /etc/fuse.conf has user_allow_other, any user may mount one, for instance in a directory of their own in /tmp, which
// then looks like root's.
func (o Owners) servedByOwner(dir string, device uint64) error {
	if o.seen != nil && slices.Contains(o.seen.devices, device) {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at the file system of %q: %w", dir, err)
	}
	if fs.Type != fuseMagic {
		if o.seen != nil {
			o.seen.devices = append(o.seen.devices, device) // of one file system, whoever mounts it
		}
		return nil
	}
	uid, err := fuseUser(dir)
	if err != nil {
		return fmt.Errorf("find which process serves the file system of %q: %w", dir, err)
	}
	if !o.Trusts(uid) {
		return fmt.Errorf("the directory %q is on a file system served by a program of uid %d, who can replace what is in it\nhint: move it elsewhere", dir, uid)
	}
	return nil
}

// fuseUser returns the user who mounted a FUSE file system: the option user_id (Linux,
// Documentation/filesystems/fuse/fuse.rst).
func fuseUser(dir string) (uint32, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	info, err := proc.Read("/proc/thread-self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(info, []byte("mnt_id:"))
	id, _, _ := bytes.Cut(bytes.TrimSpace(after), []byte("\n"))
	mounts, err := proc.ReadMounts()
	if err != nil {
		return 0, err
	}
	mount, _ := mounts.Find(string(id))
	for _, option := range mount.Options {
		if v, ok := strings.CutPrefix(option, "user_id="); ok {
			return ids.Number(v)
		}
	}
	return 0, errors.New("/proc/self/mountinfo does not say")
}
