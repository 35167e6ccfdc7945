// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
)

// volume: a container that asks for root becomes who owns its volumes, in which something was written, where all of them are
// one user's. As root, all containers with a volume were one user: a backup beside its database, a web server beside what renews
// its certificates. It is within the bounds of a uid that is kept, which anybody may ask for, so that naming somebody's volume
// gives nothing more. Where the policy gives each owner ids of its own, a volume gives none.
//
// A container that was started before goes on as who it was, as far as volumes decide: somebody else may have taken an empty one
// since, and what it has written by then is its own.
func (p *Policy) volume(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec || p.Range.First != 0 {
		return false
	}
	owners := f.volumes()
	if last := f.Last; last != nil {
		if last.Source == Volume || slices.ContainsFunc(owners, func(o Identity) bool { return o.UID == last.UID }) {
			return p.ofVolume(f, d, last.Identity, fmt.Sprintf("it was uid %d at its last start", last.UID))
		}
	}
	var found *Identity
	for _, owner := range owners {
		switch {
		case owner.UID == 0: // from before, or of a container that is exempt
		case found == nil:
			found = &owner
		case found.UID != owner.UID:
			d.Notes = append(d.Notes, fmt.Sprintf("its volumes belong to different users, %d and %d, and it can only be one of them", found.UID, owner.UID))
			return false
		}
	}
	if found == nil {
		return false
	}
	if last := f.Last; last != nil {
		d.Notes = append(d.Notes, fmt.Sprintf("its volume belongs to uid %d, and at its last start it was %d; hint: create the container again to run it as %d", found.UID, last.UID, found.UID))
		return false
	}
	return p.ofVolume(f, d, *found, fmt.Sprintf("its volume is of uid %d", found.UID))
}

// ofVolume makes the container who owns its volumes, if runtimes agree on the uid, and within the policy's bounds.
func (p *Policy) ofVolume(f *inquiry, d *Decision, who Identity, because string) bool {
	return who.UID <= MaxID && p.standFor(f, d, who, who.UID == uint32(p.UID), because)
}
