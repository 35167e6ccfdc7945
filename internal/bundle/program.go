// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// Program says where a program lies that somebody is to start as root later, by its path: it is a regular file that only
// the trusted owners can change, and nobody else can lead the path elsewhere by then. So every directory and link on the way
// is looked at.
//
// /proc/PID/exe, by which Docker names itself (moby, libnetwork-setkey), is taken for what the process runs, where the
// process belongs to a trusted owner and sees the processes that the caller sees, as a container's own does not. It may have
// mounts of its own, by which systemd shuts services in.
func Program(name string, owners Owners) (real string, err error) {
	if pid, ok := executable(name); ok {
		return ownProgram(pid, owners)
	}
	real, isFile, err := Trusted(name, owners)
	if err == nil && !isFile {
		err = fmt.Errorf("%q is a directory", name)
	}
	return real, err
}

// Trusted says where an absolute path leads, if nobody but the trusted owners can change what it leads to, now or later: each
// directory and symbolic link on the way, and the file or directory at its end, is theirs, and nobody else can write it. It is
// the one question asked of whatever is used by its path, and whoever could change it would be root: programs, policies, lists
// of people, and directories of state.
func Trusted(name string, owners Owners) (real string, isFile bool, err error) {
	if !path.IsAbs(name) {
		return "", false, fmt.Errorf("%q is no absolute path", name)
	}
	if err := owners.guarded("/"); err != nil {
		return "", false, err
	}
	real, err = links.Follow(name, func(next, rest string) (string, error) {
		var st unix.Stat_t
		if err := unix.Lstat(next, &st); err != nil {
			return "", fmt.Errorf("look at %q: %w", next, err)
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			return owners.follow(next, &st)
		case unix.S_IFDIR:
			return "", owners.guarded(next)
		}
		if strings.Trim(rest, "/") != "" {
			return "", fmt.Errorf("%q is no directory", next)
		}
		isFile = true
		return "", owners.fit(next, &st)
	})
	return real, isFile, err
}

// follow reads a link that nobody else can have made.
func (o Owners) follow(link string, st *unix.Stat_t) (string, error) {
	if !o.Trusts(st.Uid) {
		return "", fmt.Errorf("the symbolic link %q belongs to uid %d, who can lead it elsewhere", link, st.Uid)
	}
	if strings.HasPrefix(link, "/proc/") {
		return "", fmt.Errorf("%q leads through the kernel's own link %q, which may be another's by then", link, link)
	}
	target, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	return target, nil
}

// fit says why a file is no program that the owners alone can change.
func (o Owners) fit(name string, st *unix.Stat_t) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%q is no regular file", name)
	case !o.Trusts(st.Uid):
		return fmt.Errorf("%q belongs to uid %d, who can change it: chown it to root", name, st.Uid)
	case st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !o.ownGroup(name, st.Gid):
		return fmt.Errorf("%q can be written by others (mode %04o): chmod go-w it", name, st.Mode&0o7777)
	}
	return nil
}

// executable takes /proc/PID/exe apart.
func executable(name string) (pid string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[1] != "proc" || parts[3] != "exe" {
		return "", false
	}
	_, err := strconv.ParseUint(parts[2], 10, 31)
	return parts[2], err == nil
}

// ownProgram is what a process runs.
func ownProgram(pid string, owners Owners) (string, error) {
	proc := "/proc/" + pid
	var process, here, there, exe unix.Stat_t
	err := errors.Join(unix.Stat(proc, &process), unix.Stat("/proc/self/ns/pid", &here), unix.Stat(proc+"/ns/pid", &there),
		unix.Stat(proc+"/exe", &exe))
	if err != nil {
		return "", fmt.Errorf("look at the process %s: %w", pid, err)
	}
	switch {
	case !owners.Trusts(process.Uid):
		return "", fmt.Errorf("the process %s belongs to uid %d, who can run something else by then", pid, process.Uid)
	case here.Dev != there.Dev || here.Ino != there.Ino:
		return "", fmt.Errorf("the process %s is in another pid namespace: it may be a container's", pid)
	}
	real, err := os.Readlink(proc + "/exe")
	if err != nil {
		return "", err
	}
	// After an update of its package, an engine runs a file that has no name any more.
	return strings.TrimSuffix(real, " (deleted)"), owners.fit(proc+"/exe", &exe)
}
