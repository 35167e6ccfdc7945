// SPDX-License-Identifier: Apache-2.0

package internal_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
)

// advice is what tells people to do something, behind a finding in the same line.
var advice = regexp.MustCompile(`[:;] (add|choose|chmod|chown|delete|give|install|leave|lower|make|map|match|move|name|pass|put|remove|` +
	`save|see|set|spell|start|take|use|widen|write)\b `)

// TestMessagesHaveHints: the literals of messages have advice in a line of its own, once.
func TestMessagesHaveHints(t *testing.T) {
	hints := 0
	for dir, files := range packages(t) {
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !isMessage(call) {
					return true
				}
				text := ""
				for _, arg := range call.Args {
					text += literals(arg)
				}
				count := strings.Count(text, hint.Mark)
				hints += count
				if before, _, _ := strings.Cut(text, hint.Mark); count > 1 || advice.MatchString(before) {
					t.Errorf("%s: %q: advice belongs behind %q, once", dir, text, hint.Mark)
				}
				if strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "..") {
					t.Errorf("%s: %q ends with a full stop", dir, text)
				}
				return true
			})
		}
	}
	if hints < 100 {
		t.Errorf("only %d messages have hints: are they looked at?", hints)
	}
}

// isMessage says that a call makes an error: of package errors or fmt, or a reader of policies' own.
func isMessage(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (f.Sel.Name == "Errorf" || f.Sel.Name == "fail" || f.Sel.Name == "New" && len(call.Args) == 1)
}

// literals are those of an expression, one behind the other.
func literals(e ast.Expr) (text string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if _, ok := n.(*ast.CallExpr); ok {
			return false // a value
		}
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, _ := strconv.Unquote(l.Value)
			text += s
		}
		return true
	})
	return text
}
