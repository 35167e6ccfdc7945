// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// decision collects, on a governed call's way, what the log is told of it. Nothing is gathered where nothing is logged.
type decision struct {
	auditlog.Entry
	log    policy.Log // where to; nowhere until a policy is known
	state  string     // the policy's directory, where lines that were lost are counted
	owners bundle.Owners
	bundle string
	config auditlog.Seen // the container's, as it was found
}

// logged makes a call, and logs its failure, which is a refusal. A call that goes on logs itself.
func logged(cmd *runcargs.Command, call func(*runcargs.Command, *decision) error) error {
	d := &decision{Entry: auditlog.Entry{Time: time.Now(), Event: cmd.Verb, ID: cmd.ID}}
	err := call(cmd, d)
	if err != nil {
		d.Mode, d.Reason, d.To, d.Changed = policy.Refuse, err.Error(), nil, nil
		d.warn(cmd, d.write(cmd))
	}
	return err
}

// goOn logs what was decided, and replaces this program with the next runtime.
func (d *decision) goOn(cmd *runcargs.Command, runtime string, args []string) error {
	if err := d.write(cmd); err != nil {
		if d.log.Required {
			return wrap(err, "the policy requires each decision to be logged")
		}
		d.warn(cmd, err)
	}
	return become(runtime, args)
}

// warn tells the engine that the log has a gap.
func (d *decision) warn(cmd *runcargs.Command, err error) {
	if err != nil {
		logLine(cmd, "warning", "nonroot-runc: a decision could not be logged: "+plain(err.Error()))
	}
}

func (d *decision) write(cmd *runcargs.Command) error {
	if !d.log.Anywhere() {
		return nil
	}
	if d.From == nil && cmd.Kind == runcargs.Govern && cmd.Verb != runcargs.VerbExec {
		d.From = d.config.User() // of config.json's own process
	}
	d.Locate(root(cmd), d.bundle, d.config.Rootfs(), d.config.Annotations(), d.owners)
	d.Version = version.Short()
	began := d.Time
	d.Time = time.Now()
	d.Duration = d.Time.Sub(began)
	err := auditlog.Write(&d.log, &d.Entry, d.owners)
	if err != nil {
		_ = auditlog.CountLost(d.state, err, d.owners) // the engine's log is told in any case
	}
	return err
}

// by: the policy that the call goes by; nil where there is none.
func (d *decision) by(p *policy.Policy, c govern.Caller) {
	d.owners = c.Owners
	if p != nil {
		d.log, d.state, d.Rule, d.Profile, d.Policy = p.Log, p.State, p.Rule, p.Profile, p.Digest
	}
}

// of: the container that was created before.
func (d *decision) of(k *known, config []byte) {
	if d.log.Anywhere() {
		d.bundle, d.config = k.state.Bundle, auditlog.Look(config)
	}
}

// saw: what came out for a bundle, as far as it came.
func (d *decision) saw(o *govern.Outcome) {
	if o == nil || !d.log.Anywhere() {
		return
	}
	d.config = auditlog.Look(o.Config)
	if r := o.Record; r.Mode != "" {
		d.Mode, d.Rule, d.Source, d.Reason, d.Notes, d.Audited, d.To = r.Mode, r.Rule, r.Source, r.Reason, r.Notes, r.Audited, r.Identity
		if r.Mode != policy.Off { // then nobody has looked
			d.From = &r.Asked
		}
	}
	if o.Rewritten != nil {
		d.Changed = auditlog.Look(o.Rewritten).Changed(d.config)
	}
}

// passedOver: what was found in a container that goes on all the same.
func (d *decision) passedOver(p *policy.Policy, err error) {
	d.Mode, d.Rule, d.Reason = p.Mode, p.Rule, p.Reason
	if p.Mode == policy.Audit {
		d.Reason = err.Error()
	}
}

// exempt: by its record, or where it has none by the policy, the container may be as it is.
func (d *decision) exempt(r *record.Record, p *policy.Policy) {
	switch {
	case r != nil:
		d.Mode, d.Rule, d.Reason = r.Mode, r.Rule, r.Reason
	case p.Mode.Exempts():
		d.Mode, d.Rule, d.Reason = p.Mode, p.Rule, p.Reason
	default:
		d.Mode, d.Rule, d.Reason = policy.Off, "existing", "the container was not created by nonroot-runc, and the policy leaves such as they are"
	}
}

// asks: who an exempt exec asks to be.
func (d *decision) asks(cmd *runcargs.Command, c govern.Caller, k *known, config []byte) {
	if !d.log.Anywhere() {
		return
	}
	doc, err := processDocument(cmd, c, k, config)
	if err != nil {
		return // it goes on, whatever it asks for
	}
	if u, err := doc.User(); err == nil {
		d.From = &policy.Identity{UID: u.UID, GID: u.GID, Groups: u.Groups}
	}
}

// decided: about an exec.
func (d *decision) decided(by *policy.Decision) {
	d.Mode, d.Rule, d.Source, d.Reason, d.To = by.Mode, by.Rule, by.Source, by.Reason, &by.Identity
}

func (d *decision) changedProcess(doc *spec.Document, to []byte) {
	if d.log.Anywhere() && to != nil {
		d.Changed = auditlog.LookAtProcess(to).Changed(auditlog.LookAtProcess(doc.Source()))
	}
}

// held: the container's first process keeps what was decided, or where nobody has decided, all promises.
func (d *decision) held(r *record.Record) {
	d.Mode = policy.Rewrite
	if r.Enforced() {
		d.Rule, d.Source, d.From, d.To = r.Rule, r.Source, &r.Asked, r.Identity
	}
}
