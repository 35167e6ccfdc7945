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

// maxContextPatterns limits a .dockerignore, since each of its lines is compared with each name. A longer one is ignored.
const maxContextPatterns = 4096

// LeftOut returns a function that reports which paths the .dockerignore of a directory excludes from the build context,
// using BuildKit's own library. Dockerfile.dockerignore next to a Dockerfile of that name takes precedence (BuildKit,
// frontend/dockerui). dockerfile is the file's name; "": any. A .dockerignore that no build could read excludes nothing.
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

// context is the build context of a directory: the closest parent, or the directory itself, that has a .dockerignore.
type context struct {
	dir     string // from the top of the walk
	leftOut func(name string) bool
}

// in returns the context of a subdirectory. A .dockerignore that leaves out everything but what it lists says nothing about a directory:
// Dockerfiles there may have contexts of their own.
func (c context) in(dir, rel string) context {
	if st, err := os.Lstat(filepath.Join(dir, ".dockerignore")); err != nil || !st.Mode().IsRegular() {
		return c
	}
	leftOut := LeftOut(dir, "")
	if leftOut("a-name-that-no-line-means") {
		leftOut = nil
	}
	return context{rel, leftOut}
}

// without reports whether the context excludes a directory. Such a directory is not part of a build, and is usually
// third-party code.
func (c context) without(rel string) bool {
	if c.leftOut == nil || rel == c.dir {
		return false
	}
	if c.dir != "" {
		rel = strings.TrimPrefix(rel, c.dir+"/")
	}
	return c.leftOut(rel)
}
