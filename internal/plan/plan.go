// SPDX-License-Identifier: Apache-2.0

// Package plan makes plans of decisions: the new config.json or process, the files beside it, changes of owners, the
// record. It works on data alone; internal/facts gathers what it rests on, internal/apply carries it out, and
// explain, policy apply and learn print it.
//
//	plan.go    a plan for a container
//	process.go a plan for a further process
//	give.go    what belongs to root in the image and its volumes, and who comes to own it
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

// Plan is everything that will be done for a decision about a container.
type Plan struct {
	Decision decision.Decision // as it will be recorded
	Config   []byte            // config.json as it was found
	Parts    [][]byte          // the new config.json, in parts, some of which are slices of Config; nil: it is unchanged
	Again    bool              // Config had been rewritten before

	Passwd, Group []byte // what the container sees as these files; nil: its own
	Label         string // the SELinux label of files that are mounted
	Give          *Give  // what changes owner; nil: nothing
	Watched       *Give  // in mode audit: what would change owner; nil: nothing
	Reclaim       *Root  // who the engine has given the bundle to: it has to be taken back, and decided about again; nil: nobody
}

// Root is the root of a container's user namespace, in the caller's ids.
type Root struct{ UID, GID uint32 }

// Input is what a plan for a container rests on.
type Input struct {
	Rule     *policy.Policy // the part of the policy that holds
	Facts    *policy.Facts
	Decision decision.Decision
	Config   []byte
	Document *spec.Document // Config, parsed; a plan uses it up
	Again    bool
	Given    *Root

	// Found once it was decided who the container is. It counts only if there is a new config.json.
	Home    *homedir.Plan
	Give    *Give
	Watched *Give            // in mode audit: what would change owner
	Owned   map[int][]string // which of the document's mounts come to belong to the identity, and their options less the owner
	Join    string           // replaces the path of the user namespace that is joined; "": none is
	Sysctls []spec.Sysctl
	Devices *Devices // nil: they stay unchanged
	Emulate bool     // changes of owners and groups succeed, and do nothing
	Notes   []string // from looking at the image

	AskedHome string             // HOME as the document's author set it; "": not set
	Written   *decision.Decision // the decision that the document was rewritten by before; nil: it was not
}

// Devices is what a plan needs to know of the host's devices.
type Devices struct {
	RawMajors []int64 // majors of character devices that give access to a disk, a tape or memory
}

// Make makes the plan for a container. In mode audit nothing is done except to record what would be; if no
// config.json could be written, that is the reason why the container would be refused.
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

// Rewritten is the new config.json; nil: it is unchanged.
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

// devices is what becomes of the container's devices. In a user namespace nodes can't be created, and rules for them
// don't apply; those that are there are the host's, with the host's owners.
func (in *Input) devices() *spec.DeviceChange {
	if in.Devices == nil {
		return nil
	}
	return &spec.DeviceChange{MayOwn: in.Rule.AllowedGIDs.Has, RawMajors: in.Devices.RawMajors}
}
