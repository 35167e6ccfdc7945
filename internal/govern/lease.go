// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"errors"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// foresee says which ids of ranges owners get: those that Take has taken for them, else those that it would.
func (c *Call) foresee(p *policy.Policy) policy.Assign {
	return func(first, last, step policy.ID, owner string) (policy.ID, error) {
		l := policy.Lease{First: first, Last: last, Step: step, Owner: owner}
		if id, ok := c.taken[l]; ok {
			return id, nil
		}
		v, err := store(p, step, c.Caller.Owners).Foresee(numbers(l), owner)
		return policy.ID(v), err
	}
}

// Take takes the ids that the outcome rests on, for one more container of their owners: the one that this process makes. It is
// called once nothing stands against the container any more: who is refused takes no id away from others. Where it says that
// not all of them were to be had, as another call was faster, Decide has to be asked again.
func (c *Call) Take(o *Outcome) (all bool, err error) {
	all = true
	for _, l := range o.leases {
		foreseen := l.ID
		l.ID = 0
		if _, ok := c.taken[l]; ok {
			continue
		}
		start, err := proc.StartTime("self") // the next runtime is this same process
		if err != nil {
			return false, err
		}
		v, err := store(c.InForce(), l.Step, c.Caller.Owners).Take(numbers(l), l.Owner, lease.Member{Bundle: c.Bundle.Path, ID: c.ID, Pid: os.Getpid(), Start: start})
		if err != nil {
			return false, err
		}
		if c.taken == nil {
			c.taken = map[policy.Lease]policy.ID{}
		}
		c.taken[l] = policy.ID(v)
		all = all && policy.ID(v) == foreseen
	}
	return all, nil
}

func store(p *policy.Policy, step policy.ID, owners bundle.Owners) *lease.Store {
	kind := "uids"
	if step > 1 {
		kind = "blocks"
	}
	return &lease.Store{Dir: path.Join(p.State, kind), Owners: owners, Alive: func(m lease.Member) bool { return there(m, owners) }}
}

func numbers(l policy.Lease) lease.Numbers {
	return lease.Numbers{First: uint32(l.First), Last: uint32(l.Last), Step: uint32(l.Step)}
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
