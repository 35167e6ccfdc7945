// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"os"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/selftest"
)

// ordinaryUser is the user that the self-test's container asks for if the policy refuses root.
const ordinaryUser = 1000

// selfTest tries to become root in a container.
func (d *doctor) selfTest(ctx context.Context, p *policy.Policy) {
	const name = "self-test"
	switch {
	case d.binary == "" || p == nil:
		d.bad(Fail, name, "fix what is named above", "without a program and a policy there is no container to try")
		return
	case os.Geteuid() != 0:
		d.bad(Fail, name, "sudo nonroot-ctl doctor", "not tried: making a container needs root") // it must not look like a pass
		return
	}
	t := selftest.Runtime{Binary: d.binary, Policy: d.o.Policy, Dir: d.o.WorkDir}
	if p.Mode == policy.Refuse {
		_, err := t.Try(ctx)
		switch {
		case err == nil:
			d.bad(Fail, name+": refusal", "report this", "the policy refuses root, and a container that asks for it was made")
		case !strings.Contains(err.Error(), "nonroot-runc: container"):
			d.bad(Fail, name+": refusal", "see why no container could be tried", "%v", err)
		default:
			d.ok(name+": refusal", "a container that asks for root is refused: %v", err)
		}
		t.User = ordinaryUser
	}
	d.findings(name, "", p)(t.Try(ctx))
	if e := d.o.Engine; e != nil {
		command := e.Config.Command
		d.findings(name+" via "+command, "see that "+command+" works and that the runtime is registered: nonroot-ctl configure "+command, p)(
			selftest.Engine{Engine: e, Host: d.o.DockerHost, Runtime: d.o.RuntimeName, Binary: d.binary}.Try(ctx))
	}
}

// findings turns a self-test's findings, and an error that kept it from finishing, into checks.
func (d *doctor) findings(name, hint string, p *policy.Policy) func([]selftest.Finding, error) {
	return func(all []selftest.Finding, err error) {
		var exempt []string // one cause gets one check
		for _, f := range all {
			what := name + ": " + f.What
			switch {
			case f.Broken && p.Mode.Exempts():
				exempt = append(exempt, f.What)
			case f.Broken:
				d.bad(Fail, what, "containers are not governed: do not rely on it, and report this if the checks above are ok", "%s", f.Detail)
			case f.Unsure:
				d.bad(Warn, what, "see why it could not be tried", "%s", f.Detail)
			default:
				d.ok(what, "%s", f.Detail)
			}
		}
		if len(exempt) > 0 {
			d.bad(d.audited(p, Fail), name, "the policy's mode exempts every container: set mode = \"rewrite\"", "nothing is enforced, as the policy's mode is %s: %d of %d tries to be root succeeded (%s)", p.Mode, len(exempt), len(all), strings.Join(exempt, ", "))
		}
		if err != nil {
			if hint == "" {
				hint = "see what the runtime says; nonroot-ctl explain says what becomes of a bundle"
			}
			d.bad(Fail, name, hint, "%v", err)
		}
	}
}
