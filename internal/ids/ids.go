// SPDX-License-Identifier: Apache-2.0

// Package ids reads uids and gids from text: the one place where digits become an id, so that no sign, space or overflow ends as
// 0, which is root (SECURITY.md D3). What an id means, and which one a container gets, is said elsewhere.
package ids

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Max is the highest uid or gid that a container is given: runc 1.1's limit (runc, libcontainer/user, maxID).
const Max = math.MaxInt32

// Unchanged is not an id: to setresuid(2) and chown(2) it means "leave it as it is" (SECURITY.md A4).
const Unchanged = math.MaxUint32

// ID is a uid or gid from 1 to Max. Zero is no ID: it means that there is none.
type ID uint32

// errNumber says that a text is not a number of 32 bits.
var errNumber = errors.New("it is not a whole number of 32 bits")

// Parse reads an ID as people write it, in a policy, an annotation or an image's USER. Leading zeros are no octal to any of those
// who read these.
func Parse(text string) (ID, error) {
	v, err := Number(text)
	if err != nil || v == 0 || v > Max {
		return 0, fmt.Errorf("%q is not a number from 1 to %d", text, Max)
	}
	return ID(v), nil
}

// Plain reads an id from 0 to 4294967294 where others read the same text with parsers of their own: passwd and group, and
// runtimes' command lines. There, a leading zero is octal for some (package flag, strtol), so that it is not taken, nor is Unchanged.
func Plain[T string | []byte](text T) (id uint32, ok bool) {
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	id, err := Number(text)
	return id, err == nil && id != Unchanged
}

// Number reads what the kernel or a program of ours has written, and numbers of JSON: digits only, from 0 to 4294967295.
func Number[T string | []byte](text T) (uint32, error) {
	var n uint64
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, errNumber
		}
		if n = n*10 + uint64(c-'0'); n > math.MaxUint32 {
			return 0, errNumber
		}
	}
	if len(text) == 0 {
		return 0, errNumber
	}
	return uint32(n), nil
}

// Numbers reads numbers with white space between them, as in a line of /proc/PID/status.
func Numbers(text string) (all []uint32, err error) {
	for field := range strings.FieldsSeq(text) {
		n, err := Number(field)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
