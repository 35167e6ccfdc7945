// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "embed"
)

const tags = "-tags=urfave_cli_no_docs"

// subject is a package with its mutants in it.
type subject struct {
	dir     string
	name    string // of its package
	mutants []*mutant
	overlay map[string][]byte // what stands in place of which file
}

// load writes the mutants of a package's files.
func load(dir string, names []string) (*subject, error) {
	exports, sources, err := list(dir)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var all []*ast.File
	byName := map[string]*file{}
	for _, name := range sources {
		text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- a source
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(dir, name), text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed)
		byName[name] = &file{File: parsed, fset: fset, text: text}
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("nothing is known of %q", path)
		}
		return os.Open(exports[path])
	})}
	if _, err := config.Check(dir, fset, all, info); err != nil {
		return nil, err
	}
	s := &subject{dir: dir, name: all[0].Name.Name, overlay: map[string][]byte{}}
	number := 0
	for _, name := range names {
		f := byName[name]
		if f == nil {
			return nil, fmt.Errorf("%s has no %s: correct scope.go", dir, name)
		}
		f.info, f.number = info, func() int { number++; return number }
		if err := f.readSkips(); err != nil {
			return nil, err
		}
		f.mutate()
		for _, skip := range f.skips {
			if !skip.used {
				return nil, fmt.Errorf(
					"%s: the next line has no such mutant: leave the comment out, or correct it",
					skip.at,
				)
			}
		}
		s.mutants = append(s.mutants, f.mutants...)
		s.overlay[name] = f.written()
	}
	return s, nil
}

// list gives what a package imports, compiled, and its own files.
func list(dir string) (exports map[string]string, sources []string, err error) {
	out, err := command("go", "list", tags, "-deps", "-export", "-json=ImportPath,Export,GoFiles,DepOnly", "./"+dir)
	if err != nil {
		return nil, nil, err
	}
	exports = map[string]string{}
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var p struct {
			ImportPath, Export string
			GoFiles            []string
			DepOnly            bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return exports, sources, nil
		} else if err != nil {
			return nil, nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			sources = p.GoFiles
		}
	}
}

//go:embed helper.go.txt
var helper string

// build compiles the package's tests with every mutant in it, of which the environment says which one is on.
func (s *subject) build(work string) (program string, err error) {
	replace := map[string]string{}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	more := strings.NewReplacer("PACKAGE", s.name, "CPUSECONDS", fmt.Sprint(cpuSeconds)).Replace(helper)
	s.overlay["mutants_helper.go"] = []byte(more)
	for name, text := range s.overlay {
		at := filepath.Join(work, s.name+"_"+name)
		if err := os.WriteFile(at, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(here, s.dir, name)] = at
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(work, s.name+".json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(work, s.name+".test")
	_, err = command("go", "test", tags, "-vet=off", "-c", "-overlay", overlay, "-o", program, "./"+s.dir)
	return program, err
}

func command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...) // #nosec G204 -- Go
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return string(out), nil
}
