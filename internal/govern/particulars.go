// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// particulars are the facts that only some policies ask for: nothing is read for the others.
func (c *Call) particulars(f *policy.Facts, p *policy.Policy, doc *spec.Document, container *spec.Container) (err error) {
	f.Origin = policy.OriginOf(c.Root, c.Bundle.Path, container.Annotations)
	f.Assign, f.Foresee = ids(p, c.ID, c.Bundle.Path, c.Caller.Owners), c.Foresee
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

// ids gives ids of ranges to the owners of containers, and keeps in the policy's folder who has which. The container is the
// one that this process makes.
func ids(p *policy.Policy, id, dir string, owners bundle.Owners) policy.Assign {
	return func(first, last, step policy.ID, owner string, take bool) (policy.ID, error) {
		kind := "uids"
		if step > 1 {
			kind = "blocks"
		}
		s := lease.Store{Dir: path.Join(p.State, kind), Owners: owners, Alive: func(m lease.Member) bool { return there(m, owners) }}
		numbers := lease.Numbers{First: uint32(first), Last: uint32(last), Step: uint32(step)}
		if !take {
			v, err := s.Foresee(numbers, owner)
			return policy.ID(v), err
		}
		start, err := proc.StartTime("self")
		if err != nil {
			return 0, err
		}
		v, err := s.Take(numbers, owner, lease.Member{Bundle: dir, ID: id, Pid: os.Getpid(), Start: start})
		return policy.ID(v), err
	}
}

// there says whether a container is there, or may be: its bundle has its record, or the process that makes it is still at
// it, as the record comes last. The next runtime is that same process.
func there(m lease.Member, owners bundle.Owners) bool {
	if start, err := proc.StartTime(strconv.Itoa(m.Pid)); err == nil && start == m.Start {
		return true
	}
	dir, err := bundle.Open(m.Bundle, owners)
	if err != nil {
		return !gone(err)
	}
	defer dir.Close()
	r, err := record.Read(dir)
	if err != nil {
		return !gone(err)
	}
	return r.ID == m.ID
}

func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }
