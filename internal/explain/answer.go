// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// answer returns the report in one sentence: who the container is, and whether nonroot-runc decided that.
func (r *Report) answer() string {
	d := &r.Decided
	asks := "its user is unknown, as config.json can't be read"
	if r.Asked != nil {
		asks = "as " + r.Asked.who()
	}
	will := fmt.Sprintf("be left as it is (mode %s), %s", d.Mode, asks)
	switch {
	case d.Refused():
		will = "be refused: " + d.Reason
	case d.Enforced() && d.Identity != nil:
		will = "run as " + r.becomes()
	}
	if d.Mode == policy.Audit && (d.Identity != nil || d.Reason != "") {
		would := "be refused: " + d.Reason
		if d.Reason == "" {
			would = "run as " + r.becomes()
		}
		if r.When != Before {
			return fmt.Sprintf("left as it is (mode audit), it runs %s; enforced, it would %s", asks, would)
		}
		will += "; enforced, it would " + would
	}
	switch {
	case r.ungoverned:
		return fmt.Sprintf("NOT governed, it runs %s; created by nonroot-runc it would %s", asks, will)
	case r.When == Before:
		return "it would " + will
	case d.Enforced() && d.Identity != nil:
		return "it runs as " + r.becomes()
	}
	return fmt.Sprintf("left as it is (mode %s), it runs %s", d.Mode, asks)
}

// becomes describes the decided identity, and the one it replaces.
func (r *Report) becomes() string {
	id := r.Decided.Identity
	text := fmt.Sprintf("%d:%d", id.UID, id.GID)
	if r.Asked == nil {
		return text
	}
	if r.Asked.UID == id.UID && r.Asked.GID == id.GID {
		return text + ", as it asks"
	}
	return text + " in place of " + r.Asked.who()
}

// who describes the requested user, with root by name. In a user namespace it is only root of that namespace.
func (a *Asked) who() string {
	text := fmt.Sprintf("%d:%d", a.UID, a.GID)
	switch {
	case a.UID == 0 && a.mapped:
		return "root of its user namespace (" + text + ")"
	case a.UID == 0:
		return "root (" + text + ")"
	}
	return text
}

// Reason says what the decision is based on: the identity's source, the rule and the policy.
func (r *Report) Reason() string {
	d := &r.Decided
	by := "the built-in policy"
	if d.Policy != "" {
		by = fmt.Sprintf("the policy %q", d.Policy)
	}
	if d.Rule != "" && d.Rule != "default" {
		by = fmt.Sprintf("the rule %q of %s", d.Rule, by)
	}
	if d.Enforced() && d.Identity != nil {
		return d.Source.Sentence() + "; by " + by
	}
	if d.Reason != "" && !d.Refused() {
		return d.Reason + "; by " + by
	}
	return "by " + by
}

// worst lists the kinds of problems, worst first: what keeps the container from starting, what it can't write, what it
// merely lacks.
var worst = []string{"entrypoint", "workdir", "volume", "directory", "port", "home", "setuid"}

func rank(a, b Problem) int { return slices.Index(worst, a.Kind) - slices.Index(worst, b.Kind) }

// distribution lists setuid and setgid programs of distributions' base systems: Debian 12's packages login, passwd,
// mount, util-linux, bsdutils, libpam-modules-bin, openssh-client and dbus, Fedora's pam and usermode, and Alpine's
// busybox-suid.
var distribution = []string{
	"su", "newgrp", "passwd", "chfn", "chsh", "gpasswd", "chage", "expiry", "mount", "umount", "wall", "write", "unix_chkpwd", "ssh-agent",
	"ssh-keysign", "dbus-daemon-launch-helper", "pam_timestamp_check", "userhelper", "bbsuid",
}

// Usual reports whether nearly every image of a distribution has the problem, and hardly any application depends on it.
func (p Problem) Usual() bool {
	return p.Kind == "setuid" && slices.Contains(distribution, path.Base(p.Where))
}

// Refused turns the report into one of a container that was refused when it was last created: its rootfs no longer
// exists, and a dry run finds only that.
func (r *Report) Refused(at time.Time, reason string) {
	r.Decided.Mode, r.Decided.Reason = policy.Refuse, reason
	r.Answer = fmt.Sprintf("it was refused at %s: %s", at.UTC().Format(time.RFC3339), reason)
}
