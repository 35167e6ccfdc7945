// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// exec starts a further process in a container. The engine's request is rewritten like config.json's process.
func exec(c *invocation) error {
	unfit := preservedFDs(c.Command)
	e, err := facts.Find(c.Root, c.RootSet, c.ID, c.caller)
	if err != nil {
		return err
	}
	e.Match()
	c.bundle = e.State.Bundle
	p, note, err := execPolicy(c, e.Record)
	if err != nil {
		return err
	}
	c.by(p)
	c.saw(e.Config)
	_ = apply.KeepGood(p, c.caller.Owners) // as in create
	runtime, err := laterRuntime(c.Command, e, func() []string { return p.Runtimes }, c.caller)
	if err != nil {
		return err
	}
	e.By(p)
	doc, err := e.GatherExec(facts.Exec{Process: c.Process, Flags: c.Exec, Unfit: unfit})
	var d decision.Decision
	if err == nil {
		d = e.Settle(p)
	} else {
		d = p.Failed(&e.Facts, err)
	}
	if note != "" {
		d.Notes = append(d.Notes, note)
	}
	if err := c.decided(d); err != nil {
		return err
	}
	if d.Mode.Exempts() {
		// In a rewritten container setgroups may succeed and do nothing (adapt.emulate_ownership), which would leave
		// the process the caller's groups. A runtime loads the filter before setgroups if the process may gain
		// privileges.
		if e.Record == nil || e.Record.Mode != policy.Off {
			if err := leaveGroups(c.caller); err != nil {
				return err
			}
		}
		return c.goOn(runtime, c.Asked())
	}
	if c.logged() {
		if said := e.Hint(&d, doc); said != "" {
			c.decision.Notes = append(c.decision.Notes, said)
		}
	}
	process, err := plan.Process(e.Rule(), &e.Facts, &d, doc)
	if err != nil {
		return wrap(err, "rewrite the process")
	}
	if c.logged() {
		c.decision.Changed = auditlog.LookAtProcess(process).Changed(auditlog.LookAtProcess(doc.Source()))
	}
	if c.Process, err = sealed("process.json", process, c.Command); err != nil {
		return err
	}
	if e.State.Kind == runc.Crun {
		if err := ownNull(c.caller.IsHostRoot()); err != nil {
			return err
		}
	}
	if err := errors.Join(leaveKeyring(), leaveGroups(c.caller)); err != nil {
		return err
	}
	if !e.Record.Enforced() && !e.Rule().AllowUserNamespaces {
		if err := denyUserNamespaces(); err != nil {
			return err
		}
	}
	return c.goOn(runtime, c.Argv())
}

// execPolicy returns the policy for an exec. If the file can't be read, and the container was rewritten, it is the last
// good one, and a note says so: a typing mistake must not make the health checks of all containers fail.
func execPolicy(c *invocation, r *decision.Decision) (p *policy.Policy, note string, err error) {
	p, broken := loadPolicy(c.Command, c.caller)
	if broken == nil || !r.Enforced() {
		return p, "", broken
	}
	p, err = facts.LastGood(c.NonrootConfig, os.Args[0], r.Policy == "", c.caller.Owners)
	if err != nil {
		return nil, "", broken
	}
	good := "the built-in one"
	if p.File != "" {
		good = strconv.Quote(p.File)
	}
	note = fmt.Sprintf("uses the last good policy, %s: %s", good, plain(hint.Line(broken), maxMessage))
	c.tell("container %q: exec %s", c.ID, note)
	return p, note, nil
}
