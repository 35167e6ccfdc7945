// SPDX-License-Identifier: Apache-2.0

// Package decision is what was decided about a container or one of its processes, and how that is written down. The one
// type and the table of its members belong here, from which the record, the log's lines, explain and policy test are made;
// how a decision comes about does not (internal/policy), nor where its text is kept (internal/record, internal/auditlog).
//
//	decision.go  the type and the words that it is made of
//	members.go   the table: each member's name in each form, or why it is not there
//	json.go      the two ways between a decision and its JSON
package decision

import "time"

// Mode is what happens to a container.
type Mode string

// The modes.
const (
	Rewrite Mode = "rewrite" // it runs as somebody else than root
	Refuse  Mode = "refuse"  // it does not start if it asks for root, and is held to all other promises
	Audit   Mode = "audit"   // it runs as it is, and the log says what would have changed
	Off     Mode = "off"     // it runs as it is
)

// Exempts says that the mode leaves a container as it is.
func (m Mode) Exempts() bool { return m == Audit || m == Off }

// Source is where an identity comes from.
type Source string

// The sources. The policy orders them; the last one is exec's.
const (
	Requested Source = "requested" // the container's annotation or environment names it
	Listed    Source = "listed"    // the administrator's list of people has the container's namespace
	Kept      Source = "kept"      // the container asks for an identity that isn't root
	Joined    Source = "joined"    // who the container is whose processes it joins
	Volume    Source = "volume"    // who owns the container's volumes, in which something was written
	Prepared  Source = "prepared"  // whom the container's command gives its volumes to
	Image     Source = "image"     // the image's service user
	Fixed     Source = "fixed"     // the policy names it
	Created   Source = "container" // an exec gets what its container was created with
)

// Sentence says why an identity that comes from the source is the container's.
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
		return "the policy names it"
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

// Decision is what happens to a container or to one of its processes, and why. What is not known is empty. A member that
// is added here needs a line in Members, or a test fails.
type Decision struct {
	Time  time.Time // when it was made
	Event string    // the runtime's verb: create, run, restore, exec, start
	ID    string    // the container's

	Mode   Mode
	Rule   string // the part of the policy that decided
	Reason string // of a refusal or an exemption; in mode audit, why it would be refused

	Asked    *Identity // who was asked for; nil: nobody has looked
	Identity *Identity // who was decided on; in mode audit, who would have been; nil: nobody
	Source   Source
	Person   string   // what the administrator's list calls the identity
	Dropped  []uint32 // groups that were taken away
	Bounding []string // the bounding set that the container may have
	Audited  string   // what the stricter policy that is only audited would have done otherwise
	Notes    []string // what else there is to know: engines' sockets and hooks among it

	// RootVolumes are the directories of engines' volumes in which root has written, and which stay root's, or would: the
	// identity can't write in them.
	RootVolumes []string

	Name    string // of the account, as the container's passwd has it
	Home    string
	Mounted bool // a tmpfs of its own is at Home
	// AskedHome is HOME as whoever made the container has it, where Home is another one; "": it has none, or the same.
	AskedHome string
	Changed   []string // the parts of the document that the rewrite has changed

	Engine    string
	Namespace string // Kubernetes' or containerd's
	Pod       string
	Container string // its name in the pod
	Image     string // as whoever made the container wrote it
	Called    string // what Docker calls the container

	Policy  string // the policy's file; "": the built-in one
	Profile string // the profile whose policy it is; "": the general one
	Digest  string // of the policy's file, SHA-256 in hex
	Version string // of the program that decided

	Runtime  string        // the next runtime's path
	Config   string        // the digest of the config.json that the record belongs to, SHA-256 in hex
	Start    uint64        // when the process that makes the container began, in clock ticks since boot (proc(5), /proc/pid/stat, field 22); 0: not known
	Duration time.Duration // what the call has taken until it was logged

	// What is to be done before the decision holds.

	PersonHome string  // where the administrator's list has the identity's home
	Leases     []Lease // the ids of ranges that it rests on, to be taken
	Missing    Missing // facts that it asked for in vain: it is final only where there are none
}

// Refused says that there is to be no container, or no process.
func (d *Decision) Refused() bool { return d.Mode == Refuse }

// Enforced says that the container was rewritten. A nil decision is none.
func (d *Decision) Enforced() bool { return d != nil && d.Mode == Rewrite }

// StandsIn reports whether the identity stands in for another uid, which was asked for. Only then is the container
// adapted to it: an image that runs as who it asks for has what it needs.
func (d *Decision) StandsIn() bool {
	return d.Identity != nil && d.Asked != nil && d.Identity.UID != d.Asked.UID
}

// LosesRootGroup reports whether somebody who is not a root keeps the uid that was asked for, and has another group than the
// root's, which was asked for too: as the arbitrary uids have for which images open directories to group 0.
func (d *Decision) LosesRootGroup() bool {
	return d.Identity != nil && d.Asked != nil && d.Identity.UID == d.Asked.UID && d.Asked.GID == 0 && d.Identity.GID != 0
}

// Lease names an id that is to be taken: one of First, First+Step and so on, that are whole steps up to Last, for an
// owner, who gets the same one again, and none that another owner has who lives.
type Lease struct {
	First, Last, Step uint32
	Owner             string
	ID                uint32 // the one that the owner would get as things are
}

// Same says that two leases are for one owner and one range, whichever id either names.
func (l Lease) Same(other Lease) bool {
	l.ID = other.ID
	return l == other
}

// Missing are facts that a decision would rest on, and that nobody has gathered yet: each is read only where a policy asks
// for it.
type Missing struct {
	HostGroups   bool   // what gids mean on the host
	Accounts     bool   // the image's passwd and group
	Intended     bool   // the image's service user
	Joined       bool   // whose processes the container joins
	Volumes      bool   // who owns the volumes in which something was written
	Prepared     bool   // whom the command prepares volumes for
	Isolated     bool   // whether a gid of the container's means nothing on the host
	People       bool   // the administrator's list
	Project      bool   // Compose's project
	DeviceGroups bool   // which groups own the container's devices
	Lease        *Lease // which id an owner would get; its ID is 0
}

// Any says that there are some.
func (m Missing) Any() bool { return m != Missing{} }
