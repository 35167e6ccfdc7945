// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
)

// The number of fields of an entry: passwd(5), group(5). The id is the third of both.
const (
	passwdFields = 7
	groupFields  = 4
)

// maxLine is the longest line that counts as an entry: the library that reads it stops at 64 kB, musl and glibc don't.
const maxLine = 32 << 10

// longLine is half the buffer that glibc recommends to programs (_SC_GETPW_R_SIZE_MAX and _SC_GETGR_R_SIZE_MAX are
// 1024; group's members need pointers in it as well). A lookup that reaches a line which doesn't fit, before it has
// found its entry, fails with ERANGE.
const longLine = 512

// maxName is the limit of utmp and useradd(8) for a name.
const maxName = 32

// lines yields each line with its offset, without its newline.
func lines(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for at := 0; at < len(text); {
			end := bytes.IndexByte(text[at:], '\n')
			if end < 0 {
				end = len(text) - at
			}
			if !yield(at, text[at:at+end]) {
				return
			}
			at += end + 1
		}
	}
}

// field returns a line's field by its number; nil if the line has fewer.
func field(line []byte, n int) []byte {
	for range n {
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			return nil
		}
		line = line[i+1:]
	}
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		return line[:i]
	}
	return line
}

// wellFormed reports whether all parsers read a line alike, as an entry: it has every field, ids in the usual form, no
// control characters, and a name that makes it neither a comment nor a NIS line.
func wellFormed(line []byte, fields int) bool {
	if len(line) > maxLine || bytes.Count(line, []byte{':'}) != fields-1 || bytes.ContainsFunc(line, control) {
		return false
	}
	if _, ok := ids.Plain(field(line, 2)); !ok {
		return false
	}
	if _, ok := ids.Plain(field(line, 3)); !ok && fields == passwdFields {
		return false
	}
	name := field(line, 0)
	return len(name) > 0 && !bytes.ContainsRune([]byte("+-#"), rune(name[0])) &&
		len(bytes.TrimSpace(name)) == len(name)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// blanks may precede a line or an id: glibc skips them.
const blanks = " \t"

// needed returns how many fields of an entry engines and glibc require: up to the ids. The rest may be missing.
func needed(fields int) int {
	if fields == passwdFields {
		return 4
	}
	return 3
}

// asRead returns an entry as engines (moby/sys/user, which containerd and runc use, too) and glibc read it, in its
// usual form: a well-formed line unchanged, or one that only lacks its last fields, ends in a carriage return, or has
// blanks before it or blanks and zeros before an id. Files that people and images' scripts write by hand look like
// that. An invalid number, one with a sign, a comment and a NIS line are not entries.
func asRead(line []byte, fields int) (entry []byte, ok bool) {
	if wellFormed(line, fields) {
		return line, true
	}
	line = bytes.TrimRight(bytes.TrimLeft(line, blanks), "\r")
	colons := bytes.Count(line, []byte{':'})
	if len(line) > maxLine || colons >= fields || colons < needed(fields)-1 {
		return nil, false
	}
	parts := bytes.Split(line, []byte{':'})
	for i := 2; i < needed(fields); i++ {
		parts[i] = bareID(parts[i])
	}
	entry = bytes.Join(parts, []byte{':'})
	for range fields - len(parts) {
		entry = append(entry, ':')
	}
	return entry, wellFormed(entry, fields)
}

// bareID returns an id without what may precede it; it does not check that it is one.
func bareID(f []byte) []byte {
	f = bytes.TrimLeft(f, blanks)
	for len(f) > 1 && f[0] == '0' {
		f = f[1:]
	}
	return f
}

// entries yields each line that is an entry, as asRead returns it.
func entries(text []byte, fields int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, line := range lines(text) {
			if e, ok := asRead(line, fields); ok && !yield(e) {
				return
			}
		}
	}
}

// entryFor returns the first well-formed entry for an id, and its offset.
func entryFor(text []byte, fields int, id uint32) (int, []byte, bool) {
	want := strconv.AppendUint(nil, uint64(id), 10)
	for at, line := range lines(text) {
		if bytes.Equal(field(line, 2), want) && wellFormed(line, fields) {
			return at, line, true
		}
	}
	return 0, nil, false
}

// readFor returns the first entry for an id, as asRead returns it, and its line's offset.
func readFor(text []byte, fields int, id uint32) (int, []byte, bool) {
	want := strconv.AppendUint(nil, uint64(id), 10)
	for at, line := range lines(text) {
		if !bytes.Equal(bareID(field(line, 2)), want) && !bytes.HasSuffix(line, []byte{'\r'}) {
			continue
		}
		if e, ok := asRead(line, fields); ok && bytes.Equal(field(e, 2), want) {
			return at, e, true
		}
	}
	return 0, nil, false
}

// readings yields the lines that parsers read from one: a NUL is a byte like any other for Go, ends the line for glibc
// and musl, and begins the next one for busybox.
func readings(line []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !yield(line) || bytes.IndexByte(line, 0) < 0 {
			return
		}
		for part := range bytes.SplitSeq(line, []byte{0}) {
			if !yield(part) {
				return
			}
		}
	}
}

// claims reports whether an entry of id must come before a line, because some parser could use the line instead: one
// that may be read as the id's, a NIS line (nsswitch.conf(5), "compat"), which stands for any entry, or one that makes
// lookups fail. musl reads comments as entries, and accepts a colon as a name's first byte.
func claims(line []byte, id uint32) bool {
	if len(line) > longLine {
		return true
	}
	for l := range readings(line) {
		if readsAs(field(l, 2), id) || len(l) > 0 && l[0] == ':' && readsAs(field(l, 3), id) {
			return true
		}
		if l = bytes.TrimSpace(l); len(l) > 0 && (l[0] == '+' || l[0] == '-') {
			return true
		}
	}
	return false
}

// readsAs reports whether some parser could read a field as id: with space around it (busybox), signs and leading zeros
// (strtoul), letters after it (busybox), and past 32 bits, where musl wraps around.
func readsAs(f []byte, id uint32) bool {
	f = bytes.TrimLeft(bytes.TrimSpace(f), "+-")
	var n uint32
	for _, c := range f {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint32(c-'0')
	}
	return n == id || -n == id
}

// mentions reports whether some parser could read a line's name as name.
func mentions(line []byte, name string) bool {
	for l := range readings(line) {
		if string(bytes.TrimSpace(field(l, 0))) == name {
			return true
		}
	}
	return false
}

// taken reports whether another id has a name in the lines of text: whether any line, well-formed or not, gives the
// name to an id other than ours.
func taken(text []byte, name string, id uint32, fields int) bool {
	if name == "root" {
		return true // even if the image has no root: programs go by the name
	}
	want := strconv.AppendUint(nil, uint64(id), 10)
	for _, line := range lines(text) {
		if !mentions(line, name) {
			continue
		}
		if e, ok := asRead(line, fields); !ok || !bytes.Equal(field(e, 2), want) {
			return true
		}
	}
	return false
}

// userName returns the identity's name: its entry's, if that is a name and leads back to the identity, else the
// policy's, else a variant of that which is free.
func userName(text []byte, uid uint32, wish string) (string, bool) {
	if at, line, ok := readFor(text, passwdFields, uid); ok {
		name := string(field(line, 0))
		if validName(name, uid) && !taken(text[:at], name, uid, passwdFields) {
			return name, true
		}
	}
	return freeName(text, uid, wish, passwdFields)
}

// freeName returns the first variant of a name that no line has. An image can take some, but can't make us search for
// long.
func freeName(text []byte, id uint32, wish string, fields int) (string, bool) {
	if !validName(wish, id) {
		wish = "nonroot"
	}
	if !taken(text, wish, id, fields) {
		return wish, true
	}
	number := strconv.FormatUint(uint64(id), 10)
	for _, suffix := range []string{"", "-a", "-b", "-c"} {
		suffix = "-" + number + suffix
		name := wish[:min(len(wish), maxName-len(suffix))] + suffix
		if !taken(text, name, id, fields) {
			return name, true
		}
	}
	return number, !taken(text, number, id, fields)
}

// validName reports whether a name is accepted everywhere: useradd(8)'s letters and capitals, no more than 32, and not
// a number other than the id itself, which chown and others would read as one.
func validName(name string, id uint32) bool {
	if name == "" || len(name) > maxName || name[0] == '-' || name == "." || name == ".." {
		return false
	}
	digits := true
	for _, c := range []byte(name) {
		digit := c >= '0' && c <= '9'
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !digit && !letter && !strings.ContainsRune("_.-", rune(c)) {
			return false
		}
		digits = digits && digit
	}
	return !digits || name == strconv.FormatUint(uint64(id), 10)
}

// withUser returns passwd with u's entry: a corrected existing one, else a new one. An entry that not all parsers read
// alike stays after it, as some may read it as another user's.
func withUser(text []byte, u User) []byte {
	pass, gecos := "x", ""
	if _, line, ok := readFor(text, passwdFields, u.UID); ok {
		pass, gecos = string(field(line, 1)), string(field(line, 4))
	}
	if gecos == "" || len(gecos) > longLine/4 {
		gecos = u.Name // git accepts no empty full name
	}
	if len(pass) > longLine/4 {
		pass = "x" // no hash is that long
	}
	id, gid := strconv.FormatUint(uint64(u.UID), 10), strconv.FormatUint(uint64(u.GID), 10)
	entry := strings.Join([]string{u.Name, pass, id, gid, gecos, u.Home, u.Shell}, ":")
	return put(text, passwdFields, u.UID, entry)
}

// withGroup returns group with an entry for gid: the existing one, unless its name leads elsewhere, else a new one; nil
// if no name is free.
func withGroup(text []byte, wish string, gid uint32) []byte {
	at, line, ok := readFor(text, groupFields, gid)
	if ok && !taken(text[:at], string(field(line, 0)), gid, groupFields) {
		return put(text, groupFields, gid, string(line))
	}
	name, free := freeName(text, gid, wish, groupFields)
	if !free {
		return nil
	}
	pass, members := "x", ""
	if ok {
		pass, members = string(field(line, 1)), string(field(line, 3))
	}
	id := strconv.FormatUint(uint64(gid), 10)
	return put(text, groupFields, gid, strings.Join([]string{name, pass, id, members}, ":"))
}

// withoutNumbers returns group without the lines with a name that is a number other than their own gid: for runc before
// 1.3 the line "1000:x:0:" turns the additional gid 1000 into group 0 (SECURITY.md A3).
func withoutNumbers(text []byte) []byte {
	var out []byte
	kept := 0 // the text before this offset is in out
	for at, line := range lines(text) {
		if !numbered(line) {
			continue
		}
		out = append(out, text[kept:at]...)
		kept = min(at+len(line)+1, len(text))
	}
	if kept == 0 {
		return text
	}
	return append(out, text[kept:]...)
}

// numbered reports whether some parser could read a line as the entry of a number that isn't its own gid.
func numbered(line []byte) bool {
	for l := range readings(line) {
		l = bytes.TrimSpace(l)
		name := bytes.TrimSpace(field(l, 0))
		if len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r < '0' || r > '9' }) {
			continue
		}
		if !wellFormed(line, groupFields) || !bytes.Equal(field(line, 2), name) {
			return true
		}
	}
	return false
}

// put returns text with the entry in place of the id's own, or else at the end, but before any line that a parser could
// use instead. All other bytes stay.
func put(text []byte, fields int, id uint32, entry string) []byte {
	cut, resume := len(text), len(text)
	at, line, ok := entryFor(text, fields, id)
	if ok {
		cut, resume = at, min(at+len(line)+1, len(text))
	}
	before := cut
	for i, l := range lines(text[:cut]) {
		if claims(l, id) {
			before = i
			break
		}
	}
	if !ok {
		resume = cut
	}
	out := slices.Grow([]byte(nil), len(text)+len(entry)+2)
	out = endLine(append(out, text[:before]...))
	out = append(append(out, entry...), '\n')
	out = append(out, text[before:cut]...)
	out = append(out, text[resume:]...)
	return endLine(out)
}

// endLine adds a newline to the last line if it lacks one: musl removes a line's last byte, whatever it is.
func endLine(text []byte) []byte {
	if n := len(text); n > 0 && text[n-1] != '\n' {
		return append(text, '\n')
	}
	return text
}

// publicLines returns what a copy contains of a mounted file: entries, without their passwords.
func publicLines(text []byte, fields int) []byte {
	var out []byte
	for line := range entries(text, fields) {
		name, pass := field(line, 0), field(line, 1)
		rest := line[len(name)+1+len(pass):]
		switch string(pass) {
		case "", "x", "*", "!", "!!":
		default:
			pass = []byte{'x'}
		}
		out = append(append(append(out, name...), ':'), pass...)
		out = append(append(out, rest...), '\n')
	}
	return out
}
