// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxIndex limits git's index, in bytes. Linux's own has 90,000 files, and 11 MB.
const maxIndex = 256 << 20

// tracked returns the files in git's index, and their directories, to which a .gitignore does not apply (gitignore(5)). Paths are relative
// to the top of the repository. The result is empty if the index can't be read.
func tracked(top string) map[string]bool {
	all := map[string]bool{}
	dir := filepath.Join(top, ".git")
	if text, ok := head(dir, maxPattern); ok { // of a worktree or a submodule
		link, is := strings.CutPrefix(strings.TrimSpace(text), "gitdir: ")
		if !is {
			return all
		}
		if dir = link; !filepath.IsAbs(dir) {
			dir = filepath.Join(top, dir)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "index"))
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxIndex {
		return all
	}
	text, err := os.ReadFile(filepath.Join(dir, "index"))
	if err != nil {
		return all
	}
	names, err := namesOf(text)
	if err != nil {
		return all
	}
	for _, name := range names {
		for p := name; p != "." && p != "/" && !all[p]; p = path.Dir(p) {
			all[p] = true
		}
	}
	return all
}

var errIndex = errors.New("it is not an index of git's")

// Parts of an entry of the index: the bytes before its flags, with a SHA-1 sum, and two masks for the flags (git, gitformat-index(5)).
const (
	beforeFlags = 60
	lengthBits  = 0xfff
	isExtended  = 0x4000
)

// namesOf returns the paths in an index of version 2, 3 or 4.
func namesOf(text []byte) (names []string, err error) {
	if len(text) < 12 || string(text[:4]) != "DIRC" {
		return nil, errIndex
	}
	version, count := binary.BigEndian.Uint32(text[4:]), binary.BigEndian.Uint32(text[8:])
	if version < 2 || version > 4 {
		return nil, errIndex
	}
	rest, last := text[12:], ""
	for range count {
		at := beforeFlags + 2
		if len(rest) < at {
			return nil, errIndex
		}
		if binary.BigEndian.Uint16(rest[beforeFlags:])&isExtended != 0 {
			at += 2
		}
		if len(rest) < at {
			return nil, errIndex
		}
		prefix := ""
		if version == 4 {
			strip, n := offset(rest[at:])
			if n == 0 || strip > len(last) {
				return nil, errIndex
			}
			prefix, at = last[:len(last)-strip], at+n
		}
		end := bytes.IndexByte(rest[at:], 0)
		if end < 0 || len(prefix)+end > maxPattern {
			return nil, errIndex
		}
		last = prefix + string(rest[at:at+end])
		names = append(names, last)
		size := at + end + 1
		if version != 4 {
			size = (at + end + 8) &^ 7
		}
		if size > len(rest) {
			return nil, errIndex
		}
		rest = rest[size:]
	}
	return names, nil
}

// offset reads a number of variable length, as git has it for the distance to a delta's base. n is its length; 0: it is malformed.
func offset(text []byte) (value, n int) {
	for n < len(text) && n < 4 {
		b := text[n]
		n++
		value += int(b & 0x7f)
		if b&0x80 == 0 {
			return value, n
		}
		value = (value + 1) << 7
	}
	return 0, 0
}
