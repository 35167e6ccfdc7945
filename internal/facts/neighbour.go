// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// neighbour examines the process by which config.json names the pid namespace that the container joins: engines name
// another container's first process. Processes of the host itself don't count, nor those of another user namespace,
// where an id means a different user. Neither does a pod's sandbox: it only holds namespaces, so nobody means to run as
// its user.
func (g *Gathered) neighbour() (n policy.Neighbour) {
	if g.UserNamespace != nil {
		return n
	}
	at := slices.IndexFunc(g.Container.Namespaces, func(s spec.Namespace) bool { return s.Type == "pid" })
	if at < 0 {
		return n
	}
	pid, ok := processOf(g.Container.Namespaces[at].Path)
	if !ok {
		return n
	}
	// The descriptor stays tied to the process: after the process has exited it shows nothing, even if the number is
	// reused.
	fd, err := unix.Open("/proc/"+pid, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return n
	}
	defer unix.Close(fd)
	dir := "/proc/self/fd/" + strconv.Itoa(fd)
	if !isNamespace(dir+"/ns/user", "user") || !isOther(dir+"/ns/pid", "pid") {
		return n
	}
	cgroups, err := proc.Read(dir + "/cgroup")
	if err != nil {
		return n
	}
	_, id := engines.OfCgroups(proc.CgroupPaths(cgroups))
	if engines.JoinsSandbox(g.Container.Annotations, g.Origin.Pod, id) {
		return n
	}
	text, err := proc.Read(dir + "/status")
	if err != nil {
		return n
	}
	status, err := proc.ParseStatus(text)
	if err != nil || !status.Credentials || !same(status.UIDs) || !same(status.GIDs) {
		return n
	}
	return policy.Neighbour{Known: true, UID: status.UIDs[0], GID: status.GIDs[0], Container: id}
}

// processOf returns the process in the path of a pid namespace, as engines write it (moby, daemon/oci_linux.go; libpod,
// container_internal_linux.go; containerd, internal/cri).
func processOf(namespace string) (pid string, ok bool) {
	rest, ok := strings.CutPrefix(namespace, "/proc/")
	pid, ok2 := strings.CutSuffix(rest, "/ns/pid")
	return pid, ok && ok2 && pid != "" && strings.Trim(pid, "0123456789") == ""
}

// isNamespace reports whether a file is the caller's own namespace of a kind, and isOther whether it is a different
// one. Both are false for a file that can't be examined.
func isNamespace(name, kind string) bool {
	one, other, ok := both(name, kind)
	return ok && one.Dev == other.Dev && one.Ino == other.Ino
}

func isOther(name, kind string) bool {
	one, other, ok := both(name, kind)
	return ok && (one.Dev != other.Dev || one.Ino != other.Ino)
}

func both(name, kind string) (one, own unix.Stat_t, ok bool) {
	ok = unix.Stat(name, &one) == nil && unix.Stat("/proc/self/ns/"+kind, &own) == nil
	return one, own, ok
}

func same(ids []uint32) bool {
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id uint32) bool { return id != ids[0] })
}
