// SPDX-License-Identifier: Apache-2.0

// Package targets finds what is to be checked in what somebody names: a file, or what a directory has of Dockerfiles, manifests and the
// like. What they say is not read here.
package targets

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Kind is what a target is.
type Kind string

// The kinds.
const (
	Dockerfile Kind = "dockerfile"
	Archive    Kind = "archive" // of an image, as docker save writes it
	Layout     Kind = "layout"  // a directory of the OCI image layout
)

// Target is one thing to check.
type Target struct {
	Path string
	Kind Kind
}

// Bounds of a walk.
const (
	maxEntries = 1 << 20
	maxDepth   = 100
)

// Find says what is to be checked of a path: itself, where it is a file, else what it has below it that git would look at. Symbolic
// links in it are not followed. It is an error where nothing is.
func Find(name string) ([]Target, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case st.Mode().IsRegular():
		return []Target{{name, ofFile(name)}}, nil
	case !st.IsDir():
		return nil, fmt.Errorf("%q is neither a regular file nor a directory\nhint: give its text on standard input, and - as the path", name)
	}
	if _, err := os.Stat(filepath.Join(name, "oci-layout")); err == nil {
		return []Target{{name, Layout}}, nil
	}
	w := walk{}
	g, rel := above(name)
	if err := w.directory(name, rel, g, 0); err != nil {
		return nil, err
	}
	if len(w.found) == 0 {
		return nil, fmt.Errorf("nothing in %q is a Dockerfile that git does not ignore\nhint: name the file", name)
	}
	return w.found, nil
}

type walk struct {
	found []Target
	seen  int
}

func (w *walk) directory(dir, rel string, g *ignores, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%q lies too deep: no more than %d levels are looked at", dir, maxDepth)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	g = g.with(rel, filepath.Join(dir, ".gitignore"))
	for _, e := range entries {
		if w.seen++; w.seen > maxEntries {
			return errors.New("there are more than a million files\nhint: name a smaller directory")
		}
		below, name := path.Join(rel, e.Name()), filepath.Join(dir, e.Name())
		switch {
		case e.Name() == ".git" || g.ignored(below, e.IsDir()):
		case e.IsDir():
			if err := w.directory(name, below, g, depth+1); err != nil {
				return err
			}
		case e.Type().IsRegular() && isDockerfile(e.Name()):
			w.found = append(w.found, Target{name, Dockerfile})
		}
	}
	return nil
}

// maxSniffed is how much of a file its kind is told by: a block of tar.
const maxSniffed = 512

// ofFile is the kind of a file that somebody names.
func ofFile(name string) Kind {
	f, err := os.Open(name)
	if err != nil {
		return Dockerfile
	}
	defer f.Close() //nolint:errcheck // it was only read
	text := make([]byte, maxSniffed)
	n, _ := io.ReadFull(f, text)
	return Of(text[:n])
}

// Of is the kind of what begins with a text.
func Of(text []byte) Kind {
	if len(text) >= 262 && string(text[257:262]) == "ustar" {
		return Archive
	}
	return Dockerfile
}

// isDockerfile goes by the names that builders and editors know: Dockerfile, Containerfile, api.Dockerfile, Dockerfile.dev.
func isDockerfile(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, ".dockerignore") || strings.HasSuffix(lower, ".md") {
		return false
	}
	for _, one := range []string{"dockerfile", "containerfile"} {
		if lower == one || strings.HasPrefix(lower, one+".") || strings.HasSuffix(lower, "."+one) {
			return true
		}
	}
	return false
}
