// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// isolated reports whether the container's gids mean nothing on the host: it has no devices, an IPC namespace of its
// own, and no mounts from the host except what its engine made for it.
func isolated(c *spec.Container, devices bool, owners trusted.Owners) bool {
	if devices || !slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "ipc" }) {
		return false
	}
	return !slices.ContainsFunc(c.Mounts, func(m spec.Mount) bool { return !enginesOwn(&m, owners) })
}

// enginesOwn reports whether a mount is a new file system, or something that the engine made for the container: files
// with its names, or a volume.
func enginesOwn(m *spec.Mount, owners trusted.Owners) bool {
	if !m.Binds() {
		return slices.Contains([]string{"proc", "sysfs", "tmpfs", "ramfs", "devpts", "mqueue", "cgroup", "cgroup2"}, m.Type)
	}
	if layer.IsVolume(m.Source, owners) {
		return true
	}
	if !engines.MakesFile(m.Source) {
		return false
	}
	// A user who could put a link there could have any file of the host mounted.
	var st unix.Stat_t
	if unix.Lstat(m.Source, &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return false
	}
	dir, err := trusted.Open(path.Dir(m.Source), owners)
	if err != nil {
		return false
	}
	defer dir.Close()
	return dir.Path == path.Dir(m.Source) && dir.CheckPath() == nil
}
