// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// supplementary filters the additional groups. Those that mean nothing on the host stay, so that Kubernetes' fsGroup
// and supplementalGroups keep working (SECURITY.md A3), and so do those that own a device of the container.
func (p *Policy) supplementary(f *inquiry, primary uint32) (kept, dropped []uint32) {
	for _, gid := range f.User.Groups {
		switch {
		case gid == primary && gid != 0:
			kept = append(kept, gid) // it is the primary group already: nothing is gained
		case gid != 0 && gid <= MaxID && (p.allows(f, gid) || p.meansNothing(f, gid, f.hostGID(gid)) || p.ownsDevice(f, gid)):
			kept = append(kept, gid)
		default:
			dropped = append(dropped, gid)
		}
	}
	return kept, dropped
}

// meansNothing reports whether a gid means nothing on the host, neither by its number in the container nor by that on the
// host: an idmapped volume may keep the numbers of the disk.
func (p *Policy) meansNothing(f *inquiry, gid, host uint32) bool {
	for _, id := range []uint32{gid, host} {
		if id < firstOrdinary || f.groups().Named(id) || p.privileged(f, id) {
			return false
		}
	}
	return true
}

// ownsDevice reports whether a group is not privileged and owns a device that the engine gives to the container:
// without the group the device is useless (docker run --device /dev/ttyUSB0 --group-add dialout). Such a group could be
// the primary one, too, so nothing is gained by it. A further process keeps the groups that its container has.
func (p *Policy) ownsDevice(f *inquiry, gid uint32) bool {
	if f.Act == Exec {
		return f.Record.Enforced() && slices.Contains(f.Record.Identity.Groups, gid)
	}
	if !p.unprivileged(f, gid, f.hostGID(gid)) {
		return false
	}
	host := gid // as the caller sees the host's nodes
	if f.UserNamespace != nil {
		host, _ = f.UserNamespace.GID.Outside(gid) // it is mapped, or its group on the host would be 0
	}
	return slices.ContainsFunc(f.devices(), func(d Device) bool {
		owner, ok := d.Group()
		// In a user namespace runtimes don't create nodes: they bind-mount the host's, with their owners.
		return !d.Closed && (ok && owner == host || f.UserNamespace == nil && d.NodeGID == gid)
	})
}

// maxNoted limits how many groups get a note of their own.
const maxNoted = 4

// noteDropped notes why a container does not get groups that it asks for, and which line of the policy would allow
// them. It omits root's group, which no policy can allow, and the image user's own groups, which the container's user
// did not ask for: engines add them.
func (p *Policy) noteDropped(f *inquiry, d *Decision) {
	if f.Act == Exec || f.missing.HostGroups || f.missing.DeviceGroups {
		return
	}
	asked := slices.DeleteFunc(slices.Clone(d.Dropped), func(gid uint32) bool { return gid == 0 })
	if len(asked) == 0 {
		return
	}
	user, _ := f.accounts().UserByID(f.User.UID)
	images := f.accounts().Memberships(user.Name)
	asked = slices.DeleteFunc(asked, func(gid uint32) bool { return slices.Contains(images, gid) })
	for i, gid := range asked {
		if i == maxNoted {
			d.Notes = append(d.Notes, fmt.Sprintf("%d more groups are dropped", len(asked)-maxNoted))
			return
		}
		d.Notes = append(d.Notes, p.whyDropped(f, gid))
	}
}

func (p *Policy) whyDropped(f *inquiry, gid uint32) string {
	host, mapped := f.outside(gid, func(m *idmap.Pair) idmap.Map { return m.GID })
	groups := f.groups()
	group := "group " + strconv.FormatUint(uint64(gid), 10)
	for _, id := range []uint32{host, gid} {
		if at := slices.IndexFunc(groups.Groups, func(g HostGroup) bool { return g.GID == id }); at >= 0 && mapped {
			group += " (" + quote.Value(groups.Groups[at].Name) + ")"
			break
		}
	}
	group += " is dropped: "
	why := "its number is one of the system's"
	switch {
	case gid > MaxID:
		return group + fmt.Sprintf("it is above %d", MaxID)
	case !mapped:
		return group + "the user namespace does not map it"
	case groups.Unreadable:
		why = "the host's groups can't be read"
	case !p.unprivileged(f, gid, host):
		why = "it is privileged on the host"
	case groups.Named(gid) || groups.Named(host):
		why = "the host has it"
	}
	return group + why + hint.Flat + p.AllowedWith(p.lacks(f, gid, host)...) + " keeps it"
}

// lacks returns the numbers that allowed_gids would need for a group: its own, and the host's if the host has a group
// of that number.
func (p *Policy) lacks(f *inquiry, gid, host uint32) (all []uint32) {
	if !p.hasAllowed(f, gid) {
		all = append(all, gid)
	}
	if host != gid && !p.hasAllowed(f, host) && (p.privileged(f, host) || f.groups().Named(host)) {
		all = append(all, host)
	}
	return all
}

// AllowedWith returns the line of a policy that allows these groups in addition.
func (p *Policy) AllowedWith(gids ...uint32) string {
	var all []string
	for _, r := range p.AllowedGIDs {
		if text := (Ranges{r}).String(); r.First == r.Last {
			all = append(all, text)
		} else {
			all = append(all, strconv.Quote(text))
		}
	}
	for _, name := range p.AllowedGroups {
		all = append(all, strconv.Quote(name))
	}
	for _, gid := range gids {
		all = append(all, strconv.FormatUint(uint64(gid), 10))
	}
	return "identity.allowed_gids = [" + strings.Join(all, ", ") + "]"
}
