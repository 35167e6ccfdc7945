// SPDX-License-Identifier: Apache-2.0

package engines

// Buildah is Buildah on its own, and inside Podman ("podman build").
var Buildah = Engine{
	Name: "buildah",
	// In the store of containers/storage.
	Rootfs: []string{"overlay/*/merged"},
	Builds: Builds{IDPrefix: "buildah-buildah"}, // run_common.go
	Without: []Gap{
		{"Origins StateRoots ByBundle", "it names no --root, and its bundles lie in the directory for temporary files"},
		{"Bundles Store Labels Client", "a container lasts for one command of a build, and nobody is asked about it"},
		{"Files", "they lie in the bundle"},
		{"Volumes Init", "it has none"},
		{"Secrets", "a build's secrets belong to its steps, for the user that it names"},
		{"Sockets Groups", "it is a program without a daemon"},
		{"Networks", "those of its builds are left as they are"},
		{"Cgroup Monitor", "it puts no id of an engine's form there, and leaves no process"},
		{"Config", "its runtime is Podman's, from containers.conf"},
	},
}
