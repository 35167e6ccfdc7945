// SPDX-License-Identifier: Apache-2.0

// Package decision is what was decided about a container or one of its processes, and how that is written down. The
// type and the table of its members belong here, from which the record, the log's lines, explain and policy test are
// made. How a decision comes about belongs to internal/policy, where its text is kept to internal/record and
// internal/auditlog.
//
//	decision.go  the type and its vocabulary
//	members.go   the table: each member's name in each form, or why it is not there
//	json.go      from a decision to its JSON, and back
package decision

import "time"

// Mode is what happens to a container.
type Mode string

// The modes.
const (
	Rewrite Mode = "rewrite" // it runs as a user other than root
	Refuse  Mode = "refuse"  // it does not start if it asks for root; all other promises hold
	Audit   Mode = "audit"   // it runs unchanged, and the log says what would have changed
	Off     Mode = "off"     // it runs unchanged
)

// Exempts reports whether the mode leaves a container unchanged.
func (m Mode) Exempts() bool { return m == Audit || m == Off }

// Source is where an identity comes from.
type Source string

// The sources. The policy orders them; the last one is exec's.
const (
	Requested Source = "requested" // the container's annotation or environment names it
	Listed    Source = "listed"    // the administrator's list of people has the container's namespace
	Kept      Source = "kept"      // the container asks for an identity that isn't root
	Joined    Source = "joined"    // the user of the container whose processes it joins
	Volume    Source = "volume"    // the owner of the container's volumes, which hold data
	Prepared  Source = "prepared"  // the user that the container's command changes the owner of its volumes to
	Image     Source = "image"     // the image's service user
	Fixed     Source = "fixed"     // the policy's default
	Created   Source = "container" // an exec gets the identity that its container was created with
)

// Sentence says why an identity from the source is the container's.
func (s Source) Sentence() string {
	switch s {
	case Requested:
		return "the container's annotation or environment names it"
	case Listed:
		return "the administrator's list of people has the container's namespace"
	case Kept:
		return "the container asks for an identity that isn't root"
	case Joined:
		return "the container joins the processes of one that has it"
	case Volume:
		return "it owns the container's volumes"
	case Prepared:
		return "the container's command changes the owner of its volumes to this user"
	case Image:
		return "the image was built for it"
	case Fixed:
		return "it is the policy's default identity"
	case Created:
		return "its container was created with it"
	}
	return "a source that this version does not know"
}

// Identity is who a process runs as. Its ids are those inside the container.
type Identity struct {
	UID    uint32
	GID    uint32
	Groups []uint32
}

// Decision is what happens to a container or to one of its processes, and why. What is not known is empty. A new
// member needs a line in Members, or a test fails.
type Decision struct {
	Time  time.Time // when it was made
	Event string    // the runtime's verb: create, run, restore, exec, start
	ID    string    // the container's

	Mode   Mode
	Rule   string // the part of the policy that decided
	Reason string // for a refusal or an exemption; in mode audit, why it would be refused

	Asked    *Identity // the user that was asked for; nil: not read
	Identity *Identity // the user that was decided on; in mode audit, the one that would have been; nil: none
	Source   Source
	Person   string   // the identity's name on the administrator's list
	Dropped  []uint32 // groups that were removed
	Bounding []string // the bounding set that the container may have
	Audited  string   // what [audit] of the policy would have done differently
	Notes    []string // what else there is to know, such as engines' sockets and hooks

	// RootVolumes are the directories of engines' volumes that root has written to, and that still belong to root, or
	// would: the identity can't write there.
	RootVolumes []string

	Name    string // of the account in the container's passwd
	Home    string
	Mounted bool // Home is a tmpfs of its own
	// AskedHome is HOME as set by whoever made the container, if Home differs; "": it was not set, or is the same.
	AskedHome string
	Changed   []string // the parts of the document that the rewrite changed

	Engine    string
	Namespace string // Kubernetes' or containerd's
	Pod       string
	Container string // its name in the pod
	Image     string // as written by whoever made the container
	Called    string // Docker's name for the container

	Policy  string // the policy's file; "": the built-in one
	Profile string // the profile that the policy belongs to; "": the general one
	Digest  string // of the policy's file, SHA-256 in hex
	Version string // of the program that decided

	Runtime  string        // the next runtime's path
	Config   string        // the digest of the config.json that the record belongs to, SHA-256 in hex
	Start    uint64        // when the process that makes the container started, in clock ticks since boot (proc(5), /proc/pid/stat, field 22); 0: unknown
	Duration time.Duration // how long the call took until it was logged

	// What has to be done before the decision holds.

	PersonHome string  // the identity's home on the administrator's list
	Leases     []Lease // the ids of ranges that it rests on, which have to be taken
	Missing    Missing // facts that it needed and did not get: the decision is final only if there are none
}

// Refused reports whether no container or process may start.
func (d *Decision) Refused() bool { return d.Mode == Refuse }

// Enforced reports whether the container was rewritten. A nil decision enforces nothing.
func (d *Decision) Enforced() bool { return d != nil && d.Mode == Rewrite }

// StandsIn reports whether the identity replaces another uid, which was asked for. Only then is the container adapted to
// it: an image that runs as the user it asks for has what it needs.
func (d *Decision) StandsIn() bool {
	return d.Identity != nil && d.Asked != nil && d.Identity.UID != d.Asked.UID
}

// LosesRootGroup reports whether a uid other than root's is kept, but root's group, which was asked for beside it, is
// replaced. Images that support arbitrary uids open directories to group 0 for such users.
func (d *Decision) LosesRootGroup() bool {
	return d.Identity != nil && d.Asked != nil && d.Identity.UID == d.Asked.UID && d.Asked.GID == 0 && d.Identity.GID != 0
}

// Lease names an id to be taken: one of First, First+Step and so on, as long as the whole step lies within Last. An
// owner gets the same one again, and never one of another owner who still has a container.
type Lease struct {
	First, Last, Step uint32
	Owner             string
	ID                uint32 // the one that the owner would get at present
}

// Same reports whether two leases are for the same owner and range, whatever id they name.
func (l Lease) Same(other Lease) bool {
	l.ID = other.ID
	return l == other
}

// Missing are facts that a decision needs and that have not been gathered yet: each is read only if a policy needs
// it.
type Missing struct {
	HostGroups   bool   // what gids mean on the host
	Accounts     bool   // the image's passwd and group
	Intended     bool   // the user that the image was built for
	Joined       bool   // the container whose processes this one joins
	Volumes      bool   // the owners of volumes that hold data
	Prepared     bool   // the user that the command prepares volumes for
	Isolated     bool   // whether a gid of the container means nothing on the host
	People       bool   // the administrator's list
	Project      bool   // Compose's project
	DeviceGroups bool   // which groups own the container's devices
	Lease        *Lease // which id an owner would get; its ID is 0
}

// Any reports whether a fact is missing.
func (m Missing) Any() bool { return m != Missing{} }
