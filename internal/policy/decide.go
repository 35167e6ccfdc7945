// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Accounts is what the image's passwd and group know (homedir.Image).
type Accounts interface {
	UserByID(uid uint32) (homedir.User, bool)
	UserByName(name string) (homedir.User, bool)
	GroupByName(name string) (gid uint32, ok bool)
}

// HostGroups is what a gid means on the host.
type HostGroups interface {
	Named(gid uint32) bool      // it stands in the host's group file
	Privileged(gid uint32) bool // it is one of the groups that the policy calls privileged, or owns an engine's socket
	GID(name string) (gid uint32, ok bool)
	All() []uint32 // those that are one or the other
}

// Facts is what a decision rests on.
type Facts struct {
	ID        string // the container's
	Exec      bool   // a further process of a container, not its first
	User      spec.User
	Env       []string
	Cwd       string
	Container *spec.Container
	Accounts  Accounts
	BuiltFor  func() homedir.Built // whom the image was built for; nil for an exec. It is asked only if it matters
	Groups    HostGroups

	Memberships func(user string) []uint32 // the image's groups that a user of it is a member of; nil: unknown
	Apart       func() bool                // whether a gid of the container's means nothing on the host; nil: unknown

	// UserNamespace is the map of the container's own user namespace, to ids as the caller has them; nil: it has
	// none of its own. Own is the map of the caller's.
	UserNamespace *idmap.Pair
	Own           idmap.Pair

	Surroundings

	// Created is what the container was created as, and By how that was found; nil where no record says so. For exec.
	Created *Identity
	By      Source

	Origin *Origin                                 // nil where it isn't known: exec
	People func() (*homedir.Accounts, error)       // the administrator's list; nil: there is none
	Shared func() string                           // the name under which containers belong together (Compose's project); nil: unknown
	Device func(path string) (gid uint32, ok bool) // the group of a device node of the host's
	Assign Assign                                  // nil: an exec, which gets none

	// Devices are the paths of the container's device nodes. They are only read where a policy asks for their groups.
	Devices []string
}

// Identity is who a process runs as. Its ids are those inside the container.
type Identity struct {
	UID    uint32
	GID    uint32
	Groups []uint32
}

// Decision is what happens to a process, and why.
type Decision struct {
	Mode     Mode
	Rule     string // the part of the policy that decided
	Reason   string // why it is refused or exempt
	Source   Source
	Identity Identity
	Name     string   // what the administrator's list calls the identity; "": nothing
	Home     string   // and where its home is
	Dropped  []uint32 // groups that were taken away
	Notes    []string // what else there is to know, for the record
	Leases   []Lease  // the ids of ranges that it rests on
}

// Decide is the decision for a process. In mode Audit it says what Rewrite would do; a Reason there says that it
// would be refused.
func (p *Policy) Decide(f *Facts) Decision {
	d := Decision{Mode: p.Mode, Rule: p.Rule, Reason: p.Reason}
	if p.Mode == Off {
		return d
	}
	d.Reason = ""
	p, err := p.ownBlock(f, &d)
	if err == nil {
		err = p.identify(f, &d)
	}
	if err != nil {
		return d.refused(err)
	}
	for _, check := range checks {
		if err := check(p, f, &d); err != nil {
			return d.refused(err)
		}
	}
	if p.Mode == Refuse {
		d.Mode = Rewrite
		if f.User.UID == 0 && d.Source != Requested {
			return d.refused(asksForRoot(f, &d))
		}
	}
	return d
}

func (d Decision) refused(err error) Decision {
	d.Reason = err.Error()
	if d.Mode != Audit {
		d.Mode = Refuse
	}
	return d
}

func asksForRoot(f *Facts, d *Decision) error {
	if f.Exec {
		return errors.New("this exec asks for root (uid 0), and the policy refuses root: leave out the user, or name one that isn't root")
	}
	const root = "the container asks for root (uid 0), and the policy refuses root: "
	if f.BuiltFor != nil {
		if users := f.BuiltFor().Users; len(users) == 1 && users[0].UID == d.Identity.UID {
			u := &users[0]
			user := u.Name
			if !validName(user) {
				user = strconv.FormatUint(uint64(u.UID), 10) // a Dockerfile takes the number, too
			}
			return fmt.Errorf(root+"its image was built for the user %s (uid %d): set USER %s in the image, or start it with the user %d:%d", quote.Value(u.Name), u.UID, user, u.UID, u.GID)
		}
	}
	return errors.New(root + "set USER in its image to one that isn't root, or start it with a user such as 1000:1000")
}

// identify finds the identity: the first source that has one.
func (p *Policy) identify(f *Facts, d *Decision) error {
	for _, s := range p.Sources {
		found, err := p.from(s, f, d)
		if err != nil {
			return err
		}
		if found {
			d.Source = s
			break
		}
	}
	if d.Source == Fixed && f.Created != nil {
		d.Source = Created
	}
	listed := d.Identity.Groups
	d.Identity.Groups, d.Dropped = p.supplementary(f, d.Identity.GID)
	p.addGroups(f, d, listed)
	return nil
}

func (p *Policy) from(s Source, f *Facts, d *Decision) (bool, error) {
	switch s {
	case Requested:
		return p.requested(f, d)
	case Listed:
		return p.listed(f, d)
	case Kept:
		return p.kept(f, d)
	case Image:
		return p.image(f, d), nil
	default:
		return true, p.fixed(f, d)
	}
}

// fallback is who a process becomes that may not be who it asks to be.
func (p *Policy) fallback(f *Facts) Identity {
	if f.Created != nil {
		return Identity{UID: f.Created.UID, GID: f.Created.GID}
	}
	return Identity{UID: uint32(p.UID), GID: uint32(p.GID)}
}

// kept: a uid that isn't root stays, within the policy's bounds. Its gid stays, too, unless it means something: then it
// becomes the user's own primary group in the image, else the policy's.
func (p *Policy) kept(f *Facts, d *Decision) (bool, error) {
	uid, id := f.User.UID, &d.Identity
	if uid == 0 || len(p.AllowedUIDs) > 0 && !p.AllowedUIDs.Has(uid) {
		return false, nil
	}
	if uid > MaxID {
		return false, fmt.Errorf("uid %d is above %d, which runtimes do not agree on: choose a lower one", uid, MaxID)
	}
	if p.anothers(f, uid) {
		d.Notes = append(d.Notes, fmt.Sprintf("uid %d is not kept: identity.range has it, and allowed_uids does not", uid))
		return false, nil
	}
	id.UID, id.GID = uid, f.User.GID
	if p.harmless(f, id.GID) {
		return true, nil
	}
	id.GID = p.fallback(f).GID
	if u, ok := f.Accounts.UserByID(uid); ok && p.harmless(f, u.GID) {
		id.GID = u.GID
	}
	return true, nil
}

// harmless says whether a gid may be a primary one.
func (p *Policy) harmless(f *Facts, gid uint32) bool {
	if gid == 0 || gid > MaxID {
		return false
	}
	return p.allows(f, gid) || unprivileged(f.Groups, gid, f.hostGID(gid))
}

// unprivileged says that a gid is none of the privileged groups', neither by its number in the container nor by the host's: an
// idmapped volume may keep the numbers of the disk.
func unprivileged(groups HostGroups, gid, host uint32) bool {
	return !groups.Privileged(gid) && !groups.Privileged(host)
}

func (p *Policy) allows(f *Facts, gid uint32) bool {
	return p.hasAllowed(f.Groups, gid) && p.allowsAs(f.Groups, gid, f.hostGID(gid))
}

// allowsAs says whether allowed_gids has a gid of a container's that is another one on the host. It means the host's: a user
// namespace does not make another one of it.
func (p *Policy) allowsAs(groups HostGroups, gid, host uint32) bool {
	return p.hasAllowed(groups, gid) &&
		(host == gid || p.hasAllowed(groups, host) || !groups.Privileged(host) && !groups.Named(host))
}

// hasAllowed says whether a gid of the host's is in allowed_gids, by its number or by the name that it has there.
func (p *Policy) hasAllowed(groups HostGroups, gid uint32) bool {
	return p.AllowedGIDs.Has(gid) || gid != 0 && slices.ContainsFunc(p.AllowedGroups, func(name string) bool {
		named, ok := groups.GID(name)
		return ok && named == gid
	})
}

// requested: what the container asks for by annotation or environment, where the policy hears it. A request that it
// doesn't permit is refused, rather than passed over: somebody relies on it.
func (p *Policy) requested(f *Facts, d *Decision) (bool, error) {
	if f.Exec {
		return false, nil
	}
	text, where := p.request(f)
	if where == "" {
		return false, nil
	}
	user, group, hasGroup := strings.Cut(text, ":")
	id := &d.Identity
	if person, err := p.person(f, user); err != nil || person != nil {
		if err == nil {
			err = p.requestedPerson(f, d, person, group, hasGroup, where)
		}
		return true, err
	}
	named, isNamed := f.Accounts.UserByName(user)
	uid, err := ParseID(user)
	switch {
	case err == nil:
		id.UID = uint32(uid)
		named, isNamed = f.Accounts.UserByID(id.UID)
	case isNamed && named.UID != 0 && named.UID <= MaxID:
		id.UID = named.UID
	default:
		return false, fmt.Errorf("%s asks for the user %s, which is neither a uid from 1 to %d nor a user of the image other than root", where, quote.Value(user), MaxID)
	}
	if !p.mayRequest(id.UID, isNamed) {
		return false, fmt.Errorf("%s asks for uid %d, which the policy does not allow: it allows %s", where, id.UID, p.allowed())
	}
	if p.anothers(f, id.UID) {
		return false, fmt.Errorf("%s asks for uid %d, which may be another container's: identity.range has it, and allowed_uids does not", where, id.UID)
	}
	return true, p.requestedGroup(f, id, named, isNamed, group, hasGroup, where)
}

// request is the first request that the policy hears, and where it stands.
func (p *Policy) request(f *Facts) (text, where string) {
	if p.Annotation && f.Container != nil {
		if v, ok := f.Container.Annotations[RequestAnnotation]; ok {
			return v, "the annotation " + RequestAnnotation
		}
	}
	if p.Variable {
		for _, e := range slices.Backward(f.Env) { // the last one is the one that getenv(3) of a shell finds
			if v, ok := strings.CutPrefix(e, RequestVariable+"="); ok {
				return v, "the environment's " + RequestVariable
			}
		}
	}
	return "", ""
}

func (p *Policy) mayRequest(uid uint32, named bool) bool {
	if len(p.AllowedUIDs) == 0 {
		return named
	}
	return p.AllowedUIDs.Has(uid)
}

func (p *Policy) allowed() string {
	if len(p.AllowedUIDs) == 0 {
		return "the image's own users (allowed_uids is not set)"
	}
	return p.AllowedUIDs.String()
}

// requestedGroup: the group that goes with a request. One that is named must be the user's own, the policy's, or in
// allowed_gids.
func (p *Policy) requestedGroup(f *Facts, id *Identity, named homedir.User, isNamed bool, group string, hasGroup bool, where string) error {
	if !hasGroup {
		id.GID = uint32(p.GID)
		if isNamed && p.harmless(f, named.GID) {
			id.GID = named.GID
		}
		return nil
	}
	if gid, ok := f.Accounts.GroupByName(group); ok {
		id.GID = gid
	} else if gid, err := ParseID(group); err == nil {
		id.GID = uint32(gid)
	} else {
		return fmt.Errorf("%s asks for the group %s, which is neither a gid from 1 to %d nor a group of the image", where, quote.Value(group), MaxID)
	}
	own := isNamed && id.GID == named.GID && p.harmless(f, id.GID)
	if id.GID != 0 && id.GID <= MaxID && (own || id.GID == uint32(p.GID) || p.allows(f, id.GID)) {
		return nil
	}
	return fmt.Errorf("%s asks for gid %d, which the policy does not allow: it allows the user's own primary group, %d, and allowed_gids (%s)", where, id.GID, p.GID, p.AllowedGIDs)
}

// supplementary filters the additional groups: what the host gives no meaning stays, so that Kubernetes' fsGroup and
// supplementalGroups go on working (SECURITY.md A3).
func (p *Policy) supplementary(f *Facts, primary uint32) (kept, dropped []uint32) {
	for _, gid := range f.User.Groups {
		switch {
		case gid == primary && gid != 0:
			kept = append(kept, gid) // as it was: nothing is gained by it
		case gid != 0 && gid <= MaxID && (p.allows(f, gid) || f.meansNothing(gid)):
			kept = append(kept, gid)
		default:
			dropped = append(dropped, gid)
		}
	}
	return kept, dropped
}

func (f *Facts) meansNothing(gid uint32) bool { return meansNothing(f.Groups, gid, f.hostGID(gid)) }

// meansNothing says that the host gives a gid no meaning, neither by its number in the container nor by the host's: an idmapped
// volume may keep the numbers of the disk.
func meansNothing(groups HostGroups, gid, host uint32) bool {
	for _, id := range []uint32{gid, host} {
		if id < firstOrdinary || groups.Named(id) || groups.Privileged(id) {
			return false
		}
	}
	return true
}

// hostGID is what a container's gid is on the host, as far as can be seen; without a mapping it is 0, and dropped.
func (f *Facts) hostGID(gid uint32) uint32 {
	host, _ := f.outside(gid, func(p *idmap.Pair) idmap.Map { return p.GID })
	return host
}

// outside translates an id of the container's through its own user namespace and the caller's.
func (f *Facts) outside(id uint32, kind func(*idmap.Pair) idmap.Map) (uint32, bool) {
	if f.UserNamespace != nil {
		var ok bool
		if id, ok = kind(f.UserNamespace).Outside(id); !ok {
			return 0, false
		}
	}
	return kind(&f.Own).Outside(id)
}
