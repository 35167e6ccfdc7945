// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// Receipt is kept beside a changed file until the last change is undone.
type Receipt struct {
	Absent      bool            `json:"absent"`                // there was no file before
	Pristine    bool            `json:"pristine"`              // only this package has changed it since
	Was         string          `json:"was"`                   // the digest of the text that the last change found
	Wrote       string          `json:"wrote"`                 // the digest of the text that it wrote
	Notes       map[string]Note `json:"notes"`                 // by the registrations' names
	Directories []string        `json:"directories,omitempty"` // those that were created for the file, the outer one first
}

// Content is a configuration file with what is kept beside it.
type Content struct {
	Data    []byte   // nil: there is no file
	Receipt *Receipt // nil: none
	Backup  []byte   // the file before the first change; nil: none
}

// sound reports whether this package can have written the receipt for the file.
func (r *Receipt) sound(file string) bool {
	return r.Notes != nil && !slices.ContainsFunc(r.Directories, func(dir string) bool {
		return dir == "" || !strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
	})
}

func digest(data []byte) string {
	if data == nil {
		return "absent"
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// untouched reports whether the file is as the last change left it or, if that change was killed, as it found it.
func (c Content) untouched() bool {
	r := c.Receipt
	return r != nil && r.Pristine && (digest(c.Data) == r.Wrote || digest(c.Data) == r.Was)
}

// Register returns the content with the runtime in it. If it is registered already, that is c itself.
func (c Content) Register(f Format, r Runtime) (Content, error) {
	next := Content{Receipt: &Receipt{Absent: c.Data == nil, Pristine: true, Notes: map[string]Note{}}, Backup: c.Data}
	if c.Receipt != nil {
		old := *c.Receipt
		old.Pristine = c.untouched()
		old.Notes = maps.Clone(c.Receipt.Notes)
		next.Receipt, next.Backup = &old, c.Backup
	}
	data, note, err := f.Add(c.Data, r, next.Receipt.Notes[r.Name])
	if err != nil {
		return c, err
	}
	if c.Data != nil && bytes.Equal(data, c.Data) {
		return c, nil
	}
	next.Data = data
	next.Receipt.Notes[r.Name] = note
	next.Receipt.Was, next.Receipt.Wrote = digest(c.Data), digest(data)
	return next, nil
}

// Yield returns the content with the runtime in it, but no longer as the default. If it is not the default, that is c
// itself.
func (c Content) Yield(f Yielder, name string) (Content, error) {
	if c.Data == nil {
		return c, nil
	}
	var note Note
	if c.Receipt != nil {
		note = c.Receipt.Notes[name]
	}
	data, err := f.Yield(c.Data, name, note)
	if err != nil || bytes.Equal(data, c.Data) {
		return c, err
	}
	if c.Receipt == nil {
		return Content{Data: data}, nil // another program registered it
	}
	r := *c.Receipt
	r.Pristine, r.Notes = c.untouched(), passOn(c.Receipt.Notes, name)
	note.Replaced = nil
	r.Notes[name] = note
	r.Was, r.Wrote = digest(c.Data), digest(data)
	return Content{Data: data, Receipt: &r, Backup: c.Backup}, nil
}

// passOn passes the default that a runtime replaced on to those that replaced that runtime.
func passOn(notes map[string]Note, name string) map[string]Note {
	notes = maps.Clone(notes)
	for other, n := range notes {
		if n.Replaced != nil && *n.Replaced == name {
			n.Replaced = notes[name].Replaced
			notes[other] = n
		}
	}
	return notes
}

// Unregister returns the content without the runtime. If it was the last one, and no other program has changed the file
// since the first change, that is the original text, byte for byte. Otherwise only our part is removed, and the backup
// stays.
func (c Content) Unregister(f Format, name string) (Content, error) {
	if c.Data == nil {
		return Content{Backup: c.Backup}, nil
	}
	var notes map[string]Note
	if c.Receipt != nil {
		notes = passOn(c.Receipt.Notes, name)
	}
	data, err := f.Remove(c.Data, name, notes[name])
	if err != nil {
		return c, err
	}
	delete(notes, name)
	switch {
	case c.Receipt == nil && bytes.Equal(data, c.Data):
		return c, nil
	case len(notes) == 0 && c.untouched():
		return Content{Data: c.Backup}, nil
	case len(notes) == 0:
		return Content{Data: data, Backup: c.Backup}, nil
	}
	r := *c.Receipt
	r.Pristine, r.Notes = c.untouched(), notes
	r.Was, r.Wrote = digest(c.Data), digest(data)
	return Content{Data: data, Receipt: &r, Backup: c.Backup}, nil
}
