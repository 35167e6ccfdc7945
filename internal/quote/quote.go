// SPDX-License-Identifier: Apache-2.0

// Package quote makes untrusted text readable: names in an image, annotations, paths, the environment. Such text may be
// long, and may be crafted to look like something else in a terminal (control characters) or on a page (characters that
// change the direction of writing: Unicode Standard Annex 9, "Explicit Directional Overrides"). The result is valid UTF-8 of
// printable characters, on one line, of bounded length. It is for people; no program may depend on it.
package quote

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxValue is the maximum length of a value, in bytes before quoting.
const MaxValue = 255

// Value quotes a value like %q. A longer one than MaxValue is cut, and followed by "...".
func Value(s string) string { return value(s, strconv.Quote) }

// ASCII is Value with all non-ASCII characters escaped, because some look like others.
func ASCII(s string) string { return value(s, strconv.QuoteToASCII) }

func value(s string, quoted func(string) string) string {
	if len(s) <= MaxValue {
		return quoted(s)
	}
	return quoted(s[:boundary(s, MaxValue)]) + "..."
}

// Path formats a path in a document, such as annotations.NAME. Names of letters, digits and "._-/:" are not quoted. Of a
// long path, only the last names are shown.
func Path(names ...string) string {
	const most = 8
	var b strings.Builder
	if len(names) > most {
		b.WriteString("...")
		names = names[len(names)-most:]
	}
	for i, name := range names {
		if i > 0 {
			b.WriteByte('.')
		}
		if plain(name) && len(name) <= MaxValue {
			b.WriteString(name)
		} else {
			b.WriteString(Value(name))
		}
	}
	return b.String()
}

func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("._-/:", c) < 0 {
			return false
		}
	}
	return name != ""
}

// Text formats a sentence that may contain unquoted values. It escapes what can't be printed, like Value, and cuts a
// sentence of more than limit bytes, followed by "...".
func Text(s string, limit int) string {
	clean := len(s) <= limit
	for _, r := range s {
		if !clean {
			break
		}
		clean = r != utf8.RuneError && strconv.IsPrint(r)
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		piece := string(r)
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				piece = "\\x" + strconv.FormatUint(uint64(s[i]), 16)
			}
		} else if !strconv.IsPrint(r) {
			piece = strconv.QuoteRune(r)
			piece = piece[1 : len(piece)-1]
		}
		if b.Len()+len(piece) > limit {
			b.WriteString("...")
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}

// boundary returns the beginning of the character at or before a byte of the text, or the byte itself if none is near.
func boundary(s string, at int) int {
	for i := at; i > at-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return at
}

// IsPlainPath reports whether an absolute path is a single word to any shell, so that it can be printed as part of a
// command.
func IsPlainPath(p string) bool {
	return strings.HasPrefix(p, "/") && strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@-") == ""
}
