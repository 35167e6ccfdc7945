// SPDX-License-Identifier: Apache-2.0

// Package quote makes text from outside fit to be read: names out of an image, annotations, paths, the environment. Such a
// text may be long, and may be made to look like something else in a terminal (control characters) or on a page (those that
// turn the direction of writing: Unicode Standard Annex 9, "Explicit Directional Overrides"). What comes out is valid UTF-8
// of printable characters, on one line, of bounded length; it is for people, and no program may rest on it.
package quote

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxValue bounds what of a value is shown, in bytes before quoting.
const MaxValue = 255

// Value is a value between quotes, as %q writes it; of one that is longer than MaxValue the beginning, with "..." behind it.
func Value(s string) string { return value(s, strconv.Quote) }

// ASCII is Value without letters that look like others.
func ASCII(s string) string { return value(s, strconv.QuoteToASCII) }

func value(s string, quoted func(string) string) string {
	if len(s) <= MaxValue {
		return quoted(s)
	}
	return quoted(s[:boundary(s, MaxValue)]) + "..."
}

// Path is where something stands in a document, such as annotations.NAME: a name of letters, digits and "._-/:" as it is,
// any other between quotes. Only the last names of a long way are shown.
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

// Text is a sentence that may have values in it that nobody has quoted: what can't be printed is escaped as in Value, and a
// sentence of more than limit bytes ends in "...".
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

// boundary is the last beginning of a character at or before a byte of the text; the byte itself, where none is near.
func boundary(s string, at int) int {
	for i := at; i > at-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return at
}

// IsPlainPath reports whether an absolute path is one word to any shell, so that it may stand in a command that somebody is told to run.
func IsPlainPath(p string) bool {
	return strings.HasPrefix(p, "/") && strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@-") == ""
}
