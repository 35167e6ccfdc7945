// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Caller describes the calling process: whose files it may trust, and its user namespace.
type Caller struct {
	Own    idmap.Pair
	Owners trusted.Owners
}

// IsHostRoot reports whether the caller's user namespace contains the host's root: it is the host's own, or maps uid 0.
func (c *Caller) IsHostRoot() bool {
	_, has := c.Own.UID.Inside(0)
	return has
}

// Remember returns a caller for a program that makes one call and exits (trusted.Owners.Remember).
func (c Caller) Remember() Caller {
	c.Owners = c.Owners.Remember()
	return c
}

// AnyCaller omits the caller's id maps, which calls that decide nothing don't need.
func AnyCaller() Caller { return Caller{Owners: trusted.CallersOwners(nil)} }

// LookAtCaller reads the facts about the caller that a decision needs.
func LookAtCaller() (Caller, error) {
	own, err := idmap.Own()
	return Caller{own, trusted.CallersOwners(own.UID)}, err
}
