// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of the sources.
type mutant struct {
	number int
	at     token.Position
	change string // what becomes of what
	skip   string // why it is left out; "": it is not
}

// file is a source into which its mutants are written.
type file struct {
	*ast.File
	fset *token.FileSet
	info *types.Info
	text []byte

	inserted []insertion
	mutants  []*mutant
	skips    []*skip
	number   func() int
}

// insertion is text at an offset. Of those at the same one, the outer begins first, and ends last.
type insertion struct {
	at   int
	text string
}

// skip is a comment in the line above, or at the end of the line: //mutants:skip REASON leaves out every mutant of the
// line,
// //mutants:skip "CHANGE" REASON the one that is printed so. It is for what makes no difference that a test could see.
type skip struct {
	at             token.Position
	change, reason string // change "": each
	used           bool
}

const skipComment = "//mutants:skip "

func (f *file) readSkips() error {
	for _, group := range f.Comments {
		for _, c := range group.List {
			text, ok := strings.CutPrefix(c.Text, skipComment)
			if !ok {
				continue
			}
			s := &skip{at: f.fset.Position(c.Pos())}
			if quoted, err := strconv.QuotedPrefix(text); err == nil {
				if s.change, err = strconv.Unquote(quoted); err != nil {
					return fmt.Errorf("%s: %w", s.at, err)
				}
				text = text[len(quoted):]
			}
			if s.reason = strings.TrimSpace(text); s.reason == "" {
				return fmt.Errorf("%s: give the reason", s.at)
			}
			f.skips = append(f.skips, s)
		}
	}
	return nil
}

// add notes a mutant, and gives its number.
func (f *file) add(at token.Pos, change string) int {
	m := &mutant{f.number(), f.fset.Position(at), change, ""}
	// A comment in the line above may stand among others.
	for line, above := m.at.Line, true; above; line-- {
		above = false
		for _, s := range f.skips {
			if s.at.Line == line && (s.change == "" || s.change == change) {
				s.used, m.skip = true, s.reason
			}
			above = above || s.at.Line == line-1 && s.at.Column <= m.at.Column
		}
	}
	f.mutants = append(f.mutants, m)
	return m.number
}

func (f *file) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *file) source(n ast.Node) string { return string(f.text[f.offset(n.Pos()):f.offset(n.End())]) }

// around puts text before and after a node, within what was put around it already.
func (f *file) around(n ast.Node, before, after string) {
	f.inserted = append(f.inserted, insertion{f.offset(n.Pos()), before})
	end := insertion{f.offset(n.End()), after}
	// What has been put there so far is further out, or belongs to what comes next.
	at := slices.IndexFunc(f.inserted, func(i insertion) bool { return i.at == end.at })
	if at < 0 {
		at = len(f.inserted)
	}
	f.inserted = slices.Insert(f.inserted, at, end)
}

// written is the source with its mutants in it.
func (f *file) written() []byte {
	slices.SortStableFunc(f.inserted, func(a, b insertion) int { return a.at - b.at })
	var out bytes.Buffer
	last := 0
	for _, i := range f.inserted {
		out.Write(f.text[last:i.at])
		out.WriteString(i.text)
		last = i.at
	}
	out.Write(f.text[last:])
	return out.Bytes()
}

// instead lets mutants stand for a condition.
func (f *file) instead(e ast.Expr, others ...string) {
	var before strings.Builder
	before.WriteString("func() bool { ")
	for _, o := range others {
		change := fmt.Sprintf("%s -> %s", oneLine(f.source(e)), oneLine(o))
		fmt.Fprintf(&before, "if mutantOn(%d) { return (%s) }; ", f.add(e.Pos(), change), o)
	}
	f.around(e, before.String()+"return (", ") }()")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// mutate writes every mutant of a file.
func (f *file) mutate() {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				f.function(d.Type, d.Body)
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				f.walk(d, nil)
			}
		}
	}
}

func (f *file) function(t *ast.FuncType, body *ast.BlockStmt) { f.walk(body, t.Results) }

// walk visits what is below a node, the outer before the inner, in a function with such results.
func (f *file) walk(root ast.Node, results *ast.FieldList) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			f.function(n.Type, n.Body)
			return false
		case *ast.IfStmt:
			f.condition(n.Cond)
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, c := range n.Body.List {
					for _, e := range c.(*ast.CaseClause).List {
						f.condition(e)
					}
				}
			}
		case *ast.BlockStmt:
			f.statements(n.List, results)
		case *ast.CaseClause:
			f.statements(n.Body, results)
		case *ast.ReturnStmt:
			f.returned(n)
		case *ast.CompositeLit:
			f.list(n)
		case ast.Expr:
			f.expression(n)
		}
		return true
	})
}

// condition: it holds always, or never.
func (f *file) condition(e ast.Expr) {
	if f.isBool(e) {
		f.instead(e, "true", "false")
	}
}

func (f *file) isBool(e ast.Expr) bool {
	tv := f.info.Types[e]
	b, ok := tv.Type.(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0 && tv.Value == nil
}

var operators = map[token.Token][]token.Token{
	token.EQL: {token.NEQ},
	token.NEQ: {token.EQL},
	token.LSS: {token.GEQ, token.LEQ},
	token.GEQ: {token.LSS, token.GTR},
	token.GTR: {token.LEQ, token.GEQ},
	token.LEQ: {token.GTR, token.LSS},
}

// expression: another operator, only one of two conditions, the contrary.
func (f *file) expression(e ast.Expr) {
	if !f.isBool(e) {
		return
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		x, y := f.source(e.X), f.source(e.Y)
		if e.Op == token.LAND || e.Op == token.LOR {
			f.instead(e, x, y)
			return
		}
		var others []string
		for _, op := range operators[e.Op] {
			others = append(others, x+" "+op.String()+" "+y)
		}
		f.instead(e, others...)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.instead(e, f.source(e.X))
		}
	}
}

// returned: the contrary of a truth value that comes of no operator.
func (f *file) returned(r *ast.ReturnStmt) {
	for _, e := range r.Results {
		switch e := e.(type) {
		case *ast.Ident:
			other := map[string]string{"true": "false", "false": "true"}[e.Name]
			if other == "" && f.isBool(e) {
				other = "!" + e.Name
			}
			if other != "" {
				f.instead(e, other)
			}
		case *ast.CallExpr, *ast.SelectorExpr, *ast.IndexExpr:
			if f.isBool(e) {
				f.instead(e, "!"+f.source(e))
			}
		}
	}
}

// statements: an error that is not returned, a call or an assignment that is left out.
func (f *file) statements(list []ast.Stmt, results *ast.FieldList) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ReturnStmt:
			f.succeeds(s, results)
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && f.source(call.Fun) != "panic" {
				f.leaveOut(s)
			}
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE && !f.blank(s) {
				f.leaveOut(s)
			}
		}
	}
}

// blank reports whether nothing is kept of what is assigned.
func (f *file) blank(s *ast.AssignStmt) bool {
	return !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { return f.source(e) != "_" })
}

func (f *file) leaveOut(s ast.Stmt) {
	n := f.add(s.Pos(), oneLine(f.source(s))+" -> left out")
	f.around(s, fmt.Sprintf("if !mutantOn(%d) { ", n), " }")
}

func (f *file) succeeds(s *ast.ReturnStmt, results *ast.FieldList) {
	if results == nil || len(s.Results) != results.NumFields() {
		return
	}
	last := len(s.Results) - 1
	if id, ok := results.List[len(results.List)-1].Type.(*ast.Ident); !ok || id.Name != "error" ||
		f.source(s.Results[last]) == "nil" {
		return
	}
	var values []string
	for _, e := range s.Results[:last] {
		values = append(values, f.source(e))
	}
	other := "return " + strings.Join(append(values, "nil"), ", ")
	n := f.add(s.Pos(), oneLine(f.source(s))+" -> "+oneLine(other))
	f.around(s, fmt.Sprintf("if mutantOn(%d) { %s }; ", n, other), "")
}

// list: one element less.
func (f *file) list(l *ast.CompositeLit) {
	if _, ok := f.info.Types[l].Type.Underlying().(*types.Slice); !ok || l.Type == nil || len(l.Elts) == 0 {
		return
	}
	first := 0
	for i, e := range l.Elts {
		n := f.add(e.Pos(), oneLine(f.source(e))+" -> not in the list")
		if i == 0 {
			first = n
		}
	}
	f.around(l, fmt.Sprintf("mutantWithout(%d, ", first), ")")
}
