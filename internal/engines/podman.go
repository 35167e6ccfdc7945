// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"path"
	"strings"
)

// Podman is Podman with conmon.
var Podman = Engine{
	Name: "podman",
	// Podman and CRI-O share containers/storage; only CRI-O names a --root (conmon, src/runtime_args.c).
	ByBundle: func(root, dir string) bool { return root == "" && inStorage(dir) },
	Bundles:  Bundles{States: []string{storageRoot}, Dir: storageDir, PIDFile: "pidfile"}, // libpod/oci_conmon_common.go, --container-pidfile
	Store: Store{
		Root: storageRoot, User: "containers/storage",
		Containers: storageContainers, Record: storageRecord,
	},
	// In the store of containers/storage, and over a directory that --rootfs names with ":O" (containers/common,
	// pkg/overlay). A directory that --rootfs names without ":O" may be the host's.
	Rootfs: []string{"overlay/*/merged", "overlay/*/merge", "overlay-containers/{id}/rootfs/merge"},
	Files:  []string{"overlay-containers/[0-9a-f]*/userdata/*"},
	// libpod/runtime_ctr.go, SecretsPath, and container_internal_common.go.
	Secrets: []string{"*-containers/{id}/userdata/secrets/*"},
	// The graphroot (containers/storage, libpod's volumes).
	Volumes: Volumes{
		Path: "volumes/*/_data", Beside: []string{"../overlay-containers", "../vfs-containers", "../btrfs-containers"},
	},
	Init:    "podman-init", // libpod/container_internal_linux.go: the path at which catatonit is mounted
	Sockets: []string{"/run/podman/podman.sock"},
	Groups:  []string{"podman"},
	// containers/common, pkg/netns.
	Networks: Networks{Named: func(name string) bool { return strings.HasPrefix(name, "netns-") }},
	Cgroup: func(name, _ string) (engine, id string) { // libpod/container_internal_linux.go
		if id, ok := scoped(name, "libpod-", true); ok {
			return "podman", id
		}
		return "", ""
	},
	Monitor: func(name string, args []string) (engine, id string) {
		if name == ConmonProgram {
			return "podman", valueOf(args, "-c", "--cid") // conmon(8)
		}
		return "", ""
	},
	Client: "podman",
	// containers.conf(5).
	Config: Config{
		Command: "podman", Program: "podman", Dir: "/etc/containers",
		Files: []string{
			"/usr/share/containers/containers.conf", "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/*.conf",
		},
		DropIns: "/etc/containers/containers.conf.d", Ext: ".conf", Format: TOML,
		UserFiles: []string{"containers/containers.conf", "containers/containers.conf.d/*.conf"}, UserDropIns: "containers/containers.conf.d",
	},
	Without: []Gap{
		{"Origins StateRoots", "it names no --root: its containers' state is where the runtime has it by itself"},
		{"Builds", "its builds are Buildah's"},
		{"Labels", "whoever makes a container sets them: nothing can rest on them"},
	},
}

// SaysPodman reports whether the annotations are those of a Podman container (libpod/define, ContainerManagerLibpod). Anyone
// can set them, so no decision may depend on it.
func SaysPodman(annotations map[string]string) bool {
	return annotations["io.container.manager"] == "libpod"
}

// ConmonProgram is the name of the monitor process that Podman and CRI-O keep for each container.
const ConmonProgram = "conmon"

// storageRoot is root's default graphroot (containers-storage.conf(5)).
const storageRoot = "/var/lib/containers/storage"

// StorageBundle returns a container's bundle relative to the graphroot, which is also the directory of its other files
// relative to the runroot (containers/storage, store.go). driver is the storage driver, such as "overlay".
func StorageBundle(driver, id string) string { return path.Join(driver+"-containers", id, "userdata") }

func storageDir(state, _, id string) string { return path.Join(state, StorageBundle("overlay", id)) }

// inStorage reports whether a directory is a bundle in containers/storage.
func inStorage(dir string) bool {
	return path.Base(dir) == "userdata" && path.Base(path.Dir(path.Dir(dir))) == storageContainers
}

// The directory of containers in the graphroot with the usual driver, and the file there that has their names
// (containers/storage, store.go).
const (
	storageContainers = "overlay-containers"
	storageRecord     = "containers.json"
)

// StorageRecord returns the path of the file that has the container's name, for a bundle.
func StorageRecord(bundle string) string { return path.Join(bundle, "../..", storageRecord) }
