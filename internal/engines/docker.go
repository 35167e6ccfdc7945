// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"path"
	"strings"
)

// The origins of Docker's containers.
const (
	DockerName       = "docker"
	DockerPluginName = "docker-plugin" // plugins from `docker plugin install`, which also run in the default runtime (SECURITY.md F11)
)

// mobyNamespace is Docker's namespace in containerd (moby, cmd/dockerd, --containerd-namespace).
const mobyNamespace = "moby"

// Docker is dockerd (moby), including the containerd that it may start itself, and cri-dockerd.
var Docker = Engine{
	Name: DockerName,
	// moby, daemon/runtime_unix.go and libcontainerd.
	Origins: []Origin{
		{Name: DockerName, Root: "*/runtime-*/" + mobyNamespace, Example: "/run/docker/runtime-runc/" + mobyNamespace},
		{Name: DockerPluginName, Root: "*/runtime-*/plugins." + mobyNamespace, Example: "/run/docker/runtime-runc/plugins." + mobyNamespace},
	},
	StateRoots: []string{"/run/docker/runtime-*/*", "/run/docker/containerd/runc/*", "/run/user/*/docker/runtime-*/*"},
	Bundles: Bundles{
		States: []string{"/run/containerd"}, ExecRoots: []string{"/var/run/docker", "/run/docker"},
		Namespace: mobyNamespace, Dir: taskDir, PIDFile: initPID,
	},
	Store: Store{
		Root: "/var/lib/docker", // moby, cmd/dockerd, --data-root
		User: "docker",          // moby, pkg/homedir, GetDataHome
		// One for each graph driver (moby, daemon/graphdriver), and "rootfs" for containerd's image store
		// (daemon/snapshotter).
		Layers: []string{"overlay2", "rootfs", "fuse-overlayfs", "btrfs", "zfs", "vfs", "overlay", "devicemapper", "aufs"},
		// moby, daemon/container, ToDisk. dockerd records a container's runtime when it creates the container, and never
		// changes it.
		Containers: "containers", Record: "config.v2.json", Runtime: "hostconfig.json",
	},
	// With the graph driver overlay2, and with containerd's image store (moby, daemon/snapshotter).
	Rootfs: []string{"overlay2/*/merged", "rootfs/*/{id}"},
	// moby, daemon/container_unix.go.
	Files: []string{
		"containers/[0-9a-f]*/hosts", "containers/[0-9a-f]*/hostname", "containers/[0-9a-f]*/resolv.conf", "containers/[0-9a-f]*/mounts/shm",
	},
	// Swarm's secrets, in a tmpfs of the container (moby, container/container_unix.go, SecretFilePath).
	Secrets: []string{"containers/{id}/mounts/secrets/*"},
	// moby, volume/local and volume/service.
	Volumes: Volumes{Path: "volumes/*/_data", Beside: []string{"metadata.db"}},
	Builds:  Builds{Dir: "buildkit/executor"}, // moby, builder/builder-next
	Init:    "docker-init",                    // moby, daemon/config, DefaultInitBinary
	Sockets: []string{
		"/run/docker.sock", "/var/run/docker.sock", "/run/docker/containerd/containerd.sock", "/run/cri-dockerd.sock",
	},
	Groups: []string{"docker"},
	Cgroup: func(name, above string) (engine, id string) { // moby, daemon/oci_linux.go
		if id, ok := scoped(name, "docker-", false); ok {
			return DockerName, id
		}
		if above == "docker" && IsID(name) {
			return DockerName, name
		}
		return "", ""
	},
	Labels: Labels{Project: "com.docker.compose.project"}, // compose, pkg/api/labels.go
	Client: "docker",
	Config: Config{
		Command: "docker", Program: "dockerd", Dir: "/etc/docker", Files: []string{"/etc/docker/daemon.json"},
		UserFiles: []string{"docker/daemon.json"}, PIDFile: "/var/run/docker.pid", Format: JSON,
	},
	Without: []Gap{
		{"ByBundle", "its --root tells"},
		{"Networks", "the runtime makes its containers' network namespaces"},
		{"Monitor", "containerd's shim, which Containerd knows"},
	},
}

// ExecState returns the state directory of the containerd that dockerd starts itself, below its exec-root (moby,
// libcontainerd/supervisor).
func ExecState(execRoot string) string { return path.Join(execRoot, "containerd/daemon") }

// DockerExecRoots returns dockerd's default exec-roots: root's, and for rootless Docker the one below the directory of the
// daemon's socket (dockerd-rootless.sh). runtimeDir is $XDG_RUNTIME_DIR, host is DOCKER_HOST or --host; either may be "".
func DockerExecRoots(runtimeDir, host string) []string {
	all := append([]string{}, Docker.Bundles.ExecRoots...)
	for _, dir := range []string{socketDir(host), runtimeDir} {
		if own := path.Join(dir, "docker"); path.IsAbs(dir) && own != "/run/docker" && own != "/var/run/docker" && (len(all) == 2 || all[2] != own) {
			all = append(all, own)
		}
	}
	return all
}

// socketDir returns the directory of the socket in a host as the client writes it (unix:///run/user/1000/docker.sock), or ""
// if the host is not a socket.
func socketDir(host string) string {
	if name, ok := strings.CutPrefix(host, "unix://"); ok && path.IsAbs(name) {
		return path.Dir(name)
	}
	return ""
}

// DockerMapped returns a pattern for the data-roots that dockerd creates below root for user namespaces. They are named
// after the first ids of their maps (moby, daemon/daemon_unix.go, setupDaemonRoot).
func DockerMapped(root string) string { return path.Join(root, "[0-9]*.[0-9]*") }
