// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"path"
	"strings"
)

// BuildKit is buildkitd, and the part of dockerd that builds images.
var BuildKit = Engine{
	Name: "buildkit",
	// dockerd's executor (moby, builder/builder-next), and that of buildkitd's OCI worker (buildkit, worker/runc).
	ByBundle: func(_, dir string) bool {
		above := path.Dir(dir)
		return path.Base(above) == "executor" &&
			(strings.HasSuffix(above, "/buildkit/executor") || strings.HasPrefix(path.Base(path.Dir(above)), "runc-"))
	},
	Sockets: []string{"/run/buildkit/buildkitd.sock"},
	Config:  Config{Command: "buildkit", Program: "buildkitd"},
	Without: []Gap{
		{"Origins StateRoots", "it names no --root: its containers' state is where the runtime has it by itself"},
		{"Bundles Store Labels Client", "a container lasts for one command of a build, and nobody is asked about it"},
		{"Rootfs", "it mounts a container's file system below the bundle"},
		{"Files", "its containers have hosts and resolv.conf of its own, for a build that changes nothing by them"},
		{"Volumes Init", "it has none"},
		{"Secrets", "a build's secrets belong to its steps, for the user that it names"},
		{"Builds", "all of its containers are, and ByBundle tells them"},
		{"Groups", "its packages make none"},
		{"Networks", "it takes namespaces from a pool, in which other builds have been before"},
		{"Cgroup Monitor", "it puts no id of an engine's form there, and leaves no process"},
	},
}
