// SPDX-License-Identifier: Apache-2.0

// Package policy reads the administrator's policy, and decides by it who a container runs as: a pure function of policy
// and facts. Gathering facts belongs to internal/facts, carrying a decision out to internal/plan and internal/apply.
package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
)

// DefaultFile is the policy file. If it doesn't exist, Default applies.
const DefaultFile = "/etc/nonroot-runc/config.toml"

// DefaultState is where leases of uids, and other data that outlives a container, are kept unless the policy says
// otherwise.
const DefaultState = "/var/lib/nonroot-runc"

// Hint names the policy in messages that ask for a change of it.
const Hint = "the policy (" + DefaultFile + ")"

// ProfileFile returns the policy file of a binary or link named nonroot-runc.NAME; it must exist.
func ProfileFile(name string) string { return path.Join(path.Dir(DefaultFile), name+".toml") }

// goodDir holds the last good copy of each policy below /etc/nonroot-runc. It is elsewhere, so that a program that
// replaces a policy does not necessarily reach the copy.
const goodDir = "/var/lib/nonroot-runc/good"

// GoodFile returns the last good copy of a policy; "" if none is kept, because the policy is not in the default
// directory.
func GoodFile(file string) string {
	if path.Dir(file) != path.Dir(DefaultFile) {
		return ""
	}
	return path.Join(goodDir, path.Base(file))
}

// PreviousFile returns the policy that nonroot-ctl policy apply last replaced.
func PreviousFile(file string) string {
	return path.Join(path.Dir(goodDir), "previous", path.Base(file))
}

// MaxID is the highest uid or gid that is accepted.
const MaxID = ids.Max

// ID is a uid or gid from 1 to MaxID. Zero means that there is none.
type ID = ids.ID

// The vocabulary of decisions, as the policy spells it.
type (
	Mode     = decision.Mode
	Source   = decision.Source
	Identity = decision.Identity
)

// The modes (decision.Mode).
const (
	Rewrite = decision.Rewrite
	Refuse  = decision.Refuse
	Audit   = decision.Audit
	Off     = decision.Off
)

// The sources of identities (decision.Source).
const (
	Requested = decision.Requested
	Listed    = decision.Listed
	Kept      = decision.Kept
	Joined    = decision.Joined
	Volume    = decision.Volume
	Prepared  = decision.Prepared
	Image     = decision.Image
	Fixed     = decision.Fixed
	Created   = decision.Created
)

// RequestAnnotation and RequestVariable name the identity that a container asks for: "uid", "uid:gid", or
// "name[:group]" in terms of the image.
const (
	RequestAnnotation = "io.nonroot-runc.user"
	RequestVariable   = "NONROOT_USER"
)

// Policy is the administrator's policy, or the part of it for some containers.
type Policy struct {
	File     string   // where it was read; "": the built-in policy
	Profile  string   // the binary's NAME in nonroot-runc.NAME; "": none
	Text     []byte   // the file's text, which Digest identifies; nil for the built-in one
	Digest   string   // of Text, SHA-256 in hex
	Rule     string   // which part of the policy this is: a rule's name, "build", or "default"
	Rules    []Rule   // for some containers, in order; a rule's own policy has none
	unread   *unread  // what rules without a policy yet are made of; nil: each has its policy
	Audit    *Policy  // a stricter one that is not enforced: the record says what it would have done; nil: none
	Mode     Mode     // for every container
	Reason   string   // for mode off
	Build    Build    // for build containers
	Runtimes []string // candidates for the next runtime: names or absolute paths
	Existing Mode     // Rewrite or Off: for containers without a record of ours
	Restore  bool     // whether restore is allowed
	Log      Log
	OwnLog   bool // the file itself says where decisions are logged, or that they are not

	UID, GID    ID     // the fixed identity
	Name        string // for an identity without a name in the image
	Sources     []Source
	Annotation  bool   // whether RequestAnnotation counts
	Variable    bool   // whether RequestVariable counts
	AllowedUIDs Ranges // limits requested, kept and image uids; empty: any, but a request may then name only users of the image
	AllowedGIDs Ranges // gids that are kept although they mean something, and those that may be requested
	Privileged  []string

	AllowedGroups []string // like AllowedGIDs, by name on the host
	ExtraGIDs     []ID     // groups that every process gets, by number on the host
	ExtraGroups   []string // likewise, by name on the host
	DeviceGroups  []string // device patterns: a container with such a device gets the device's group

	Range Range // each container gets a uid of this range instead of the fixed one; First is 0: none
	Share Share // which containers share one
	Block ID    // ids of the range that each namespace has to itself; 0: no blocks

	Reserved Ranges // all ranges of the file: no container may choose a uid in them

	UsersFile  string // as passwd(5): namespaces and people with their ids; "": none
	GroupsFile string // as group(5): their groups; "": none
	State      string // the directory of leases: which container has which id of a range

	Adapt Adapt

	HomeMode homedir.Mode
	HomeSize string // tmpfs(5), size
	HomePath string // "": found in the image

	DropBounding        bool
	AllowUserNamespaces bool

	Hooks Patterns // programs that may be hooks; nil: every one that only root can change

	// General is the general part, if this is the policy of a rule that a container's creator can choose to be in; else
	// nil. Such a rule must give nothing more than General does.
	General *Policy

	// Stubless omits mounts with a mount point that the image lacks: the runtime would create it, and it would stay in
	// the image that is being built.
	Stubless bool
}

// Build is the policy for containers in which a builder runs the RUN lines of a Dockerfile. They are recognized by the
// path of their bundle below the builder's own directory, which only root can write (SECURITY.md F8).
type Build struct {
	Mode    Mode     // Rewrite or Off
	Reason  string   // for mode off
	Bundles []string // the builders' directories: clean absolute paths without symbolic links
}

// DefaultID is the uid and gid of the built-in policy's identity.
const DefaultID = 65532

// Default is the policy of a machine without a policy file. It enforces every promise.
func Default() *Policy {
	return &Policy{
		Rule:       "default",
		Mode:       Rewrite,
		Build:      Build{Mode: Rewrite},
		Runtimes:   []string{"runc", "crun"},
		Existing:   Rewrite,
		UID:        DefaultID,
		GID:        DefaultID,
		Name:       "nonroot",
		Sources:    []Source{Requested, Listed, Kept, Joined, Volume, Prepared, Image, Fixed},
		Share:      SharePod,
		State:      DefaultState,
		Privileged: privilegedGroups,
		Adapt:      defaultAdapt(),
		HomeMode:   homedir.Auto,
		HomeSize:   "256m",
	}
}

// privilegedGroups give their members access to the host: its memory, disks, logs, passwords, or an engine that starts
// containers as root. The first ones are described by Debian's base-passwd and Fedora's setup; the engines' packages
// create the others.
var privilegedGroups = []string{
	"root", "adm", "tty", "disk", "mem", "kmem", "shadow", "tape", "input", "sudo", "wheel", "admin", "staff", "backup",
	"ssh_keys", "systemd-journal", "docker", "podman", "lxd", "incus", "incus-admin", "libvirt", "libvirt-qemu",
	"containerd", "crio", "microk8s", "wireshark", "vboxusers",
}

// Ranges is a set of ids.
type Ranges []Range

// Range is the ids from First to Last, inclusive.
type Range struct{ First, Last ID }

// Has reports whether the id is in the range.
func (r Range) Has(id uint32) bool { return uint32(r.First) <= id && id <= uint32(r.Last) }

// Has reports whether the id is in the set.
func (r Ranges) Has(id uint32) bool {
	return slices.ContainsFunc(r, func(r Range) bool { return r.Has(id) })
}

// String lists the ranges in the form of the policy file.
func (r Ranges) String() string {
	all := make([]string, 0, len(r))
	for _, r := range r {
		s := strconv.FormatUint(uint64(r.First), 10)
		if r.Last != r.First {
			s += "-" + strconv.FormatUint(uint64(r.Last), 10)
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// parseRange reads "1000" or "1000-1999".
func parseRange(s string) (Range, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, errA := ids.Parse(first)
	b, errB := ids.Parse(last)
	if err := errors.Join(errA, errB); err != nil {
		return Range{}, fmt.Errorf("%q is neither an id from 1 to %d nor a range of them such as \"1000-1999\"", s, MaxID)
	}
	if a > b {
		return Range{}, fmt.Errorf("the range %q ends before it begins", s)
	}
	return Range{a, b}, nil
}
