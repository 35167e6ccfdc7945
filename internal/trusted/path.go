// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// CheckPath returns where an absolute path leads, if only the trusted owners can change what it leads to, now or later:
// each directory and symbolic link on the way, and the file or directory at its end, belongs to them, and no other user
// can write it. It is for everything that is used by its path, and that would make a user who can change it root:
// programs, policies, lists of people, and directories of state.
func CheckPath(name string, owners Owners) (real string, isFile bool, err error) {
	if !path.IsAbs(name) {
		return "", false, fmt.Errorf("%q is not an absolute path", name)
	}
	if err := owners.check("/"); err != nil {
		return "", false, err
	}
	real, err = links.Follow(name, func(next, rest string) (string, error) {
		if owners.knows(next) {
			return "", nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(next, &st); err != nil {
			return "", fmt.Errorf("look at %q: %w", next, err)
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			return owners.follow(next, &st)
		case unix.S_IFDIR:
			return "", owners.checkStat(next, &st)
		}
		if strings.Trim(rest, "/") != "" {
			return "", fmt.Errorf("%q is something other than a directory", next)
		}
		isFile = true
		return "", owners.fit(next, &st)
	})
	return real, isFile, err
}

// OpenPath is Open for a directory with a path that no other user can redirect (CheckPath), so that Dir.CheckPath
// holds.
func OpenPath(name string, owners Owners) (*Dir, error) {
	real, _, err := CheckPath(name, owners)
	if err != nil {
		return nil, err
	}
	dir, err := Open(real, owners)
	if err == nil && dir.Path == real {
		dir.top = real
	}
	return dir, err
}

// ReplacePath is Dir.ReplaceSynced for a file by its absolute path, in a directory as OpenPath opens it.
func ReplacePath(name string, data []byte, mode uint32, owners Owners) error {
	dir, err := OpenPath(path.Dir(name), owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.ReplaceSynced(path.Base(name), data, mode)
}

// ReadPath is ReadFile for a path that no other user can redirect (CheckPath).
func ReadPath(name string, owners Owners) ([]byte, error) {
	at, err := inCheckedDirectory(name, owners)
	if err != nil {
		return nil, err
	}
	return ReadFile(at, owners)
}

// OpenFilePath opens a file of any size that ReadPath would read.
func OpenFilePath(name string, owners Owners) (*os.File, error) {
	at, err := inCheckedDirectory(name, owners)
	if err != nil {
		return nil, err
	}
	fd, err := openAt(unix.AT_FDCWD, at)
	if err != nil {
		return nil, err
	}
	if _, err := owners.fitOpen(fd, at, neverClosed); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), at), nil
}

// inCheckedDirectory returns a file's path, free of links except for the file itself.
func inCheckedDirectory(name string, owners Owners) (string, error) {
	if !path.IsAbs(name) {
		return "", fmt.Errorf("%q is not an absolute path", name)
	}
	dir, _, err := CheckPath(path.Dir(name), owners)
	if err != nil {
		return "", err
	}
	return path.Join(dir, path.Base(name)), nil
}

// follow reads a link that no other user can have created.
func (o Owners) follow(link string, st *unix.Stat_t) (string, error) {
	if !o.Trusts(st.Uid) {
		return "", fmt.Errorf("the symbolic link %q belongs to uid %d, who can point it elsewhere", link, st.Uid)
	}
	if strings.HasPrefix(link, "/proc/") {
		return "", fmt.Errorf("%q leads through the kernel's magic link %q, which may be another process's by then", link, link)
	}
	target, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	return target, nil
}

// fit returns an error if a file is not a program that only the owners can change.
func (o Owners) fit(name string, st *unix.Stat_t) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%q is not a regular file", name)
	case !o.Trusts(st.Uid):
		return fmt.Errorf("%q belongs to uid %d, who can change it\nhint: chown it to root", name, st.Uid)
	case st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !o.ownGroup(name, st.Gid):
		return fmt.Errorf("%q can be written by others (mode %04o)\nhint: chmod go-w it", name, st.Mode&0o7777)
	}
	return nil
}
