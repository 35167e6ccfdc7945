// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// rewrite plans home and name and makes the new config.json. It writes nothing.
func (c *Call) rewrite(p *policy.Policy, f *containerFacts, d *policy.Decision, r *record.Record, doc *spec.Document) (*homedir.Plan, []byte, error) {
	dir := c.Bundle
	if r.Reason != "" { // an audited container that would be refused
		return nil, nil, nil
	}
	wish := homedir.Wish{
		UID: r.Identity.UID, GID: r.Identity.GID, OwnerUID: f.ownerUID(r.Identity.UID),
		Name: p.Name, Kept: r.Source == policy.Kept || r.Source == policy.Image, EnvHome: f.home,
		Mode: p.HomeMode, Path: p.HomePath, Size: p.HomeSize,
	}
	if r.Source == policy.Image {
		wish.EnvHome = "" // it is root's
	}
	if d.Name != "" { // a person's, which may be a volume that is mounted there
		wish.Name, wish.Kept, wish.EnvHome = d.Name, true, d.Home
		if wish.Path == "" {
			wish.Path = d.Home
		}
	}
	plan, err := f.image.Plan(wish)
	if err != nil {
		return nil, nil, err
	}
	plan.Notes = append(plan.Notes, f.unspread(plan)...)
	r.Name, r.Home, r.Mounted, r.Notes = plan.Name, plan.Home, plan.Mounts != nil, append(r.Notes, plan.Notes...)
	if len(r.Identity.Groups) > 0 && !plan.Numbers {
		r.Dropped, r.Identity.Groups = append(r.Dropped, r.Identity.Groups...), nil
		r.Notes = append(r.Notes, "no additional groups: runc before 1.3 looks their numbers up as names in /etc/group, of which no copy can be mounted")
	}
	if !p.DropBounding {
		if r.Bounding, err = doc.Bounding(); err != nil {
			return nil, nil, err
		}
	}
	machine, err := spec.MachineOf(runtime.GOARCH)
	if err != nil && !p.AllowUserNamespaces {
		return nil, nil, err
	}
	config, err := doc.Rewrite(spec.Change{
		Process: spec.ProcessChange{
			UID: r.Identity.UID, GID: r.Identity.GID, Groups: r.Identity.Groups,
			DropBounding: p.DropBounding, Home: plan.Home, Name: plan.Name,
		},
		Container: &spec.ContainerChange{
			Ours: Ours(dir), Mounts: mounts(dir, plan), Owned: f.ownsTmpfs(p, d), Machine: machine,
			AllowUserNamespaces: p.AllowUserNamespaces, UserNamespace: f.join, Sysctls: c.sysctls(p, f), Devices: c.devices(p),
		},
	})
	if err != nil {
		return plan, nil, fmt.Errorf("rewrite %q: %w", dir.Join(bundle.Config), err)
	}
	return plan, config, nil
}

// devices is what becomes of the container's devices. In a user namespace nobody makes nodes, nor rules for them; those that
// are there are the host's, with the host's owners.
func (c *Call) devices(p *policy.Policy) *spec.DeviceChange {
	if !c.Caller.IsHostRoot() {
		return nil
	}
	return &spec.DeviceChange{MayOwn: p.AllowedGIDs.Has, RawMajors: sync.OnceValue(host.RawMajors)}
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

// Ours recognizes the mounts of an earlier rewrite of this bundle.
func Ours(dir *bundle.Dir) func(spec.Mount) bool {
	return func(m spec.Mount) bool {
		return m.Source == dir.Join(record.Passwd) || m.Source == dir.Join(record.Group) || homedir.Ours(homeMount(m))
	}
}

func homeMount(m spec.Mount) homedir.Mount {
	return homedir.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options}
}
