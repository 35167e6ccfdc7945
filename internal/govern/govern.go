// SPDX-License-Identifier: Apache-2.0

// Package govern leads from a call to a plan, in one place: gather facts, decide, plan. The runtime carries the plan
// out (internal/apply); nonroot-ctl explains it, and compares policies by it. No rule belongs here, and nothing that
// reads or writes.
package govern

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// Outcome is the result for a call that creates a container.
type Outcome struct {
	Facts    *facts.Gathered
	Decision decision.Decision
	Plan     *plan.Plan // nil: the container is refused, or starts unchanged

	call *facts.Call
}

// Container decides about a bundle, and plans what is to be done. A failure becomes part of the decision.
func Container(call *facts.Call) *Outcome {
	o := &Outcome{call: call}
	var err error
	if o.Facts, err = call.Gather(); err == nil {
		err = o.settle()
	}
	if err != nil {
		o.Fail(err)
	}
	return o
}

func (o *Outcome) settle() error {
	o.Decision = o.Facts.Settle()
	if o.Decision.Refused() {
		return nil
	}
	o.Decision.Runtime, o.Decision.Version = o.call.Runtime, version.Short()
	in, err := o.Facts.ForPlan(o.Decision)
	if err != nil && o.Decision.Mode != decision.Audit {
		return err
	}
	if err != nil {
		in.Decision.Reason = hint.Line(err)
	}
	made, err := plan.Make(in)
	o.Decision = made.Decision
	if err == nil {
		o.Plan = made
	}
	return err
}

// Fail records an error about the container: it is refused, unless the policy leaves it unchanged.
func (o *Outcome) Fail(err error) {
	d := o.call.Policy.Failed(&o.Facts.Facts, err)
	was := &o.Decision
	d.Source, d.Audited, d.Notes, d.Runtime, d.Version = was.Source, was.Audited, was.Notes, o.call.Runtime, version.Short()
	o.Decision, o.Plan = d, nil
}

// Close closes the image.
func (o *Outcome) Close() { o.Facts.Close() }
