// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
)

// row is what a C library reads from a line of passwd or group.
type row struct {
	name        string
	id, gid     uint32
	home, shell string
}

// parser models one reader of the two files: its name, and its rows in order.
// It is written from the readers' sources, not from the code under test.
type parser struct {
	name string
	rows func(text []byte, fields int) []row
}

var parsers = []parser{
	{"glibc", glibcRows},
	{"musl", muslRows},
	{"busybox", busyboxRows},
	{"moby", mobyRows},
}

func (p parser) byID(text []byte, fields int, id uint32) (row, bool) {
	for _, r := range p.rows(text, fields) {
		if r.id == id || r.name == "+" {
			return r, true
		}
	}
	return row{}, false
}

func (p parser) byName(text []byte, fields int, name string) (row, bool) {
	for _, r := range p.rows(text, fields) {
		if r.name == name || r.name == "+" {
			return r, true
		}
	}
	return row{}, false
}

// cString returns what C sees of a line.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// strtou32 is glibc's nss/nss_files/files-parse.c: strtoul, clamped.
func strtou32(s string) (n uint32, rest string, ok bool) {
	t := strings.TrimLeft(s, " \t\v\f\r\n")
	minus := strings.HasPrefix(t, "-")
	if minus || strings.HasPrefix(t, "+") {
		t = t[1:]
	}
	digits := len(t) - len(strings.TrimLeft(t, "0123456789"))
	if digits == 0 {
		return 0, s, false
	}
	v, err := strconv.ParseUint(t[:digits], 10, 64)
	if err != nil {
		v = math.MaxUint64
	} else if minus {
		v = -v
	}
	return uint32(min(v, math.MaxUint32)), t[digits:], true
}

// glibcRows follows nss_files' LINE_PARSER: leading space is skipped, trailing fields may be missing, everything after
// the sixth colon is the shell. NIS lines are rows named "+" here: with "compat" they stand for anything.
func glibcRows(text []byte, fields int) []row {
	var out []row
	for _, raw := range bytes.SplitAfter(text, []byte{'\n'}) {
		line := strings.TrimLeft(strings.TrimSuffix(cString(raw), "\n"), " \t\v\f\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '+' || line[0] == '-' {
			out = append(out, row{name: "+"})
			continue
		}
		var r row
		var ok bool
		r.name, line, _ = strings.Cut(line, ":")
		_, line, _ = strings.Cut(line, ":")
		if r.id, line, ok = strtou32(line); !ok || line != "" && line[0] != ':' {
			continue
		}
		line = strings.TrimPrefix(line, ":")
		if fields == passwdFields {
			if r.gid, line, ok = strtou32(line); !ok || line != "" && line[0] != ':' {
				continue
			}
			_, line, _ = strings.Cut(strings.TrimPrefix(line, ":"), ":")
			r.home, r.shell, _ = strings.Cut(line, ":")
		}
		out = append(out, r)
	}
	return out
}

// atou is musl's: no sign, no limit.
func atou(s string) (n uint32, rest string) {
	i := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + uint32(s[i]-'0')
	}
	return n, s[i:]
}

// muslRows follows musl's getpwent_a.c and getgrent_a.c: no comments, the last byte of a line is removed whatever it
// is, the first byte of a name may be a colon.
func muslRows(text []byte, fields int) []row {
	var out []row
	for _, raw := range bytes.SplitAfter(text, []byte{'\n'}) {
		if len(raw) < 2 {
			continue
		}
		line := cString(raw[:len(raw)-1])
		if line == "" {
			continue
		}
		i := strings.IndexByte(line[1:], ':')
		if i < 0 {
			continue
		}
		r := row{name: line[:i+1]}
		_, rest, ok := strings.Cut(line[i+2:], ":")
		if !ok {
			continue
		}
		r.id, rest = atou(rest)
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			continue
		}
		if fields == passwdFields {
			r.gid, rest = atou(rest)
			if rest, ok = strings.CutPrefix(rest, ":"); !ok {
				continue
			}
			if _, rest, ok = strings.Cut(rest, ":"); !ok {
				continue
			}
			if r.home, r.shell, ok = strings.Cut(rest, ":"); !ok {
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// busyboxRows follows libpwdgrp/pwd_grp.c: blanks around a field are removed, the number of fields must be right, and a
// NUL begins a new line (libbb/get_line_from_file.c).
func busyboxRows(text []byte, fields int) []row {
	var out []row
	for _, line := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == 0 }) {
		if line[0] == '#' {
			continue
		}
		f := strings.Split(line, ":")
		if len(f) != fields {
			continue
		}
		for i := range f {
			f[i] = strings.Trim(f[i], " \t")
		}
		r := row{name: f[0]}
		r.id, _ = atou(f[2])
		if fields == passwdFields {
			r.gid, _ = atou(f[3])
			r.home, r.shell = f[5], f[6]
		}
		out = append(out, r)
	}
	return out
}

// mobyRows returns what runc and Go programs read. The library stops at a line of passwd longer than 64 kB.
func mobyRows(text []byte, fields int) []row {
	var out []row
	if fields == groupFields {
		gs, _ := user.ParseGroup(bytes.NewReader(text))
		for _, g := range gs {
			out = append(out, row{name: g.Name, id: uint32(g.Gid)})
		}
		return out
	}
	_, _ = user.ParsePasswdFilter(bytes.NewReader(text), func(u user.User) bool {
		out = append(out, row{u.Name, uint32(u.Uid), uint32(u.Gid), u.Home, u.Shell})
		return false
	})
	return out
}
