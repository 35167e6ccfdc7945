// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// Decision is the result of Decide.
type Decision = decision.Decision

// InForce returns the part of the policy that applies to a container: [build], recognized by the bundle's path; else
// the first rule that matches; else the general part. If that can't be determined, because a rule might match, or
// because others can change the directory that marks a build, no exemption applies.
func (p *Policy) InForce(f *Facts) *Policy {
	of := p.ForBundle(f.Bundle)
	isBuild := of != p
	p = of
	switch {
	case isBuild && f.Unguarded:
	case len(p.Rules) == 0:
		return p
	case f.Origin != nil:
		return p.For(f.Origin, f.Now)
	}
	q := *p
	q.Mode, q.Existing = Rewrite, Rewrite
	return &q
}

// Decide decides about a new container, about a further process in one, or about whether a created container may start.
// p is the whole policy. In mode Audit the decision says what Rewrite would do; a Reason then means that the container
// would be refused. The decision is final unless facts are missing.
func (p *Policy) Decide(f *Facts) Decision { return p.decideBy(p.InForce(f), f) }

// decideBy is Decide once the applicable part of the policy is known.
func (p *Policy) decideBy(rule *Policy, f *Facts) Decision {
	if err := p.Allows(f.Act); err != nil {
		d := p.begin(&Policy{}, f) // whichever part would apply
		refuse(&d, err)
		return d
	}
	q, d := f.ask(), p.begin(rule, f)
	switch f.Act {
	case Exec:
		rule.further(q, &d)
	case Start:
		rule.gate(q, &d)
	default:
		rule.container(q, &d)
	}
	d.Missing = q.missing
	return d
}

// begin returns a decision of which only the part of the policy is known.
func (p *Policy) begin(rule *Policy, f *Facts) Decision {
	return Decision{
		Time: f.Now, ID: f.ID, Policy: p.File, Profile: p.Profile, Digest: p.Digest,
		Mode: rule.Mode, Rule: rule.Rule, Reason: rule.Reason,
	}
}

// maxRounds is far more than the number of facts that can be missing.
const maxRounds = 64

// Settle decides, gathering missing facts, until the decision is final. If gathering fails, the container is refused.
func (p *Policy) Settle(f *Facts, gather func(*decision.Missing) error) Decision {
	rule := p.InForce(f) // by facts that are always gathered
	for range maxRounds {
		d := p.decideBy(rule, f)
		if !d.Missing.Any() {
			return d
		}
		if err := gather(&d.Missing); err != nil {
			return p.Failed(f, err)
		}
	}
	return p.Failed(f, errors.New("the decision keeps asking for facts that are never gathered\nhint: report it, this is a bug"))
}

// Failed returns the decision for facts that can't be gathered: the container or process is refused, unless the policy
// leaves the container unchanged.
func (p *Policy) Failed(f *Facts, fault error) Decision {
	d := p.begin(p.InForce(f), f)
	if f.Act == Exec || f.Act == Start {
		d.Mode = Refuse
	}
	if f.Seen {
		d.Asked = asked(f.ask())
	}
	if d.Mode != Off {
		refuse(&d, fault)
	}
	return d
}

// restoresRoot: a restored process gets its credentials from CRIU's image files, whatever config.json says
// (SECURITY.md D9).
const restoresRoot = "restore brings back a process with the credentials of its checkpoint, which may be root's" +
	"\nhint: start a new container instead, or set restore = \"allow\" in " + Hint

// Allows returns why no container of that kind may be created, before any is examined.
func (p *Policy) Allows(act Act) error {
	if act == Restored && !p.Restore && (!p.Mode.Exempts() || len(p.Rules) > 0) {
		return errors.New(restoresRoot)
	}
	return nil
}

// container decides about a new container.
func (p *Policy) container(f *inquiry, d *Decision) {
	if p.Mode == Off {
		return
	}
	d.Asked = asked(f)
	if err := Unfit(f.Facts); err != nil {
		refuse(d, err)
		return
	}
	p.process(f, d)
	if !d.Refused() {
		d.Audited = p.audited(f, d)
	}
}

// Unfit returns why a call may create no container at all, whatever the container is like; nil if it may.
func Unfit(f *Facts) error { return errors.Join(f.Unfit, cgroupIsThere(f), nextIsLast(f)) }

// cgroupIsThere: without a cgroup, the kernel opens a disk to every process with access to its device node, and the
// image may contain one (SECURITY.md C1). In a user namespace such a node can't be opened.
func cgroupIsThere(f *Facts) error {
	if _, hostRoot := f.Own.UID.Inside(0); hostRoot && f.NoCgroups {
		return errors.New("without a cgroup (--cgroup-manager=disabled), a device node in the image opens the host's disks\nhint: leave that out (Podman: --cgroups=disabled)")
	}
	return nil
}

// nextIsLast: if the next runtime rewrote config.json once more, its version could not be distinguished from one that
// was tampered with. No record of the container would count, and nothing would check what that runtime adds.
func nextIsLast(f *Facts) error {
	if f.RewritingNext != "" {
		return fmt.Errorf("the next runtime %q rewrites config.json for each container after nonroot-runc has\nhint: %s", f.RewritingNext, runc.WrapperHint)
	}
	return nil
}

func asked(f *inquiry) *Identity {
	return &Identity{UID: f.User.UID, GID: f.User.GID, Groups: f.User.Groups}
}

// process decides who a process runs as, and applies the checks.
func (p *Policy) process(f *inquiry, d *Decision) {
	d.Reason, d.Identity = "", &Identity{}
	p, err := p.ownBlock(f, d)
	if err == nil {
		err = p.identify(f, d)
	}
	for i := 0; err == nil && i < len(checks); i++ {
		err = checks[i](p, f, d)
	}
	if err == nil && p.Mode == Refuse {
		if d.Mode = Rewrite; f.User.UID == 0 && d.Source != Requested {
			err = asksForRoot(f, d)
		}
	}
	if err != nil {
		refuse(d, err)
	}
}

// refuse records why the container or process is refused, or in mode audit why it would be.
func refuse(d *Decision, why error) {
	d.Reason = hint.Line(why)
	if d.Mode != Audit {
		d.Mode, d.Identity, d.Leases = Refuse, nil, nil // a refused container takes no id
	} else if d.Identity != nil && d.Identity.UID == 0 {
		d.Identity = nil // it did not get that far
	}
}

func asksForRoot(f *inquiry, d *Decision) error {
	if f.Act == Exec {
		return errors.New("this exec asks for root (uid 0), and the policy refuses root\nhint: name a user that isn't root, such as exec --user 1000; the default is the container's own user, which is root")
	}
	const root = "the container asks for root (uid 0), and the policy refuses root"
	if users := f.intended().Users; len(users) == 1 && users[0].UID == d.Identity.UID {
		u := &users[0]
		user := u.Name
		if !validName(user) {
			user = strconv.FormatUint(uint64(u.UID), 10) // USER in a Dockerfile accepts a number, too
		}
		return fmt.Errorf(root+": its image was built for the user %s (uid %d)\nhint: set USER %s in the image, or start it with the user %d:%d", quote.Value(u.Name), u.UID, user, u.UID, u.GID)
	}
	return errors.New(root + "\nhint: set USER in its image to one that isn't root, or start it with a user such as 1000:1000")
}

// identify takes the identity from the first source that has one.
func (p *Policy) identify(f *inquiry, d *Decision) error {
	for _, s := range p.Sources {
		found, err := p.from(s, f, d)
		if err != nil {
			return err
		}
		if s == Fixed && p.waits(f, d) {
			s = Volume
		}
		if found {
			d.Source = s
			break
		}
	}
	if d.Source == Fixed && f.created != nil {
		d.Source = Created
	}
	listed := d.Identity.Groups
	d.Identity.Groups, d.Dropped = p.supplementary(f, d.Identity.GID)
	p.noteDropped(f, d)
	p.addGroups(f, d, listed)
	return nil
}

func (p *Policy) from(s Source, f *inquiry, d *Decision) (bool, error) {
	switch s {
	case Requested:
		return p.requested(f, d)
	case Listed:
		return p.listed(f, d)
	case Kept:
		return p.kept(f, d)
	case Joined:
		return p.joined(f, d), nil
	case Volume:
		return p.volume(f, d), nil
	case Prepared:
		return p.prepared(f, d), nil
	case Image:
		return p.image(f, d), nil
	default:
		return true, p.fixed(f, d)
	}
}

// fallback returns the identity of a process that may not have the one it asks for.
func (p *Policy) fallback(f *inquiry) Identity {
	if f.created != nil {
		return Identity{UID: f.created.UID, GID: f.created.GID}
	}
	return Identity{UID: uint32(p.UID), GID: uint32(p.GID)}
}

// kept keeps a uid other than root's, within the policy's bounds. Its gid stays unless it means something on the host:
// then the user's own primary group in the image replaces it, else the policy's.
func (p *Policy) kept(f *inquiry, d *Decision) (bool, error) {
	uid, id := f.User.UID, d.Identity
	if uid == 0 || len(p.AllowedUIDs) > 0 && !p.AllowedUIDs.Has(uid) {
		return false, nil
	}
	if uid > MaxID {
		return false, fmt.Errorf("uid %d is above %d, and runtimes do not agree on those\nhint: choose a lower one", uid, MaxID)
	}
	if p.anothers(f, uid) {
		d.Notes = append(d.Notes, fmt.Sprintf("uid %d is not kept: it is in identity.range and not in allowed_uids", uid))
		return false, nil
	}
	id.UID, id.GID = uid, f.User.GID
	if p.harmless(f, id.GID) {
		return true, nil
	}
	id.GID = p.fallback(f).GID
	if f.missing.HostGroups { // otherwise the image would be read for a gid that may turn out harmless
		return true, nil
	}
	if u, ok := f.accounts().UserByID(uid); ok && p.harmless(f, u.GID) {
		id.GID = u.GID
	}
	return true, nil
}

// harmless reports whether a gid may be a primary group.
func (p *Policy) harmless(f *inquiry, gid uint32) bool {
	if gid == 0 || gid > MaxID {
		return false
	}
	return p.allows(f, gid) || p.unprivileged(f, gid, f.hostGID(gid))
}

// unprivileged reports whether a gid belongs to no privileged group, neither by its number in the container nor by that
// on the host: an idmapped volume may keep the numbers on disk.
func (p *Policy) unprivileged(f *inquiry, gid, host uint32) bool {
	return !p.privileged(f, gid) && !p.privileged(f, host)
}

func (p *Policy) allows(f *inquiry, gid uint32) bool {
	return p.hasAllowed(f, gid) && p.allowsAs(f, gid, f.hostGID(gid))
}

// allowsAs reports whether allowed_gids lists a gid of the container that is another one on the host. The policy means
// the host's gids: mapping one in a user namespace does not put it on the list.
func (p *Policy) allowsAs(f *inquiry, gid, host uint32) bool {
	return p.hasAllowed(f, gid) &&
		(host == gid || p.hasAllowed(f, host) || !p.privileged(f, host) && !f.groups().Named(host))
}

// hasAllowed reports whether allowed_gids lists a gid of the host, by number or by its name there.
func (p *Policy) hasAllowed(f *inquiry, gid uint32) bool { return p.listsGroup(gid, f.groups) }

// listsGroup is hasAllowed, which reads the host's groups only if there are names to look up.
func (p *Policy) listsGroup(gid uint32, groups func() *HostGroups) bool {
	return p.AllowedGIDs.Has(gid) || gid != 0 && slices.ContainsFunc(p.AllowedGroups, func(name string) bool {
		named, ok := groups().byName(name)
		return ok && named == gid
	})
}

// requested takes the user that the container asks for by annotation or environment, if the policy accepts such
// requests. A request that the policy doesn't permit is refused rather than ignored, because its author relies on it.
func (p *Policy) requested(f *inquiry, d *Decision) (bool, error) {
	if f.Act == Exec {
		return false, nil
	}
	text, where := p.request(f)
	if where == "" {
		return false, nil
	}
	user, group, hasGroup := strings.Cut(text, ":")
	id := d.Identity
	if person, err := p.person(f, user); err != nil || person != nil {
		if err == nil {
			err = p.requestedPerson(f, d, person, group, hasGroup, where)
		}
		return true, err
	}
	named, isNamed := f.accounts().UserByName(user)
	uid, err := ids.Parse(user)
	switch {
	case err == nil:
		id.UID = uint32(uid)
		named, isNamed = f.accounts().UserByID(id.UID)
	case isNamed && named.UID != 0 && named.UID <= MaxID:
		id.UID = named.UID
	default:
		return false, fmt.Errorf("%s asks for the user %s, which is neither a uid from 1 to %d nor a user of the image other than root", where, quote.Value(user), MaxID)
	}
	if !p.mayRequest(id.UID, isNamed) {
		return false, fmt.Errorf("%s asks for uid %d, which the policy does not allow: it allows %s", where, id.UID, p.allowed())
	}
	if p.anothers(f, id.UID) {
		return false, fmt.Errorf("%s asks for uid %d, which may belong to another container: it is in identity.range and not in allowed_uids", where, id.UID)
	}
	return true, p.requestedGroup(f, id, named, isNamed, group, hasGroup, where)
}

// request returns the first request that the policy accepts, and where it was found.
func (p *Policy) request(f *inquiry) (text, where string) {
	if p.Annotation && f.Container != nil {
		if v, ok := f.Container.Annotations[RequestAnnotation]; ok {
			return v, "the annotation " + RequestAnnotation
		}
	}
	if p.Variable {
		for _, e := range slices.Backward(f.Env) { // the last one is what a shell uses
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

// requestedGroup returns the group of a requested user. A group named in the request must be the user's own, the
// policy's, or in allowed_gids.
func (p *Policy) requestedGroup(f *inquiry, id *Identity, named accounts.User, isNamed bool, group string, hasGroup bool, where string) error {
	if !hasGroup {
		id.GID = uint32(p.GID)
		if isNamed && p.harmless(f, named.GID) {
			id.GID = named.GID
		}
		return nil
	}
	if gid, ok := f.accounts().GroupByName(group); ok {
		id.GID = gid
	} else if gid, err := ids.Parse(group); err == nil {
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

// hostGID returns the host's number of a container's gid, as far as it is known; an unmapped one is 0, and dropped.
func (f *inquiry) hostGID(gid uint32) uint32 {
	host, _ := f.outside(gid, func(p *idmap.Pair) idmap.Map { return p.GID })
	return host
}

// outside translates an id of the container through its own user namespace and the caller's.
func (f *inquiry) outside(id uint32, kind func(*idmap.Pair) idmap.Map) (uint32, bool) {
	if f.UserNamespace != nil {
		var ok bool
		if id, ok = kind(f.UserNamespace).Outside(id); !ok {
			return 0, false
		}
	}
	return kind(&f.Own).Outside(id)
}
