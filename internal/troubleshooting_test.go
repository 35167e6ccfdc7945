// SPDX-License-Identifier: Apache-2.0

package internal_test

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/meaning"
)

const (
	page   = "../docs/troubleshooting.md"
	module = "github.com/nonroot-runc/nonroot-runc/"
)

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	verb     = regexp.MustCompile(`%[-+#.0-9]*[a-zA-Z]`)
	words    = regexp.MustCompile(`[a-z]+ [a-z]+`)
)

// TestTroubleshooting: the page has the words of each message that nonroot-runc prints, and none that it doesn't.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, row := range strings.Split(string(text), "\n") {
		if cell := strings.SplitN(row, "|", 3); len(cell) == 3 && strings.HasPrefix(row, "| `") {
			for _, m := range codeSpan.FindAllStringSubmatch(cell[1], -1) {
				used[m[1]] = false
			}
		}
	}
	messages, literals := runtimesMessages(t)
	if len(messages) < 200 || len(used) < 100 {
		t.Fatalf("%d messages, and %d phrases on the page: are they looked at?", len(messages), len(used))
	}
	for _, text := range literals {
		for phrase := range used {
			used[phrase] = used[phrase] || meaning.Has(text, phrase)
		}
	}
	for _, message := range messages {
		known := false
		for phrase := range used {
			if meaning.Has(message, phrase) {
				known = true
			}
		}
		if !known {
			t.Errorf("%s lacks the words of %q", page, message)
		}
	}
	for _, message := range messages {
		if _, ok := meaning.Of(message); !ok {
			t.Errorf("nonroot-ctl finds no row of %s for %q", page, message)
		}
	}
	for phrase, found := range used {
		if !found {
			t.Errorf("%s has %q, which no message says", page, phrase)
		}
	}
}

// runtimesMessages are the literals of refusals, notes and hints in the packages that are linked into nonroot-runc. Those of the
// policy's reader name file, line and column, and are one kind; what only says what was being done ("read %q: %w") has its cause behind
// it. Texts are all literals.
func runtimesMessages(t *testing.T) (all, texts []string) {
	t.Helper()
	files := packages(t)
	linked := map[string]bool{}
	for next := []string{"cmd/nonroot-runc"}; len(next) > 0; {
		dir := next[0]
		next = next[1:]
		if linked[dir] {
			continue
		}
		linked[dir] = true
		for name := range imports(files[dir]) {
			if of, ok := strings.CutPrefix(name, module); ok {
				next = append(next, of)
			}
		}
	}
	for dir := range linked {
		for _, file := range files[dir] {
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok {
					texts = append(texts, plainly(literals(text)))
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if said := said(dir, call); said != "" && !slices.Contains(all, said) {
					all = append(all, said)
				}
				return true
			})
		}
	}
	return all, texts
}

// said is what a call says to people, without its values; "": nothing that is a message of its own.
func said(dir string, call *ast.CallExpr) string {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	text := ""
	for _, arg := range call.Args {
		text += literals(arg)
	}
	switch name {
	case "Errorf", "New", "note", "warn":
		if name == "New" && len(call.Args) != 1 {
			return ""
		}
	case "append":
		if len(call.Args) != 2 || !isNotes(call.Args[0]) {
			return ""
		}
		if inner, ok := call.Args[1].(*ast.CallExpr); ok {
			text = ""
			for _, arg := range inner.Args {
				text += literals(arg)
			}
		}
	case "Sprintf":
		if !strings.Contains(text, hint.Flat) {
			return ""
		}
	default:
		return ""
	}
	if strings.HasSuffix(text, ": %w") || strings.HasSuffix(text, ": %v") || strings.HasPrefix(text, "%s:%d:%d") || strings.HasPrefix(text, hint.Flat) {
		return ""
	}
	if text = plainly(text); !words.MatchString(text) {
		return ""
	}
	return text
}

// plainly is a literal with "…" in the place of each value.
func plainly(text string) string {
	return verb.ReplaceAllString(strings.ReplaceAll(text, hint.Mark, hint.Flat), "…")
}

func isNotes(e ast.Expr) bool {
	f, ok := e.(*ast.SelectorExpr)
	return ok && f.Sel.Name == "Notes"
}
