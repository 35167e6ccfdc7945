// SPDX-License-Identifier: Apache-2.0

package policy

import "fmt"

// volume: a container that asks for root becomes who owns its volumes, in which something was written, where all of them are
// one user's. As root, all containers with a volume were one user: a backup beside its database, a web server beside what renews
// its certificates. It is within the bounds of a uid that is kept, which anybody may ask for, so that naming somebody's volume
// gives nothing more. Where the policy gives each owner ids of its own, a volume gives none.
func (p *Policy) volume(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec || p.Range.First != 0 {
		return false
	}
	var found *Identity
	for _, owner := range f.volumes() {
		switch {
		case owner.UID == 0: // from before, or of a container that is exempt
		case found == nil:
			found = &owner
		case found.UID != owner.UID:
			d.Notes = append(d.Notes, fmt.Sprintf("its volumes are of different users, %d and %d: it can be neither for both", found.UID, owner.UID))
			return false
		}
	}
	if found == nil || found.UID > MaxID {
		return false
	}
	return p.standFor(f, d, *found, found.UID == uint32(p.UID), fmt.Sprintf("its volume is of uid %d", found.UID))
}
