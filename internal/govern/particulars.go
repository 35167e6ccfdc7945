// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// particulars are the facts that only some policies ask for: nothing is read for the others.
func (c *Call) particulars(f *policy.Facts, p *policy.Policy, doc *spec.Document, container *spec.Container) (err error) {
	f.Origin = policy.OriginOf(c.Root, c.Bundle.Path, container.Annotations)
	f.Assign = c.foresee(p)
	f.Shared = func() string {
		if f.Origin.Engine != policy.Docker {
			return ""
		}
		return moby.Read(c.ID, container.Rootfs, c.Caller.Owners).Project
	}
	f.People = People(p, c.Caller.Owners)
	f.Apart = func() bool {
		return apart(container, doc.HasDevices(), c.Caller.Owners)
	}
	if len(p.DeviceGroups) > 0 || p.Audit != nil && len(p.Audit.DeviceGroups) > 0 {
		f.Device = host.DeviceGroup
		f.Devices, err = doc.DevicePaths()
	}
	return err
}

// People reads the administrator's list when it is asked for; nil where the policy names none.
func People(p *policy.Policy, owners bundle.Owners) func() (*homedir.Accounts, error) {
	if p.UsersFile == "" {
		return nil
	}
	return func() (*homedir.Accounts, error) {
		users, err := bundle.ReadGuarded(p.UsersFile, owners)
		if err != nil {
			return nil, fmt.Errorf("read identity.users_file: %w", err)
		}
		var groups []byte
		if p.GroupsFile != "" {
			if groups, err = bundle.ReadGuarded(p.GroupsFile, owners); err != nil {
				return nil, fmt.Errorf("read identity.groups_file: %w", err)
			}
		}
		return &homedir.Accounts{Passwd: users, Group: groups}, nil
	}
}
