// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Process plans for a further process: the process file that the next runtime is given. The document is used up.
func Process(rule *policy.Policy, f *policy.Facts, d *decision.Decision, doc *spec.Document) ([]byte, error) {
	change := spec.ProcessChange{
		UID: d.Identity.UID, GID: d.Identity.GID, Groups: d.Identity.Groups, DropBounding: rule.DropBounding,
	}
	change.Name, change.Home = nameAndHome(f, d.Identity.UID)
	return doc.Rewrite(spec.Change{Process: change})
}

// nameAndHome agree with what the container's passwd says.
func nameAndHome(f *policy.Facts, uid uint32) (name, home string) {
	if r := f.Record; r.Enforced() && r.Identity.UID == uid {
		return r.Name, r.Home
	}
	if f.Accounts != nil {
		if u, ok := f.Accounts.UserByID(uid); ok && u.Name != "" {
			return u.Name, u.Home
		}
	}
	return "", "/"
}
