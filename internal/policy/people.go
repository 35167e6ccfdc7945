// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// person is who has a name in the administrator's list; nil: nobody.
func (p *Policy) person(f *Facts, name string) (*homedir.Person, error) {
	if f.People == nil || name == "" {
		return nil, nil
	}
	list, err := f.People()
	if err != nil {
		return nil, err
	}
	u, err := list.Person(name)
	if err != nil || u == nil {
		return nil, err
	}
	if u.UID == 0 || u.UID > MaxID {
		return nil, fmt.Errorf("identity.users_file has %s as uid %d: give it one from 1 to %d", quote.Value(name), u.UID, MaxID)
	}
	return u, nil
}

// listed: a container of a namespace that the administrator's list has is who the list says. A further process of such a
// container is that one, too, whoever it asks to be.
func (p *Policy) listed(f *Facts, d *Decision) (bool, error) {
	if f.Exec {
		if f.Created == nil || f.By != Listed {
			return false, nil
		}
		d.Identity = p.fallback(f)
		return true, nil
	}
	u, err := p.person(f, f.origin().Namespace)
	if err != nil || u == nil {
		return false, err
	}
	p.become(f, d, u)
	return true, nil
}

// become: the primary group is the list's, unless it means something on the host; so are the others.
func (p *Policy) become(f *Facts, d *Decision, u *homedir.Person) {
	d.Identity = Identity{UID: u.UID, GID: uint32(p.GID)}
	if p.harmless(f, u.GID) {
		d.Identity.GID = u.GID
	}
	d.Name, d.Home = u.Name, u.Home
	for _, gid := range u.Groups {
		if p.harmless(f, gid) {
			d.Identity.Groups = append(d.Identity.Groups, gid)
		} else {
			d.Notes = append(d.Notes, fmt.Sprintf("identity.groups_file has %s in the group %d, which is privileged on the host: allowed_gids does not have it", quote.Value(u.Name), gid))
		}
	}
}

// requestedPerson: somebody of the list is named. It is somebody's own identity, so that allowed_uids must have it.
func (p *Policy) requestedPerson(f *Facts, d *Decision, u *homedir.Person, group string, hasGroup bool, where string) error {
	if !p.AllowedUIDs.Has(u.UID) {
		return fmt.Errorf("%s asks for %s, uid %d of identity.users_file, which the policy does not allow: it allows %s", where, quote.Value(u.Name), u.UID, p.allowed())
	}
	p.become(f, d, u)
	if !hasGroup {
		return nil
	}
	return p.requestedGroup(f, &d.Identity, u.User, true, group, true, where)
}

var errNoGroup = errors.New("the host has no such group")

// addGroups adds those that the list has, those that the policy gives everybody, and those that own the container's devices.
// A further process that is its container's identity has its container's groups.
func (p *Policy) addGroups(f *Facts, d *Decision, listed []uint32) {
	add := func(gid uint32, why string) {
		inside := gid
		if f.UserNamespace != nil {
			var mapped bool
			if inside, mapped = f.UserNamespace.GID.Inside(gid); !mapped {
				d.Notes = append(d.Notes, fmt.Sprintf("no group %d (%s): it is not mapped in the container's user namespace", gid, why))
				return
			}
		}
		d.add(inside)
	}
	for _, gid := range listed {
		d.add(gid)
	}
	if f.Created != nil && f.Created.UID == d.Identity.UID {
		for _, gid := range f.Created.Groups {
			d.add(gid)
		}
	}
	for _, gid := range p.ExtraGIDs {
		add(uint32(gid), "identity.groups")
	}
	for _, name := range p.ExtraGroups {
		gid, ok := f.Groups.GID(name)
		if !ok || gid == 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("no group %s (identity.groups): %v", quote.Value(name), errNoGroup))
			continue
		}
		add(gid, "identity.groups")
	}
	p.deviceGroups(f, d, add)
}

// add adds a group once.
func (d *Decision) add(gid uint32) {
	if gid != 0 && gid <= MaxID && gid != d.Identity.GID && !slices.Contains(d.Identity.Groups, gid) {
		d.Identity.Groups = append(d.Identity.Groups, gid)
	}
}

// deviceGroups: a container that is given a device is given the group that owns it on the host, so that it can use it. A
// group that means more than the device is left out, unless it is allowed.
func (p *Policy) deviceGroups(f *Facts, d *Decision, add func(uint32, string)) {
	if f.Device == nil || len(p.DeviceGroups) == 0 {
		return
	}
	for _, path := range f.Devices {
		if !Patterns(p.DeviceGroups).Take(path) {
			continue
		}
		gid, ok := f.Device(path)
		switch {
		case !ok || gid == 0 || gid > MaxID:
			continue
		case f.Groups.Privileged(gid) && !p.hasAllowed(f.Groups, gid):
			d.Notes = append(d.Notes, fmt.Sprintf("no group %d, which owns %s: it is privileged on the host, and allowed_gids does not have it", gid, quote.Value(path)))
		default:
			add(gid, "the device "+quote.Value(path))
		}
	}
}
