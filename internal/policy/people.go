// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Lists returns the policy that names the administrator's list of people: p, or the stricter one beside it; nil if
// neither does.
func (p *Policy) Lists() *Policy {
	if p.UsersFile == "" {
		p = p.Audit
	}
	if p == nil || p.UsersFile == "" {
		return nil
	}
	return p
}

// person finds a name in the administrator's list; nil if it is not there.
func (p *Policy) person(f *inquiry, name string) (*accounts.Person, error) {
	if p.UsersFile == "" || name == "" || f.Act == Exec {
		return nil, nil
	}
	list := f.people()
	if list.Fault != nil {
		return nil, list.Fault
	}
	u, err := list.Accounts.Person(name)
	if err != nil || u == nil {
		return nil, err
	}
	if u.UID == 0 || u.UID > MaxID {
		return nil, fmt.Errorf("identity.users_file has %s as uid %d\nhint: give it one from 1 to %d", quote.Value(name), u.UID, MaxID)
	}
	return u, nil
}

// listed makes a container of a namespace on the administrator's list run as the list says. The same goes for a further
// process in it, whichever user it asks for.
func (p *Policy) listed(f *inquiry, d *Decision) (bool, error) {
	if f.Act == Exec {
		if f.created == nil || f.by != Listed {
			return false, nil
		}
		*d.Identity = p.fallback(f)
		return true, nil
	}
	u, err := p.person(f, f.origin().Namespace)
	if err != nil || u == nil {
		return false, err
	}
	p.become(f, d, u)
	return true, nil
}

// become sets the identity: the primary group is the list's, unless it means something on the host; the same goes for
// the other groups.
func (p *Policy) become(f *inquiry, d *Decision, u *accounts.Person) {
	*d.Identity = Identity{UID: u.UID, GID: uint32(p.GID)}
	if p.harmless(f, u.GID) {
		d.Identity.GID = u.GID
	}
	d.Person, d.PersonHome = u.Name, u.Home
	for _, gid := range u.Groups {
		if p.harmless(f, gid) {
			d.Identity.Groups = append(d.Identity.Groups, gid)
		} else {
			d.Notes = append(d.Notes, fmt.Sprintf("identity.groups_file has %s in the group %d, which is privileged on the host: allowed_gids does not have it", quote.Value(u.Name), gid))
		}
	}
}

// requestedPerson handles a request that names a person on the list. That is a real person's identity, so allowed_uids
// must contain it.
func (p *Policy) requestedPerson(f *inquiry, d *Decision, u *accounts.Person, group string, hasGroup bool, where string) error {
	if !p.AllowedUIDs.Has(u.UID) {
		return fmt.Errorf("%s asks for %s, uid %d of identity.users_file, which the policy does not allow: it allows %s", where, quote.Value(u.Name), u.UID, p.allowed())
	}
	p.become(f, d, u)
	if !hasGroup {
		return nil
	}
	return p.requestedGroup(f, d.Identity, u.User, true, group, true, where)
}

var errNoGroup = errors.New("the host has no such group")

// addGroups adds the groups of the list, those that the policy gives to every process, and those that own the
// container's devices. A further process that runs as its container's identity has its container's groups.
func (p *Policy) addGroups(f *inquiry, d *Decision, listed []uint32) {
	add := func(gid uint32, why string) {
		inside := gid
		if f.UserNamespace != nil {
			var mapped bool
			if inside, mapped = f.UserNamespace.GID.Inside(gid); !mapped {
				d.Notes = append(d.Notes, fmt.Sprintf("no group %d (%s): it is not mapped in the container's user namespace", gid, why))
				return
			}
		}
		addGroup(d, inside)
	}
	for _, gid := range listed {
		addGroup(d, gid)
	}
	if f.created != nil && f.created.UID == d.Identity.UID {
		for _, gid := range f.created.Groups {
			addGroup(d, gid)
		}
	}
	for _, gid := range p.ExtraGIDs {
		add(uint32(gid), "identity.groups")
	}
	for _, name := range p.ExtraGroups {
		gid, ok := f.hostGroup(name)
		if !ok || gid == 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("no group %s (identity.groups): %v", quote.Value(name), errNoGroup))
			continue
		}
		add(gid, "identity.groups")
	}
	p.deviceGroups(f, d, add)
}

// addGroup adds a group unless it is there already.
func addGroup(d *Decision, gid uint32) {
	if gid != 0 && gid <= MaxID && gid != d.Identity.GID && !slices.Contains(d.Identity.Groups, gid) {
		d.Identity.Groups = append(d.Identity.Groups, gid)
	}
}

// deviceGroups gives a container with a device the group that owns the device on the host, so that it can use it. A
// group that means more than the device is left out unless it is allowed.
func (p *Policy) deviceGroups(f *inquiry, d *Decision, add func(uint32, string)) {
	if len(p.DeviceGroups) == 0 || f.Act == Exec {
		return
	}
	for _, device := range f.devices() {
		if !Patterns(p.DeviceGroups).Take(device.Path) {
			continue
		}
		gid, ok := device.Group()
		switch path := device.Path; {
		case !ok:
			continue
		case p.WithholdsGroup(f.groups(), gid):
			d.Notes = append(d.Notes, fmt.Sprintf("no group %d, which owns %s: it is privileged on the host, and allowed_gids does not have it", gid, quote.Value(path)))
		default:
			add(gid, "the device "+quote.Value(path))
		}
	}
}

// Group returns the group by which a container can use the device; none if the host does not have the device, or if
// root's group owns it.
func (d *Device) Group() (gid uint32, ok bool) {
	return d.GID, d.Known && d.GID != 0 && d.GID <= MaxID
}

// WithholdsGroup reports whether a group means more on the host than what it is wanted for, such as a device, and the
// policy does not allow it anyway.
func (p *Policy) WithholdsGroup(g *HostGroups, gid uint32) bool {
	return g.Privileged(gid, p.Privileged) && !p.listsGroup(gid, func() *HostGroups { return g })
}
