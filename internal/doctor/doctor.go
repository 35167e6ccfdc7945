// SPDX-License-Identifier: Apache-2.0

// Package doctor checks an installation: that the programs are intact and only root can change them, that the policy
// can be read and enforces, that the engines use the runtime, which ways around it are open, and, by trying, that no
// container process can become root. It changes nothing, and reports nothing about single containers (internal/explain,
// internal/ps).
//
// There is one file per subject; what can be judged without the machine is a pure function of what was read.
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

// Status is the result of a check.
type Status string

// The statuses. A warning is a way around, or something that could not be checked; only --strict makes it a failure. A
// note is a way around that a policy leaves open explicitly: the administrator decided that and gave a reason, so not
// even --strict makes it a failure.
const (
	OK   Status = "ok"
	Note Status = "note"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Check is the result of one check. Its JSON is documented in nonroot-ctl(8).
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"` // what was checked, and what was found
	Hint   string `json:"hint"`   // what to do; "" with OK
}

// Options control what is checked.
type Options struct {
	Binary      string          // nonroot-runc; "": beside this program, else in the standard directories
	Policy      string          // a policy file; "": the current one
	WorkDir     string          // where the self-test creates its bundle; "": a default place
	Engine      *engines.Engine // also run the self-test through this one (selftest.Testable); nil: no
	RuntimeName string          // its name for the runtime
	DockerHost  string          // docker's --host
	Audit       bool            // mode audit is intended: enforcing nothing is not a failure
}

// Run makes every check; later ones depend on earlier ones.
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

// engineChecks lists the checks of each engine that has a configuration, in the order in which they are printed.
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

// decided returns the status of a way around that a policy leaves open: mode off needs a reason in the file; audit is a
// step towards enforcing.
func decided(p *policy.Policy) Status {
	if p.Mode == policy.Off {
		return Note
	}
	return Warn
}

// audited returns the status of a property that is missing because the current policy enforces nothing: a failure,
// unless mode audit is intended.
func (d *doctor) audited(p *policy.Policy, otherwise Status) Status {
	if d.o.Audit && p.Mode == policy.Audit {
		return Note
	}
	return otherwise
}

type doctor struct {
	o      Options
	caller facts.Caller
	binary string // nonroot-runc; "": none
	checks []Check

	profiles []profile // those that could be read

	engines, governed []string // engines that could be asked, and those that have nonroot-runc registered
}

func (d *doctor) ok(name, format string, args ...any) {
	d.checks = append(d.checks, Check{name, OK, fmt.Sprintf(format, args...), ""})
}

// bad records what is wrong and what to do. Advice in the finding itself is more specific, and is used instead.
func (d *doctor) bad(status Status, name, advice, format string, args ...any) {
	detail, own := hint.Split(fmt.Sprintf(format, args...))
	d.checks = append(d.checks, Check{name, status, detail, cmp.Or(own, advice)})
}
