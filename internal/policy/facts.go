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

// Act is what is to be decided about.
type Act int

// The acts.
const (
	Create   Act = iota // a container is made: create, run
	Restored            // a container is brought back from a checkpoint
	Exec                // a further process of a container
	Start               // a created container's first process goes on
)

// Facts is what a decision rests on: data, without functions (a test holds it to that). Those that are dear to gather are
// nil until a decision has asked for them (decision.Missing).
type Facts struct {
	Act    Act
	Now    time.Time // by which rules run out
	ID     string    // the container's
	Bundle string    // its directory, absolute, clean and free of links

	Unguarded bool // others have a hand in the bundle, so that its place says nothing

	// What the call itself has against it, whatever is decided.
	Unfit         error  // of the descriptors that the container would get
	NoCgroups     bool   // the command line asks for no cgroup
	RewritingNext string // the next runtime, if it writes config.json once more

	// What config.json says, or for an exec what its process asks for.
	Origin    *Origin // nil: config.json can't be read
	Seen      bool    // User is what was asked for
	User      spec.User
	Env       []string // read where the policy hears RequestVariable
	Cwd       string
	Container *spec.Container // nil: an exec or start

	// UserNamespace is the map of the container's own user namespace, to ids as the caller has them; nil: it has
	// none of its own. Own is the map of the caller's.
	UserNamespace *idmap.Pair
	Own           idmap.Pair

	Surroundings
	Existing

	HostGroups *HostGroups
	Accounts   *accounts.Files    // the image's passwd and group; for an exec, the copies that its container sees
	OwnGroup   bool               // the group of Accounts is the image's own
	Intended   *accounts.Intended // the image's service user
	Neighbour  *Neighbour         // whose processes the container joins
	Volumes    []OwnedVolume      // who owns the engine's volumes of the container's, each by its top directory; an empty one that is nobody's yet (plan.Owners.IsNew), or has its owner from the image, is left out
	Prepares   *Identity          // whom its command prepares its volumes for; uid 0: nobody
	Last       *LastStart         // who the container was when it was last started; nil: it never was, or nobody knows. It is gathered with Volumes
	Isolated   *bool              // whether a gid of the container's means nothing on the host
	People     *People
	Project    *string  // the name under which containers belong together (Compose's project)
	Devices    []Device // the container's
	Leases     []Foreseen
}

// Existing is what is known of a container that was created before.
type Existing struct {
	Record  *decision.Decision // the one that is binding; nil: none is
	Unsure  bool               // a later call, which failed, may have left its record in place of the container's own
	Unsound error              // why nothing in the bundle can be trusted

	Process      *runc.Credentials // the first process's; nil: it is not running, or was not looked at
	ProcessFault error             // why they can't be known
	Nested       bool              // that process has made a user namespace of its own
	NamedGroups  bool              // its runtime may look numbers of groups up as names in the image's own /etc/group
}

// Neighbour is the process by which a container names the pid namespace that it joins: another container's first one. It is empty
// where nothing can be told of it.
type Neighbour struct {
	Known     bool
	UID, GID  uint32 // as the container has the ids
	Container string // the other one's id, as far as its cgroup tells
}

// LastStart is who a container was when it was last started, by what its own processes can't write.
type LastStart struct {
	Identity
	Source Source
}

// HostGroups is what gids mean on the host.
type HostGroups struct {
	Unreadable bool // nobody knows: each gid then means something
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

// Device is a device node of the container's.
type Device struct {
	Path    string
	GID     uint32 // the group that owns it on the host
	Known   bool   // the host has it
	NodeGID uint32 // the group that is to own the container's node, as config.json says; 0: root's, or not known
	Closed  bool   // a disk or memory is read by it: the container's node will be root's (SECURITY.md C1)
}

// Foreseen says which id an owner gets.
type Foreseen struct {
	decision.Lease
	Fault error // why none
}

// inquiry is a decision's way to its facts: it notes those that it has asked for in vain, and goes on with the answer that
// gives least, as it will be made again.
type inquiry struct {
	*Facts
	missing decision.Missing

	created *Identity // who the container is that a further process is for; nil: nobody knows
	by      Source    // and where that came from
}

// ask is a decision's inquiry into its facts.
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

// lease is the id that an owner gets.
func (q *inquiry) lease(l decision.Lease) (ID, error) {
	at := slices.IndexFunc(q.Leases, func(f Foreseen) bool { return f.Same(l) })
	if at < 0 {
		if !q.missing.Any() { // else the owner may be another one
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

// Named says whether a gid stands in the host's group file.
func (g *HostGroups) Named(gid uint32) bool {
	return g.Unreadable || slices.ContainsFunc(g.Groups, func(e HostGroup) bool { return e.GID == gid })
}

// Privileged says whether a gid is root's, may open an engine's socket, or is that of a group with one of these names.
func (g *HostGroups) Privileged(gid uint32, names []string) bool {
	return gid == 0 || g.Unreadable || slices.Contains(g.Sockets, gid) ||
		slices.ContainsFunc(g.Groups, func(e HostGroup) bool { return e.GID == gid && slices.Contains(names, e.Name) })
}

// hostGroup is the group of that name on the host: the first one.
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

// privileged says whether a gid of the host's gives its members something of the host, by the policy.
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
