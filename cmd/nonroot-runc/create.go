// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// create handles create and run, so that no process of the container is root; and restore, which is refused unless the
// policy trusts checkpoints.
func create(c *invocation) error {
	unfit := preservedFDs(c.Command)
	p, err := loadPolicy(c.Command, c.caller)
	if err != nil {
		return err
	}
	c.by(p)
	act := policy.Create
	if c.Verb == runcargs.VerbRestore {
		act = policy.Restored
	}
	if err := p.Allows(act); err != nil {
		return err
	}
	runtime, err := nextRuntime(c.Command, p.Runtimes, c.caller)
	if err != nil {
		return err
	}
	dir, err := bundle.Open(c.Bundle, c.caller.Owners)
	if err != nil {
		return err
	}
	c.Bundle, c.bundle = dir.Path, dir.Path
	f := &facts.Call{
		Act: act, ID: c.ID, Caller: c.caller, Policy: p, Root: root(c.Command), Bundle: dir, Runtime: runtime,
		Unfit: unfit, NoCgroups: c.NoCgroups(),
		Keep: func(fd int) (int, error) { return inherited(fd, c.Command) },
	}
	if err := c.decided(c.settle(f)); err != nil {
		return err
	}
	if !c.decision.Mode.Exempts() {
		if c.mapped {
			if err := ownNull(c.caller.IsHostRoot()); err != nil {
				return err
			}
		}
		if err := leaveGroups(c.caller); err != nil {
			return err
		}
	}
	c.notes()
	// The call doesn't fail if no copy can be kept: a rootless engine's user has no such directory.
	_ = apply.KeepGood(p, c.caller.Owners)
	return c.goOn(runtime, c.Argv())
}

// settle decides about a bundle and carries the decision out, except for the last step. If the bundle had to be taken
// back from others, or another call took the id first, what was read before doesn't count, and the decision is made
// again.
func (c *invocation) settle(f *facts.Call) decision.Decision {
	for reclaimed := false; ; {
		o := govern.Container(f)
		again, err := c.prepare(f, o, reclaimed)
		if err == nil && !again && o.Plan != nil {
			c.warnings, err = apply.Container(o.Plan, f.Bundle, c.caller.Owners)
			o.Decision = o.Plan.Decision
		}
		o.Close()
		if err != nil {
			o.Fail(err)
		} else if again {
			reclaimed = true
			continue
		}
		c.saw(o.Facts.Config)
		c.mapped = o.Facts.UserNamespace != nil
		if p := o.Plan; c.logged() && p != nil && p.Parts != nil {
			o.Decision.Changed = auditlog.Look(p.Rewritten()).Changed(c.config)
		}
		return o.Decision
	}
}

// prepare does what may change the decision: it takes the bundle back, and takes ids of ranges. It reports whether to
// decide again.
func (c *invocation) prepare(f *facts.Call, o *govern.Outcome, reclaimed bool) (again bool, err error) {
	p := o.Plan
	if p == nil || p.Decision.Mode != policy.Rewrite {
		return false, nil
	}
	if p.Reclaim != nil && !reclaimed {
		return true, apply.Reclaim(p, f.Bundle)
	}
	var all bool
	f.Taken, all, err = apply.Take(&p.Decision, f.Policy.State, f.Bundle.Path, f.Taken, c.caller.Owners)
	return !all, err
}

// maxWarnings limits the notes that go into the engine's log.
const maxWarnings = 8

// notes writes into the engine's log what helps the container's user, and what [audit] of the policy would have done.
func (c *invocation) notes() {
	d := &c.decision
	would := ""
	switch {
	case d.Mode == policy.Audit && d.Reason != "":
		would = "would be refused: " + plain(d.Reason, maxMessage)
	case d.Mode == policy.Audit && d.Identity != nil && (d.Identity.UID != d.Asked.UID || d.Identity.GID != d.Asked.GID):
		would = fmt.Sprintf("would run as %d:%d instead of %d:%d", d.Identity.UID, d.Identity.GID, d.Asked.UID, d.Asked.GID)
	case d.Audited != "":
		would = plain(d.Audited, maxMessage)
	}
	// Advice goes into the engine's log, too, once.
	for _, note := range d.Notes {
		if len(c.warnings) < maxWarnings && strings.Contains(note, hint.Flat) && !slices.Contains(c.warnings, note) {
			c.warnings = append(c.warnings, note)
		}
	}
	for _, warning := range c.warnings {
		audit := ""
		if d.Mode == policy.Audit {
			audit = "audit: "
		}
		c.tell("%scontainer %q: %s", audit, c.ID, plain(warning, maxMessage))
	}
	if would != "" {
		c.tell("audit: container %q %s", c.ID, would)
	}
}
