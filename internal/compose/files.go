// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/template"
	node "go.yaml.in/yaml/v3"
)

// Limits on the files that a file names, directly or through other files.
const (
	maxFiles = 1000
	maxTotal = 64 << 20 // bytes
)

// guard checks the files that a file includes or extends, because the loader reads them without a limit: /dev/zero would fill the memory,
// and a pipe would block.
type guard struct {
	root        string
	environment map[string]string
	seen        map[string]bool
	total       int64
	followed    map[alias]bool
}

// alias is what an alias in a text stands for, and whether it names files of variables.
type alias struct {
	of    *node.Node
	isEnv bool
}

// file checks the files that a text names. dir is the directory of the text.
func (g *guard) file(dir string, text []byte) error {
	in := node.NewDecoder(bytes.NewReader(text))
	for {
		var doc node.Node
		if in.Decode(&doc) != nil {
			return nil // the end, or an error that the loader reports
		}
		if err := g.node(dir, &doc); err != nil {
			return err
		}
	}
}

// node looks for names of files below any key include or extends.
func (g *guard) node(dir string, n *node.Node) error {
	for i, c := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 1 {
			switch target(n.Content[i-1]).Value {
			case "include", "extends":
				if err := g.names(dir, c, false); err != nil {
					return err
				}
			}
		}
		if err := g.node(dir, c); err != nil {
			return err
		}
	}
	return nil
}

// names treats all strings below a key as names of files. It follows each alias once.
func (g *guard) names(dir string, n *node.Node, isEnv bool) error {
	if n.Kind == node.AliasNode {
		to := alias{n.Alias, isEnv}
		if to.of == nil || g.followed[to] {
			return nil
		}
		if g.followed == nil {
			g.followed = map[alias]bool{}
		}
		g.followed[to] = true
		return g.names(dir, to.of, isEnv)
	}
	if n.Kind == node.ScalarNode {
		return g.name(dir, n.Value, isEnv)
	}
	for i, c := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 0 {
			continue
		}
		env := isEnv || n.Kind == node.MappingNode && target(n.Content[i-1]).Value == "env_file"
		if err := g.names(dir, c, env); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) name(dir, value string, isEnv bool) error {
	if len(value) > maxName {
		return errors.New("the name of a file in it is too long")
	}
	value, err := template.Substitute(value, func(name string) (string, bool) {
		v, ok := g.environment[name]
		return v, ok
	})
	if err != nil || value == "" || len(value) > maxName {
		return nil //nolint:nilerr // the loader tells of it
	}
	for _, at := range []string{dir, g.root} {
		name := value
		if !filepath.IsAbs(name) {
			name = filepath.Join(at, name)
		}
		if err := g.look(name, isEnv); err != nil {
			return err
		}
	}
	return nil
}

// maxName is PATH_MAX.
const maxName = 4096

func (g *guard) look(name string, isEnv bool) error {
	st, err := os.Stat(name)
	if err != nil || st.IsDir() || g.seen[name] || name == os.DevNull {
		return nil //nolint:nilerr // the loader tells of it
	}
	g.seen[name] = true
	g.total += st.Size()
	switch {
	case !st.Mode().IsRegular():
		return fmt.Errorf("it names %q, which is not a regular file", name)
	case st.Size() > MaxBytes:
		return fmt.Errorf("it names %q, which has more than %d bytes", name, MaxBytes)
	case len(g.seen) > maxFiles || g.total > maxTotal:
		return fmt.Errorf("it names more than %d files, or files of more than %d bytes", maxFiles, maxTotal)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil //nolint:nilerr // the loader tells of it
	}
	if isEnv {
		_, err := longestIn(text, g.environment)
		return err
	}
	dir := filepath.Dir(name)
	if _, err := withEnv(dir, text, g.environment); err != nil {
		return err
	}
	return g.file(dir, text)
}
