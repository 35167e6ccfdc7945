// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// policies checks that the current policy and every profile can be read. It returns the former; nil if it can't be
// read.
func (d *doctor) policies() *policy.Policy {
	p, err := facts.Policy(d.o.Policy, d.binary, d.caller.Owners)
	switch {
	case err != nil:
		d.broken("policy", "fix the file; until then no container starts", err, d.meanwhile(d.o.Policy, d.binary))
	case p.File == "":
		d.ok("policy", "%q does not exist: the built-in one enforces, mode %s", policy.DefaultFile, p.Mode)
	case p.Mode == policy.Off:
		d.bad(Warn, "policy", "set mode = \"rewrite\" to enforce", "%q has the mode off: NO container is rewritten (%q)", p.File, p.Reason)
	case p.Mode == policy.Audit:
		d.bad(d.audited(p, Warn), "policy", "set mode = \"rewrite\" to enforce", "%q has the mode audit: containers are not changed, and the log says what would be", p.File)
	default:
		d.ok("policy", "%q is read, mode %s", p.File, p.Mode)
	}
	if err == nil {
		d.exemptions("policy", p)
		d.sources("policy", p)
		d.groupRoot("policy", p)
	}
	profiles, _ := filepath.Glob(filepath.Join(filepath.Dir(policy.DefaultFile), "*.toml")) // the pattern is well formed
	for _, file := range profiles {
		if err == nil && file == p.File || file == policy.DefaultFile && d.o.Policy == "" {
			continue // checked above
		}
		binary := "nonroot-runc." + strings.TrimSuffix(filepath.Base(file), ".toml") // a name with which it inherits the log
		name := fmt.Sprintf("profile %q", strings.TrimPrefix(binary, "nonroot-runc."))
		other, err := facts.Policy("", binary, d.caller.Owners)
		if err != nil {
			d.broken(name, "fix the file; until then no container of this profile starts", err, d.meanwhile("", binary))
			continue
		}
		if other.Mode.Exempts() {
			d.bad(decided(other), name, "set mode = \"rewrite\" to enforce", "%q has the mode %s: containers are not changed", file, modeOf(other))
		} else {
			d.ok(name, "%q is read, mode %s", file, other.Mode)
		}
		d.exemptions(name, other)
		d.sources(name, other)
		d.groupRoot(name, other)
		if exempts(other) && !other.Log.Anywhere() {
			d.bad(Warn, name+": log", "add [log] to it, with file = \"/var/log/nonroot-runc.log\"", "%q exempts containers and logs nothing: nothing records who used it, and nonroot-ctl report can't show it", file)
		}
		d.profiles = append(d.profiles, profile{name, other})
	}
	return p
}

// broken reports a policy that can't be read, and the consequences until it is fixed.
func (d *doctor) broken(name, advice string, err error, meanwhile string) {
	finding, own := hint.Split(err.Error())
	d.bad(Fail, name, cmp.Or(own, advice), "%s; %s", finding, meanwhile)
}

// meanwhile says which policy an exec into a rewritten container uses while the file can't be read.
func (d *doctor) meanwhile(named, binary string) string {
	p, err := facts.LastGood(named, binary, false, d.caller.Owners)
	if err == nil {
		var st os.FileInfo
		if st, err = os.Stat(p.File); err == nil {
			return fmt.Sprintf("exec into containers that were rewritten uses the last good copy, %q, of %s", p.File, st.ModTime().UTC().Format(time.RFC3339))
		}
	}
	why, _ := hint.Split(err.Error())
	return "exec into containers is refused, too: " + why
}

// profile is a policy besides the current one, with its name in checks.
type profile struct {
	name   string
	policy *policy.Policy
}

// exempts reports whether a policy leaves some containers unchanged, as a whole or by a rule that has not expired.
func exempts(p *policy.Policy) bool {
	return p.Mode.Exempts() || slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Policy.Mode.Exempts() && r.Holds(time.Now()) })
}

// exemptions reports rules that leave containers unchanged.
func (d *doctor) exemptions(of string, p *policy.Policy) {
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.Policy.Mode.Exempts() || !r.Holds(time.Now()) {
			continue
		}
		until, hint := "", "set until in it, and check that it is still needed"
		if !r.Until.IsZero() {
			until, hint = ", until "+r.LastDay(), "check that it is still needed"
		}
		d.bad(decided(r.Policy), fmt.Sprintf("%s: rule %q", of, r.Name), hint, "OPEN: its containers are not changed: mode %s (%q)%s", r.Policy.Mode, r.Policy.Reason, until)
	}
}

// sources reports a policy with its own list of sources that lacks those added later, by which containers that share
// files or processes get the same user. Leaving them out is the administrator's choice, so this is only a note.
func (d *doctor) sources(of string, p *policy.Policy) {
	if !slices.Contains(p.Sources, policy.Image) {
		return // leaving that out is deliberate
	}
	var without []string
	for _, s := range []policy.Source{policy.Joined, policy.Volume, policy.Prepared} {
		if !slices.Contains(p.Sources, s) {
			without = append(without, string(s))
		}
	}
	if len(without) > 0 {
		d.ok(of+": identity.sources", "it has its own list, without %q: containers that ask for root and share a volume or processes may be several users", without)
	}
}

// groupRoot checks the members of group root: a policy that its group may write is only root's if that group has no
// other members. The reader (internal/trusted) treats group 0 as root.
func (d *doctor) groupRoot(of string, p *policy.Policy) {
	if p.File == "" {
		return
	}
	var by []string
	for _, path := range []string{p.File, filepath.Dir(p.File)} {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Gid == 0 && st.Mode&0o020 != 0 {
			by = append(by, path)
		}
	}
	if len(by) == 0 {
		return
	}
	a, err := readAccounts()
	if err != nil {
		d.bad(Warn, of+": who can write it", "chmod g-w it", "group root may write %q, and the host's accounts can't be read: %v", by, err)
		return
	}
	if members := a.rootGroup(); len(members) > 0 {
		d.bad(Warn, of+": who can write it", fmt.Sprintf("chmod g-w %s", strings.Join(by, " ")), "OPEN: group root may write %q, and %q are in it", by, members)
	}
}

// rootGroup lists the users other than root in group 0, by its own line or by theirs.
func (a *accounts) rootGroup() []string {
	var members []string
	for _, g := range a.groups {
		if g.Gid == 0 {
			members = append(members, g.List...)
		}
	}
	for _, u := range a.users {
		if u.Gid == 0 && u.Uid != 0 {
			members = append(members, u.Name)
		}
	}
	isRoot := func(name string) bool {
		return name == "" || slices.ContainsFunc(a.users, func(u user.User) bool { return u.Name == name && u.Uid == 0 })
	}
	members = slices.DeleteFunc(members, isRoot)
	slices.Sort(members)
	return slices.Compact(members)
}

// runtime checks that there is a next runtime, that it is not nonroot-runc again, and that it answers.
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

// The files of the host's accounts.
const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
	subuidFile = "/etc/subuid"
	subgidFile = "/etc/subgid"
)

// ids checks that no user of the host has the uid and gid that containers get, by the general part of the policy and by
// its rules (SECURITY.md C3).
func (d *doctor) ids(p *policy.Policy) {
	a, err := readAccounts()
	if err != nil {
		d.bad(Warn, "fixed identity", "check yourself who has these ids", "the host's accounts can't be read: %v", err)
		return
	}
	d.identities("", a, p)
	for _, other := range d.profiles {
		d.identities(other.name+": ", a, other.policy)
	}
}

// identities checks those of a policy's general part and of its rules.
func (d *doctor) identities(of string, a *accounts, p *policy.Policy) {
	if !p.Mode.Exempts() || of == "" {
		d.alone(of, "", a, p)
	}
	for i := range p.Rules {
		if r := p.Rules[i].Policy; !r.Mode.Exempts() && (r.UID != p.UID || r.GID != p.GID || r.Range != p.Range) {
			d.alone(of, fmt.Sprintf(": rule %q", p.Rules[i].Name), a, r)
		}
	}
}

// alone checks that no user has a policy's fixed identity, or an id of its range: containers would be that user.
func (d *doctor) alone(of, rule string, a *accounts, p *policy.Policy) {
	if p.Range.First != 0 {
		name := of + "identity.range" + rule
		if taken := a.within(int64(p.Range.First), int64(p.Range.Last)); len(taken) > 0 {
			more := ""
			if len(taken) > maxTaken {
				more = fmt.Sprintf("; and %d more", len(taken)-maxTaken)
			}
			d.bad(Warn, name, "choose a range that no account and no line of "+subuidFile+" and "+subgidFile+" has, such as \"200000-265535\"",
				"%d-%d is not the containers' alone: %s%s", p.Range.First, p.Range.Last, strings.Join(taken[:min(len(taken), maxTaken)], "; "), more)
		} else {
			d.ok(name, "no account on the host has an id from %d to %d: not in %s, %s, %s, %s", p.Range.First, p.Range.Last, passwdFile, groupFile, subuidFile, subgidFile)
		}
		return
	}
	name := of + "fixed identity" + rule
	if taken := a.taken(int64(p.UID), int64(p.GID)); len(taken) > 0 {
		d.bad(Warn, name, "set identity.uid and identity.gid in the policy to ids that no account has", "%d:%d is not the containers' alone: %s", p.UID, p.GID, strings.Join(taken, "; "))
		return
	}
	d.ok(name, "no account on the host has uid %d or gid %d: not in %s, %s, %s, %s", p.UID, p.GID, passwdFile, groupFile, subuidFile, subgidFile)
}

// maxTaken limits how many users of a range's ids are named.
const maxTaken = 5

// within names the users with an id from first to last.
func (a *accounts) within(first, last int64) []string {
	var by []string
	for _, u := range a.users {
		if id := int64(u.Uid); first <= id && id <= last {
			by = append(by, fmt.Sprintf("uid %d is the user %q", id, u.Name))
		}
	}
	for _, g := range a.groups {
		if id := int64(g.Gid); first <= id && id <= last {
			by = append(by, fmt.Sprintf("gid %d is the group %q", id, g.Name))
		}
	}
	for _, s := range []struct {
		what string
		all  []user.SubID
	}{{"uid", a.subuid}, {"gid", a.subgid}} {
		for _, r := range s.all {
			if r.Count > 0 && r.SubID <= last && first <= r.SubID+r.Count-1 {
				by = append(by, fmt.Sprintf("%d-%d are sub%ss of %q", max(first, r.SubID), min(last, r.SubID+r.Count-1), s.what, r.Name))
			}
		}
	}
	return by
}

// accounts are the accounts of the host.
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

// taken names the other users of a uid and a gid.
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
