// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Log writes a decision to the policy's log. If that fails, it counts the decision as lost in the policy's state
// directory. began is when the call began: the line says how long it took.
func Log(to *policy.Log, state string, d decision.Decision, began time.Time, owners trusted.Owners) error {
	d.Time = time.Now()
	d.Duration = d.Time.Sub(began)
	err := auditlog.Write(to, &d, owners)
	if err != nil {
		_ = auditlog.CountLost(state, err, owners) // the engine's log gets the decision in any case
	}
	return err
}
