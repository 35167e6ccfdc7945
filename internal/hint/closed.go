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

// Systems are directories of a host's programs and configuration, and the kernel's.
var Systems = []string{"/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot"}

// within are directories that belong to the system with everything below, and others that do only themselves.
var (
	within   = append(engines.Stores(), "/run", "/var/run", "/var/spool", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/lib/sudo", "/var/lib/polkit-1")
	byItself = []string{"/", "/root", "/home", "/var", "/var/lib", engines.KubeletDir}
)

// IsSystems reports whether a path of the host decides what root runs there, or who is root: nobody is advised to give it
// to a container. In root's home, programs read the dot files.
func IsSystems(p string) bool {
	p = path.Clean(p)
	return links.WithinAny(Systems, p) || links.WithinAny(within, p) || slices.Contains(byItself, p) || strings.HasPrefix(p, "/root/.")
}

// Closed is something of the host that is mounted into a container, and that the container's identity has no right
// to.
type Closed struct {
	Owner, Group uint32 // the file's owner and group, as the container's ids, if they are mapped
	Mode         uint32
	Rights       uint32 // those that are wanted (access(2))
	Mapped       bool   // the owner is mapped in the container
	MappedGroup  bool   // the group is mapped, too
	Directory    bool

	// UID and GID are the identity's, in the terms of the host's files.
	UID, GID uint32

	Rootless bool // the engine runs as a user, whose files are root's in the container
	Podman   bool
	NotKept  bool // the policy would not keep the owner's uid
	Pod      bool // Kubernetes asks for the container
	System   bool // IsSystems is true for it
}

// Remedies says what gives the identity the right, best first: running as a user who has it; a group; a mode; and
// last, changing the owner, which takes the file away from its present one. It leaves out what would not work, or
// would take a right from somebody.
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
	// Users may depend on its group.
	if c.MappedGroup && (c.Group == 0 || !of(3)) && !c.Rootless {
		all = append(all, fmt.Sprintf("chgrp %d and chmod g+%s", c.GID, bits))
	}
	if write == "" && c.Directory || !c.Mapped || c.Rootless { // a secret is not for everybody
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
