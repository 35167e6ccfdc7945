// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// entry is the state of a number: its owner, and the containers that the owner has had with it.
type entry struct {
	owner   string
	members []Member
	used    time.Time // when it was last assigned
}

// alive reports whether a container of the owner exists.
func (e *entry) alive(alive func(Member) bool) bool { return slices.ContainsFunc(e.members, alive) }

// few is how many members are kept without checking whether they still exist.
const few = 8

// join adds a container, replacing the one that the same bundle held before. It removes those that no longer exist only
// from time to time, as checking each means looking at its bundle.
func (e *entry) join(m Member, alive func(Member) bool) {
	e.members = slices.DeleteFunc(e.members, func(o Member) bool { return o.Bundle == m.Bundle })
	if n := len(e.members); n >= few && n&(n-1) == 0 {
		e.members = slices.DeleteFunc(e.members, func(o Member) bool { return !alive(o) })
	}
	e.members = append(e.members, m)
}

// encode writes a line with the owner, then one for each container.
func (e *entry) encode() []byte {
	b := strconv.AppendQuote(nil, e.owner)
	for _, m := range e.members {
		b = strconv.AppendQuote(append(b, '\n'), m.Bundle)
		b = strconv.AppendQuote(append(b, ' '), m.ID)
		b = strconv.AppendInt(append(b, ' '), int64(m.Pid), 10)
		b = strconv.AppendUint(append(b, ' '), m.Start, 10)
	}
	return append(b, '\n')
}

// read returns a number's entry; unix.ENOENT if it was never assigned.
func (f *directory) read(v uint32) (*entry, error) {
	name := strconv.FormatUint(uint64(v), 10)
	data, err := f.dir.Read(name)
	if err != nil {
		return nil, err
	}
	e, err := decode(string(data))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", f.dir.Join(name), err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(f.dir.Join(name), &st); err != nil {
		return nil, err
	}
	e.used = time.Unix(st.Mtim.Unix())
	return e, nil
}

var errEntry = errors.New("nonroot-runc has not written it")

func decode(text string) (*entry, error) {
	text, whole := strings.CutSuffix(text, "\n")
	lines := strings.Split(text, "\n")
	owner, err := strconv.Unquote(lines[0])
	if err != nil || !whole {
		return nil, errEntry
	}
	e := &entry{owner: owner, members: make([]Member, 0, len(lines))}
	for _, l := range lines[1:] {
		m, err := decodeMember(l)
		if err != nil {
			return nil, errEntry
		}
		e.members = append(e.members, m)
	}
	return e, nil
}

func decodeMember(line string) (m Member, err error) {
	if m.Bundle, line, err = quoted(line); err != nil {
		return m, err
	}
	if m.ID, line, err = quoted(strings.TrimPrefix(line, " ")); err != nil {
		return m, err
	}
	pid, start, _ := strings.Cut(strings.TrimPrefix(line, " "), " ")
	if m.Pid, err = strconv.Atoi(pid); err != nil {
		return m, err
	}
	m.Start, err = strconv.ParseUint(start, 10, 64)
	return m, err
}

// quoted takes a quoted text off the beginning of a line.
func quoted(line string) (text, rest string, err error) {
	q, err := strconv.QuotedPrefix(line)
	if err != nil {
		return "", line, err
	}
	text, err = strconv.Unquote(q)
	return text, line[len(q):], err
}
