// SPDX-License-Identifier: Apache-2.0

package hint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// Systems are directories with a host's programs and configuration, and those of the kernel.
var Systems = []string{"/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot"}

// Directories that belong to the system, with everything below them, or by themselves.
var (
	within   = append(engines.Stores(), "/run", "/var/run", "/var/spool", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/lib/sudo", "/var/lib/polkit-1")
	byItself = []string{"/", "/root", "/home", "/var", "/var/lib", engines.KubeletDir}
)

// IsSystems reports whether a path on the host decides what root runs there, or who is root. Such a path must never be given to a
// container. In root's home, these are the dot files, which programs read.
func IsSystems(p string) bool {
	p = path.Clean(p)
	return links.WithinAny(Systems, p) || links.WithinAny(within, p) || slices.Contains(byItself, p) || strings.HasPrefix(p, "/root/.")
}

// Closed is a mount from the host to which the container's identity lacks rights.
type Closed struct {
	Owner, Group uint32 // in the container's ids, if they are mapped
	Mode         uint32
	Rights       uint32 // the rights that it needs (access(2))
	Mapped       bool   // the owner is mapped in the container
	MappedGroup  bool   // the group is mapped, too
	Directory    bool

	// UID and GID are the identity's ids on the host.
	UID, GID uint32

	Rootless bool // an ordinary user runs the engine, and that user's files are root's in the container
	Podman   bool
	NotKept  bool // the policy would not keep the owner's uid
	Pod      bool // the container is from Kubernetes
	System   bool // IsSystems reports true
}

// Remedies lists ways to get the rights, best first: to run as a user who has them; a group; a mode; and last, a new owner, which takes the
// file away from the present one. It leaves out what would not work, or would take rights from others.
func (c *Closed) Remedies() string {
	var all []string
	of := func(shift int) bool { return c.Mode>>shift&c.Rights == c.Rights }
	user := "--user %d:%d"
	if c.Pod {
		user = "runAsUser: %d and runAsGroup: %d"
	}
	isPersons := c.Rootless && c.Mapped && c.Owner == 0 // root in a user's own engine is that user
	switch {
	case isPersons && c.Podman && of(6):
		all = append(all, "--userns=keep-id")
	case c.Mapped && c.Owner != 0 && !c.NotKept && of(6):
		all = append(all, fmt.Sprintf("run it as the owner ("+user+")", c.Owner, c.Group))
	}
	if c.System {
		all = append(all, fmt.Sprintf("mount a copy of what it needs there, which belongs to %d:%d", c.UID, c.GID))
		return strings.Join(all, ", or ")
	}
	if c.MappedGroup && c.Group != 0 && of(3) {
		all = append(all, c.groupHint())
	}
	write := ""
	if c.Rights&2 != 0 {
		write = "w"
	}
	bits := "r" + write
	if c.Directory {
		bits += "x"
	}
	// Its group's members may need it.
	if c.MappedGroup && (c.Group == 0 || !of(3)) && !c.Rootless {
		all = append(all, fmt.Sprintf("chgrp %d and chmod g+%s", c.GID, bits))
	}
	if write == "" && c.Directory || !c.Mapped || c.Rootless { // a secret must not become readable for everybody
		all = append(all, "chmod o+"+bits)
	}
	if c.Mapped && c.Owner == 0 && !c.Rootless {
		all = append(all, fmt.Sprintf("as a last resort chown %d:%d", c.UID, c.GID))
	}
	if isPersons && c.Podman {
		all = append(all, fmt.Sprintf("as a last resort podman unshare chown %d:%d", c.UID, c.GID))
	}
	return strings.Join(all, ", or ")
}

func (c *Closed) groupHint() string {
	if c.Pod {
		return fmt.Sprintf("supplementalGroups: [%d]", c.Group)
	}
	return fmt.Sprintf("--group-add %d, where identity.allowed_gids lets it", c.Group)
}
