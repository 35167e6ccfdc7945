// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// joined: a container that asks for root and joins another one's processes becomes who that one is. As root, both were one user:
// a sidecar that has the logs of its service moved signals it afterwards. It is no more than --user gives: the uid is one that
// would be kept, and none of those that others have a range of, so that naming somebody's container gives nothing (SECURITY.md
// H11).
func (p *Policy) joined(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec || !joinsProcesses(f.Container) {
		return false
	}
	who := f.neighbour()
	if !who.Known {
		return false
	}
	because := fmt.Sprintf("it joins the processes of uid %d", who.UID)
	if who.Container != "" {
		because += " in the container " + quote.Value(who.Container[:min(len(who.Container), 12)])
	}
	as, own, ok := p.asIfAsked(Identity{UID: who.UID, GID: who.GID})
	switch {
	case who.UID == 0 || who.GID == 0:
		d.Notes = append(d.Notes, because+", which is root's, and can't signal them")
		return false
	case p.anothers(f, who.UID) && p.Share != ShareNone:
		return false // those who belong together have one uid of the range anyway
	case !ok:
		d.Notes = append(d.Notes, because+", which the policy (identity.sources, allowed_uids) does not allow")
		return false
	}
	if !p.standFor(f, d, as, own, because) {
		return false
	}
	d.Notes = append(d.Notes, because+", and is that user")
	return true
}

// joinsProcesses says that a container joins a pid namespace, and has none of its own.
func joinsProcesses(c *spec.Container) bool {
	return c != nil && slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "pid" && n.Path != "" })
}
