// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// ForPlan gathers the input of the plan for a decision. If nothing is to be rewritten, it reads nothing more.
func (g *Gathered) ForPlan(d decision.Decision) (*plan.Input, error) {
	in := &plan.Input{
		Rule: g.rule, Facts: &g.Facts, Decision: d, Config: g.Config, Document: g.doc, Again: g.again, Given: g.Given, Join: g.join,
	}
	if d.Mode == decision.Off || d.Refused() || d.Reason != "" || g.doc == nil { // a reason: an audited container would be refused
		return in, nil
	}
	in.Owned = g.ownedTmpfs(&d)
	give := g.give(&d, in.Owned) // it determines where the home is, in mode audit, too
	if d.Mode == decision.Audit {
		in.Watched = give
	}
	if d.Mode == decision.Rewrite {
		in.Give = give
	}
	options := g.homeOptions(&d)
	options.Meant = g.meant(&d, give, in.Owned)
	home, err := homedir.PlanFor(g.image, options)
	if err != nil {
		return in, err
	}
	// In mode audit this warns in advance: the same obstacles will remain.
	if hint := g.hint(&d, give, in.Owned, home); hint != "" {
		in.Notes = append(in.Notes, hint)
	}
	home.Notes = append(home.Notes, g.isolateNames(home)...)
	in.Home, in.Notes, in.AskedHome, in.Written = home, append(in.Notes, home.Notes...), options.Meant.Env, g.written
	in.Sysctls, in.Emulate = g.sysctls(), g.emulates(&d)
	if g.call.Caller.IsHostRoot() {
		in.Devices = &plan.Devices{RawMajors: host.RawMajors()}
	}
	if d.StandsIn() {
		in.Notes = append(in.Notes, g.closedBinds(&d, give)...)
	}
	in.Notes = append(in.Notes, g.obstacles(&d, give, home)...)
	if d.Mode == decision.Rewrite {
		in.Notes = append(in.Notes, g.scarceMemory(home.Mounts)...)
	}
	in.Notes = append(in.Notes, g.takenCapabilities()...)
	return in, nil
}

// emulates reports whether changes of owners and groups are to succeed without effect: for a container that asked for
// root, where they used to succeed. With supplementary groups they may have an effect (chown(2), on a file's group). A
// build has to fail where owners would be wrong.
func (g *Gathered) emulates(d *decision.Decision) bool {
	return g.rule.Adapt.EmulateOwnership && d.StandsIn() && d.Asked.UID == 0 && len(d.Identity.Groups) == 0 &&
		!g.rule.Stubless && !engines.IsBuild(g.ID)
}

// homeOptions returns the decisions that concern the home.
func (g *Gathered) homeOptions(d *decision.Decision) homedir.Options {
	p := g.rule
	o := homedir.Options{
		UID: d.Identity.UID, GID: d.Identity.GID, OwnerUID: g.owners().Outside(d.Identity.UID),
		Name: p.Name, Kept: d.Source == policy.Kept || d.Source == policy.Image, EnvHome: g.home,
		Mode: p.HomeMode, Path: p.HomePath, Size: p.HomeSize,
	}
	if d.Source == policy.Image {
		o.EnvHome = "" // it is root's
	}
	if d.Person != "" { // the person's home may be a volume mounted there
		o.Name, o.Kept, o.EnvHome = d.Person, true, d.PersonHome
		if o.Path == "" {
			o.Path = d.PersonHome
		}
	}
	return o
}

// hint says why the container's program is likely to fail as the identity; "" if no reason is known, or if the runtime
// reports it.
func (g *Gathered) hint(d *decision.Decision, give *plan.Give, owned map[int][]string, home *homedir.Plan) string {
	command, ok := g.command()
	switch {
	case !ok:
		return ""
	case !d.StandsIn():
		return command.HintForUser(g.image.View)
	}
	command.Chowns = !g.emulates(d)
	if d.Asked.UID == 0 {
		reach := &reach{Gathered: g, d: d, give: give, owned: owned, home: home}
		command.Closed, command.Mounted = reach.closed, g.isMounted
	}
	return command.Hint(g.image.View, func(at *rootfs.Entry) bool {
		return give != nil && slices.Contains(give.Programs, at.Path) || g.may(unix.X_OK, &at.Stat, d.Identity)
	})
}

// isMounted reports whether a path, existing or not, is in a mount.
func (g *Gathered) isMounted(p string) bool {
	at, err := g.image.Bounded(maxNamed, nil).Look(path.Clean(p))
	return err == nil && at.Mount != nil
}

// command returns the command that the container starts.
func (g *Gathered) command() (c program.Command, ok bool) {
	args, err := g.doc.Args()
	if err != nil {
		return c, false
	}
	search, err := g.doc.Variable("PATH")
	return program.Command{Args: args, Cwd: g.Cwd, Path: search, Asked: asked(g.doc)}, err == nil
}

// may reports whether the identity has rights (access(2)) to a file of the rootfs.
func (g *Gathered) may(rights uint32, st *unix.Stat_t, id *policy.Identity) bool {
	of := g.owners()
	gids := []uint32{of.OutsideGroup(id.GID)}
	for _, gid := range id.Groups {
		gids = append(gids, of.OutsideGroup(gid))
	}
	return rootfs.May(rights, st, of.Outside(id.UID), gids)
}

// obstacles reports what programs built for root often stumble over and what will remain: a working directory that the
// identity does not come to own, and the host's ports. They are hints for the log and the record.
func (g *Gathered) obstacles(d *decision.Decision, give *plan.Give, home *homedir.Plan) (notes []string) {
	if !d.StandsIn() {
		return nil
	}
	if note := g.closedWorkdir(d, give, home); note != "" {
		notes = append(notes, note)
	}
	notes = append(notes, g.closedSecrets(d)...)
	if slices.ContainsFunc(g.Container.Namespaces, func(n spec.Namespace) bool { return n.Type == "network" }) {
		return notes
	}
	if text, err := proc.Read(procSys(portStart)); err == nil {
		if first := strings.TrimSpace(string(text)); first != "0" {
			notes = append(notes, fmt.Sprintf("ports below %s stay root's: the network is the host's (sysctl %s)", first, portStart))
		}
	}
	return notes
}

// closedWorkdir reports a working directory in the image that the identity can't write; "" if it can, or if that can't
// be determined.
func (g *Gathered) closedWorkdir(d *decision.Decision, give *plan.Give, home *homedir.Plan) string {
	at, err := g.image.Look(path.Clean("/" + g.Cwd))
	cwd := at.Path
	given := func(dir string) bool { return links.Within(dir, cwd) }
	if give != nil && give.Applications && policy.IsApplication(cwd) {
		return ""
	}
	if err != nil || cwd == "/" || g.Container.Readonly || give != nil && slices.ContainsFunc(give.Paths, given) || home.Mounts != nil && given(home.Home) {
		return ""
	}
	if !at.Exists || at.Mount != nil || g.may(unix.W_OK|unix.X_OK, &at.Stat, d.Identity) {
		return ""
	}
	return fmt.Sprintf("the identity can't write to its working directory %q (%d:%d %04o)", cwd, at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
}
