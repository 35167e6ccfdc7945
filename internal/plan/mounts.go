// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"path"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// mounts returns the mounts to add: the names, read-only, and the home.
func mounts(dir string, home *homedir.Plan) []spec.Mount {
	var all []spec.Mount
	bind := func(data []byte, file, destination string) {
		if data != nil {
			all = append(all, spec.Mount{
				Destination: destination, Type: "bind", Source: path.Join(dir, file),
				Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
			})
		}
	}
	bind(home.Passwd, record.Passwd, "/etc/passwd")
	bind(home.Group, record.Group, "/etc/group")
	for _, m := range home.Mounts {
		all = append(all, spec.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
	}
	return all
}

// Ours recognizes the mounts that an earlier rewrite of the bundle added.
func Ours(dir string) func(spec.Mount) bool {
	passwd, group := path.Join(dir, record.Passwd), path.Join(dir, record.Group)
	return func(m spec.Mount) bool {
		return m.Source == passwd || m.Source == group || homedir.Ours(RootfsMount(m))
	}
}

// RootfsMount converts a mount for the view of a rootfs.
func RootfsMount(m spec.Mount) rootfs.Mount {
	return rootfs.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options}
}
