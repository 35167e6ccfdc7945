// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// logs: each place that the policy logs to would take a line.
func (d *doctor) logs(p *policy.Policy) {
	if p == nil || !p.Log.Anywhere() {
		return
	}
	status, what := Warn, "OPEN: decisions are not logged: %v"
	if p.Log.Required {
		status, what = Fail, "no container starts, as log.required wants each decision logged: %v"
	}
	lost := auditlog.Probe(&p.Log, d.caller.Owners)
	for _, err := range lost {
		d.bad(status, "log", "fix it, or set another place in [log] of the policy", what, err)
	}
	if len(lost) == 0 {
		d.ok("log", "each place that the policy logs to takes lines")
	}
}
