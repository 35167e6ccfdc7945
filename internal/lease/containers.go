// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"errors"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Of returns the numbers that a decision's lease is from.
func Of(l decision.Lease) Numbers { return Numbers{First: l.First, Last: l.Last, Step: l.Step} }

// Containers returns the store in a policy's state directory whose members are containers. A step of 1 means single
// uids; larger steps are blocks, which have a store of their own.
func Containers(state string, step uint32, owners trusted.Owners) *Store {
	kind := "uids"
	if step > 1 {
		kind = "blocks"
	}
	return &Store{Dir: path.Join(state, kind), Owners: owners, Alive: func(m Member) bool { return there(m, owners) }}
}

// there reports whether a container exists, or may: its bundle has its record, or the process that creates it is still
// running, as the record is written last. The next runtime is that same process.
func there(m Member, owners trusted.Owners) bool {
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
