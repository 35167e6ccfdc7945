// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"os"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Take takes the ids that a decision needs, for the container that this process creates. It must be called only when
// nothing else can stop the container: a refused one must take no id. It returns the ids taken before and now. If it
// reports that another call was faster and not all were available, the decision has to be made again.
func Take(d *decision.Decision, state, bundle string, taken []decision.Lease, owners trusted.Owners) (now []decision.Lease, all bool, err error) {
	all = true
	for _, l := range d.Leases {
		if slices.ContainsFunc(taken, l.Same) {
			continue
		}
		start, err := proc.StartTime("self") // the next runtime is this same process
		if err != nil {
			return taken, false, err
		}
		member := lease.Member{Bundle: bundle, ID: d.ID, Pid: os.Getpid(), Start: start}
		wanted := l.ID
		l.ID, err = lease.Containers(state, l.Step, owners).Take(lease.Of(l), l.Owner, member)
		if err != nil {
			return taken, false, err
		}
		taken = append(taken, l)
		all = all && l.ID == wanted
	}
	return taken, all, nil
}
