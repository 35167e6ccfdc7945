// SPDX-License-Identifier: Apache-2.0

// Package record keeps what was decided about a container in its bundle, which belongs to root and goes with the
// container (THREATS.md F12).
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// The files that are added to a bundle.
const (
	File   = "nonroot-runc.json" // the record
	Passwd = "nonroot-passwd"    // what the container sees as /etc/passwd
	Group  = "nonroot-group"     // and as /etc/group
)

// Record is the decision about a container.
type Record struct {
	ID       string           `json:"id"`
	Time     time.Time        `json:"time"`
	Mode     policy.Mode      `json:"mode"`
	Rule     string           `json:"rule"`
	Reason   string           `json:"reason,omitempty"` // of an exemption, or why an audited container would be refused
	Source   policy.Source    `json:"source,omitempty"`
	Policy   string           `json:"policy,omitempty"` // the policy's file; none: built in
	Asked    policy.Identity  `json:"asked"`
	Identity *policy.Identity `json:"identity,omitempty"`
	Dropped  []uint32         `json:"dropped_groups,omitempty"`
	Name     string           `json:"name,omitempty"`
	Home     string           `json:"home,omitempty"`
	Mounted  bool             `json:"home_mounted,omitempty"` // a tmpfs of its own is at Home
	Notes    []string         `json:"notes,omitempty"`
	Bounding []string         `json:"bounding,omitempty"` // the bounding set that the container may have
	Runtime  string           `json:"runtime"`            // the next runtime's path
	Config   string           `json:"config_sha256"`      // of the config.json that this belongs to
}

// Enforced says that the container was rewritten.
func (r *Record) Enforced() bool { return r != nil && r.Mode == policy.Rewrite }

// Digest is how a record names the config.json that it belongs to.
func Digest(config []byte) string {
	sum := sha256.Sum256(config)
	return hex.EncodeToString(sum[:])
}

// Write puts the record into the bundle.
func Write(d *bundle.Dir, r *Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the decision record: %w", err)
	}
	return d.Replace(File, append(data, '\n'), 0o600, "")
}

// Read reads a bundle's record, whatever config.json it belongs to. It says who made the container; what was
// promised only ReadMatching says.
func Read(d *bundle.Dir) (*Record, error) {
	data, err := d.Read(File)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read %q: %w", d.Join(File), err)
	}
	return r, nil
}

// ReadMatching is the record of the bundle's present config.json, whose bytes are given, and nil where there is none:
// Podman keeps a bundle across restarts and writes config.json anew.
func ReadMatching(d *bundle.Dir, id string, config []byte) *Record {
	r, err := Read(d)
	if err != nil || r.Config != Digest(config) || r.ID != id {
		return nil
	}
	return r
}
