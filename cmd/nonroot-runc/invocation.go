// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// invocation is a call under the policy, with what the log will say about it.
type invocation struct {
	*runcargs.Command
	caller   facts.Caller
	began    time.Time
	decision decision.Decision

	log    policy.Log // where to log; nowhere until a policy is known
	state  string     // the policy's state directory
	bundle string
	mapped bool          // the container has a user namespace of its own
	config auditlog.Seen // the original config.json, if there is a log

	warnings []string // for the engine's log as well
}

// governed makes a call, and logs a failure, which is a refusal. A call that succeeds logs itself.
func governed(cmd *runcargs.Command, caller facts.Caller, do func(*invocation) error) error {
	c := &invocation{Command: cmd, caller: caller, began: time.Now()}
	c.decision.ID = cmd.ID
	err := do(c)
	if err != nil {
		d := &c.decision
		d.Mode, d.Reason, d.Identity, d.Changed = policy.Refuse, hint.Line(err), nil, nil
		c.warn(c.write())
	}
	return err
}

// by records the policy that the call uses.
func (c *invocation) by(p *policy.Policy) {
	c.log, c.state = p.Log, p.State
	d := &c.decision
	d.Rule, d.Policy, d.Profile, d.Digest = p.Rule, p.File, p.Profile, p.Digest
}

// decided records the decision, and fails if it is a refusal.
func (c *invocation) decided(d decision.Decision) error {
	c.decision = d
	if d.Refused() {
		return errors.New(d.Reason)
	}
	return nil
}

// logged reports whether there is a log, so that it is worth gathering its contents.
func (c *invocation) logged() bool { return c.log.Anywhere() }

// saw records the container's config.json.
func (c *invocation) saw(config []byte) {
	if c.logged() {
		c.config = auditlog.Look(config)
	}
}

// goOn logs the decision, and replaces this program with the next runtime.
func (c *invocation) goOn(runtime string, args []string) error {
	if err := c.write(); err != nil {
		if c.log.Required {
			return wrap(err, "the policy requires each decision to be logged")
		}
		c.warn(err)
	}
	return become(runtime, args)
}

// warn tells the engine that a line of the log is missing.
func (c *invocation) warn(err error) {
	if err != nil {
		c.tell("a decision could not be logged: %s", plain(hint.Line(err), maxMessage))
	}
}

// tell writes a warning into the engine's log.
func (c *invocation) tell(format string, args ...any) {
	logLine(c.Command, "warning", "nonroot-runc: "+fmt.Sprintf(format, args...))
}

func (c *invocation) write() error {
	if !c.logged() {
		return nil
	}
	d := c.decision
	if d.Asked == nil && c.Kind == runcargs.Govern && c.Verb != runcargs.VerbExec {
		d.Asked = c.config.User() // of config.json's own process
	}
	d.Event, d.Version = c.Verb, version.Short()
	auditlog.Locate(&d, root(c.Command), c.bundle, c.config.Rootfs(), c.config.Annotations(), c.caller.Owners)
	return apply.Log(&c.log, c.state, d, c.began, c.caller.Owners)
}
