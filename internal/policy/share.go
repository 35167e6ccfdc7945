// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
)

// Share says which containers have one uid of a range together.
type Share string

// Where a container belongs to nothing of the kind, it has a uid of its own.
const (
	ShareNone      Share = "container" // none
	SharePod       Share = "pod"       // those of a pod or of a Compose project, so that they can share volumes
	ShareNamespace Share = "namespace" // those of a namespace, as OpenShift has it
)

// assign asks for an id, and adds it to what the decision rests on: it has to be taken for the owner before the decision
// is carried out. Where another id is to be had by then, the decision has to be made again.
func assign(d *Decision, f *inquiry, first, last, step ID, owner string) (ID, error) {
	l := decision.Lease{First: uint32(first), Last: uint32(last), Step: uint32(step), Owner: owner}
	id, err := f.lease(l)
	if err == nil {
		l.ID = uint32(id)
		d.Leases = append(d.Leases, l)
	}
	return id, err
}

// fixed: who a process becomes that has no say in it: its container's identity, else one of the range, else the one that the
// policy names.
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

// UsesFixed reports whether a container that has no say in who it is becomes the one that identity.uid and
// identity.gid name: there is no range, of which it would get an id of its own.
func (p *Policy) UsesFixed() bool { return p.Range.First == 0 }

// anothers says that a uid is one of those that containers get which have no say in it, and not this container's own. Whoever
// starts a container, or makes its image, could else choose to be somebody who is there already (SECURITY.md C6). Where
// allowed_uids is set, it is the administrator's word on who may be whom.
func (p *Policy) anothers(f *inquiry, uid uint32) bool {
	return len(p.AllowedUIDs) == 0 && p.Reserved.Has(uid) && (f.created == nil || f.created.UID != uid)
}

// reserve tells each part of the policy which ranges there are: a rule's containers must not become those of another one.
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

// asunder says that of two ranges which overlap, one gives single ids where the other gives blocks, or blocks of another size or
// place: then somebody's id would lie in the block of a namespace that is not his.
func asunder(a, b *Policy) bool {
	if a.Range.First == 0 || b.Range.First == 0 || a.Range.First > b.Range.Last || b.Range.First > a.Range.Last {
		return false
	}
	return a.Block != b.Block || a.Block != 0 && (max(a.Range.First, b.Range.First)-min(a.Range.First, b.Range.First))%a.Block != 0
}

// owner names those who have one uid of a range together.
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

// ownBlock is the policy with the ids of the container's namespace as its bounds, where each namespace has a block of the
// range: OpenShift's openshift.io/sa.scc.uid-range. Containers without a namespace have a block together.
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
