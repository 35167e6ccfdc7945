// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// apart says that a gid of the container's means nothing on the host: it is given no device, has its own IPC, and nothing of
// the host's is mounted in it but what its engine made for it.
func apart(c *spec.Container, devices bool, owners bundle.Owners) bool {
	if devices || !slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "ipc" }) {
		return false
	}
	return !slices.ContainsFunc(c.Mounts, func(m spec.Mount) bool { return !enginesOwn(&m, owners) })
}

// enginesOwn says that a mount is a file system of its own, or what the engine made for the container: files for its names, or a
// volume.
func enginesOwn(m *spec.Mount, owners bundle.Owners) bool {
	if !binds(m) {
		return slices.Contains([]string{"proc", "sysfs", "tmpfs", "ramfs", "devpts", "mqueue", "cgroup", "cgroup2"}, m.Type)
	}
	if layer.IsVolume(m.Source, owners) {
		return true
	}
	if !slices.ContainsFunc(enginesFiles, func(pattern string) bool { return matchesEnd(pattern, m.Source) }) {
		return false
	}
	// Whoever could put a link there could have anything of the host's mounted.
	var st unix.Stat_t
	if unix.Lstat(m.Source, &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return false
	}
	dir, err := bundle.Open(path.Dir(m.Source), owners)
	if err != nil {
		return false
	}
	defer dir.Close()
	return dir.Path == path.Dir(m.Source) && dir.Guarded() == nil
}

// enginesFiles are patterns of what engines make for each container: Docker (moby, daemon/container_unix.go), containerd's part
// for Kubernetes (internal/cri/server, sandbox's root and volatile root), Podman and CRI-O (containers/storage, userdata), and
// the kubelet (pkg/kubelet/kubelet_pods.go and the volume plugins that have nothing of the host's in them).
var enginesFiles = []string{
	"containers/[0-9a-f]*/hosts", "containers/[0-9a-f]*/hostname", "containers/[0-9a-f]*/resolv.conf", "containers/[0-9a-f]*/mounts/shm",
	"sandboxes/[0-9a-f]*/hosts", "sandboxes/[0-9a-f]*/hostname", "sandboxes/[0-9a-f]*/resolv.conf", "sandboxes/[0-9a-f]*/shm",
	"overlay-containers/[0-9a-f]*/userdata/*",
	"pods/*/etc-hosts", "pods/*/containers/*/*",
	"pods/*/volumes/kubernetes.io~empty-dir/*", "pods/*/volumes/kubernetes.io~configmap/*", "pods/*/volumes/kubernetes.io~secret/*",
	"pods/*/volumes/kubernetes.io~projected/*", "pods/*/volumes/kubernetes.io~downward-api/*",
}

// matchesEnd holds a pattern against the last parts of a path, as many as it has.
func matchesEnd(pattern, p string) bool {
	parts := strings.Split(p, "/")
	n := strings.Count(pattern, "/") + 1
	if !path.IsAbs(p) || path.Clean(p) != p || len(parts) <= n {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(parts[len(parts)-n:], "/"))
	return ok && err == nil
}
