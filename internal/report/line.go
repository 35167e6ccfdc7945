// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Line is the part of a log line that a report uses.
type Line struct {
	Time      time.Time   `json:"time"`
	Event     string      `json:"event"`
	Mode      policy.Mode `json:"mode"`
	Rule      string      `json:"rule"`
	ID        string      `json:"id"`
	Engine    string      `json:"engine"`
	Namespace string      `json:"namespace"`
	Pod       string      `json:"pod"`
	Image     string      `json:"image"`
	Name      string      `json:"name"`
	From      *From       `json:"from"`
	To        *To         `json:"to"`
	Source    string      `json:"source"`
	Reason    string      `json:"reason"`
	Audited   string      `json:"audited"`
	Profile   string      `json:"profile"`
	Policy    string      `json:"policy_sha256"`
	Version   string      `json:"version"`

	RootVolumes []string `json:"root_volumes"`
}

// From is the user that was requested.
type From struct {
	UID uint32 `json:"uid"`
}

// To is the user that was decided on. In mode audit, it is the one that mode rewrite would have chosen.
type To struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

var events = []string{"create", "run", "restore", "exec", "start"}

var modes = []policy.Mode{policy.Rewrite, policy.Refuse, policy.Audit, policy.Off}

// parser parses lines. It must not be shared between goroutines.
type parser struct {
	known map[string]string // texts seen so far, to avoid copying them again
	day   time.Time         // the last date that was parsed
	spare []line            // lines allocated in advance, because a batch is cheaper than one at a time
}

// line is a Line together with the values that it points to.
type line struct {
	Line
	from From
	to   To
}

func (p *parser) next() *line {
	if len(p.spare) == 0 {
		p.spare = make([]line, 64)
	}
	l := &p.spare[0]
	p.spare = p.spare[1:]
	return l
}

// Limits on known: how many texts it keeps, and how many bytes each may have.
const (
	maxKnown = 4096
	maxText  = 256
)

func newParser() *parser { return &parser{known: map[string]string{}} }

// parse parses a line. If the line looks like the log writer's own output it takes a fast path, otherwise the JSON decoder.
func (p *parser) parse(text []byte) (*Line, bool) {
	l := p.next()
	if !p.written(text, l) {
		*l = line{}
		if json.Unmarshal(text, &l.Line) != nil {
			return nil, false
		}
	}
	return &l.Line, !l.Time.IsZero() && slices.Contains(events, l.Event) && slices.Contains(modes, l.Mode)
}

// written parses a line in the exact form that auditlog writes: no white space, lower-case names, integers, times in UTC
// with milliseconds. It either returns what the decoder would return, or false.
func (p *parser) written(text []byte, l *line) bool {
	rest, ok := object(text, 0, func(name, rest []byte) ([]byte, bool) {
		switch string(name) {
		case "time":
			return p.time(rest, &l.Time)
		case "mode":
			return p.text(rest, (*string)(&l.Mode))
		case "from":
			if l.From != nil {
				return nil, false
			}
			l.From = &l.from
			return numbers(rest, map[string]*uint32{"uid": &l.from.UID})
		case "to":
			if l.To != nil || bytes.HasPrefix(rest, []byte("null")) {
				return nil, false
			}
			l.To = &l.to
			return numbers(rest, map[string]*uint32{"uid": &l.to.UID, "gid": &l.to.GID})
		case "root_volumes":
			return p.texts(rest, &l.RootVolumes)
		case "id":
			if end, plain := textEnd(rest); plain {
				l.ID = string(rest[1 : end-1]) // not kept in known: an id occurs two or three times
				return rest[end:], true
			}
		}
		if to := l.member(name); to != nil {
			return p.text(rest, to)
		}
		return skip(rest, 1)
	})
	return ok && len(rest) == 0
}

// member returns the field for a text member, or nil if a report does not use it.
func (l *Line) member(name []byte) *string {
	switch string(name) {
	case "event":
		return &l.Event
	case "rule":
		return &l.Rule
	case "id":
		return &l.ID
	case "engine":
		return &l.Engine
	case "namespace":
		return &l.Namespace
	case "pod":
		return &l.Pod
	case "image":
		return &l.Image
	case "name":
		return &l.Name
	case "source":
		return &l.Source
	case "reason":
		return &l.Reason
	case "audited":
		return &l.Audited
	case "profile":
		return &l.Profile
	case "policy_sha256":
		return &l.Policy
	case "version":
		return &l.Version
	}
	return nil
}

// object parses the object at the beginning of b, and returns the rest of b.
func object(b []byte, depth int, member func(name, rest []byte) ([]byte, bool)) (rest []byte, ok bool) {
	const maxDepth = 8
	if len(b) < 2 || b[0] != '{' || depth > maxDepth {
		return nil, false
	}
	if b[1] == '}' {
		return b[2:], true
	}
	for {
		if b = b[1:]; len(b) == 0 || b[0] != '"' { // skip the brace or comma
			return nil, false
		}
		end := 1
		for end < len(b) && (b[end] >= 'a' && b[end] <= 'z' || b[end] >= '0' && b[end] <= '9' || b[end] == '_') {
			end++
		}
		if end+1 >= len(b) || b[end] != '"' || b[end+1] != ':' {
			return nil, false
		}
		if b, ok = member(b[1:end], b[end+2:]); !ok || len(b) == 0 {
			return nil, false
		}
		switch b[0] {
		case '}':
			return b[1:], true
		case ',':
		default:
			return nil, false
		}
	}
}

// skip returns what follows the value at the beginning of b.
func skip(b []byte, depth int) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	switch c := b[0]; {
	case c == '"':
		end, _ := textEnd(b)
		return b[max(end, 0):], end > 0
	case c >= '0' && c <= '9':
		_, rest, ok = whole(b)
		return rest, ok
	case c == '{':
		return object(b, depth, func(_, rest []byte) ([]byte, bool) { return skip(rest, depth+1) })
	case c == '[':
		return array(b, depth)
	}
	return nil, false
}

func array(b []byte, depth int) (rest []byte, ok bool) {
	const maxDepth = 8
	if len(b) < 2 || depth > maxDepth {
		return nil, false
	}
	if b[1] == ']' {
		return b[2:], true
	}
	for {
		if b, ok = skip(b[1:], depth+1); !ok || len(b) == 0 {
			return nil, false
		}
		switch b[0] {
		case ']':
			return b[1:], true
		case ',':
		default:
			return nil, false
		}
	}
}

// textEnd returns the length of the string at the beginning of b, quotes included, or 0 if there is none. plain means that
// it has no escapes.
func textEnd(b []byte) (end int, plain bool) {
	if plain = true; len(b) == 0 || b[0] != '"' {
		return 0, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain
		case c < ' ':
			return 0, false
		case c >= utf8.RuneSelf:
			plain = false
		case c == '\\':
			plain = false
			if i++; i >= len(b) {
				return 0, false
			}
			if b[i] == 'u' {
				if len(b) < i+5 || !isHex(b[i+1:i+5]) {
					return 0, false
				}
				i += 4
			} else if bytes.IndexByte([]byte(`"\/bfnrt`), b[i]) < 0 {
				return 0, false
			}
		}
	}
	return 0, false
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func (p *parser) text(b []byte, to *string) (rest []byte, ok bool) {
	end, plain := textEnd(b)
	switch {
	case end == 0:
		return nil, false
	case plain:
		*to = p.keep(b[1 : end-1])
	default:
		if json.Unmarshal(b[:end], to) != nil {
			return nil, false
		}
	}
	return b[end:], true
}

// texts parses an array of strings.
func (p *parser) texts(b []byte, to *[]string) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '[' || *to != nil {
		return nil, false
	}
	rest, ok = array(b, 1)
	return rest, ok && json.Unmarshal(b[:len(b)-len(rest)], to) == nil
}

func (p *parser) keep(text []byte) string {
	if known, ok := p.known[string(text)]; ok {
		return known
	}
	kept := string(text)
	if len(kept) <= maxText {
		if len(p.known) >= maxKnown {
			clear(p.known)
		}
		p.known[kept] = kept
	}
	return kept
}

// whole parses an integer of at most 18 digits without leading zeros.
func whole(b []byte) (n int64, rest []byte, ok bool) {
	end := 0
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	if end == 0 || end > 18 || end > 1 && b[0] == '0' || end < len(b) && (b[end] == '.' || b[end] == 'e' || b[end] == 'E') {
		return 0, nil, false
	}
	for _, c := range b[:end] {
		n = 10*n + int64(c-'0')
	}
	return n, b[end:], true
}

// numbers parses an object, stores those of its members that are 32-bit numbers in members, and skips the others.
func numbers(b []byte, members map[string]*uint32) (rest []byte, ok bool) {
	return object(b, 1, func(name, rest []byte) ([]byte, bool) {
		to := members[string(name)]
		if to == nil {
			return skip(rest, 2)
		}
		n, rest, ok := whole(rest)
		*to = uint32(n) // #nosec G115 -- discarded below if it is too large
		return rest, ok && n <= math.MaxUint32
	})
}

// time parses 2006-01-02T15:04:05.000Z.
func (p *parser) time(b []byte, to *time.Time) (rest []byte, ok bool) {
	const form = `"0000-00-00T00:00:00.000Z"`
	if len(b) < len(form) {
		return nil, false
	}
	for i := range form {
		if digit := b[i] >= '0' && b[i] <= '9'; form[i] == '0' && !digit || form[i] != '0' && b[i] != form[i] {
			return nil, false
		}
	}
	at := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day, hour, minute, second := at(1, 5), at(6, 8), at(9, 11), at(12, 14), at(15, 17), at(18, 20)
	if y, m, d := p.day.Date(); y != year || int(m) != month || d != day {
		p.day = time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if y, m, d := p.day.Date(); y != year || int(m) != month || d != day { // no such day in the calendar
			return nil, false
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return nil, false
	}
	*to = p.day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(at(21, 24))*time.Millisecond)
	return b[len(form):], true
}
