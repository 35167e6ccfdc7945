// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// foreseen returns the id of a range that an owner has, else the one that it would get.
func (g *Gathered) foreseen(l decision.Lease) policy.Foreseen {
	if taken := slices.IndexFunc(g.call.Taken, l.Same); taken >= 0 {
		return policy.Foreseen{Lease: g.call.Taken[taken]}
	}
	store := lease.Containers(g.rule.State, l.Step, g.call.Caller.Owners)
	var err error
	l.ID, err = store.Preview(lease.Of(l), l.Owner)
	return policy.Foreseen{Lease: l, Fault: err}
}
