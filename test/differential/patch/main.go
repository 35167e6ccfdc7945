// SPDX-License-Identifier: Apache-2.0

// Command patch makes an oracle of a copy of runc's main package: what reads a command line stays runc's own, and a command
// that is reached tells what it was given instead of doing it.
//
//	patch DIRECTORY
//
// Three kinds of edits, by the syntax tree and as text, so that everything else stays as it was released: an Action
// returns once it has checked how many words there are, app.Before at once; main becomes runOnce, which takes the words of one line; and a command is made anew for each
// line, as the flags of urfave/cli keep what they were given. An edit that finds no place, or not the number of places it
// must, is an error: an oracle that is not what it seems would agree with everything.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: patch DIRECTORY")
		os.Exit(2)
	}
	if err := patch(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "patch:", err)
		os.Exit(1)
	}
}

// edit replaces the text between two offsets.
type edit struct {
	from, to int
	text     string
}

// source is one file of the package.
type source struct {
	path  string
	text  []byte
	file  *ast.File
	base  int
	edits []edit
}

func (s *source) replace(from, to token.Pos, text string) {
	s.edits = append(s.edits, edit{int(from) - s.base, int(to) - s.base, text})
}

func (s *source) insert(at token.Pos, text string) { s.replace(at, at, text) }

func (s *source) write() error {
	if len(s.edits) == 0 {
		return nil
	}
	slices.SortFunc(s.edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range s.edits {
		out.Write(s.text[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(s.text[at:])
	text, err := format.Source(out.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return os.WriteFile(s.path, text, 0o644)
}

func patch(directory string) error {
	sources, err := parse(directory)
	if err != nil {
		return err
	}
	commands := map[string]bool{} // by the name of the variable
	for _, s := range sources {
		if err := s.commands(commands); err != nil {
			return err
		}
	}
	mains := 0
	for _, s := range sources {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "main" || f.Recv != nil {
				continue
			}
			mains++
			if err := s.mainFunction(f, commands); err != nil {
				return fmt.Errorf("%s: %w", s.path, err)
			}
		}
	}
	if mains != 1 || len(commands) < 15 {
		return fmt.Errorf("%d main functions and %d commands: that is no runc", mains, len(commands))
	}
	for _, s := range sources {
		if err := s.write(); err != nil {
			return err
		}
	}
	return nil
}

func parse(directory string) ([]*source, error) {
	paths, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil || len(paths) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no Go files in %q", directory))
	}
	var sources []*source
	set := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		sources = append(sources, &source{path: path, text: text, file: file, base: set.File(file.Pos()).Base()})
	}
	return sources, nil
}

// commands turns "var xCommand = cli.Command{...}" into a function of that name, and cuts its Action short.
func (s *source) commands(found map[string]bool) error {
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR || len(g.Specs) != 1 {
			continue
		}
		v := g.Specs[0].(*ast.ValueSpec)
		if len(v.Values) != 1 {
			continue
		}
		literal, kind := command(v.Values[0])
		if literal == nil {
			continue
		}
		name := v.Names[0].Name
		if err := s.action(literal); err != nil {
			return fmt.Errorf("%s: %s: %w", s.path, name, err)
		}
		s.replace(g.Pos(), v.Values[0].Pos(), "func "+name+"() "+kind+" { return ")
		s.insert(g.End(), "}")
		found[name] = true
	}
	return nil
}

// command gives the literal of a cli.Command, or nil.
func command(e ast.Expr) (*ast.CompositeLit, string) {
	kind := "cli.Command"
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.AND {
		e, kind = u.X, "*cli.Command"
	}
	l, ok := e.(*ast.CompositeLit)
	if !ok || !isSelector(l.Type, "cli", "Command") {
		return nil, ""
	}
	return l, kind
}

func isSelector(e ast.Expr, of, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == of
}

// action makes the Action tell what it was given. What else could act before it must not be there.
func (s *source) action(l *ast.CompositeLit) error {
	actions := 0
	for _, e := range l.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return errors.New("an element without a key")
		}
		switch key := kv.Key.(*ast.Ident).Name; key {
		case "Action":
			f, ok := kv.Value.(*ast.FuncLit)
			if !ok {
				return errors.New("its Action is no function literal")
			}
			params := f.Type.Params.List
			last := params[len(params)-1]
			if len(last.Names) != 1 || last.Names[0].Name == "_" {
				return errors.New("its Action has no name for what it gets")
			}
			if len(f.Body.List) == 0 || !checksArgs(f.Body.List[0]) {
				return errors.New("its Action does not begin with checkArgs")
			}
			s.insert(f.Body.List[0].End(), "\nif asked { return reached("+last.Names[0].Name+") }\n")
			actions++
		case "Before", "After", "Subcommands", "Commands", "OnUsageError":
			return fmt.Errorf("it has %s, which nobody has thought about", key)
		}
	}
	if actions != 1 {
		return fmt.Errorf("it has %d Actions", actions)
	}
	return nil
}

// checksArgs tells whether a statement is runc's refusal of too many or too few words, which belongs to the reading of a line.
func checksArgs(s ast.Stmt) bool {
	i, ok := s.(*ast.IfStmt)
	if !ok {
		return false
	}
	a, ok := i.Init.(*ast.AssignStmt)
	if !ok || len(a.Rhs) != 1 {
		return false
	}
	call, ok := a.Rhs[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == "checkArgs"
}

// mainFunction makes runOnce of main.
func (s *source) mainFunction(f *ast.FuncDecl, commands map[string]bool) error {
	s.replace(f.Name.Pos(), f.Type.Params.End(), "runOnce(words []string)")
	var before, args, fatals int
	used := map[string]bool{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) != 1 || !isSelector(n.Lhs[0], "app", "Before") {
				return true
			}
			fn := n.Rhs[0].(*ast.FuncLit)
			result := "nil"
			if fn.Type.Results.NumFields() == 2 {
				result = "ctx, nil"
			}
			s.insert(fn.Body.Lbrace+1, "\nif asked { return "+result+" }\n")
			before++
			return false
		case *ast.SelectorExpr:
			if isSelector(n, "os", "Args") {
				s.replace(n.Pos(), n.End(), "words")
				args++
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "fatal" {
				s.replace(id.Pos(), id.End(), "refused")
				fatals++
			}
		case *ast.Ident:
			if commands[n.Name] {
				s.insert(n.End(), "()")
				used[n.Name] = true
			}
		}
		return true
	})
	if before != 1 || args != 1 || fatals != 1 || len(used) != len(commands) {
		return fmt.Errorf("main has %d app.Before, %d os.Args, %d fatal and %d of %d commands", before, args, fatals, len(used), len(commands))
	}
	return nil
}
