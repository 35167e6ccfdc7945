// SPDX-License-Identifier: Apache-2.0

// Package plan turns decisions into plans: the new config.json or process, the files beside it, changes of owners, the
// record. It works on data alone; internal/facts gathers its input, internal/apply carries plans out, and explain,
// policy apply and learn print them.
//
//	plan.go    a plan for a container
//	process.go a plan for a further process
//	give.go    what belongs to root in the image and its volumes, and who becomes its owner
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
	Parts    [][]byte          // the new config.json, in parts, some of which are slices of Config; nil: unchanged
	Again    bool              // Config had been rewritten before

	Passwd, Group []byte // what the container sees as these files; nil: its own
	Label         string // the SELinux label of files that are mounted
	Give          *Give  // what changes owner; nil: nothing
	Watched       *Give  // in mode audit: what would change owner; nil: nothing
	Reclaim       *Root  // the owner to whom the engine gave the bundle: take it back, and decide again; nil: none
}

// Root is the root of a container's user namespace, in the caller's ids.
type Root struct{ UID, GID uint32 }

// Input is the input of a plan for a container.
type Input struct {
	Rule     *policy.Policy // the part of the policy that applies
	Facts    *policy.Facts
	Decision decision.Decision
	Config   []byte
	Document *spec.Document // Config, parsed; a plan uses it up
	Again    bool
	Given    *Root

	// Found after the decision about the container's identity. It counts only if there is a new config.json.
	Home    *homedir.Plan
	Give    *Give
	Watched *Give            // in mode audit: what would change owner
	Owned   map[int][]string // the document's mounts that will belong to the identity, by index, and their options without the owner
	Join    string           // replaces the path of the user namespace that is joined; "": none is
	Sysctls []spec.Sysctl
	Devices *Devices // nil: they stay unchanged
	Emulate bool     // changes of owners and groups succeed, and do nothing
	Notes   []string // from examining the image

	AskedHome string             // HOME as the document's author set it; "": not set
	Written   *decision.Decision // the decision that the document was rewritten by before; nil: it was not
}

// Devices is what a plan needs to know about the host's devices.
type Devices struct {
	RawMajors []int64 // majors of character devices that give access to a disk, a tape or memory
}

// Make makes the plan for a container. In mode audit the plan only records what would be done; if no config.json could
// be written, that is the reason why the container would be refused.
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

// Rewritten returns the new config.json; nil if it is unchanged.
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

// devices returns what changes about the container's devices. In a user namespace nodes can't be created, and rules for
// them don't apply; existing nodes are the host's, with the host's owners.
func (in *Input) devices() *spec.DeviceChange {
	if in.Devices == nil {
		return nil
	}
	return &spec.DeviceChange{MayOwn: in.Rule.AllowedGIDs.Has, RawMajors: in.Devices.RawMajors}
}
