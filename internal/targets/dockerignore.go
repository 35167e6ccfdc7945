// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// maxContextPatterns bounds a .dockerignore: each of its lines is compared with each name. One that has more leaves nothing out.
const maxContextPatterns = 4096

// LeftOut says what a .dockerignore leaves out of the build context of a directory, by BuildKit's own library: Dockerfile.dockerignore
// beside a Dockerfile of that name counts before it (BuildKit, frontend/dockerui). dockerfile is the name of the file; "": of any. A
// file that no build reads leaves nothing out.
func LeftOut(dir, dockerfile string) func(name string) bool {
	nothing := func(string) bool { return false }
	text, ok := "", false
	if dockerfile != "" {
		text, ok = head(filepath.Join(dir, dockerfile+".dockerignore"), maxIgnores+1)
	}
	if !ok {
		text, ok = head(filepath.Join(dir, ".dockerignore"), maxIgnores+1)
	}
	if !ok || len(text) > maxIgnores {
		return nothing
	}
	patterns, err := ignorefile.ReadAll(strings.NewReader(text))
	if err != nil || len(patterns) > maxContextPatterns {
		return nothing
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nothing
	}
	return func(name string) bool {
		out, err := m.MatchesOrParentMatches(strings.TrimPrefix(path.Clean("/"+name), "/"))
		return err == nil && out
	}
}

// context is the build context that a directory of a walk lies in: the next one above it, or itself, that has a .dockerignore.
type context struct {
	dir     string // from the top of the walk
	leftOut func(name string) bool
}

// in is the context of a directory below.
func (c context) in(dir, rel string) context {
	if st, err := os.Lstat(filepath.Join(dir, ".dockerignore")); err == nil && st.Mode().IsRegular() {
		return context{rel, LeftOut(dir, "")}
	}
	return c
}

// without reports whether the context leaves out a directory: what is in there is no part of a build, and most often not of one's own.
func (c context) without(rel string) bool {
	if c.leftOut == nil || rel == c.dir {
		return false
	}
	if c.dir != "" {
		rel = strings.TrimPrefix(rel, c.dir+"/")
	}
	return c.leftOut(rel)
}
