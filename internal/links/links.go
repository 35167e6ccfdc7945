// SPDX-License-Identifier: Apache-2.0

// Package links works on paths part by part: it follows them through symbolic links for those who must look at each, and
// tells whether one lies within another. It reads nothing itself: what is at a path is for the caller to say.
package links

import (
	"errors"
	"path"
	"slices"
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

// WithinAny reports whether p is one of the directories or below one, as Within does.
func WithinAny(dirs []string, p string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return Within(dir, p) })
}

// Within reports whether p is dir or below it; both are clean and absolute.
func Within(dir, p string) bool {
	if dir == "/" {
		return true
	}
	return strings.HasPrefix(p, dir) && (len(p) == len(dir) || p[len(dir)] == '/')
}
