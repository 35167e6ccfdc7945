// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
)

// Share says which containers share a uid of a range.
type Share string

// A container that belongs to no such group has a uid of its own.
const (
	ShareNone      Share = "container" // none
	SharePod       Share = "pod"       // those of a pod or of a Compose project, so that they can share volumes
	ShareNamespace Share = "namespace" // those of a namespace, as in OpenShift
)

// assign asks for an id, and adds it to the decision: the lease has to be taken before the decision is carried out. If
// the owner would get another id by then, the decision has to be made again.
func assign(d *Decision, f *inquiry, first, last, step ID, owner string) (ID, error) {
	l := decision.Lease{First: uint32(first), Last: uint32(last), Step: uint32(step), Owner: owner}
	id, err := f.lease(l)
	if err == nil {
		l.ID = uint32(id)
		d.Leases = append(d.Leases, l)
	}
	return id, err
}

// fixed sets the identity of a process that has no say in it: its container's, else one of the range, else the
// policy's.
func (p *Policy) fixed(f *inquiry, d *Decision) error {
	*d.Identity = p.fallback(f)
	if p.UsesFixed() || f.created != nil || f.Act == Exec {
		return nil
	}
	id, err := assign(d, f, p.Range.First, p.Range.Last, 1, p.owner(f))
	if err == nil && !p.Range.Has(uint32(id)) {
		err = fmt.Errorf("the id %d is not in identity.range, %s", id, Ranges{p.Range})
	}
	if err != nil {
		return err
	}
	d.Identity.UID = uint32(id)
	if p.harmless(f, uint32(id)) {
		d.Identity.GID = uint32(id)
	}
	return nil
}

// UsesFixed reports whether a container that has no say in its identity gets identity.uid and identity.gid: there is no
// range that would give it an id of its own.
func (p *Policy) UsesFixed() bool { return p.Range.First == 0 }

// anothers reports whether a uid is one that containers get without a say in it, and not this container's own.
// Otherwise a user who starts a container, or builds its image, could choose to be an existing user (SECURITY.md C6).
// If allowed_uids is set, the administrator has decided which uids may be used.
func (p *Policy) anothers(f *inquiry, uid uint32) bool {
	return len(p.AllowedUIDs) == 0 && p.Reserved.Has(uid) && (f.created == nil || f.created.UID != uid)
}

// reserve tells each part of the policy about all ranges: containers of one rule must not use the uids of another's.
func (p *Policy) reserve() {
	parts := []*Policy{p, p.Audit}
	for i := range p.Rules {
		if q := p.Rules[i].Policy; q != nil {
			parts = append(parts, q, q.Audit)
		}
	}
	var all Ranges
	for _, q := range parts {
		if q != nil && q.Range.First != 0 && !slices.Contains(all, q.Range) {
			all = append(all, q.Range)
		}
	}
	for _, q := range parts {
		if q != nil {
			q.Reserved = all
		}
	}
}

// asunder reports whether two overlapping ranges are divided differently: one into single ids and the other into
// blocks, or into blocks of another size or offset. An id of one would then be in a block of the other, which belongs
// to a different namespace.
func asunder(a, b *Policy) bool {
	if a.Range.First == 0 || b.Range.First == 0 || a.Range.First > b.Range.Last || b.Range.First > a.Range.Last {
		return false
	}
	return a.Block != b.Block || a.Block != 0 && (max(a.Range.First, b.Range.First)-min(a.Range.First, b.Range.First))%a.Block != 0
}

// owner names the group of containers that shares one uid of a range.
func (p *Policy) owner(f *inquiry) string {
	o := f.origin()
	switch {
	case p.Share == ShareNamespace && o.Namespace != "":
		return fmt.Sprintf("%s namespace %q", o.Engine, o.Namespace)
	case p.Share != ShareNone && o.Pod != "":
		return fmt.Sprintf("%s pod %q in %q", o.Engine, o.Pod, o.Namespace)
	case p.Share != ShareNone && o.Engine == Docker:
		if name := f.project(); name != "" {
			return fmt.Sprintf("%s project %q", o.Engine, name)
		}
	}
	return fmt.Sprintf("container %q of %q", f.ID, o.Root)
}

// ownBlock narrows the policy to the ids of the container's namespace, if each namespace has a block of the range:
// OpenShift's openshift.io/sa.scc.uid-range. Containers without a namespace share a block.
func (p *Policy) ownBlock(f *inquiry, d *Decision) (*Policy, error) {
	if p.Block == 0 || p.Range.First == 0 {
		return p, nil
	}
	var first ID
	switch {
	case f.created != nil && p.Range.Has(f.created.UID):
		first = p.Range.First + (ID(f.created.UID)-p.Range.First)/p.Block*p.Block
	case f.Act != Exec:
		var err error
		o := f.origin()
		first, err = assign(d, f, p.Range.First, p.Range.Last, p.Block, fmt.Sprintf("%s block %q", o.Engine, o.Namespace))
		if err == nil && (!p.Range.Has(uint32(first)) || !p.Range.Has(uint32(first+p.Block-1))) {
			err = fmt.Errorf("no block of identity.range, %s, begins at %d", Ranges{p.Range}, first)
		}
		if err != nil {
			return p, err
		}
	default:
		return p, nil
	}
	q := *p
	q.Range = Range{first, first + p.Block - 1}
	q.AllowedUIDs = Ranges{q.Range}
	return &q, nil
}
