// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// TestMutate: each kind of change is made, and a comment leaves out what it names.
func TestMutate(t *testing.T) {
	const text = `package x

var checks = []func(int) error{one, one}

func one(n int) error { return nil }

func two(n int, err error) (bool, error) {
	var notes []int
	//mutants:skip "n < 5 -> n <= 5" the same
	if n < 5 && !small(n) {
		small(n)
		notes = append(notes, n)
		return true, err
	}
	//mutants:skip the whole line
	return n == len(notes), err
}

func small(n int) bool { return even(n) }

func even(n int) bool { return false }
`
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "x.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	f := &file{File: parsed, fset: fset, text: []byte(text), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}}
	f.number = func() int { number++; return number }
	if _, err := (&types.Config{}).Check("x", fset, []*ast.File{parsed}, f.info); err != nil {
		t.Fatal(err)
	}
	if err := f.readSkips(); err != nil {
		t.Fatal(err)
	}
	f.mutate()
	var changes, skipped []string
	for _, m := range f.mutants {
		if m.skip != "" {
			skipped = append(skipped, m.change)
		} else {
			changes = append(changes, m.change)
		}
	}
	const condition = "n < 5 && !small(n)"
	want := []string{
		"one -> not in the list", "one -> not in the list", condition + " -> true", condition + " -> false", condition + " -> n < 5",
		condition + " -> !small(n)", "n < 5 -> n >= 5", "!small(n) -> small(n)", "small(n) -> left out",
		"notes = append(notes, n) -> left out", "return true, err -> return true, nil", "true -> false", "even(n) -> !even(n)", "false -> true",
	}
	slices.Sort(want)
	slices.Sort(changes)
	if !slices.Equal(changes, want) {
		t.Errorf("%s\nwant %s", strings.Join(changes, "; "), strings.Join(want, "; "))
	}
	slices.Sort(skipped)
	if got, want := strings.Join(skipped, "; "), "n < 5 -> n <= 5; n == len(notes) -> n != len(notes); "+
		"return n == len(notes), err -> return n == len(notes), nil"; got != want {
		t.Errorf("left out: %s\nwant %s", got, want)
	}
	helped := string(f.written()) + "\nfunc mutantOn(int) bool { return false }\nfunc mutantWithout[T any](int, []T) []T { return nil }\n"
	again, err := parser.ParseFile(fset, "y.go", helped, 0)
	if err == nil {
		_, err = (&types.Config{}).Check("y", fset, []*ast.File{again}, nil)
	}
	if err != nil {
		t.Errorf("%v:\n%s", err, helped)
	}
}
