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

// Systems are directories of a host's programs, of its configuration, and the kernel's.
var Systems = []string{"/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot"}

// within are further ones of which all is the system's, beside what is theirs by itself.
var (
	within   = append(engines.Stores(), "/run", "/var/run", "/var/spool", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/lib/sudo", "/var/lib/polkit-1")
	byItself = []string{"/", "/root", "/home", "/var", "/var/lib", engines.KubeletDir}
)

// IsSystems says that what lies at a path of the host decides what root runs there, or who is root: nobody is told to give it to a
// container. In root's home, what a dot hides is read by programs.
func IsSystems(p string) bool {
	p = path.Clean(p)
	return links.WithinAny(Systems, p) || links.WithinAny(within, p) || slices.Contains(byItself, p) || strings.HasPrefix(p, "/root/.")
}

// Closed is something of the host's, mounted into a container, to which the container's identity has no right.
type Closed struct {
	Owner, Group uint32 // the file's, as the container's ids, where they are mapped
	Mode         uint32
	Rights       uint32 // those that are wanted (access(2))
	Mapped       bool   // the container has such an owner
	MappedGroup  bool   // and such a group
	Directory    bool

	// UID and GID are the identity's, as the owners of the host's files are written.
	UID, GID uint32

	Rootless bool // the engine is a person's, whose files are root's in there
	Podman   bool
	NotKept  bool // who asks to be the owner is not, by the policy
	Pod      bool // Kubernetes asks for the container
	System   bool // it is one that IsSystems has
}

// Remedies says what gives the identity the right, best first: to run as who has it; a group; a mode; and to change the owner last,
// which takes the file from who has it. What would not work, or would take a right from somebody, is not among them.
func (c *Closed) Remedies() string {
	var all []string
	of := func(shift int) bool { return c.Mode>>shift&c.Rights == c.Rights }
	user := "--user %d:%d"
	if c.Pod {
		user = "runAsUser: %d and runAsGroup: %d"
	}
	isPersons := c.Rootless && c.Mapped && c.Owner == 0 // root of a person's engine is that person
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
	// Its group may be somebody's by whom it is used.
	if c.MappedGroup && (c.Group == 0 || !of(3)) && !c.Rootless {
		all = append(all, fmt.Sprintf("chgrp %d and chmod g+%s", c.GID, bits))
	}
	if write == "" && c.Directory || !c.Mapped || c.Rootless { // what is a secret is not for everybody
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
