// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Hint says why a further process is likely to fail as who it is: for the log, as a health check that fails says no more than that.
// "": nothing is known against it.
func (e *Existing) Hint(d *decision.Decision, doc *spec.Document) string {
	args, err := doc.Args()
	if err != nil || d.Mode != decision.Rewrite {
		return "" // what is wrong with it the rewrite says
	}
	return program.Command{Args: args, Asked: asked(doc)}.Named(d.StandsIn())
}

// asked are the capabilities that are asked for; nil: the document does not say.
func asked(doc *spec.Document) []string {
	bounding, _ := doc.Bounding() // what is wrong with it the rewrite says
	return bounding
}
