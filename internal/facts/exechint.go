// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Hint says why a further process is likely to fail as its identity; "": no reason is known. It goes into the log,
// since a health check that fails doesn't tell.
func (e *Existing) Hint(d *decision.Decision, doc *spec.Document) string {
	args, err := doc.Args()
	if err != nil || d.Mode != decision.Rewrite {
		return "" // the rewrite reports what is wrong with it
	}
	return program.Command{Args: args, Asked: asked(doc)}.Named(d.StandsIn())
}

// asked are the capabilities that were asked for; nil: the document does not say.
func asked(doc *spec.Document) []string {
	bounding, _ := doc.Bounding() // the rewrite reports what is wrong with it
	return bounding
}
