// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Give is what of the image and its volumes becomes the identity's, so that what was made for somebody else works for it.
// That it can't be is not a reason for there to be no container.
type Give struct {
	Rootfs   string   // absolute
	UID, GID uint32   // the identity's, as the files of the rootfs have it
	Paths    []string // directories of the image that are given with what is below them: clean, absolute, free of links
	Keep     []string // what is not, nor anything below it
	Tmp      bool     // /tmp and /var/tmp become everybody's
	Volumes  []Volume
	Secrets  []string // files that the engine keeps for this container alone, which become readable to the identity's group

	Covered   func(p string) bool // what mounts cover is not the image's
	GroupRoot bool                // what root's group may write becomes that of the identity's group, whoever owns it
	GroupOnly bool                // nothing else does

	// EmptyOnly gives volumes that are empty, and root's or the policy's identity's, and nothing else: to who runs as who was asked
	// for, as a volume that an engine has just made is meant for whoever it is mounted for.
	EmptyOnly bool

	// LostGroup says that who runs asked for root's group beside an own uid, and has another one: what is open to that group is no more.
	LostGroup bool

	// Applications also gives the directories at the top and below /etc that no distribution has. What root alone may read or run,
	// there and in Paths, becomes readable to the identity's group then, and so do Programs, those that are started.
	Applications bool
	Programs     []string // absolute, free of links

	Owners Owners
}

// OfVolume says that what an owner has in a volume becomes the identity's, beside a volume that is new.
func (g *Give) OfVolume(owner uint32) bool { return !g.EmptyOnly && g.Owners.MayChownVolume(owner) }

// Volume is a bind mount that may be a volume of an engine's.
type Volume struct {
	Source      string
	Destination string // free of links
	State       bool   // what an engine has copied into it is state, and not configuration or programs
}

// nobody is the account that owns nothing by custom (Debian, Fedora, Alpine), and that services without one of their own use.
const nobody = 65534

// firstPerson is the first uid that distributions give to people (login.defs(5), UID_MIN).
const firstPerson = 1000

// Owners tells whose a file of the rootfs is, by its owner's id on disk.
type Owners struct {
	Map      *idmap.Pair    // of the container's own user namespace; nil: it has none
	Asked    uint32         // who was asked for
	Accounts *accounts.UIDs // of the image's passwd
	Policy   []uint32       // uids that the policy gives, or has given, for want of another
	Groups   []uint32       // likewise, gids
	Fixed    []uint32       // of Policy, those that all containers may have
	Reserved policy.Ranges  // those that it gives one after the other
}

// FileOwners tells whose files of the image are the identity's to have, by the policy as a whole and what of it
// holds for the container. Before there was a rule for the container, its identity was the general part's; before
// there was a policy, the built-in one's; before is who it was when it was last created, if that is known.
func FileOwners(
	general, rule *policy.Policy, asked uint32, before *policy.Identity, m *idmap.Pair, a *accounts.UIDs,
) Owners {
	of := Owners{
		Map: m, Asked: asked, Accounts: a, Reserved: rule.Reserved,
		Policy: []uint32{uint32(rule.UID), uint32(general.UID), policy.DefaultID},
	}
	of.Fixed = of.Policy
	of.Groups = []uint32{uint32(rule.GID), uint32(general.GID), policy.DefaultID}
	if before != nil {
		of.Policy = append(of.Policy, before.UID)
		of.Groups = append(of.Groups, before.GID)
	}
	return of
}

// Inside is whose file of the rootfs it is, as the container's uid.
func (o Owners) Inside(owner uint32) (uid uint32, ok bool) {
	if o.Map != nil {
		return o.Map.UID.Inside(owner)
	}
	return owner, true
}

// InsideGroup is Inside for a gid.
func (o Owners) InsideGroup(group uint32) (gid uint32, ok bool) {
	if o.Map != nil {
		return o.Map.GID.Inside(group)
	}
	return group, true
}

// Outside is the way back. Without a mapping it is 0, which is nobody's: a decision rests on ids that are mapped.
func (o Owners) Outside(uid uint32) uint32 {
	if o.Map != nil {
		uid, _ = o.Map.UID.Outside(uid)
	}
	return uid
}

// OutsideGroup is Outside for a gid.
func (o Owners) OutsideGroup(gid uint32) uint32 {
	if o.Map != nil {
		gid, _ = o.Map.GID.Outside(gid)
	}
	return gid
}

// MayChown says that what an owner has in the image's own layer is the identity's to have: root's, who was asked for, the
// accounts of services, and who the policy has made of containers' users before. An image that was committed of such a
// container has their files, and so has a container whose policy has changed since its last start.
func (o Owners) MayChown(owner uint32) bool {
	return o.ofImage(owner) || o.isPolicyID(owner)
}

// MayChownVolume is MayChown for a volume: others may have it, too, and who the policy gives to others has their files there.
func (o Owners) MayChownVolume(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return o.ofImage(owner) && !(ok && o.Reserved.Has(uid))
}

// IsNew says that an empty volume with this owner is nobody's yet: root's, or one of an identity that all containers may have. It may
// have been given to a first container that wrote nothing, as one that only prepares it for another one.
func (o Owners) IsNew(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && (uid == 0 || slices.Contains(o.Fixed, uid) && !o.Reserved.Has(uid))
}

// ofImage says that an owner is root, if that was asked for, whoever was asked for else, or an account of the image's that is no
// person's by its number.
func (o Owners) ofImage(owner uint32) bool {
	uid, ok := o.Inside(owner)
	if !ok {
		return false
	}
	if uid == o.Asked || uid == nobody || uid != 0 && uid < firstPerson {
		return true
	}
	return uid != 0 && o.Accounts.Has(uid)
}

// isPolicyID says that an owner is an identity that the policy assigns now, or has assigned.
func (o Owners) isPolicyID(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && (slices.Contains(o.Policy, uid) || o.Reserved.Has(uid))
}

// IsRoot says that an owner is the container's root.
func (o Owners) IsRoot(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && uid == 0
}

// MayChangeGroup says that a group of a file of the image's own layer may be replaced by the identity's: root's, or one that the
// policy gives or has given to identities, as the layer keeps what an earlier start was given.
func (o Owners) MayChangeGroup(group uint32) bool {
	gid, ok := o.InsideGroup(group)
	return ok && (gid == 0 || slices.Contains(o.Groups, gid) || o.Reserved.Has(gid))
}

// IsRootGroup says that a group of a file's is the container's root group.
func (o Owners) IsRootGroup(group uint32) bool {
	gid, ok := o.InsideGroup(group)
	return ok && gid == 0
}
