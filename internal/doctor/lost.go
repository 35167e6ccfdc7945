// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// lost checks that no decision on this machine failed to be logged, as far as the counter goes back.
func (d *doctor) lost(p *policy.Policy) {
	state := policy.Default().State
	if p != nil {
		state = p.State
	}
	const name = "log: lost lines"
	lost, err := auditlog.ReadLost(state, d.caller.Owners)
	switch {
	case err != nil:
		d.bad(Warn, name, "see who wrote it; to reset the count: rm "+auditlog.LostFile(state), "whether lines were lost is not known: %v", err)
	case lost.Count > 0:
		d.bad(Warn, name, "once the cause is fixed, reset the count: rm "+auditlog.LostFile(state), "%d could not be written, the last one on %s: %s", lost.Count, lost.Last.UTC().Format(time.RFC3339), lost.Reason)
	}
}
