// SPDX-License-Identifier: Apache-2.0

// Package record keeps what was decided about a container in its bundle, which belongs to root and disappears with
// the container (SECURITY.md F12). The names of the files that are added to a bundle belong here, and when a record
// counts; what is in it belongs to internal/decision.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
)

// The files that are added to a bundle.
const (
	File   = "nonroot-runc.json"  // the record
	Passwd = "nonroot-passwd"     // what the container sees as /etc/passwd
	Group  = "nonroot-group"      // and as /etc/group
	Before = "nonroot-asked.json" // config.json as the engine wrote it, for people: no decision rests on it
)

// Digest identifies the config.json that a record belongs to, which may come in parts.
func Digest(config ...[]byte) string {
	if len(config) == 1 {
		sum := sha256.Sum256(config[0])
		return hex.EncodeToString(sum[:])
	}
	h := sha256.New()
	for _, part := range config {
		_, _ = h.Write(part) // it never fails (hash.Hash)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Write puts the record of a decision into the bundle.
func Write(d *bundle.Dir, r *decision.Decision) error {
	return d.Replace(File, append(r.Append(make([]byte, 0, 1024), decision.Record), '\n'), 0o600, "")
}

// Read reads a bundle's record, whatever config.json it belongs to. It tells which call made the container; it counts
// only if it matches.
func Read(d *bundle.Dir) (*decision.Decision, error) {
	data, err := d.Read(File)
	if err != nil {
		return nil, err
	}
	r, err := decision.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", d.Join(File), err)
	}
	if r.Enforced() && (r.Identity == nil || r.Identity.UID == 0 || r.Identity.GID == 0) {
		return nil, fmt.Errorf("read %q: it has no identity", d.Join(File))
	}
	if r.Enforced() && r.Asked == nil {
		r.Asked = &decision.Identity{}
	}
	return r, nil
}

// Matches reports whether a record belongs to this container and to the bundle's present config.json: Podman keeps a bundle
// across restarts, and writes config.json again. A nil record matches nothing.
func Matches(r *decision.Decision, id string, config []byte) bool {
	return r != nil && r.ID == id && r.Config == Digest(config)
}

// Precedes reports whether a record may belong to a container whose first process started at a time, in clock ticks since
// boot; 0: unknown. A younger record is that of a failed call, as there was a container of that id already: it says
// nothing about that container, which may have been created before there were records (SECURITY.md D8).
func Precedes(r *decision.Decision, start uint64) bool { return start == 0 || r.Start <= start }
