// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// create makes a container that is not root's: create and run; and restore, which is refused unless the policy trusts
// checkpoints: a restored process has the credentials that CRIU's image files hold, whatever config.json says
// (SECURITY.md D9).
func create(cmd *runcargs.Command) error {
	unfit := preservedFDs(cmd)
	c, err := lookAtCaller()
	if err != nil {
		return err
	}
	p, err := loadPolicy(cmd, c)
	if err != nil {
		return err
	}
	if cmd.Verb == runcargs.VerbRestore && !p.Restore && !p.Mode.Exempts() {
		return fail("restore brings back a process with the credentials of its checkpoint, which may be root's", "start the container anew, or set restore = \"allow\" in "+policyHint)
	}
	runtime, err := nextRuntime(cmd, p.Runtimes, c)
	if err != nil {
		return err
	}
	dir, err := bundle.Open(cmd.Bundle, c.owners)
	if err != nil {
		return err
	}
	cmd.Bundle = dir.Path
	p = p.For(dir.Path)
	if err = unfit; err == nil {
		err = govern(cmd, c, p, dir, runtime)
	}
	if err != nil && !lenient(cmd, p, err) {
		return err
	}
	return become(runtime, cmd.Argv())
}

// lenient says that a container goes on in spite of what was found, as the policy exempts all of them or only watches.
func lenient(cmd *runcargs.Command, p *policy.Policy, err error) bool {
	if p.Mode == policy.Audit {
		logLine(cmd, "warning", fmt.Sprintf("nonroot-runc: audit: container %q would be refused: %s", cmd.ID, plain(err.Error())))
	}
	return p.Mode.Exempts()
}

// govern decides about the bundle and carries the decision out, all but the last step.
func govern(cmd *runcargs.Command, c caller, p *policy.Policy, dir *bundle.Dir, runtime string) error {
	config, err := readConfig(dir)
	if err != nil {
		return err
	}
	r := &record.Record{ID: cmd.ID, Time: time.Now().UTC(), Policy: p.File, Runtime: runtime}
	if p.Mode == policy.Off {
		r.Mode, r.Rule, r.Reason = policy.Off, p.Rule, p.Reason
		return seal(dir, r, config)
	}
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return wrap(err, "read %q", dir.Join(bundle.Config))
	}
	f, err := facts(cmd, c, p, doc, dir)
	if err != nil {
		return err
	}
	defer f.image.Close() //nolint:errcheck // nothing was written
	if old, err := record.Read(dir); err == nil && old.Matches(cmd.ID, config) && old.Enforced() {
		f.User = spec.User(old.Asked) // this config.json is a rewritten one: what counts is what was asked for before
	}
	d := p.Decide(&f.Facts)
	r.Mode, r.Rule, r.Reason, r.Source, r.Dropped = d.Mode, d.Rule, d.Reason, d.Source, d.Dropped
	r.Asked = policy.Identity{UID: f.User.UID, GID: f.User.GID, Groups: f.User.Groups}
	if d.Mode == policy.Refuse {
		return errors.New(d.Reason)
	}
	r.Identity = &d.Identity
	plan, rewritten, err := rewrite(p, dir, f, r, doc)
	if d.Mode == policy.Audit {
		audit(cmd, r, err)
		return seal(dir, r, config)
	}
	if err != nil {
		return err
	}
	// config.json is last: until then the old one stands, and no record matches it.
	if err := names(dir, plan, f.Container.MountLabel); err != nil {
		return err
	}
	if err := seal(dir, r, rewritten); err != nil {
		return err
	}
	dir.Sweep()
	return dir.Replace(bundle.Config, rewritten, 0o600, "")
}

func readConfig(dir *bundle.Dir) ([]byte, error) {
	unguarded := dir.Guarded()
	if unguarded != nil && reclaim(dir) == nil {
		unguarded = dir.Guarded()
	}
	if unguarded != nil {
		return nil, wrap(unguarded, "trust the bundle %q", dir.Path)
	}
	config, err := dir.Read(bundle.Config)
	return config, wrap(err, "read the bundle %q", dir.Path)
}

// reclaim takes the bundle back from the root of the container's user namespace, to whom Podman has given it.
func reclaim(dir *bundle.Dir) error {
	config, err := dir.Read(bundle.Config)
	if err != nil {
		return err
	}
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return err
	}
	c, err := doc.Container()
	if err != nil {
		return err
	}
	uid, isMapped := policy.FromSpec(c.UIDMap).Outside(0)
	gid, isGroupMapped := policy.FromSpec(c.GIDMap).Outside(0)
	if !isMapped || !isGroupMapped {
		return fail("the container has no root of its own", "leave the bundle to root")
	}
	return dir.TakeBack(uid, gid)
}

// audit says what would become of a container that stays as it is.
func audit(cmd *runcargs.Command, r *record.Record, err error) {
	if r.Reason == "" && err != nil {
		r.Reason = err.Error()
	}
	would := ""
	switch {
	case r.Reason != "":
		would = "be refused: " + plain(r.Reason)
	case r.Identity.UID != r.Asked.UID || r.Identity.GID != r.Asked.GID:
		would = fmt.Sprintf("run as %d:%d instead of %d:%d", r.Identity.UID, r.Identity.GID, r.Asked.UID, r.Asked.GID)
	default:
		return
	}
	logLine(cmd, "warning", fmt.Sprintf("nonroot-runc: audit: container %q would %s", cmd.ID, would))
}

// seal writes the record of a config.json with these bytes.
func seal(dir *bundle.Dir, r *record.Record, config []byte) error {
	r.Config = record.Digest(config)
	return record.Write(dir, r)
}

// rewrite plans home and name and makes the new config.json. It writes nothing.
func rewrite(p *policy.Policy, dir *bundle.Dir, f *containerFacts, r *record.Record, doc *spec.Document) (*homedir.Plan, []byte, error) {
	if r.Reason != "" { // an audited container that would be refused
		return nil, nil, nil
	}
	plan, err := f.image.Plan(homedir.Wish{
		UID: r.Identity.UID, GID: r.Identity.GID, OwnerUID: f.ownerUID(r.Identity.UID),
		Name: p.Name, Kept: r.Source == policy.Kept, EnvHome: f.home,
		Mode: p.HomeMode, Path: p.HomePath, Size: p.HomeSize,
	})
	if err != nil {
		return nil, nil, err
	}
	r.Name, r.Home, r.Mounted, r.Notes = plan.Name, plan.Home, plan.Mounts != nil, plan.Notes
	if !p.DropBounding {
		if r.Bounding, err = doc.Bounding(); err != nil {
			return nil, nil, err
		}
	}
	machine, err := spec.MachineOf(goruntime.GOARCH)
	if err != nil && !p.AllowUserNamespaces {
		return nil, nil, err
	}
	config, err := doc.Rewrite(spec.Change{
		Process: spec.ProcessChange{
			UID: r.Identity.UID, GID: r.Identity.GID, Groups: r.Identity.Groups,
			DropBounding: p.DropBounding, Home: plan.Home, Name: plan.Name,
		},
		Container: &spec.ContainerChange{
			Ours: ours(dir), Mounts: mounts(dir, plan), Machine: machine,
			AllowUserNamespaces: p.AllowUserNamespaces, UserNamespace: f.join,
		},
	})
	return plan, config, wrap(err, "rewrite %q", dir.Join(bundle.Config))
}

// names puts the copies of passwd and group into the bundle.
func names(dir *bundle.Dir, plan *homedir.Plan, label string) error {
	for _, file := range []struct {
		name string
		data []byte
	}{{record.Passwd, plan.Passwd}, {record.Group, plan.Group}} {
		var err error
		if file.data == nil {
			err = dir.Remove(file.name)
		} else {
			err = dir.Replace(file.name, file.data, 0o644, label)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mounts are those that are added: the names, read-only, and the home.
func mounts(dir *bundle.Dir, plan *homedir.Plan) []spec.Mount {
	var all []spec.Mount
	bind := func(data []byte, file, destination string) {
		if data != nil {
			all = append(all, spec.Mount{
				Destination: destination, Type: "bind", Source: dir.Join(file),
				Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
			})
		}
	}
	bind(plan.Passwd, record.Passwd, "/etc/passwd")
	bind(plan.Group, record.Group, "/etc/group")
	for _, m := range plan.Mounts {
		all = append(all, spec.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
	}
	return all
}

// ours recognizes the mounts of an earlier rewrite of this bundle.
func ours(dir *bundle.Dir) func(spec.Mount) bool {
	return func(m spec.Mount) bool {
		return m.Source == dir.Join(record.Passwd) || m.Source == dir.Join(record.Group) || homedir.Ours(homeMount(m))
	}
}

func homeMount(m spec.Mount) homedir.Mount {
	return homedir.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options}
}

// containerFacts are the facts of a decision with what else the rewrite needs.
type containerFacts struct {
	policy.Facts
	image *homedir.Image
	home  string // HOME of the environment
	join  string // the path by which the runtime finds the user namespace that was looked at; "": none is joined
}

// facts gathers what the decision rests on. It reads the image's passwd only if it's asked for.
func facts(cmd *runcargs.Command, c caller, p *policy.Policy, doc *spec.Document, dir *bundle.Dir) (*containerFacts, error) {
	f := &containerFacts{Facts: policy.Facts{
		ID: cmd.ID, Own: c.own,
		Groups: &host.Groups{File: host.GroupFile, Privileges: p.Privileged},
	}}
	err := readFacts(&f.Facts, p, doc)
	if err == nil {
		f.home, err = doc.Variable("HOME")
	}
	if err != nil {
		return nil, wrap(err, "read %q", dir.Join(bundle.Config))
	}
	if f.Container, err = doc.Container(); err != nil {
		return nil, wrap(err, "read %q", dir.Join(bundle.Config))
	}
	if f.UserNamespace, f.join, err = userNamespace(cmd, f.Container); err != nil {
		return nil, err
	}
	isOurs := ours(dir)
	var theirs []homedir.Mount
	for _, m := range f.Container.Mounts {
		if !isOurs(m) {
			theirs = append(theirs, homeMount(m))
		}
	}
	f.image, err = homedir.Open(dir.Path, f.Container.Rootfs, f.Container.Readonly || p.Stubless, theirs)
	f.Accounts = f.image
	return f, err
}

// readFacts reads what a process says of itself.
func readFacts(f *policy.Facts, p *policy.Policy, doc *spec.Document) error {
	var err error
	if f.User, err = doc.User(); err != nil {
		return err
	}
	if p.Variable { // a long environment is not taken apart for nothing
		if f.Env, err = doc.Env(); err != nil {
			return err
		}
	}
	f.Cwd, err = doc.Cwd()
	return err
}

// ownerUID is the container's uid as the files of its rootfs have it, in the caller's view.
func (f *containerFacts) ownerUID(uid uint32) uint32 {
	if f.UserNamespace != nil {
		uid, _ = f.UserNamespace.UID.Outside(uid) // mapped: the decision rests on it
	}
	return uid
}
