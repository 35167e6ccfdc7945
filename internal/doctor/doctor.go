// SPDX-License-Identifier: Apache-2.0

// Package doctor checks an installation: that the programs are whole and root's alone, that the policy holds, that the
// engines use the runtime, what gets around it, and, by trying, that nobody becomes root in a container. It changes
// nothing, and says nothing of a single container (internal/explain, internal/ps).
//
// One file a subject; what can be judged without the machine is a pure function of what was read.
package doctor

import (
	"cmp"
	"context"
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Status is how a check ended.
type Status string

// The statuses. A warning is a way around, or something that could not be looked at; it fails nothing unless that is strict. A note is
// a way around that a policy leaves open in so many words: somebody has decided it and said why, so that not even strict fails.
const (
	OK   Status = "ok"
	Note Status = "note"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Check is what one check found. Its JSON is documented in nonroot-ctl(8).
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"` // what was looked at, and found
	Hint   string `json:"hint"`   // what to do; "" with OK
}

// Options is what the caller wants checked.
type Options struct {
	Binary      string          // nonroot-runc; "": beside this program, else in the standard directories
	Policy      string          // a policy file; "": the one in force
	WorkDir     string          // where the self-test makes its bundle; "": a usual place
	Engine      *engines.Engine // self-test through this one, too (selftest.Testable); nil: none
	RuntimeName string          // under which it knows the runtime
	DockerHost  string          // docker's --host
	Audit       bool            // mode audit is what is meant: that nothing is enforced is no failure
}

// Run makes every check, in an order in which a later one rests on those before.
func Run(ctx context.Context, o Options) ([]Check, error) {
	caller, err := facts.LookAtCaller()
	if err != nil {
		return nil, err
	}
	d := &doctor{o: o, caller: caller}
	d.binaries()
	d.versions()
	p := d.policies()
	if p != nil {
		d.runtime(ctx, p)
		d.ids(p)
	}
	d.pins()
	d.wrappers(p)
	d.logs(p)
	d.lost(p)
	for _, check := range engineChecks {
		check.run(d, ctx, p)
	}
	d.oneGoverned()
	d.selfTest(ctx, p)
	return d.checks, nil
}

// engineChecks are the checks of each engine that has a configuration, in the order in which they are printed.
var engineChecks = []struct {
	engine *engines.Engine
	run    func(*doctor, context.Context, *policy.Policy)
}{
	{&engines.Docker, (*doctor).docker},
	{&engines.Containerd, func(d *doctor, ctx context.Context, _ *policy.Policy) { d.containerd(ctx) }},
	{&engines.Podman, func(d *doctor, ctx context.Context, _ *policy.Policy) { d.podman(ctx) }},
	{&engines.CRIO, func(d *doctor, _ context.Context, _ *policy.Policy) { d.crio() }},
	{&engines.BuildKit, func(d *doctor, _ context.Context, _ *policy.Policy) { d.buildkit() }},
}

// decided is the status of a way around that a policy leaves open: mode off has a reason in the file, and audit is on the way to
// something else.
func decided(p *policy.Policy) Status {
	if p.Mode == policy.Off {
		return Note
	}
	return Warn
}

// audited is the status of what is not so as the policy in force enforces nothing: a failure, unless mode audit is what is meant.
func (d *doctor) audited(p *policy.Policy, otherwise Status) Status {
	if d.o.Audit && p.Mode == policy.Audit {
		return Note
	}
	return otherwise
}

type doctor struct {
	o      Options
	caller facts.Caller
	binary string // nonroot-runc; "": there is none
	checks []Check

	profiles []profile // those that could be read

	engines, governed []string // those that could be asked, and those of them that know nonroot-runc
}

func (d *doctor) ok(name, format string, args ...any) {
	d.checks = append(d.checks, Check{name, OK, fmt.Sprintf(format, args...), ""})
}

// bad notes what is wrong and what to do. Where what is wrong brings advice of its own, that is the more exact one.
func (d *doctor) bad(status Status, name, advice, format string, args ...any) {
	detail, own := hint.Split(fmt.Sprintf(format, args...))
	d.checks = append(d.checks, Check{name, status, detail, cmp.Or(own, advice)})
}
