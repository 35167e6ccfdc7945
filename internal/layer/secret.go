// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// GiveSecret makes a secret, which the engine has put into a directory of its own for this container alone, readable to
// the identity's group. It still belongs to root. A secret with another owner or group stays unchanged: a user chose
// them. closed reports that the identity can't read it.
func GiveSecret(source, id string, w *Options, isRoot func(uid uint32) bool, owners trusted.Owners) (given, closed bool, err error) {
	own, below, ok := engines.SecretOf(source, id)
	if !ok {
		return false, false, nil
	}
	dir, err := trusted.Open(own, owners)
	if err != nil {
		return false, false, nil //nolint:nilerr // the runtime says it
	}
	defer dir.Close()
	// A user who could put a link there could have another container's secret changed.
	if dir.Path != own || dir.CheckPath() != nil {
		return false, false, nil
	}
	top, err := unix.Open(own, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, false, nil //nolint:nilerr // likewise
	}
	defer unix.Close(top)
	const noLinks = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
	parent, err := unix.Openat2(top, path.Dir(below), &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: noLinks})
	if err != nil {
		return false, false, nil //nolint:nilerr // likewise
	}
	defer unix.Close(parent)
	file, err := openEntry(parent, path.Base(below))
	if err != nil {
		return false, false, nil //nolint:nilerr // likewise
	}
	defer unix.Close(file.fd)
	st := &file.Stat_t
	if !isRoot(st.Uid) || st.Mode&0o004 != 0 || st.Gid == w.GID && st.Mode&0o040 != 0 {
		return false, false, nil // it belongs to another user, or is readable
	}
	const special = unix.S_ISUID | unix.S_ISGID
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 || st.Mode&0o400 == 0 || st.Mode&special != 0 || !w.replaces(st.Gid) {
		return false, true, nil
	}
	if w.DryRun {
		return true, false, nil
	}
	after := *st
	after.Gid, after.Mode = w.GID, st.Mode&^0o070|0o040
	change := func() error {
		return errors.Join(chown(file.fd, st, &after), chmod(file.fd, after.Mode&0o7777))
	}
	if err = change(); errors.Is(err, unix.EROFS) {
		err = writable(parent, change)
	}
	if err != nil {
		return false, true, fmt.Errorf("let the identity read the secret %q: %w", source, err)
	}
	return true, false, nil
}

// writable makes an open tmpfs writable while do runs: dockerd makes the one with a container's secrets read-only once
// it is filled (moby, daemon/container_operations_unix.go, remountSecretDir), and its containers get it read-only by
// mounts of their own.
func writable(root int, do func() error) error {
	var fs unix.Statfs_t
	var st unix.Statx_t
	if err := errors.Join(unix.Fstatfs(root, &fs), unix.Statx(root, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st)); err != nil {
		return err
	}
	if fs.Type != unix.TMPFS_MAGIC || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return unix.EROFS
	}
	// The flags that statfs(2) and mount(2) share.
	const kept = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME
	remount := func(flags uintptr) error {
		same := uintptr(fs.Flags & kept) // #nosec G115 -- these are a few low bits
		return unix.Mount("", byDescriptor(root), "", unix.MS_REMOUNT|same|flags, "")
	}
	if err := remount(0); err != nil {
		return err
	}
	return errors.Join(do(), remount(unix.MS_RDONLY))
}
