// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// OwnedVolume is an engine's volume with its owner, in the container's ids.
type OwnedVolume struct {
	Identity
	Source string
	Empty  bool // it holds no data yet, and has an owner already
}

// volume makes a container that asks for root run as the owner of its volumes, if they hold data and all belong to one
// user. As root, all containers with a volume were one user: a backup beside its database, a web server beside the
// program that renews its certificates. The uid must be one that would be kept, which any container may ask for, so
// that naming another container's volume gives nothing more. If the policy gives each owner its own ids, volumes give
// none.
//
// A container that was started before keeps its identity, as far as volumes decide: another user may have become the
// owner of an empty volume in the meantime, and the data it wrote is its own.
func (p *Policy) volume(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec || p.Range.First != 0 {
		return false
	}
	owners := used(f.volumes())
	if last := f.Last; last != nil {
		if last.Source == Volume || slices.ContainsFunc(owners, func(o OwnedVolume) bool { return o.UID == last.UID }) {
			p.differ(f, d, owners)
			return p.ofVolume(f, d, last.Identity, fmt.Sprintf("it was uid %d at its last start", last.UID))
		}
	}
	if p.differ(f, d, owners) {
		return false
	}
	var found *Identity
	for i := range owners {
		if owners[i].UID != 0 { // root's data is from before, or from an exempt container
			found = &owners[i].Identity
			break
		}
	}
	if found == nil {
		return false
	}
	if last := f.Last; last != nil {
		d.Notes = append(d.Notes, fmt.Sprintf("its volume belongs to uid %d, and at its last start it was %d; hint: create the container again to run it as %d", found.UID, last.UID, found.UID))
		return false
	}
	return p.ofVolume(f, d, *found, fmt.Sprintf("its volume belongs to uid %d", found.UID))
}

// used omits volumes that hold no data yet.
func used(volumes []OwnedVolume) (owners []OwnedVolume) {
	for _, v := range volumes {
		if !v.Empty {
			owners = append(owners, v)
		}
	}
	return owners
}

// waits makes a container that would get the fixed identity run as the owner of its empty volumes instead, if they all
// belong to one user: a backup that starts before its database has written could not read what the database writes
// later. The user that the image was built for takes precedence: the image may work for no other.
func (p *Policy) waits(f *inquiry, d *Decision) bool {
	if !slices.Contains(p.Sources, Volume) || f.User.UID != 0 || f.Act == Exec || p.Range.First != 0 || f.created != nil {
		return false
	}
	var found *Identity
	for _, v := range f.volumes() {
		switch {
		case v.UID == 0: // it has no user yet
		case v.Empty && found == nil:
			found = &v.Identity
		case !v.Empty, v.UID != found.UID:
			return false // the owner of the data decides, or there are several
		}
	}
	return found != nil && found.UID != uint32(p.UID) && f.Last == nil && p.ofVolume(f, d, *found, fmt.Sprintf("its empty volume belongs to uid %d", found.UID))
}

// differ notes that a container's volumes belong to different users. The policy's own identity may be any container's,
// and is no particular user, so the note advises giving such a volume to the other owner: then all containers that ask
// for root follow.
func (p *Policy) differ(f *inquiry, d *Decision, owners []OwnedVolume) bool {
	var one, other *OwnedVolume
	more := false
	for i := range owners {
		switch o := &owners[i]; {
		case o.UID == 0:
		case one == nil:
			one = o
		case one.UID != o.UID && other == nil:
			other = o
		case one.UID != o.UID && o.UID != other.UID:
			more = true // one command can't make them agree
		}
	}
	if other == nil {
		return false
	}
	note := fmt.Sprintf("its volumes belong to different users, %d and %d, and it can only be one of them", one.UID, other.UID)
	if one.UID == uint32(p.UID) {
		one, other = other, one
	}
	isFixed := other.UID == uint32(p.UID) && p.UsesFixed() && f.UserNamespace == nil && other.GID != 0
	if isFixed && !more && p.keepsAsked(one.UID) && !p.anothers(f, one.UID) && quote.IsPlainPath(other.Source) {
		gid := one.GID
		if gid == 0 || !p.harmless(f, gid) {
			gid = uint32(p.GID)
		}
		note += fmt.Sprintf("; hint: stop its containers, and run nonroot-ctl volumes adopt --from %d:%d --user %d:%d %s", other.UID, other.GID, one.UID, gid, other.Source)
	}
	d.Notes = append(d.Notes, note)
	return true
}

// ofVolume gives the container the identity of its volumes' owner, if runtimes agree on the uid, and within the
// policy's bounds.
func (p *Policy) ofVolume(f *inquiry, d *Decision, who Identity, because string) bool {
	return who.UID != 0 && who.UID <= MaxID && p.standFor(f, d, who, who.UID == uint32(p.UID), because)
}
