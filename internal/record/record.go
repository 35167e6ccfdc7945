// SPDX-License-Identifier: Apache-2.0

// Package record keeps what was decided about a container in its bundle, which belongs to root and goes with the
// container (SECURITY.md F12).
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// The files that are added to a bundle.
const (
	File   = "nonroot-runc.json"  // the record
	Passwd = "nonroot-passwd"     // what the container sees as /etc/passwd
	Group  = "nonroot-group"      // and as /etc/group
	Before = "nonroot-asked.json" // config.json as the engine wrote it, for people: no decision rests on it
)

// Record is the decision about a container.
type Record struct {
	ID       string
	Time     time.Time
	Mode     policy.Mode
	Rule     string
	Reason   string // of an exemption, or why an audited container would be refused
	Audited  string // what the stricter policy that is only audited would have done otherwise
	Source   policy.Source
	Policy   string // the policy's file; none: built in
	Profile  string // the profile whose policy it is; none: the general one
	Digest   string // of the policy's file, SHA-256 in hex
	Version  string // of the program that decided
	Asked    policy.Identity
	Identity *policy.Identity
	Dropped  []uint32
	Name     string
	Home     string
	Mounted  bool // a tmpfs of its own is at Home
	Notes    []string
	Bounding []string // the bounding set that the container may have
	Runtime  string   // the next runtime's path
	Config   string   // of the config.json that this belongs to
	Start    uint64   // when the process that makes the container began, in clock ticks since boot (proc(5), /proc/pid/stat, field 22); 0: not known
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
	return d.Replace(File, encode(r), 0o600, "")
}

// Read reads a bundle's record, whatever config.json it belongs to. It says who made the container; it is binding only if
// it matches.
func Read(d *bundle.Dir) (*Record, error) {
	data, err := d.Read(File)
	if err != nil {
		return nil, err
	}
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", d.Join(File), err)
	}
	if r.Mode == policy.Rewrite && (r.Identity == nil || r.Identity.UID == 0 || r.Identity.GID == 0) {
		return nil, fmt.Errorf("read %q: it has no identity", d.Join(File))
	}
	return r, nil
}

// Matches says that the record belongs to this container and to the bundle's present config.json, whose bytes are given:
// Podman keeps a bundle across restarts and writes config.json anew.
func (r *Record) Matches(id string, config []byte) bool {
	return r != nil && r.ID == id && r.Config == Digest(config)
}

// Precedes says that the record may be that of a container whose first process began at a time, in clock ticks since boot; 0: not
// known. One that is younger is of a call that failed, as there was a container of that id: it says nothing of that one, which
// may have been created before there was a record (SECURITY.md D8).
func (r *Record) Precedes(start uint64) bool { return start == 0 || r.Start <= start }
