// SPDX-License-Identifier: Apache-2.0

// Package dirents reads directories by their descriptors, without what os.File sets up for files that can block. The loop
// around getdents64(2) belongs here, and nothing else: how a directory is opened safely, and what its entries mean, is for
// the callers to say.
package dirents

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"golang.org/x/sys/unix"
)

// Entry is one of a directory's entries.
type Entry struct {
	Name string
	Kind byte // unix.DT_DIR and so on; unix.DT_UNKNOWN where the file system doesn't say
}

// All yields the entries of a directory that is open for reading, from where its descriptor stands, but for "." and "..".
// It ends with the first failure, which comes with an empty Entry.
func All(fd int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var buf [2048]byte
		for {
			n, err := unix.Getdents(fd, buf[:])
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if n <= 0 {
				return
			}
			for rest := buf[:n]; len(rest) > 0; {
				var e Entry
				e, rest = first(rest)
				if e.Name != "." && e.Name != ".." && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Names lists a directory, at most so many of its entries, and those that it has seen if it fails.
func Names(fd, most int) (names []string, err error) {
	if most <= 0 {
		return nil, nil
	}
	for e, err := range All(fd) {
		if err != nil {
			return names, err
		}
		if names = append(names, e.Name); len(names) == most {
			break
		}
	}
	return names, nil
}

// first takes the first entry off what getdents64(2) filled in.
func first(buf []byte) (Entry, []byte) {
	const lengthAt, kindAt, nameAt = 16, 18, 19
	size := int(binary.NativeEndian.Uint16(buf[lengthAt:]))
	name, _, _ := bytes.Cut(buf[nameAt:size], []byte{0})
	return Entry{Name: string(name), Kind: buf[kindAt]}, buf[size:]
}
