// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// start is the gate between create and start: the container's first process may start only if it keeps every promise.
func start(c *invocation) error {
	p, broken := loadPolicy(c.Command, c.caller)
	if broken == nil {
		c.by(p)
	}
	e, err := facts.Find(c.Root, c.RootSet, c.ID, c.caller)
	if err != nil {
		return err
	}
	e.Match()
	c.bundle = e.State.Bundle
	c.saw(e.Config)
	candidates := func() []string { return nil }
	switch {
	case broken == nil:
		candidates = func() []string { return p.Runtimes }
	case !e.Record.Enforced():
		return broken
	default:
		p = policy.Default() // for a rewritten container, only the log depends on the policy
	}
	e.By(p)
	e.GatherStart()
	if err := c.decided(e.Settle(p)); err != nil {
		return err
	}
	runtime, err := laterRuntime(c.Command, e, candidates, c.caller)
	if err != nil {
		return err
	}
	return c.goOn(runtime, c.Argv())
}
