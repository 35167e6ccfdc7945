// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// missing gathers the facts that a decision asked for.
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
	if m.Joined {
		n := g.neighbour()
		g.Neighbour = &n
	}
	if m.Volumes {
		g.volumes()
	}
	if m.Prepared {
		who := g.prepares()
		g.Prepares = &who
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
		given, err := g.doc.CharacterDevices(host.RawMajors())
		if err != nil {
			return err
		}
		g.Devices = devices(given)
	}
	if m.Lease != nil {
		g.Leases = append(g.Leases, g.foreseen(*m.Lease))
	}
	return nil
}

// devices looks up the host's device nodes at the same paths.
func devices(given []spec.CharacterDevice) []policy.Device {
	all := make([]policy.Device, 0, len(given))
	for _, d := range given {
		gid, ok := host.DeviceGroup(d.Path)
		all = append(all, policy.Device{Path: d.Path, GID: gid, Known: ok, NodeGID: d.GID, Closed: d.Raw})
	}
	return all
}

// HostGroups reads what gids mean on the host.
func HostGroups() *policy.HostGroups { return host.ReadGroups(host.GroupFile) }
