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
	if who.UID == 0 || !p.mayBeKept(who.UID) {
		return false
	}
	because := fmt.Sprintf("its command gives its volumes to uid %d", who.UID)
	return p.standFor(f, d, who, who.UID == uint32(p.UID), because)
}
