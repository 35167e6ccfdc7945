// SPDX-License-Identifier: Apache-2.0

// Package plan says all that will be done for a decision: the new config.json or process, the files beside it, what changes
// owners, the record. It works on data alone; what it rests on is gathered by internal/facts, and internal/apply is what
// carries it out. explain, policy apply and learn print plans.
//
//	plan.go    a plan for a container
//	process.go a plan for a further process
//	give.go    what the image and its volumes keep for root, and whose it becomes
//	mounts.go  the mounts that are added
package plan

import (
	"fmt"
	"path"
	"runtime"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Plan is all that will be done for a decision about a container.
type Plan struct {
	Decision decision.Decision // as it will be recorded
	Config   []byte            // config.json as it was found
	Parts    [][]byte          // the new one, in parts, of which some are Config's own bytes; nil: it stays
	Again    bool              // Config was a rewritten one already

	Passwd, Group []byte // what the container sees as these files; nil: its own
	Label         string // the SELinux label of files that are mounted
	Give          *Give  // what becomes the identity's; nil: nothing
	Watched       *Give  // in mode audit: what would, which is looked at and not changed; nil: nothing
	Reclaim       *Root  // to whom the engine has given the bundle: it is to be taken back, and decided about again; nil: nobody
}

// Root is the root of a container's user namespace, as the caller's ids.
type Root struct{ UID, GID uint32 }

// Input is what a plan for a container rests on.
type Input struct {
	Rule     *policy.Policy // what of the policy holds
	Facts    *policy.Facts
	Decision decision.Decision
	Config   []byte
	Document *spec.Document // Config, read; a plan uses it up
	Again    bool
	Given    *Root

	// What was found once it was decided who the container is. It counts where there is a new config.json only.
	Home    *homedir.Plan
	Give    *Give
	Watched *Give            // in mode audit: what would be given
	Owned   map[int][]string // which of the document's mounts become the identity's, and their options without an owner
	Join    string           // in place of the path of the user namespace that is joined; "": none is
	Sysctls []spec.Sysctl
	Devices *Devices // nil: they stay as they are
	Emulate bool     // changes of owners and groups succeed, and do nothing
	Notes   []string // of the look at the image

	AskedHome string             // HOME as whoever made the document has it; "": it has none
	Written   *decision.Decision // by which the document was rewritten before; nil: it was not
}

// Devices is what of the host's devices the plan for a container's rests on.
type Devices struct {
	RawMajors []int64 // majors of character devices that lead to a disk, a tape or memory
}

// Make plans for a container. In mode audit nothing is done but to record what would be; there, that no config.json could be
// written is the reason why the container would be refused.
func Make(in *Input) (*Plan, error) {
	p := &Plan{Decision: in.Decision, Config: in.Config, Again: in.Again, Reclaim: in.Given}
	if in.Home == nil {
		return p, nil
	}
	p.Label = in.Facts.Container.MountLabel
	err := p.rewrite(in)
	d := &p.Decision
	if d.Mode == decision.Audit {
		if d.Reason == "" && err != nil {
			d.Reason = hint.Line(err)
		}
		if d.Reason == "" {
			p.Watched = in.Watched
		}
		return p, nil
	}
	p.Give = in.Give
	return p, err
}

// Rewritten is the new config.json; nil: it stays.
func (p *Plan) Rewritten() []byte {
	if p.Parts == nil {
		return nil
	}
	return spec.Join(p.Parts)
}

func (p *Plan) rewrite(in *Input) error {
	d, home := &p.Decision, in.Home
	id := *d.Identity
	d.Identity = &id
	d.Name, d.Home, d.Mounted = home.Name, home.Home, home.Mounts != nil
	if in.AskedHome != home.Home {
		d.AskedHome = in.AskedHome
	}
	d.Notes = append(d.Notes, in.Notes...)
	if len(id.Groups) > 0 && !home.Numbers {
		d.Dropped, id.Groups = append(d.Dropped, id.Groups...), nil
		d.Notes = append(d.Notes, "no additional groups: runc before 1.3 looks their numbers up as names in /etc/group, of which no copy can be mounted")
	}
	if !in.Rule.DropBounding {
		var err error
		if d.Bounding, err = in.Document.Bounding(); err != nil {
			return err
		}
	}
	machine, err := spec.MachineOf(runtime.GOARCH)
	//mutants:skip this architecture has a number
	if err != nil && (!in.Rule.AllowUserNamespaces || in.Emulate) {
		return err
	}
	dir := in.Facts.Bundle
	process := spec.ProcessChange{
		UID: id.UID, GID: id.GID, Groups: id.Groups, DropBounding: in.Rule.DropBounding, Home: home.Home, Name: home.Name,
	}
	keepNames(in.Document, &process, in.Written)
	p.Parts, err = in.Document.RewriteParts(spec.Change{
		Process: process,
		Container: &spec.ContainerChange{
			Ours: Ours(dir), Mounts: mounts(dir, home), Owned: in.Owned, Machine: machine,
			AllowUserNamespaces: in.Rule.AllowUserNamespaces, EmulateOwnership: in.Emulate, UserNamespace: in.Join, Sysctls: in.Sysctls, Devices: in.devices(),
		},
	})
	if err != nil {
		return fmt.Errorf("rewrite %q: %w", path.Join(dir, bundle.Config), err)
	}
	p.Passwd, p.Group = home.Passwd, home.Group
	return nil
}

// devices is what becomes of the container's devices. In a user namespace nobody makes nodes, nor rules for them; those that
// are there are the host's, with the host's owners.
func (in *Input) devices() *spec.DeviceChange {
	if in.Devices == nil {
		return nil
	}
	return &spec.DeviceChange{MayOwn: in.Rule.AllowedGIDs.Has, RawMajors: in.Devices.RawMajors}
}
