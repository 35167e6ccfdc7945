// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"path"
	"strings"
)

// The names of Docker's containers' origins.
const (
	DockerName       = "docker"
	DockerPluginName = "docker-plugin" // what `docker plugin` installs, which runs in the default runtime, too (SECURITY.md F11)
)

// mobyNamespace is Docker's in containerd (moby, cmd/dockerd, --containerd-namespace).
const mobyNamespace = "moby"

// Docker is dockerd (moby), with the containerd that it may run by itself, and with cri-dockerd.
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
		// One of each graph driver (moby, daemon/graphdriver), and "rootfs" with containerd's image store (daemon/snapshotter).
		Layers: []string{"overlay2", "rootfs", "fuse-overlayfs", "btrfs", "zfs", "vfs", "overlay", "devicemapper", "aufs"},
		// moby, daemon/container, ToDisk. dockerd writes a container's runtime down when it's created, and keeps it.
		Containers: "containers", Record: "config.v2.json", Runtime: "hostconfig.json",
	},
	// With the graph driver overlay2, and with Docker's image store of containerd (moby, daemon/snapshotter).
	Rootfs: []string{"overlay2/*/merged", "rootfs/*/{id}"},
	// moby, daemon/container_unix.go.
	Files: []string{
		"containers/[0-9a-f]*/hosts", "containers/[0-9a-f]*/hostname", "containers/[0-9a-f]*/resolv.conf", "containers/[0-9a-f]*/mounts/shm",
	},
	// Swarm's (moby, container/container_unix.go, SecretFilePath), in a tmpfs of the container's.
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

// ExecState is the state directory of the containerd that dockerd runs by itself in its exec-root (moby, libcontainerd/supervisor).
func ExecState(execRoot string) string { return path.Join(execRoot, "containerd/daemon") }

// DockerExecRoots are where dockerd has its exec-root where nobody has configured another: root's, and that of a person's daemon
// below the directory in which its socket is (rootless Docker, dockerd-rootless.sh). runtimeDir is $XDG_RUNTIME_DIR, and host is
// where the client reaches the daemon; either may be "".
func DockerExecRoots(runtimeDir, host string) []string {
	all := append([]string{}, Docker.Bundles.ExecRoots...)
	for _, dir := range []string{socketDir(host), runtimeDir} {
		if own := path.Join(dir, "docker"); path.IsAbs(dir) && own != "/run/docker" && own != "/var/run/docker" && (len(all) == 2 || all[2] != own) {
			all = append(all, own)
		}
	}
	return all
}

// socketDir is where the socket of a host as the client writes it (unix:///run/user/1000/docker.sock) is; "": it has none.
func socketDir(host string) string {
	if name, ok := strings.CutPrefix(host, "unix://"); ok && path.IsAbs(name) {
		return path.Dir(name)
	}
	return ""
}

// DockerMapped is a pattern of the data-roots that dockerd keeps below another one for user namespaces, which are named after the
// first ids of their maps (moby, daemon/daemon_unix.go, setupDaemonRoot).
func DockerMapped(root string) string { return path.Join(root, "[0-9]*.[0-9]*") }
