// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// logs checks that decisions are logged somewhere, and that each place would accept a line.
func (d *doctor) logs(p *policy.Policy) {
	if p == nil {
		return
	}
	if !p.Log.Anywhere() {
		d.bad(Note, "log", "set log.file = \"/var/log/nonroot-runc.log\" in a policy, which nonroot-ctl setup and nonroot-ctl policy apply put into force",
			"decisions are not logged: nothing tells later why a container was refused or failed")
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
