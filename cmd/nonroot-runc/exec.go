// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// exec starts a further process in a container. Engines always hand over a whole process file, with root's ids and
// capabilities where "exec -u 0" or "--privileged" asked for them; it is rewritten as config.json's process is
// (SECURITY.md D1-D4).
func exec(cmd *runcargs.Command, d *decision) error {
	unfit := preservedFDs(cmd)
	c, err := govern.LookAtCaller()
	if err != nil {
		return err
	}
	c = c.Remember()
	k, err := existing(cmd, c)
	if err != nil {
		return err
	}
	r, config, unsound := k.matching(cmd)
	p, err := execPolicy(cmd, d, c, r)
	if err != nil {
		return err
	}
	d.by(p, c)
	_ = govern.KeepGood(p, c.Owners) // as create does
	d.of(k, config)
	runtime, err := laterRuntime(cmd, k, func() []string { return p.Runtimes }, c)
	if err != nil {
		return err
	}
	p = k.inForce(cmd, p, config)
	d.Rule = p.Rule
	if !r.Enforced() && k.exempt(r, p) {
		d.exempt(r, p)
		d.asks(cmd, c, k, config)
		return d.goOn(cmd, runtime, cmd.Asked())
	}
	if err := errors.Join(unfit, unsound); err != nil {
		return err
	}
	process, err := rewrittenProcess(cmd, d, c, p, k, r, config)
	if err != nil {
		return err
	}
	if cmd.Process, err = sealed("process.json", process, cmd); err != nil {
		return err
	}
	if k.state.Kind == runc.Crun {
		if err := ownNull(c.IsHostRoot()); err != nil {
			return err
		}
	}
	if err := errors.Join(leaveKeyring(), leaveGroups(c)); err != nil {
		return err
	}
	if !r.Enforced() && !p.AllowUserNamespaces {
		if err := denyUserNamespaces(); err != nil {
			return err
		}
	}
	return d.goOn(cmd, runtime, cmd.Argv())
}

// execPolicy is the policy that an exec goes by. Where the file can't be read, and the container was rewritten, that is the last one
// that was good: a typing mistake must not make the health checks of all containers fail.
func execPolicy(cmd *runcargs.Command, d *decision, c govern.Caller, r *record.Record) (*policy.Policy, error) {
	p, broken := loadPolicy(cmd, c)
	if broken == nil || !r.Enforced() {
		return p, broken
	}
	p, err := govern.LastGood(cmd.NonrootConfig, os.Args[0], r.Policy == "", c.Owners)
	if err != nil {
		return nil, broken
	}
	good := "the built-in one"
	if p.File != "" {
		good = strconv.Quote(p.File)
	}
	note := fmt.Sprintf("goes by the last policy that was good, %s: %s", good, plain(broken.Error()))
	logLine(cmd, "warning", fmt.Sprintf("nonroot-runc: container %q: exec %s", cmd.ID, note))
	d.Notes = append(d.Notes, note)
	return p, nil
}

func rewrittenProcess(cmd *runcargs.Command, log *decision, c govern.Caller, p *policy.Policy, k *known, r *record.Record, config []byte) ([]byte, error) {
	doc, err := processDocument(cmd, c, k, config)
	if err != nil {
		return nil, err
	}
	known := &homedir.Accounts{}
	if r.Enforced() {
		known = accounts(k.bundle)
	}
	f := policy.Facts{
		ID: cmd.ID, Exec: true, Own: c.Own, Accounts: known,
		Groups: &host.Groups{File: host.GroupFile, Privileges: p.Privileged},
	}
	if err := govern.ReadProcess(&f, p, doc); err != nil {
		return nil, wrap(err, "read the process")
	}
	log.From = &policy.Identity{UID: f.User.UID, GID: f.User.GID, Groups: f.User.Groups}
	if k.state.Alive() { // else the runtime has a message and an exit status of its own for it
		if f.UserNamespace, err = k.state.UserNamespace(); err != nil {
			return nil, err
		}
	}
	// One that the first process has made for itself is not the container's: no runtime goes there.
	nested := f.UserNamespace != nil && !hasUserNamespace(config)
	if nested {
		f.UserNamespace = nil
	}
	if r.Enforced() {
		f.Created, f.By = r.Identity, r.Source
	} else if nested {
		log.Notes = append(log.Notes, "the first process has made a user namespace of its own, so that it does not say who the container is")
	} else if init, err := k.state.InitCredentials(); err == nil {
		f.Created = p.Running(&f, init)
	}
	q := *p
	if q.Mode != policy.Refuse {
		q.Mode = policy.Rewrite // the container was rewritten, or must not be root for want of a record
	}
	d := q.Decide(&f)
	if d.Mode == policy.Refuse {
		log.decided(&d)
		return nil, errors.New(d.Reason)
	}
	if k.state.Kind == runc.Runc && known.Group == nil && !(r.Enforced() && len(r.Identity.Groups) > 0) {
		// runc before 1.3 looks their numbers up as names in /etc/group, which is the image's there (SECURITY.md A3). A
		// container that was given some, without a copy, has no such file, and can make none.
		d.Dropped, d.Identity.Groups = append(d.Dropped, d.Identity.Groups...), nil
	}
	log.decided(&d)
	change := spec.ProcessChange{
		UID: d.Identity.UID, GID: d.Identity.GID, Groups: d.Identity.Groups, DropBounding: p.DropBounding,
	}
	change.Name, change.Home = nameAndHome(r, known, d.Identity.UID)
	out, err := doc.Rewrite(spec.Change{Process: change})
	log.changedProcess(doc, out)
	return out, wrap(err, "rewrite the process")
}

// hasUserNamespace says that a container has a user namespace of its own, by its config.json; one that can't be read may have.
func hasUserNamespace(config []byte) bool {
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return true
	}
	c, err := doc.Container()
	return err != nil || slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "user" })
}

// processDocument is the process that is asked for: the engine's file, or the container's own process with what the
// command line changes in it.
func processDocument(cmd *runcargs.Command, c govern.Caller, k *known, config []byte) (*spec.Document, error) {
	if cmd.Process != "" {
		data, err := bundle.ReadFile(cmd.Process, c.Owners)
		if err != nil {
			return nil, wrap(err, "read the process file")
		}
		doc, err := spec.ParseProcess(data)
		return doc, wrap(err, "read the process file %q", cmd.Process)
	}
	container, err := spec.ParseConfig(config)
	if err != nil {
		return nil, wrap(err, "read %q", k.bundle.Join(bundle.Config))
	}
	doc, err := container.Process()
	if err != nil {
		return nil, err
	}
	flags, err := execFlags(cmd.Exec, doc)
	if err != nil {
		return nil, err
	}
	return doc, doc.Apply(flags)
}

func execFlags(f *runcargs.ExecFlags, doc *spec.Document) (spec.Flags, error) {
	flags := spec.Flags{
		Args: f.Args, Env: f.Env, Cwd: f.Cwd, Terminal: f.Tty,
		Apparmor: f.Apparmor, ProcessLabel: f.ProcessLabel,
	}
	if f.User == "" && len(f.AdditionalGids) == 0 {
		return flags, nil
	}
	user, err := doc.User()
	if err != nil {
		return flags, err
	}
	if f.User != "" {
		uid, gid, err := runcargs.ParseUser(f.User)
		if err != nil {
			return flags, err
		}
		user.UID = uid
		if gid != nil {
			user.GID = *gid
		}
	}
	user.Groups = append(user.Groups, f.AdditionalGids...)
	flags.User = &user
	return flags, nil
}

// accounts are the names that the container sees, from the copies in its bundle: its own file system is in use, and
// hostile by now.
func accounts(dir *bundle.Dir) *homedir.Accounts {
	// A container without them got none; its record's notes say why.
	passwd, _ := dir.Read(record.Passwd)
	group, _ := dir.Read(record.Group)
	return &homedir.Accounts{Passwd: passwd, Group: group}
}

// nameAndHome agree with what the container's passwd says.
func nameAndHome(r *record.Record, known *homedir.Accounts, uid uint32) (name, home string) {
	if r.Enforced() && r.Identity.UID == uid {
		return r.Name, r.Home
	}
	if u, ok := known.UserByID(uid); ok && u.Name != "" {
		return u.Name, u.Home
	}
	return "", "/"
}
