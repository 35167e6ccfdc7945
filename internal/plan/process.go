// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Process makes the plan for a further process: the process file for the next runtime. It uses up the document.
func Process(rule *policy.Policy, f *policy.Facts, d *decision.Decision, doc *spec.Document) ([]byte, error) {
	change := spec.ProcessChange{
		UID: d.Identity.UID, GID: d.Identity.GID, Groups: d.Identity.Groups, DropBounding: rule.DropBounding,
	}
	change.Name, change.Home = nameAndHome(f, d.Identity.UID)
	if f.Record.Enforced() {
		keepNames(doc, &change, f.Record)
		if home := valueOf(doc, "HOME"); setHome(f, home) {
			change.Home = home
		}
	}
	return doc.Rewrite(spec.Change{Process: change})
}

// nameAndHome returns the name and home of a uid by the container's passwd.
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

// keepNames keeps USER and LOGNAME if a user has set them: images use them for settings, and neither engines nor
// runtimes set them. It does not keep root's, nor those that an earlier rewrite has set.
func keepNames(doc *spec.Document, change *spec.ProcessChange, written *decision.Decision) {
	for name, to := range map[string]*string{"USER": &change.User, "LOGNAME": &change.LogName} {
		if value := valueOf(doc, name); value != "root" && (written == nil || value != written.Name) {
			*to = value
		}
	}
}

// valueOf returns a variable's value. The rewrite, which parses the whole environment, reports faults in it.
func valueOf(doc *spec.Document, name string) string {
	value, _ := doc.Variable(name) // as said above
	return value
}

// setHome reports whether a user has set HOME for a further process: it is neither root's nor the one that its
// container had, or has by its record. Engines pass on the environment of the image.
func setHome(f *policy.Facts, home string) bool {
	root := "/root"
	if f.Accounts != nil {
		if u, _ := f.Accounts.UserByID(0); u.Home != "" {
			root = u.Home
		}
	}
	return home != "" && home != "/" && home != root && home != f.Record.Home && home != f.Record.AskedHome
}
