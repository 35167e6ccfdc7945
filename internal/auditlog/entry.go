// SPDX-License-Identifier: Apache-2.0

// Package auditlog keeps a log of decisions: one line of JSON each, to a file, to syslog and to systemd's journal.
// docs/log.md describes it.
//
//	entry.go    a decision as one line of bounded length
//	write.go    the line's way into a file, whole or not at all, and to the two daemons
//	lost.go     how many lines did not get there
//	changed.go  which parts of a document a rewrite has changed
//	origin.go   what engines know of a container
package auditlog

import (
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Entry is a decision. What is not known is empty, and is left out of the line.
type Entry struct {
	Time  time.Time
	Event string // the runtime's verb: create, run, restore, exec, start
	ID    string // the container's

	Engine    string
	Namespace string // Kubernetes' or containerd's
	Pod       string
	Container string // its name in the pod
	Image     string // as whoever made the container wrote it
	Name      string // Docker's

	From     *policy.Identity // who was asked for
	To       *policy.Identity // who was decided on; in mode audit, who would have been
	Mode     policy.Mode
	Rule     string
	Source   policy.Source
	Changed  []string
	Reason   string   // of an exemption or refusal, or why an audited container would be refused
	Notes    []string // what else there is to know: engines' sockets and hooks among it
	Profile  string   // whose policy it is; "": the general one
	Policy   string   // the digest of the policy file, SHA-256 in hex
	Version  string   // of the program that decided
	Audited  string   // what a stricter policy that is only audited would have done
	Duration time.Duration
}

// MaxLine bounds a line with its newline, in bytes. Within a page, a file system that is not full takes it in one piece,
// and so do the datagrams of syslog (8192 bytes by default: rsyslog.conf(5), maxMessageSize) and log shippers.
const MaxLine = 4096

// maxGroups and maxChanged bound lists; what is left out is counted.
const (
	maxGroups  = 20
	maxChanged = 16
	maxNotes   = 3
)

// Time is how times are written: UTC with milliseconds, which sorts as text.
const Time = "2006-01-02T15:04:05.000Z07:00"

// Line is the entry as a line of ASCII: whatever is in its texts, they can neither end the line nor reach a terminal as
// anything but text. A text that is too long ends in "...".
//
// "time" is first: what begins with {"time":" is a line's beginning, wherever it stands, as quotes within texts have a
// backslash in front.
func (e *Entry) Line() []byte {
	w := writer{make([]byte, 0, 1024)}
	w.b = append(w.b, `{"time":"`...)
	w.b = e.Time.UTC().AppendFormat(w.b, Time)
	w.b = append(w.b, '"')
	w.text("event", e.Event, 16)
	w.text("mode", string(e.Mode), 16)
	w.text("rule", e.Rule, 128)
	w.text("id", e.ID, 160)
	w.text("engine", e.Engine, 32)
	w.text("namespace", e.Namespace, 128)
	w.text("pod", e.Pod, 160)
	w.text("container", e.Container, 128)
	w.text("image", e.Image, 300)
	w.text("name", e.Name, 128)
	w.identity("from", e.From)
	w.identity("to", e.To)
	w.text("source", string(e.Source), 16)
	w.list("changed", "changed_more", len(e.Changed), maxChanged, func(i int) { w.quoted(e.Changed[i], 40) })
	w.list("notes", "notes_more", len(e.Notes), maxNotes, func(i int) { w.quoted(e.Notes[i], 110) })
	w.text("reason", e.Reason, 400)
	w.text("audited", e.Audited, 250)
	w.text("profile", e.Profile, 64)
	w.text("policy_sha256", e.Policy, 64)
	w.text("version", e.Version, 64)
	w.key("duration_us")
	w.b = strconv.AppendInt(w.b, e.Duration.Microseconds(), 10)
	return append(w.b, '}', '\n')
}

// writer appends members; one that is empty is left out.
type writer struct{ b []byte }

func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) text(name, value string, limit int) {
	if value != "" {
		w.key(name)
		w.quoted(value, limit)
	}
}

const hexDigits = "0123456789abcdef"

// quoted writes a string of at most limit bytes between its quotes. Invalid UTF-8 becomes U+FFFD.
func (w *writer) quoted(s string, limit int) {
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
		if len(w.b)-start > limit {
			w.b = append(w.b[:before], "..."...)
			break
		}
	}
	w.b = append(w.b, '"')
}

func (w *writer) identity(name string, id *policy.Identity) {
	if id == nil {
		return
	}
	w.key(name)
	w.b = append(w.b, '{')
	w.number("uid", id.UID)
	w.number("gid", id.GID)
	w.list("groups", "groups_more", len(id.Groups), maxGroups, func(i int) { w.b = strconv.AppendUint(w.b, uint64(id.Groups[i]), 10) })
	w.b = append(w.b, '}')
}

func (w *writer) number(name string, value uint32) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, uint64(value), 10)
}

// list writes the first elements, and how many more there are.
func (w *writer) list(name, more string, n, limit int, element func(int)) {
	if n == 0 {
		return
	}
	w.key(name)
	w.b = append(w.b, '[')
	for i := range min(n, limit) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		element(i)
	}
	w.b = append(w.b, ']')
	if n > limit {
		w.number(more, uint32(n-limit)) // #nosec G115 -- a process has at most 65536 groups, a config.json 16 MiB
	}
}
