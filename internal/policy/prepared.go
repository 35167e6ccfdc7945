// SPDX-License-Identifier: Apache-2.0

package policy

import "fmt"

// prepared: a container that asks for root, and whose command does nothing but make files in its volumes and give them to somebody
// (chown -R 1000:1000 /data), is that one from the beginning: what it makes is then that one's, without a change of owner. The uid is
// one that would be kept, as whoever writes the command could name it by --user (SECURITY.md H12).
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
	return p.standFor(f, d, who, own, fmt.Sprintf("its command gives its volumes to uid %d", who.UID))
}

// asIfAsked is whom a container may be that names a user otherwise than by --user: one that would be kept, or the policy's own
// identity, which it would be without a word (own), with the policy's group. That one is another's where ids come from a range.
func (p *Policy) asIfAsked(who Identity) (_ Identity, own, ok bool) {
	if who.UID == uint32(p.UID) && p.UsesFixed() {
		return Identity{UID: who.UID, GID: uint32(p.GID)}, true, true
	}
	return who, false, p.keepsAsked(who.UID)
}
