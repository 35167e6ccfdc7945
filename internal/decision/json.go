// SPDX-License-Identifier: Apache-2.0

package decision

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
)

// Decisions are written and read without reflection: encoding/json would cost each governed call a tenth of its time.

// LogTime is how the log writes times: UTC with milliseconds, which sorts as text.
const LogTime = "2006-01-02T15:04:05.000Z07:00"

// Append appends the decision in the form of a view: a JSON object in ASCII, so that no text in it can end a line or
// reach a terminal as anything but text. Empty members are left out, except for Explain, which has all.
//
// The log's texts and lists are bounded. A text that is too long ends in "...", and the member named like the list
// with "_more" counts the elements that were left out. The notes get what is left of LogRoom bytes.
func (d *Decision) Append(b []byte, v View) []byte {
	w := writer{b: b, view: v}
	w.members(d)
	if left := len(b) + LogRoom - len(w.b); v == Log && len(d.Notes) > 0 && left > 0 {
		w = writer{b: b, view: v, room: left + w.noted}
		w.members(d)
	}
	return w.b
}

// LogRoom is the size of a line of the log in bytes: a page, with its newline.
const LogRoom = 4095

func (w *writer) members(d *Decision) {
	w.b = append(w.b, '{')
	for i := range Members {
		m := &Members[i]
		if m.names[w.view] == "" {
			continue
		}
		before := len(w.b)
		if to := m.to(d); to == &d.Notes && w.room > 0 {
			w.notes(m.names[w.view], d.Notes)
		} else {
			w.member(m, to)
		}
		if m.Field == "Notes" {
			w.noted = len(w.b) - before
		}
	}
	w.b = append(w.b, '}')
}

// writer appends members of an object.
type writer struct {
	b    []byte
	view View

	room  int // for the notes, with everything around them; 0: they are a list like any other
	noted int // what they have used
}

// all reports whether empty members are written, too.
func (w *writer) all() bool { return w.view == Explain }

// limits are a member's bounds; 0: none.
func (w *writer) limits(m *Member) (bound, most int) {
	if w.view != Log {
		return 0, 0
	}
	return m.bound, m.most
}

func (w *writer) member(m *Member, value any) {
	name := m.names[w.view]
	bound, most := w.limits(m)
	switch v := value.(type) {
	case *string:
		w.text(name, *v, bound)
	case *Mode:
		w.text(name, string(*v), bound)
	case *Source:
		w.text(name, string(*v), bound)
	case *time.Time:
		w.key(name)
		w.b = append(w.b, '"')
		if w.view == Log {
			w.b = v.UTC().AppendFormat(w.b, LogTime)
		} else {
			w.b = v.AppendFormat(w.b, time.RFC3339Nano)
		}
		w.b = append(w.b, '"')
	case *time.Duration:
		w.key(name)
		w.b = strconv.AppendInt(w.b, v.Microseconds(), 10)
	case *uint64:
		if *v != 0 || w.all() {
			w.key(name)
			w.b = strconv.AppendUint(w.b, *v, 10)
		}
	case *bool:
		if *v || w.all() {
			w.key(name)
			w.b = strconv.AppendBool(w.b, *v)
		}
	case **Identity:
		w.identity(name, *v, most)
	case *[]uint32:
		w.list(name, len(*v), most, w.all(), func(i int) { w.b = strconv.AppendUint(w.b, uint64((*v)[i]), 10) })
	case *[]string:
		w.list(name, len(*v), most, w.all(), func(i int) { w.quoted((*v)[i], bound) })
	}
}

func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}

func (w *writer) text(name, value string, bound int) {
	if value != "" || w.all() {
		w.key(name)
		w.quoted(value, bound)
	}
}

const hexDigits = "0123456789abcdef"

// quoted writes a string of at most bound bytes between quotes. Invalid UTF-8 becomes U+FFFD.
func (w *writer) quoted(s string, bound int) {
	w.b = append(w.b, '"')
	start := len(w.b)
	for _, r := range s {
		before := len(w.b)
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r >= ' ' && r <= '~':
			w.b = append(w.b, byte(r))
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				w.b = append(w.b, '\\', 'u', hexDigits[unit>>12], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
			}
		}
		if bound > 0 && len(w.b)-start > bound {
			w.b = append(w.b[:before], "..."...)
			break
		}
	}
	w.b = append(w.b, '"')
}

func (w *writer) identity(name string, id *Identity, most int) {
	people := w.view == Explain || w.view == Test
	switch {
	case id == nil && people:
		w.key(name)
		w.b = append(w.b, "null"...)
		return
	case id == nil:
		return
	}
	w.key(name)
	w.b = append(w.b, '{')
	w.number("uid", id.UID)
	w.number("gid", id.GID)
	w.list("groups", len(id.Groups), most, people, func(i int) { w.b = strconv.AppendUint(w.b, uint64(id.Groups[i]), 10) })
	w.b = append(w.b, '}')
}

func (w *writer) number(name string, value uint32) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, uint64(value), 10)
}

// list writes the first elements, and how many more there are.
func (w *writer) list(name string, n, most int, empty bool, element func(int)) {
	if n == 0 && !empty {
		return
	}
	w.key(name)
	w.b = append(w.b, '[')
	shown := n
	if most > 0 {
		shown = min(n, most)
	}
	for i := range shown {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		element(i)
	}
	w.b = append(w.b, ']')
	if n > shown {
		w.key(name + "_more")
		w.b = strconv.AppendInt(w.b, int64(n-shown), 10)
	}
}

// notes writes as many notes as fit: those with advice first, each in full unless it is longer than any message, and
// the beginning of the last one.
func (w *writer) notes(name string, all []string) {
	const (
		most    = 400 // bytes of one
		least   = 60  // a shorter piece says nothing
		around  = 8   // quotes, a comma, and the mark that it is cut
		counted = len(`],"_more":1000000000,`)
	)
	sorted := make([]string, 0, len(all))
	for _, advises := range []bool{true, false} {
		for _, note := range all {
			if strings.Contains(note, hint.Flat) == advises {
				sorted = append(sorted, note)
			}
		}
	}
	end := len(w.b) + w.room - 2*len(name) - counted
	fits := func() int { return min(end-len(w.b)-around, most) }
	w.key(name)
	w.b = append(w.b, '[')
	shown := 0
	for ; shown < len(sorted) && fits() >= min(least, len(sorted[shown])); shown++ {
		if shown > 0 {
			w.b = append(w.b, ',')
		}
		w.quoted(sorted[shown], fits())
	}
	w.b = append(w.b, ']')
	if n := len(sorted) - shown; n > 0 {
		w.key(name + "_more")
		w.b = strconv.AppendInt(w.b, int64(n), 10)
	}
}

// Parse reads what Append wrote for the record. Members of a later version are ignored.
func Parse(data []byte) (*Decision, error) {
	d := &Decision{}
	next := 0 // members are in the table's order, so the next one is usually the next
	err := jsonscan.Members(data, func(name string, value []byte) error {
		for range Members {
			m := &Members[next]
			next = (next + 1) % len(Members)
			if m.names[Record] != name {
				continue
			}
			if err := read(value, m.to(d)); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
			break
		}
		return nil
	})
	return d, err
}

func read(value []byte, to any) (err error) {
	switch to := to.(type) {
	case *string:
		*to, err = jsonscan.String(value)
	case *Mode:
		err = word(value, to)
	case *Source:
		err = word(value, to)
	case *time.Time:
		var text string
		if text, err = jsonscan.String(value); err == nil {
			*to, err = time.Parse(time.RFC3339Nano, text)
		}
	case *uint64:
		*to, err = jsonscan.Uint(value, 63)
	case *bool:
		*to = string(value) == "true"
	case **Identity:
		*to = &Identity{}
		err = identity(value, *to)
	case *[]uint32:
		*to, err = numbers(value)
	case *[]string:
		*to, err = texts(value)
	}
	return err
}

func word[T ~string](value []byte, to *T) error {
	s, err := jsonscan.String(value)
	*to = T(s)
	return err
}

func identity(value []byte, id *Identity) error {
	return jsonscan.Members(value, func(name string, v []byte) (err error) {
		switch name {
		case "uid":
			id.UID, err = ids.Number(v)
		case "gid":
			id.GID, err = ids.Number(v)
		case "groups":
			id.Groups, err = numbers(v)
		}
		return err
	})
}

func numbers(value []byte) (all []uint32, err error) {
	err = jsonscan.Elements(value, func(e []byte) error {
		n, err := ids.Number(e)
		all = append(all, n)
		return err
	})
	return all, err
}

func texts(value []byte) (all []string, err error) {
	err = jsonscan.Elements(value, func(e []byte) error {
		s, err := jsonscan.String(e)
		all = append(all, s)
		return err
	})
	return all, err
}
