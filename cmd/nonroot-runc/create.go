// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// create makes a container that is not root's: create and run; and restore, which is refused unless the policy trusts
// checkpoints: a restored process has the credentials that CRIU's image files hold, whatever config.json says
// (SECURITY.md D9).
func create(cmd *runcargs.Command, d *decision) error {
	unfit := preservedFDs(cmd)
	c, err := govern.LookAtCaller()
	if err != nil {
		return err
	}
	c = c.Remember()
	p, err := loadPolicy(cmd, c)
	if err != nil {
		return err
	}
	d.by(p, c)
	if cmd.Verb == runcargs.VerbRestore && !p.Restore && (!p.Mode.Exempts() || len(p.Rules) > 0) {
		return fail("restore brings back a process with the credentials of its checkpoint, which may be root's", "start the container anew, or set restore = \"allow\" in "+policyHint)
	}
	runtime, err := nextRuntime(cmd, p.Runtimes, c)
	if err != nil {
		return err
	}
	dir, err := bundle.Open(cmd.Bundle, c.Owners)
	if err != nil {
		return err
	}
	cmd.Bundle, d.bundle = dir.Path, dir.Path
	call := &govern.Call{
		ID: cmd.ID, Caller: c, Policy: p, Root: root(cmd), Bundle: dir, Runtime: runtime,
		Keep: func(fd int) (int, error) { return inherited(fd, cmd) },
	}
	if err = errors.Join(unfit, listsDevices(cmd, c), lastToWrite(runtime)); err == nil {
		err = carryOut(cmd, d, call)
	}
	if err == nil && !call.InForce().Mode.Exempts() {
		err = leaveGroups(c)
	}
	d.Rule = call.InForce().Rule
	if err != nil && !lenient(cmd, d, call.InForce(), err) {
		return err
	}
	// That no copy can be kept is nothing to fail for: a rootless engine's user has no such place.
	_ = govern.KeepGood(p, c.Owners)
	return d.goOn(cmd, runtime, cmd.Argv())
}

// listsDevices refuses a container without a cgroup, by which alone the kernel lets nobody open a disk whose node is in the image
// (SECURITY.md C1). In a user namespace nobody gets hold of such a node.
func listsDevices(cmd *runcargs.Command, c govern.Caller) error {
	if isHostRoot(c) && cmd.NoCgroups() {
		return fail("without a cgroup (--cgroup-manager=disabled), the host's disks are open to whoever has a node of one in the image", "leave that out (Podman: --cgroups=disabled)")
	}
	return nil
}

// lastToWrite refuses a next runtime that writes config.json once more: nobody could tell it from one that somebody has changed,
// so that no record of the container would count, and what it adds would not be looked at.
func lastToWrite(runtime string) error {
	if runc.Wraps(runtime) {
		return fail(fmt.Sprintf("the next runtime %q writes config.json anew for each container, behind nonroot-runc's back", runtime), runc.WrapperHint)
	}
	return nil
}

// lenient says that a container goes on in spite of what was found, as the policy exempts it or only watches.
func lenient(cmd *runcargs.Command, d *decision, p *policy.Policy, err error) bool {
	d.passedOver(p, err)
	if p.Mode == policy.Audit {
		logLine(cmd, "warning", fmt.Sprintf("nonroot-runc: audit: container %q would be refused: %s", cmd.ID, plain(err.Error())))
	}
	return p.Mode.Exempts()
}

// carryOut decides about the bundle and does what was decided, all but the last step.
func carryOut(cmd *runcargs.Command, d *decision, call *govern.Call) error {
	o, err := call.Decide()
	if err == nil && o.Given != nil && o.Record.Mode == policy.Rewrite {
		if err := call.Bundle.TakeBack(o.Given.UID, o.Given.GID); err != nil {
			return err
		}
		o, err = call.Decide() // what was read before counts for nothing
	}
	for err == nil && o.Record.Mode == policy.Rewrite {
		var all bool
		if all, err = call.Take(o); all || err != nil {
			break
		}
		o, err = call.Decide() // another call was faster: what was taken is not what was decided on
	}
	d.saw(o)
	if err != nil {
		return err
	}
	r, dir := o.Record, call.Bundle
	if r.Mode != policy.Rewrite {
		if r.Mode == policy.Audit {
			audit(cmd, r)
		}
		if o.Given != nil { // a record there would be somebody else's
			return nil
		}
		return seal(dir, r, o.Config)
	}
	if o.Given != nil {
		return fmt.Errorf("the bundle %q was given away again while it was looked at", dir.Path)
	}
	if r.Audited != "" {
		logLine(cmd, "warning", fmt.Sprintf("nonroot-runc: audit: container %q %s", cmd.ID, plain(r.Audited)))
	}
	if o.Adapt != nil && !o.Again {
		r.Notes = append(r.Notes, o.Adapt.CarryOut()...)
		d.Notes = r.Notes
	}
	// config.json is last: until then the old one stands, and no record matches it.
	if err := names(dir, o.Plan, o.MountLabel); err != nil {
		return err
	}
	if !o.Again { // Podman has written config.json anew: the kept one is of an earlier start
		if err := dir.Remove(record.Before); err != nil {
			return err
		}
	}
	if err := seal(dir, r, o.Rewritten); err != nil {
		return err
	}
	dir.Sweep()
	if o.Again {
		return dir.Replace(bundle.Config, o.Rewritten, 0o600, "")
	}
	return dir.ReplaceKeeping(bundle.Config, o.Rewritten, 0o600, record.Before)
}

// audit says what would become of a container that stays as it is.
func audit(cmd *runcargs.Command, r *record.Record) {
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
func seal(dir *bundle.Dir, r *record.Record, config []byte) (err error) {
	if r.Start, err = proc.StartTime("self"); err != nil { // the next runtime is this same process
		return err
	}
	r.Config = record.Digest(config)
	return record.Write(dir, r)
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
