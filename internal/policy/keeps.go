// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// Keeps reports whether a container that asks for a uid would usually keep it. It is for advice: a decision considers
// more than the uid.
func (p *Policy) Keeps(uid uint32) bool {
	if uid == 0 || uid > MaxID || !slices.Contains(p.Sources, Kept) {
		return false
	}
	if len(p.AllowedUIDs) > 0 {
		return p.AllowedUIDs.Has(uid)
	}
	return !p.Reserved.Has(uid)
}
