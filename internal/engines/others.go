// SPDX-License-Identifier: Apache-2.0

package engines

import "strings"

// noOCI is the reason for the empty members of engines that run system containers.
const noOCI = "it calls no OCI runtime"

// Incus runs system containers and virtual machines.
var Incus = Engine{
	Name:    "incus",
	Sockets: []string{"/var/lib/incus/unix.socket"},
	Groups:  []string{"incus", "incus-admin"},
	Without: []Gap{
		{"Origins ByBundle StateRoots Bundles Store Rootfs Files Secrets Volumes Builds Init Networks Monitor Labels Client Config", noOCI},
		{"Cgroup", "LXC, which it uses, has them"},
	},
}

// LXD is the project that Incus was forked from.
var LXD = Engine{
	Name:    "lxd",
	Sockets: []string{"/var/lib/lxd/unix.socket", "/var/snap/lxd/common/lxd/unix.socket"},
	Groups:  []string{"lxd"},
	Without: []Gap{
		{"Origins ByBundle StateRoots Bundles Store Rootfs Files Secrets Volumes Builds Init Networks Monitor Labels Client Config", noOCI},
		{"Cgroup", "LXC, which it uses, has them"},
	},
}

// LXC runs system containers.
var LXC = Engine{
	Name: "lxc",
	Cgroup: func(name, _ string) (engine, id string) { // lxc.container.conf(5), lxc.cgroup.dir
		if id, ok := strings.CutPrefix(name, "lxc.payload."); ok && id != "" {
			return "lxc", id
		}
		return "", ""
	},
	Without: []Gap{
		{"Origins ByBundle StateRoots Bundles Store Rootfs Files Secrets Volumes Builds Init Networks Monitor Labels Client Config", noOCI},
		{"Sockets Groups", "it has no daemon"},
	},
}

// Nspawn is systemd-nspawn. It can run OCI bundles (--oci-bundle), but without a runtime.
var Nspawn = Engine{
	Name: "systemd-nspawn",
	Cgroup: func(name, _ string) (engine, id string) { // systemd-nspawn(1)
		if id, ok := strings.CutPrefix(name, "machine-"); ok {
			if id, ok := strings.CutSuffix(id, ".scope"); ok && id != "" {
				return "systemd-nspawn", id
			}
		}
		return "", ""
	},
	Without: []Gap{
		{"Origins ByBundle StateRoots Bundles Store Rootfs Files Secrets Volumes Builds Init Networks Monitor Labels Client Config", noOCI},
		{"Sockets Groups", "it has no daemon"},
	},
}
