// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Hint says why a further process is likely to fail as its identity; "" if no reason is known. It goes into the log,
// because a failed health check does not report the reason.
func (e *Existing) Hint(d *decision.Decision, doc *spec.Document) string {
	args, err := doc.Args()
	if err != nil || d.Mode != decision.Rewrite {
		return "" // the rewrite reports what is wrong with it
	}
	return program.Command{Args: args, Asked: asked(doc)}.Named(d.StandsIn())
}

// asked returns the requested capabilities; nil if the document does not say.
func asked(doc *spec.Document) []string {
	bounding, _ := doc.Bounding() // the rewrite reports what is wrong with it
	return bounding
}
