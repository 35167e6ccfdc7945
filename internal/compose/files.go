// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/template"
	node "go.yaml.in/yaml/v3"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// Limits on the files that a file names, directly or through other files.
const (
	maxFiles = 1000
	maxTotal = 64 << 20 // bytes
)

// projectFiles are the files of a project: those that are loaded, and those that they include or extend. Each is read once, and only if it is a
// regular file of bounded size. The loader then opens it again: it has no limits, so that /dev/zero would fill the memory, and a pipe would
// block.
type projectFiles struct {
	root        string
	within      string // no file outside of it is read; "": there is no limit
	environment map[string]string
	loaded      []*file
	included    []*file          // that they include, in order
	including   bool             // what is looked at is below a key include
	seen        map[string]*file // by path
	total       int64
	reads       int
	followed    map[alias]bool
}

// file is a file with its documents. What can't be parsed is left to the loader to report.
type file struct {
	path      string
	text      []byte
	documents []*node.Node
	isGuarded [2]bool // as services, and as variables
}

// alias is what an alias in a text stands for, and whether it names files of variables.
type alias struct {
	of    *node.Node
	isEnv bool
}

// add adds a file that is loaded.
func (f *projectFiles) add(name string, text []byte) *file {
	one := &file{path: filepath.Join(f.root, filepath.Base(name)), text: text}
	one.parse()
	f.loaded = append(f.loaded, one)
	f.seen[one.path] = one
	return one
}

func (f *file) parse() {
	for in := node.NewDecoder(bytes.NewReader(f.text)); ; {
		var doc node.Node
		if in.Decode(&doc) != nil {
			return
		}
		f.documents = append(f.documents, &doc)
	}
}

// guard checks the files that a file names.
func (f *projectFiles) guard(in *file) error {
	if in.isGuarded[0] {
		return nil
	}
	in.isGuarded[0] = true
	for _, doc := range in.documents {
		if err := f.node(filepath.Dir(in.path), doc); err != nil {
			return err
		}
	}
	return nil
}

// node looks for names of files below any key include or extends.
func (f *projectFiles) node(dir string, n *node.Node) error {
	for i, c := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 1 {
			switch target(n.Content[i-1]).Value {
			case "include", "extends":
				was := f.including
				f.including = target(n.Content[i-1]).Value == "include"
				err := f.names(dir, c, false)
				f.including = was
				if err != nil {
					return err
				}
			}
		}
		if err := f.node(dir, c); err != nil {
			return err
		}
	}
	return nil
}

// names treats all strings below a key as names of files. It follows each alias once.
func (f *projectFiles) names(dir string, n *node.Node, isEnv bool) error {
	if n.Kind == node.AliasNode {
		to := alias{n.Alias, isEnv}
		if to.of == nil || f.followed[to] {
			return nil
		}
		if f.followed == nil {
			f.followed = map[alias]bool{}
		}
		f.followed[to] = true
		return f.names(dir, to.of, isEnv)
	}
	if n.Kind == node.ScalarNode {
		return f.name(dir, n.Value, isEnv)
	}
	for i, c := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 0 {
			continue
		}
		env := isEnv || n.Kind == node.MappingNode && target(n.Content[i-1]).Value == "env_file"
		if err := f.names(dir, c, env); err != nil {
			return err
		}
	}
	return nil
}

func (f *projectFiles) name(dir, value string, isEnv bool) error {
	if len(value) > maxName {
		return errors.New("the name of a file in it is too long")
	}
	for _, at := range []string{dir, f.root} {
		if name := f.path(at, value); name != "" {
			if err := f.look(name, isEnv); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxName is PATH_MAX.
const maxName = 4096

// path returns the path of a file that is named in a directory, with variables replaced; "": the loader refuses the name.
func (f *projectFiles) path(dir, value string) string {
	value, err := template.Substitute(value, func(name string) (string, bool) {
		v, ok := f.environment[name]
		return v, ok
	})
	switch {
	case err != nil || value == "" || len(value) > maxName:
		return ""
	case filepath.IsAbs(value):
		return filepath.Clean(value)
	}
	return filepath.Join(dir, value)
}

func (f *projectFiles) look(name string, isEnv bool) error {
	if st, err := os.Stat(name); err == nil && st.IsDir() { // a project_directory, which may have a .env
		_, err := f.withEnv(name, f.environment)
		return err
	}
	one, err := f.open(name)
	if err != nil || one == nil {
		return err
	}
	if isEnv {
		if one.isGuarded[1] {
			return nil
		}
		one.isGuarded[1] = true
		_, err := longestIn(one.text, f.environment)
		return err
	}
	if f.including && !slices.Contains(f.included, one) && !slices.Contains(f.loaded, one) {
		f.included = append(f.included, one)
	}
	if one.isGuarded[0] {
		return nil
	}
	if _, err := f.withEnv(filepath.Dir(name), f.environment, one.text); err != nil {
		return err
	}
	one.parse()
	return f.guard(one)
}

// inside returns an error for a file outside of the directory that limits what is read.
func (f *projectFiles) inside(name string) error {
	if f.within == "" {
		return nil
	}
	return Inside(f.within, name)
}

// Inside returns an error if a file is not within a directory, after all symbolic links. One that isn't there is not read either.
func Inside(dir, name string) error {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil //nolint:nilerr // whoever reads it tells
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if !links.Within(dir, real) {
		return fmt.Errorf("it names %q, which is outside of %q, and is not read\nhint: check what it all makes: docker compose config | nonroot-ctl check -", name, dir)
	}
	return nil
}

// open reads a file, unless it was read before. It returns nil if there is none, or none that can be opened: the loader reports that.
func (f *projectFiles) open(name string) (*file, error) {
	if one, ok := f.seen[name]; ok {
		return one, nil
	}
	st, err := os.Stat(name)
	if err != nil || st.IsDir() || name == os.DevNull {
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	f.seen[name] = nil
	if err := f.inside(name); err != nil {
		return nil, err
	}
	f.total += st.Size()
	switch {
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("it names %q, which is not a regular file", name)
	case st.Size() > MaxBytes:
		return nil, fmt.Errorf("it names %q, which has more than %d bytes", name, MaxBytes)
	case len(f.seen) > maxFiles || f.total > maxTotal:
		return nil, fmt.Errorf("it names more than %d files, or files of more than %d bytes", maxFiles, maxTotal)
	}
	f.reads++
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	f.seen[name] = &file{path: name, text: text}
	return f.seen[name], nil
}
