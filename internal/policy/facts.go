// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Act is the kind of action that a decision is about.
type Act int

// The kinds of actions.
const (
	Create   Act = iota // a new container: create, run
	Restored            // a container restored from a checkpoint
	Exec                // a further process of a container
	Start               // the start of a created container's first process
)

// Facts is the input of a decision: plain data, without functions (a test enforces that). Facts that are expensive to
// gather are nil until a decision has asked for them (decision.Missing).
type Facts struct {
	Act    Act
	Now    time.Time // by which rules expire
	ID     string    // the container's
	Bundle string    // its directory, absolute, clean and free of links

	Unguarded bool // others can change the bundle's directory, so its path proves nothing

	// Faults of the call itself, independent of the decision.
	Unfit         error  // of the descriptors that the container would get
	NoCgroups     bool   // the command line asks for no cgroup
	RewritingNext string // the next runtime, if it rewrites config.json once more

	// From config.json, or for an exec from its process file.
	Origin    *Origin // nil: config.json can't be read
	Seen      bool    // User is the requested user
	User      spec.User
	Env       []string // read only if the policy accepts RequestVariable
	Cwd       string
	Container *spec.Container // nil: an exec or start

	// UserNamespace is the map of the container's own user namespace to the caller's ids; nil if it has none. Own is
	// the map of the caller's user namespace.
	UserNamespace *idmap.Pair
	Own           idmap.Pair

	Surroundings
	Existing

	HostGroups *HostGroups
	Accounts   *accounts.Files    // the image's passwd and group; for an exec, the copies that its container sees
	OwnGroup   bool               // the group file of Accounts is the image's own
	Intended   *accounts.Intended // the user that the image was built for
	Neighbour  *Neighbour         // the container whose processes this one joins
	Volumes    []OwnedVolume      // owners of the container's engine volumes, each by its top directory; without empty volumes that have no user yet (plan.Owners.IsNew), and those with an owner from the image
	Prepares   *Identity          // the user that the command prepares the volumes for; uid 0: none
	Last       *LastStart         // who the container was when it was last started; nil: never, or unknown. Gathered with Volumes
	Isolated   *bool              // whether a gid of the container means nothing on the host
	People     *People
	Project    *string  // the name that groups containers (Compose's project)
	Devices    []Device // the container's
	Leases     []Foreseen
}

// Existing is what is known of an existing container.
type Existing struct {
	Record  *decision.Decision // the one that counts; nil: none does
	Unsure  bool               // a later call that failed may have replaced the container's own record
	Unsound error              // why nothing in the bundle can be trusted

	Process      *runc.Credentials // the first process's; nil: it is not running, or was not examined
	ProcessFault error             // why they are unknown
	Nested       bool              // that process has created a user namespace
	NamedGroups  bool              // its runtime may look group numbers up as names in the image's /etc/group
}

// Neighbour is the first process of another container, of which this one joins the pid namespace. It is empty if
// nothing is known of that process.
type Neighbour struct {
	Known     bool
	UID, GID  uint32 // as this container has the ids
	Container string // the other container's id, as far as its cgroup tells
}

// LastStart is the identity of a container's last start, from sources that its processes can't write.
type LastStart struct {
	Identity
	Source Source
}

// HostGroups is what gids mean on the host.
type HostGroups struct {
	Unreadable bool // it can't be read: every gid then means something
	Groups     []HostGroup
	Sockets    []uint32 // gids that may open an engine's socket
}

// HostGroup is an entry of the host's group file.
type HostGroup struct {
	Name string
	GID  uint32
}

// People is the administrator's list.
type People struct {
	Accounts accounts.Files
	Fault    error // why it can't be read
}

// Device is a device node of the container.
type Device struct {
	Path    string
	GID     uint32 // the group that owns it on the host
	Known   bool   // the host has it
	NodeGID uint32 // the group that is to own the container's node by config.json; 0: root's, or unknown
	Closed  bool   // it gives access to a disk or memory: the container's node will be root's (SECURITY.md C1)
}

// Foreseen is the id that an owner would get.
type Foreseen struct {
	decision.Lease
	Fault error // why it gets none
}

// inquiry provides a decision with its facts. It records those that are missing, and meanwhile answers with what gives
// least, as the decision will be made again.
type inquiry struct {
	*Facts
	missing decision.Missing

	created *Identity // the identity of the container that a further process is for; nil: unknown
	by      Source    // the source of that identity
}

// ask starts a decision's inquiry into its facts.
func (f *Facts) ask() *inquiry { return &inquiry{Facts: f} }

var noGroups = &HostGroups{Unreadable: true}

func (q *inquiry) groups() *HostGroups {
	if q.HostGroups == nil {
		q.missing.HostGroups = true
		return noGroups
	}
	return q.HostGroups
}

var noAccounts = &accounts.Files{}

func (q *inquiry) accounts() *accounts.Files {
	if q.Accounts == nil {
		q.missing.Accounts = true
		return noAccounts
	}
	return q.Accounts
}

var nobodyIntended = &accounts.Intended{}

func (q *inquiry) intended() *accounts.Intended {
	if q.Intended == nil {
		q.missing.Intended = true
		return nobodyIntended
	}
	return q.Intended
}

func (q *inquiry) neighbour() Neighbour {
	if q.Neighbour == nil {
		q.missing.Joined = true
		return Neighbour{}
	}
	return *q.Neighbour
}

func (q *inquiry) volumes() []OwnedVolume {
	if q.Volumes == nil {
		q.missing.Volumes = true
	}
	return q.Volumes
}

func (q *inquiry) prepares() Identity {
	if q.Prepares == nil {
		q.missing.Prepared = true
		return Identity{}
	}
	return *q.Prepares
}

func (q *inquiry) isolated() bool {
	if q.Isolated == nil {
		q.missing.Isolated = true
		return false
	}
	return *q.Isolated
}

func (q *inquiry) project() string {
	if q.Project == nil {
		q.missing.Project = true
		return ""
	}
	return *q.Project
}

func (q *inquiry) devices() []Device {
	if q.Devices == nil {
		q.missing.DeviceGroups = true
	}
	return q.Devices
}

func (q *inquiry) people() *People {
	if q.People == nil {
		q.missing.People = true
		return &People{}
	}
	return q.People
}

// lease returns the id that an owner gets.
func (q *inquiry) lease(l decision.Lease) (ID, error) {
	at := slices.IndexFunc(q.Leases, func(f Foreseen) bool { return f.Same(l) })
	if at < 0 {
		if !q.missing.Any() { // otherwise the owner may still change
			q.missing.Lease = &l
		}
		return ID(l.First), nil
	}
	return ID(q.Leases[at].ID), q.Leases[at].Fault
}

func (q *inquiry) origin() *Origin {
	if q.Origin == nil {
		return &Origin{}
	}
	return q.Origin
}

// Named reports whether the host's group file has a gid.
func (g *HostGroups) Named(gid uint32) bool {
	return g.Unreadable || slices.ContainsFunc(g.Groups, func(e HostGroup) bool { return e.GID == gid })
}

// Privileged reports whether a gid is root's, may open an engine's socket, or belongs to a group with one of these
// names.
func (g *HostGroups) Privileged(gid uint32, names []string) bool {
	return gid == 0 || g.Unreadable || slices.Contains(g.Sockets, gid) ||
		slices.ContainsFunc(g.Groups, func(e HostGroup) bool { return e.GID == gid && slices.Contains(names, e.Name) })
}

// hostGroup finds a group of the host by name: the first entry.
func (q *inquiry) hostGroup(name string) (gid uint32, ok bool) {
	return q.groups().byName(name)
}

func (g *HostGroups) byName(name string) (gid uint32, ok bool) {
	at := slices.IndexFunc(g.Groups, func(e HostGroup) bool { return e.Name == name })
	if at < 0 {
		return 0, false
	}
	return g.Groups[at].GID, true
}

// privileged reports whether a gid of the host gives its members access to the host, by the policy.
func (p *Policy) privileged(q *inquiry, gid uint32) bool {
	return gid == 0 || q.groups().Privileged(gid, p.Privileged)
}

// meaningful lists the gids that mean something on the host.
func (q *inquiry) meaningful() []uint32 {
	g := q.groups()
	all := append([]uint32{0}, g.Sockets...)
	for _, e := range g.Groups {
		all = append(all, e.GID)
	}
	return all
}
