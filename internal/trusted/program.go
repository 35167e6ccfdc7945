// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Program returns the path of a program that will later be started as root by that path: it is a regular file that only
// the trusted owners can change, and no other user can redirect the path by then. So every directory and link on the
// way is checked.
//
// /proc/PID/exe, by which Docker names itself (moby, libnetwork-setkey), stands for the program of the process, if the
// process belongs to a trusted owner and sees the same processes as the caller, which a container's process does not.
// It may have mounts of its own, with which systemd confines services.
func Program(name string, owners Owners) (real string, err error) {
	if pid, ok := executable(name); ok {
		return ownProgram(pid, owners)
	}
	real, isFile, err := CheckPath(name, owners)
	if err == nil && !isFile {
		err = fmt.Errorf("%q is a directory, not a program", name)
	}
	return real, err
}

// executable splits /proc/PID/exe.
func executable(name string) (pid string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[1] != "proc" || parts[3] != "exe" {
		return "", false
	}
	_, err := strconv.ParseUint(parts[2], 10, 31) //lint:allow a process, no id
	return parts[2], err == nil
}

// ownProgram returns the program that a process runs.
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
		return "", fmt.Errorf("the process %s belongs to uid %d, who can run something else in its place", pid, process.Uid)
	case here.Dev != there.Dev || here.Ino != there.Ino:
		return "", fmt.Errorf("the process %s is in another pid namespace: it may be a container's", pid)
	}
	real, err := os.Readlink(proc + "/exe")
	if err != nil {
		return "", err
	}
	// After an update of its package, an engine runs a file that no longer has a name.
	return strings.TrimSuffix(real, " (deleted)"), owners.fit(proc+"/exe", &exe)
}
