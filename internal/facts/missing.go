// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// missing gathers what a decision has asked for.
func (g *Gathered) missing(m *decision.Missing) error {
	owners := g.call.Caller.Owners
	if m.HostGroups {
		g.HostGroups = HostGroups()
	}
	if m.Accounts {
		g.accounts()
	}
	if m.Intended {
		g.intended()
	}
	if m.Volumes {
		g.volumes()
	}
	if m.Isolated {
		is := isolated(g.Container, g.doc.HasDevices(), owners)
		g.Isolated = &is
	}
	if m.People {
		g.People = People(g.rule, owners)
	}
	if m.Project {
		name := moby.Read(g.ID, g.Container.Rootfs, owners).Project
		g.Project = &name
	}
	if m.DeviceGroups {
		paths, err := g.doc.DevicePaths()
		if err != nil {
			return err
		}
		g.Devices = Devices(paths)
	}
	if m.Lease != nil {
		g.Leases = append(g.Leases, g.foreseen(*m.Lease))
	}
	return nil
}

// Devices looks at the host's device nodes of these paths.
func Devices(paths []string) []policy.Device {
	all := make([]policy.Device, 0, len(paths))
	for _, p := range paths {
		gid, ok := host.DeviceGroup(p)
		all = append(all, policy.Device{Path: p, GID: gid, Known: ok})
	}
	return all
}

// HostGroups reads what gids mean on the host.
func HostGroups() *policy.HostGroups { return host.ReadGroups(host.GroupFile) }
