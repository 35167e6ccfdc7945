// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// start is the gate between create and start: the container's first process has its final credentials by now, and
// goes on only if the kernel shows that every promise on them is kept. So a container that was created before this
// program was installed, one whose config.json was changed in between, or one whose runtime was deceived is caught.
func start(cmd *runcargs.Command, d *decision) error {
	c := govern.AnyCaller().Remember()
	p, broken := loadPolicy(cmd, c) // a rewritten container only needs it to be logged
	d.by(p, c)
	k, err := existing(cmd, c)
	if err != nil {
		return err
	}
	r, config, unsound := k.matching(cmd)
	d.of(k, config)
	candidates := func() []string {
		if broken != nil {
			return nil
		}
		return p.Runtimes
	}
	if !r.Enforced() {
		if broken != nil {
			return broken
		}
		p = k.inForce(cmd, p, config)
		if k.exempt(r, p) {
			d.exempt(r, p)
			return goOn(cmd, d, k, candidates, c)
		}
	}
	if unsound != nil {
		return unsound
	}
	if err := pass(k, r, p); err != nil {
		return err
	}
	d.held(r)
	return goOn(cmd, d, k, candidates, c)
}

// exempt says that the container may be as it is: its record says so, or, where it has none, the policy.
func (k *known) exempt(r *record.Record, p *policy.Policy) bool {
	if k.unsure {
		return false
	}
	if r != nil {
		return r.Mode.Exempts()
	}
	return p.Mode.Exempts() || p.Existing.Exempts()
}

func pass(k *known, r *record.Record, p *policy.Policy) error {
	credentials, err := k.state.InitCredentials()
	if err != nil {
		return err
	}
	promise := policy.Promise{}
	if !r.Enforced() {
		promise.Policy, promise.Groups = p, &host.Groups{File: host.GroupFile, Privileges: p.Privileged}
	}
	advice := "it was not created by nonroot-runc, or its config.json was changed since: delete and create it again"
	if r.Enforced() {
		promise = policy.Promise{Identity: r.Identity, Bounding: r.Bounding}
		advice = "the runtime did not do what config.json says: do not start it, and report this"
	}
	if err := promise.Kept(credentials); err != nil {
		return fail("its first process must not be started, "+err.Error(), advice)
	}
	return nil
}

func goOn(cmd *runcargs.Command, d *decision, k *known, candidates func() []string, c govern.Caller) error {
	runtime, err := laterRuntime(cmd, k, candidates, c)
	if err != nil {
		return err
	}
	return d.goOn(cmd, runtime, cmd.Argv())
}
