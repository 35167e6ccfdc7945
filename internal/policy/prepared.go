// SPDX-License-Identifier: Apache-2.0

package policy

import "fmt"

// prepared lets a container that asks for root run as one user from the start, if its command only creates files in its
// volumes and makes that user their owner (chown -R 1000:1000 /data): the files then belong to that user without a
// chown. The uid must be one that would be kept, since the command's author could as well name it by --user
// (SECURITY.md H12).
func (p *Policy) prepared(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec {
		return false
	}
	who := f.prepares()
	if who.UID == 0 {
		return false
	}
	who, own, ok := p.asIfAsked(who)
	if !ok {
		return false
	}
	return p.standFor(f, d, who, own, fmt.Sprintf("its command changes the owner of its volumes to uid %d", who.UID))
}

// asIfAsked returns the identity of a container that names a user by other means than --user: a uid that would be kept,
// or the policy's own identity, which it would have anyway (own), with the policy's group. If ids come from a range,
// that identity is not its own.
func (p *Policy) asIfAsked(who Identity) (_ Identity, own, ok bool) {
	if who.UID == uint32(p.UID) && p.UsesFixed() {
		return Identity{UID: who.UID, GID: uint32(p.GID)}, true, true
	}
	return who, false, p.keepsAsked(who.UID)
}
