// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// joined makes a container that asks for root and joins another container's processes run as the same user. As root
// both were one user: a sidecar signals its service after it has rotated the logs. It gives no more than the option
// --user does: the uid must be one that would be kept, and not come from a range, so that naming another container
// gives nothing (SECURITY.md H11).
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
		return false // containers that belong together share a uid of the range anyway
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

// joinsProcesses reports whether a container joins an existing pid namespace.
func joinsProcesses(c *spec.Container) bool {
	return c != nil && slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "pid" && n.Path != "" })
}
