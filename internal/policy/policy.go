// SPDX-License-Identifier: Apache-2.0

// Package policy reads the administrator's policy and decides by it who a container runs as: a pure function of the policy and of
// facts. How facts are gathered does not belong here (internal/facts), nor what is done about a decision (internal/plan).
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

// DefaultFile is where the policy is looked for. Where there is none, Default holds.
const DefaultFile = "/etc/nonroot-runc/config.toml"

// DefaultState is where it is kept who has which uid, and what else outlives a container, unless the policy says otherwise.
const DefaultState = "/var/lib/nonroot-runc"

// Hint names the policy for whoever is to change it.
const Hint = "the policy (" + DefaultFile + ")"

// ProfileFile is the policy of a binary or link named nonroot-runc.NAME; it must exist.
func ProfileFile(name string) string { return path.Join(path.Dir(DefaultFile), name+".toml") }

// goodDir has a copy of each policy below /etc/nonroot-runc as it was when it was last good. It does not lie beside them: what
// replaces a policy need not reach it.
const goodDir = "/var/lib/nonroot-runc/good"

// GoodFile is where the copy of a policy is kept that was good; "": of a policy elsewhere none is kept.
func GoodFile(file string) string {
	if path.Dir(file) != path.Dir(DefaultFile) {
		return ""
	}
	return path.Join(goodDir, path.Base(file))
}

// PreviousFile is where the policy is kept that stood in a file's place before the last change by nonroot-ctl policy apply.
func PreviousFile(file string) string {
	return path.Join(path.Dir(goodDir), "previous", path.Base(file))
}

// MaxID is the highest uid or gid that is accepted.
const MaxID = ids.Max

// ID is a uid or gid from 1 to MaxID. Zero is no ID: it means that there is none.
type ID = ids.ID

// The words of decisions, as the policy spells them.
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

// RequestAnnotation and RequestVariable name the identity that a container would like to have: "uid",
// "uid:gid", or "name[:group]" as the image knows them.
const (
	RequestAnnotation = "io.nonroot-runc.user"
	RequestVariable   = "NONROOT_USER"
)

// Policy is what the administrator wants.
type Policy struct {
	File     string   // where it was read; "" for the built-in one
	Profile  string   // the one that the binary is named after; "": none
	Text     []byte   // the file's, by whose digest it is known; nil for the built-in one
	Digest   string   // of Text, SHA-256 in hex
	Rule     string   // the part of the policy that this is: a rule's name, "build", or "default"
	Rules    []Rule   // for some containers, in order; none in a rule's own policy
	unread   *unread  // what those are made of that have no policy yet; nil: each has
	Audit    *Policy  // a stricter one that is not enforced: the record says what it would have done; nil: none
	Mode     Mode     // for every container
	Reason   string   // of mode off
	Build    Build    // for the containers of builds
	Runtimes []string // candidates for the next runtime: names or absolute paths
	Existing Mode     // Rewrite or Off: for containers without a record of ours
	Restore  bool     // whether restore is let through
	Log      Log
	OwnLog   bool // that the file says where decisions are logged, if only that they are not

	UID, GID    ID     // the fixed identity
	Name        string // of an identity that the image has no name for
	Sources     []Source
	Annotation  bool   // whether RequestAnnotation is heard
	Variable    bool   // whether RequestVariable is heard
	AllowedUIDs Ranges // bounds requested, kept and image uids; empty: any, but a request may then name only users of the image
	AllowedGIDs Ranges // gids let through that would be replaced or dropped, and those that may be requested
	Privileged  []string

	AllowedGroups []string // as AllowedGIDs, by their names on the host
	ExtraGIDs     []ID     // groups that every process gets, as the host numbers them
	ExtraGroups   []string // likewise, by their names on the host
	DeviceGroups  []string // patterns of devices whose group on the host a container gets that has them

	Range Range // from which each container gets a uid in place of the fixed one; First is 0: none
	Share Share // which containers have one together
	Block ID    // how many ids of the range each namespace has for itself; 0: none

	Reserved Ranges // the ranges of the whole file, whose uids nobody chooses

	UsersFile  string // passwd(5)'s form: namespaces and people with the ids that are theirs; "": none
	GroupsFile string // group(5)'s form: their groups; "": none
	State      string // the directory in which it is kept who has which id of a range

	Adapt Adapt

	HomeMode homedir.Mode
	HomeSize string // tmpfs(5), size
	HomePath string // "": found in the image

	DropBounding        bool
	AllowUserNamespaces bool

	Hooks Patterns // programs that may be hooks; nil: all that only root can change

	// General is the general part, where this is the policy of a rule that whoever starts a container can choose to be in; nil: it is
	// not. What such a rule sets must give nothing more than that.
	General *Policy

	// Stubless adds no mount whose mount point the image lacks: the runtime would make one, and it would stay in the image
	// that is built.
	Stubless bool
}

// Build is what holds for the containers in which a builder runs an image's RUN lines. What makes a container one is the
// place of its bundle, below a directory of the builder's own, which only root can write (SECURITY.md F8).
type Build struct {
	Mode    Mode     // Rewrite or Off
	Reason  string   // of mode off
	Bundles []string // the builders' directories: clean absolute paths without symbolic links
}

// DefaultID is the uid and gid of the identity that the built-in policy names.
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

// privilegedGroups are groups that give their members something of the host: its memory, disks, log files,
// passwords, or an engine that starts containers as root. Debian's base-passwd and Fedora's setup describe the
// first ones, the engines' packages make the others.
var privilegedGroups = []string{
	"root", "adm", "tty", "disk", "mem", "kmem", "shadow", "tape", "input", "sudo", "wheel", "admin", "staff", "backup",
	"ssh_keys", "systemd-journal", "docker", "podman", "lxd", "incus", "incus-admin", "libvirt", "libvirt-qemu",
	"containerd", "crio", "microk8s", "wireshark", "vboxusers",
}

// Ranges is a set of ids.
type Ranges []Range

// Range is the ids from First to Last, both included.
type Range struct{ First, Last ID }

// Has says whether the id is one of them.
func (r Range) Has(id uint32) bool { return uint32(r.First) <= id && id <= uint32(r.Last) }

// Has says whether the id is in the set.
func (r Ranges) Has(id uint32) bool {
	return slices.ContainsFunc(r, func(r Range) bool { return r.Has(id) })
}

// String lists the ranges as the policy file spells them.
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
