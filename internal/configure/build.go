// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"cmp"
	"errors"
)

// Build is the table [build] of the policy file (docs/policy.md): how the containers run in which BuildKit executes an
// image's RUN lines.
type Build struct {
	Off     bool     // they run unchanged, root included
	Reason  string   // the reason, unless the file has one; "": a default one
	Bundles []string // the directories where BuildKit creates their bundles
}

const buildReason = "images are built as root (nonroot-ctl configure --guard --builds off)"

// Add writes the table, or replaces its contents. The runtime's name and path don't matter.
func (b Build) Add(old []byte, _ Runtime, n Note) ([]byte, Note, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, n, err
	}
	if _, err := tableAt(tree, "build"); err != nil {
		return nil, n, err
	}
	table := []string{"build"}
	d := begin(old)
	if b.Off {
		d.set(table, "mode", "off")
		if reason, err := textAt(tree, "build", "reason"); err != nil || reason == "" {
			d.set(table, "reason", cmp.Or(b.Reason, buildReason))
		}
	} else {
		d.set(table, "mode", "rewrite")
		d.dropKey("build", "reason")
	}
	d.set(table, "bundles", b.Bundles)
	out, err := d.done()
	return out, n, err
}

// Carry adds the table to a policy without one; added reports whether it did.
func (b Build) Carry(old []byte) (text []byte, added bool, err error) {
	tree, err := parseTOML(old)
	if err != nil || tree["build"] != nil {
		return old, false, err
	}
	text, _, err = b.Add(old, Runtime{}, Note{})
	return text, err == nil, err
}

// Remove removes the table.
func (Build) Remove(old []byte, _ string, _ Note) ([]byte, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, err
	}
	if tree["build"] == nil {
		return old, nil
	}
	if _, err := tableAt(tree, "build"); err != nil {
		return nil, errors.New("build is not a table")
	}
	d := edit(old)
	d.dropTable("build")
	return d.done()
}
