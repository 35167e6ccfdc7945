// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Give describes what in the image and its volumes changes owner to the identity, so that files made for other users
// work for it. A failure to change an owner never stops the container.
type Give struct {
	Rootfs   string   // absolute
	UID, GID uint32   // the identity's ids, as the files of the rootfs have them
	Paths    []string // directories of the image that change owner with everything below: clean, absolute, free of links
	Keep     []string // exceptions, with everything below
	Tmp      bool     // /tmp and /var/tmp become world-writable
	Volumes  []Volume
	Secrets  []string // files that the engine keeps for this container alone; they become readable to the identity's group

	Covered   func(p string) bool // a path that mounts cover is not the image's
	GroupRoot bool                // what root's group may write becomes writable to the identity's group, whoever owns it
	GroupOnly bool                // nothing else changes

	// EmptyOnly changes the owner only of volumes that are empty and belong to root or to the policy's identity. It is
	// for a container that runs as the user it asked for: a volume that an engine has just created is meant for the
	// container that mounts it.
	EmptyOnly bool

	// LostGroup reports that the container asked for root's group beside a uid of its own, and has another group: it
	// lost access to what is open to group 0.
	LostGroup bool

	// Applications includes the directories at the top and below /etc that no distribution has. What only root may read
	// or run, there and in Paths, then becomes readable to the identity's group, and so do Programs, which are the
	// programs that are started.
	Applications bool
	Programs     []string // absolute, free of links

	Owners Owners
}

// OfVolume reports whether files of an owner in a volume change owner to the identity, even if the volume is not new.
func (g *Give) OfVolume(owner uint32) bool { return !g.EmptyOnly && g.Owners.MayChownVolume(owner) }

// Volume is a bind mount that may be an engine's volume.
type Volume struct {
	Source      string
	Destination string // free of links
	State       bool   // what an engine has copied into it is state, not configuration or programs
}

// nobody is the account that by custom owns nothing (Debian, Fedora, Alpine), and that services without an account use.
const nobody = 65534

// firstPerson is the first uid that distributions assign to people (login.defs(5), UID_MIN).
const firstPerson = 1000

// Owners decides about the owner of a file of the rootfs by the owner's id on disk.
type Owners struct {
	Map      *idmap.Pair    // of the container's own user namespace; nil: it has none
	Asked    uint32         // the requested user
	Accounts *accounts.UIDs // uids in the image's passwd
	Policy   []uint32       // uids that the policy assigns, or has assigned, by default
	Groups   []uint32       // likewise, gids
	Fixed    []uint32       // those of Policy that any container may have
	Reserved policy.Ranges  // the ids that the policy assigns one after the other
}

// FileOwners returns which files of the image the identity may come to own, by the whole policy and the part of it that
// applies to the container. Before there was a rule for the container, it had the general part's identity; before there
// was a policy, the built-in one's. before is its identity when it was last created, if that is known.
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

// Inside returns the owner of a file of the rootfs as the container's uid.
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

// Outside is the inverse of Inside. It returns 0 for an id that is not mapped; decisions use only mapped ids.
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

// MayChown reports whether the identity may come to own an owner's files in the image's own layer: root's, those of the
// requested user, those of service accounts, and those of identities that the policy assigned before. The latter are in
// an image that was committed from such a container, and in a container with a policy that has changed since its last
// start.
func (o Owners) MayChown(owner uint32) bool {
	return o.ofImage(owner) || o.isPolicyID(owner)
}

// MayChownVolume is MayChown for a volume: other containers may use it, too, and have their files there under their
// own identities.
func (o Owners) MayChownVolume(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return o.ofImage(owner) && !(ok && o.Reserved.Has(uid))
}

// IsNew reports whether an empty volume with this owner has no user yet: it is root's, or belongs to an identity that
// any container may have. A first container may have become its owner without writing anything, such as one that only
// prepares it for another.
func (o Owners) IsNew(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && (uid == 0 || slices.Contains(o.Fixed, uid) && !o.Reserved.Has(uid))
}

// ofImage reports whether an owner is root, if the container asked for root; else the requested user; or an account of
// the image with a number that is not a person's.
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

// isPolicyID reports whether an owner is an identity that the policy assigns now, or assigned before.
func (o Owners) isPolicyID(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && (slices.Contains(o.Policy, uid) || o.Reserved.Has(uid))
}

// IsRoot reports whether an owner is the container's root.
func (o Owners) IsRoot(owner uint32) bool {
	uid, ok := o.Inside(owner)
	return ok && uid == 0
}

// MayChangeGroup reports whether the identity's group may replace the group of a file in the image's own layer: it is
// root's, or one that the policy assigns or has assigned, since the layer keeps changes of earlier starts.
func (o Owners) MayChangeGroup(group uint32) bool {
	gid, ok := o.InsideGroup(group)
	return ok && (gid == 0 || slices.Contains(o.Groups, gid) || o.Reserved.Has(gid))
}

// IsRootGroup reports whether a file's group is the container's root group.
func (o Owners) IsRootGroup(group uint32) bool {
	gid, ok := o.InsideGroup(group)
	return ok && gid == 0
}
