// SPDX-License-Identifier: Apache-2.0

// Package kernel has the kernel say whether a user may read, write or run a file. It needs root.
package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Allows says whether a user of groups may access a path as mode says (access(2)), and where the path leads in a root directory.
func Allows(root, path string, uid, gid int, groups []int, mode uint32) (bool, error) {
	type answer struct {
		ok  bool
		err error
	}
	said := make(chan answer)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its user
		ok, err := allows(root, path, uid, gid, groups, mode)
		said <- answer{ok, err}
	}()
	a := <-said
	return a.ok, a.err
}

func allows(root, path string, uid, gid int, groups []int, mode uint32) (bool, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return false, fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Chroot(root); err != nil {
		return false, fmt.Errorf("chroot: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return false, err
	}
	if err := setgroups(groups); err != nil {
		return false, fmt.Errorf("setgroups: %w", err)
	}
	if err := unix.Setfsgid(gid); err != nil {
		return false, err
	}
	if err := unix.Setfsuid(uid); err != nil { // with which the capabilities go that are about files
		return false, err
	}
	err := unix.Faccessat2(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EACCES):
		return false, nil
	}
	return false, err
}

// setgroups sets the groups of this thread alone, at which syscall.Setgroups would not leave it.
func setgroups(groups []int) error {
	all := make([]uint32, 0, len(groups)+1)
	for _, g := range groups {
		all = append(all, uint32(g))
	}
	first := unsafe.Pointer(unsafe.SliceData(all))
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(all)), uintptr(first), 0); errno != 0 {
		return errno
	}
	return nil
}
