// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// userNamespace returns the container's own user namespace: the maps that config.json sets for a new one, or the
// kernel's for one that is joined; nil if there is none.
//
// A namespace that is joined by path is opened once. The runtime gets the path of the open descriptor, so that it joins
// the one that was checked; the descriptor is under this process's directory in /proc, as execve keeps the process id
// (SECURITY.md B9).
func userNamespace(c *spec.Container, keep func(int) (int, error)) (pair *idmap.Pair, join string, err error) {
	given := idmap.Pair{UID: policy.FromSpec(c.UIDMap), GID: policy.FromSpec(c.GIDMap)}
	at := slices.IndexFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "user" })
	if at < 0 {
		if len(given.UID)+len(given.GID) > 0 {
			return nil, "", errors.New("linux has id mappings, but linux.namespaces has no user namespace\nhint: add {\"type\": \"user\"} to linux.namespaces, or leave out the mappings")
		}
		return nil, "", nil
	}
	file := c.Namespaces[at].Path
	if file == "" {
		return &given, "", nil
	}
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open the user namespace %q: %w", file, err)
	}
	real, err := joined(fd)
	if err != nil {
		return nil, "", fmt.Errorf("look at the user namespace %q: %w", file, err)
	}
	if len(given.UID)+len(given.GID) > 0 && !(slices.Equal(given.UID, real.UID) && slices.Equal(given.GID, real.GID)) {
		return nil, "", fmt.Errorf("linux.uidMappings and gidMappings are not those of the user namespace %q, which is joined\nhint: leave them out, or make them equal", file)
	}
	if keep != nil {
		if fd, err = keep(fd); err != nil {
			return nil, "", err
		}
	}
	// The dot is for runc 1.2 to 1.5: they take any path that begins with "/proc/PID" for one of the process itself,
	// and its map for the namespace's (libcontainer/internal/userns, GetUserNamespaceMappings).
	return &real, "/proc/./" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(fd), nil
}

// nsfsMagic is the type of the file system that holds namespaces (statfs(2), NSFS_MAGIC).
const nsfsMagic = 0x6e736673

func joined(fd int) (idmap.Pair, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return idmap.Pair{}, err
	}
	if fs.Type != nsfsMagic {
		return idmap.Pair{}, fmt.Errorf("it is not a namespace")
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWUSER {
		return idmap.Pair{}, fmt.Errorf("it is not a user namespace")
	}
	return idmap.OfNamespace(fd)
}
