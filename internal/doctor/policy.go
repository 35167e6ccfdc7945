// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/user"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// policies: the policy in force and every profile can be read. It gives the former; nil: it can't be.
func (d *doctor) policies() *policy.Policy {
	p, err := govern.Policy(d.o.Policy, d.binary, d.caller.Owners)
	switch {
	case err != nil:
		d.bad(Fail, "policy", "mend the file; until then no container starts", "%v", err)
	case p.File == "":
		d.ok("policy", "%q does not exist: the built-in one enforces, mode %s", policy.DefaultFile, p.Mode)
	case p.Mode == policy.Off:
		d.bad(Warn, "policy", "set mode = \"rewrite\" to enforce", "%q has the mode off: NO container is rewritten (%q)", p.File, p.Reason)
	case p.Mode == policy.Audit:
		d.bad(Warn, "policy", "set mode = \"rewrite\" to enforce", "%q has the mode audit: containers stay as they are, and the log says what would change", p.File)
	default:
		d.ok("policy", "%q is read, mode %s", p.File, p.Mode)
	}
	if err == nil {
		d.exemptions(p)
	}
	profiles, _ := filepath.Glob(filepath.Join(filepath.Dir(policy.DefaultFile), "*.toml")) // the pattern is well formed
	for _, file := range profiles {
		if err == nil && file == p.File || file == policy.DefaultFile && d.o.Policy == "" {
			continue // looked at above
		}
		name := fmt.Sprintf("profile %q", strings.TrimSuffix(filepath.Base(file), ".toml"))
		other, err := govern.Policy(file, "", d.caller.Owners)
		if err != nil {
			d.bad(Fail, name, "mend the file; until then no container of this profile starts", "%v", err)
		} else if other.Mode.Exempts() {
			d.bad(Warn, name, "set mode = \"rewrite\" to enforce", "%q has the mode %s: containers stay as they are", file, other.Mode)
		} else {
			d.ok(name, "%q is read, mode %s", file, other.Mode)
		}
	}
	return p
}

// exemptions are rules by which containers stay as they are.
func (d *doctor) exemptions(p *policy.Policy) {
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.Policy.Mode.Exempts() || !r.Holds(time.Now()) {
			continue
		}
		until := ""
		if !r.Until.IsZero() {
			until = ", until " + r.Until.AddDate(0, 0, -1).Format(time.DateOnly)
		}
		d.bad(Warn, fmt.Sprintf("policy: rule %q", r.Name), "give it an until, and see that it is still needed", "OPEN: its containers stay as they are: mode %s (%q)%s", r.Policy.Mode, r.Policy.Reason, until)
	}
}

// runtime: there is a next one, which is not nonroot-runc again, and it answers.
func (d *doctor) runtime(ctx context.Context, p *policy.Policy) {
	const name = "next runtime"
	if d.binary == "" {
		return
	}
	found, err := runc.FindFor(d.binary, p.Runtimes, d.caller.Owners)
	if err != nil {
		d.bad(Fail, name, "install runc or crun, or set runtimes in the policy", "%v", err)
		return
	}
	out, err := ask.Run(ctx, nil, found, "--version")
	if err != nil {
		d.bad(Fail, name, "see why it does not run", "--version: %v", err)
		return
	}
	line, _, _ := strings.Cut(string(out), "\n")
	d.ok(name, "%q: %q", found, line)
}

// The host's accounts.
const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
	subuidFile = "/etc/subuid"
	subgidFile = "/etc/subgid"
)

// ids: nobody on the host has the uid and gid that containers get, by the general part of the policy and by its rules
// (SECURITY.md C3).
func (d *doctor) ids(p *policy.Policy) {
	a, err := readAccounts()
	if err != nil {
		d.bad(Warn, "fixed identity", "look yourself who has the ids", "the host's accounts can't be read: %v", err)
		return
	}
	d.alone("fixed identity", a, p)
	for i := range p.Rules {
		if r := p.Rules[i].Policy; !r.Mode.Exempts() && (r.UID != p.UID || r.GID != p.GID) {
			d.alone(fmt.Sprintf("fixed identity: rule %q", p.Rules[i].Name), a, r)
		}
	}
}

// alone: nobody else has a policy's fixed identity.
func (d *doctor) alone(name string, a *accounts, p *policy.Policy) {
	taken := a.taken(int64(p.UID), int64(p.GID))
	if len(taken) > 0 {
		d.bad(Warn, name, "set identity.uid and identity.gid in the policy to ids that nobody has", "%d:%d is not the containers' alone: %s", p.UID, p.GID, strings.Join(taken, "; "))
		return
	}
	d.ok(name, "nobody on the host has uid %d or gid %d: not in %s, %s, %s, %s", p.UID, p.GID, passwdFile, groupFile, subuidFile, subgidFile)
}

// accounts are the host's.
type accounts struct {
	users          []user.User
	groups         []user.Group
	subuid, subgid []user.SubID
}

func readAccounts() (*accounts, error) {
	a := &accounts{}
	var errs [4]error
	a.users, errs[0] = user.ParsePasswdFile(passwdFile)
	a.groups, errs[1] = user.ParseGroupFile(groupFile)
	a.subuid, errs[2] = user.ParseSubIDFile(subuidFile)
	a.subgid, errs[3] = user.ParseSubIDFile(subgidFile)
	for _, err := range errs {
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return a, nil
}

// taken names who else has a uid and a gid.
func (a *accounts) taken(uid, gid int64) []string {
	var by []string
	for _, u := range a.users {
		if int64(u.Uid) == uid {
			by = append(by, fmt.Sprintf("uid %d is the user %q", uid, u.Name))
		}
	}
	for _, g := range a.groups {
		if int64(g.Gid) == gid {
			by = append(by, fmt.Sprintf("gid %d is the group %q", gid, g.Name))
		}
	}
	for _, s := range []struct {
		what string
		id   int64
		all  []user.SubID
	}{{"uid", uid, a.subuid}, {"gid", gid, a.subgid}} {
		for _, r := range s.all {
			if s.id >= r.SubID && s.id-r.SubID < r.Count {
				by = append(by, fmt.Sprintf("%s %d is among the sub%ss of %q (%d and %d more)", s.what, s.id, s.what, r.Name, r.SubID, r.Count-1))
			}
		}
	}
	return by
}
