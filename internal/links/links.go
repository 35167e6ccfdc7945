// SPDX-License-Identifier: Apache-2.0

// Package links follows paths through symbolic links, one part after the other, for those who must look at each.
package links

import (
	"errors"
	"path"
	"strings"
)

// maxParts bounds the parts of a path that are looked up one by one: links of an image can make half a million of them, or
// go round. The kernel gives up after 40 links, SecureJoin, which runc uses, after 255.
const maxParts = 1024

// ErrMany says that a path goes round, or is made of too many parts.
var ErrMany = errors.New("it leads through too many symbolic links")

// Follow leads along an absolute path. For each part it asks where the link at next, whose directory is free of links, leads;
// "" means that it is none, or nothing. What is still to follow behind it is rest. It gives the path without links, and ends
// at the first error.
func Follow(name string, ask func(next, rest string) (target string, err error)) (string, error) {
	at, rest := "/", name
	for parts := 0; rest != ""; parts++ {
		if parts > maxParts {
			return "", ErrMany
		}
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		target, err := ask(next, rest)
		switch {
		case err != nil:
			return "", err
		case target == "":
			at = next
			continue
		case path.IsAbs(target):
			at = "/"
		}
		rest = target + "/" + rest
	}
	return at, nil
}
