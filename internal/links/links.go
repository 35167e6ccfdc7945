// SPDX-License-Identifier: Apache-2.0

// Package links handles paths part by part. It follows them through symbolic links for callers that must look at each link, and reports
// whether one path is within another. It reads nothing itself: the caller does.
package links

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// maxParts limits the parts of a path that are looked up. Links in an image can add half a million of them, or form a loop. The kernel
// gives up after 40 links, and SecureJoin, which runc uses, after 255.
const maxParts = 1024

// ErrMany reports that a path has a loop, or too many parts.
var ErrMany = errors.New("it leads through too many symbolic links")

// Follow resolves an absolute path. For each part it calls ask, which returns the target of the symbolic link at next; "": it is not a
// link, or does not exist. The directory of next has no links in it, and rest is the part of the path after it. Follow returns the path
// without links, or the first error.
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

// WithinAny reports whether p is one of the directories, or below one.
func WithinAny(dirs []string, p string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return Within(dir, p) })
}

// Within reports whether p is dir, or below it. Both have to be clean and absolute.
func Within(dir, p string) bool {
	if dir == "/" {
		return true
	}
	return strings.HasPrefix(p, dir) && (len(p) == len(dir) || p[len(dir)] == '/')
}
