// SPDX-License-Identifier: Apache-2.0

// Package internal_test holds the packages against CONTRIBUTING.md's drawing of them: what each may import, and that each says what
// it is for. What a package does is tested in its own directory.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const own = "github.com/nonroot-runc/nonroot-runc/internal/"

// packages are the sources of each of ours but for tests, by its directory from the repository's root.
func packages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	files, err := filepath.Glob("../*/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := map[string][]*ast.File{}
	for _, name := range files {
		dir := strings.TrimPrefix(filepath.Dir(name), "../")
		if strings.HasSuffix(name, "_test.go") || !strings.HasPrefix(dir, "internal/") && !strings.HasPrefix(dir, "cmd/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all[dir] = append(all[dir], file)
	}
	return all
}

// imports are the packages that files name.
func imports(files []*ast.File) map[string]bool {
	all := map[string]bool{}
	for _, f := range files {
		for _, i := range f.Imports {
			all[strings.Trim(i.Path.Value, `"`)] = true
		}
	}
	return all
}

// TestMap: CONTRIBUTING.md's map has each package, in one line.
func TestMap(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []string
	for _, m := range regexp.MustCompile(`(?m)^    ((?:internal|cmd)/[a-z-]+)/ +\S.*$`).FindAllStringSubmatch(string(text), -1) {
		drawn = append(drawn, m[1])
	}
	slices.Sort(drawn)
	if there := slices.Sorted(maps.Keys(packages(t))); !slices.Equal(drawn, there) {
		t.Errorf("CONTRIBUTING.md's map has\n%q\nand there are\n%q", drawn, there)
	}
}

// TestLinked: the map's first two lists are what nonroot-runc is made of; nothing reaches it that only people need.
func TestLinked(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	runtimes, _, found := strings.Cut(string(text), "\nFor people; ")
	_, runtimes, also := strings.Cut(runtimes, "\nThe stages:\n")
	if !found || !also {
		t.Fatal("CONTRIBUTING.md's map has not the lists that this test goes by")
	}
	in := linked(packages(t), "cmd/nonroot-runc")
	for _, dir := range in {
		if !strings.Contains(runtimes, "\n    "+dir+"/ ") {
			t.Errorf("%s is linked into nonroot-runc, and the map has it elsewhere", dir)
		}
	}
	if n := strings.Count(runtimes, "\n    "); n != len(in) {
		t.Errorf("nonroot-runc is made of %d packages, and the map has %d", len(in), n)
	}
}

// TestDocs: each package says in at least two sentences, once, what belongs there and what does not.
func TestDocs(t *testing.T) {
	sentence := regexp.MustCompile(`[a-z0-9)"]\.(\s|$)`)
	for dir, files := range packages(t) {
		name, docs := "Package "+path.Base(dir)+" ", 0
		if strings.HasPrefix(dir, "cmd/") {
			name = "Command " + path.Base(dir) + " "
		}
		for _, f := range files {
			if f.Doc == nil {
				continue
			}
			docs++
			if doc := f.Doc.Text(); !strings.HasPrefix(doc, name) || len(sentence.FindAllString(doc, -1)) < 2 {
				t.Errorf("%s: %q begins not with %q, or is no two sentences", dir, doc, name)
			}
		}
		if docs != 1 {
			t.Errorf("%s has %d package comments", dir, docs)
		}
	}
}

// TestTestkit: no program has a part that is for tests.
func TestTestkit(t *testing.T) {
	for dir, files := range packages(t) {
		all := imports(files)
		if dir != "internal/testkit" && (all[own+"testkit"] || all["testing"]) {
			t.Errorf("%s imports internal/testkit or testing: only tests may", dir)
		}
	}
}

// pure are the packages that work on data alone: what they need to know they are given as facts.
var pure = []string{"internal/decision", "internal/plan", "internal/policy", "internal/spec"}

// TestPure: they import nothing that reads, writes or tells the time, and call nothing of packages that have both data and
// what reads it.
func TestPure(t *testing.T) {
	banned := regexp.MustCompile(`^(os|net|syscall|path/filepath|io/ioutil|crypto/rand|math/rand)(/|$)|` +
		regexp.QuoteMeta(own) + `(apply|dirents|facts|host|layer|lease|moby|pin|proc|trusted)$`)
	all := packages(t)
	for _, dir := range pure {
		if len(all[dir]) == 0 {
			t.Fatalf("there is no %s", dir)
		}
		for name := range imports(all[dir]) {
			if banned.MatchString(name) {
				t.Errorf("%s imports %s: a fact has to be gathered by internal/facts, and what is to be done is for internal/apply", dir, name)
			}
		}
		for _, f := range all[dir] {
			ast.Inspect(f, func(n ast.Node) bool {
				if why := impure(n); why != "" {
					t.Errorf("%s: %s", dir, why)
				}
				return true
			})
		}
	}
}

// impure says why a piece of a program does more than to compute; "": it doesn't, as far as its text tells.
func impure(n ast.Node) string {
	if call, ok := n.(*ast.CallExpr); ok {
		n = call.Fun
	} else if _, ok := n.(*ast.SelectorExpr); !ok {
		return ""
	}
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	switch name := of.Name + "." + s.Sel.Name; {
	case of.Name == "unix" && !regexp.MustCompile(`^[A-Z0-9_]+$|_t$`).MatchString(s.Sel.Name): // no constant and no type
		return name + " is a system call"
	case regexp.MustCompile(`^time\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTicker|NewTimer)$`).MatchString(name):
		return name + " reads the clock: the time is one of the facts"
	case regexp.MustCompile(`^(rootfs|accounts|runc|record)\.(Open|Read|Find|Look|Write|New)`).MatchString(name):
		return name + " reads or writes"
	}
	return ""
}

// TestImpure: what TestPure looks for is found.
func TestImpure(t *testing.T) {
	for text, want := range map[string]bool{
		"unix.Stat(p, &st)": true, "unix.S_IFMT": false, "unix.Stat_t{}": false, "f(unix.Getuid)": true, "time.Now()": true,
		"time.Second": false, "time.Parse(a, b)": false, "rootfs.Open(x)": true, "homedir.Ours(m)": false, "f(x)": false, "a.b.c()": false,
	} {
		expr, err := parser.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		ast.Inspect(expr, func(n ast.Node) bool {
			found = found || impure(n) != ""
			return true
		})
		if found != want {
			t.Errorf("%s: %t", text, found)
		}
	}
}

// writers are the packages on an invocation's way that may open files for writing.
var writers = []string{"internal/apply", "internal/auditlog", "internal/layer", "internal/lease", "internal/pin", "internal/trusted"}

// TestWriters: in what nonroot-runc is made of, nothing else does.
func TestWriters(t *testing.T) {
	writes := regexp.MustCompile(`^(os\.(Create|CreateTemp|WriteFile|OpenFile|Mkdir|MkdirAll|Remove|RemoveAll|Rename|Chmod|Chown|Lchown|Symlink|Link|Truncate)` +
		`|unix\.(Unlink|Unlinkat|Rename|Renameat|Renameat2|Mkdir|Mkdirat|Linkat|Symlinkat|Fchown|Fchownat|Fchmod|Fchmodat|Chmod|Chown|Fsetxattr|Ftruncate|Write|Pwrite)` +
		`|unix\.(O_WRONLY|O_RDWR|O_CREAT))$`)
	all, seen := packages(t), map[string]bool{}
	for _, dir := range linked(all, "cmd/nonroot-runc") {
		for _, f := range all[dir] {
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if of, ok := s.X.(*ast.Ident); ok && writes.MatchString(of.Name+"."+s.Sel.Name) {
					if seen[dir] = true; !slices.Contains(writers, dir) && !strings.HasPrefix(dir, "cmd/") {
						t.Errorf("%s has %s.%s: files are written by internal/trusted, as internal/apply says", dir, of.Name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
	if !seen["internal/trusted"] {
		t.Error("not even internal/trusted is seen to write")
	}
}

// linked are the packages of ours that a program is made of.
func linked(all map[string][]*ast.File, program string) []string {
	found := []string{program}
	for i := 0; i < len(found); i++ {
		for name := range imports(all[found[i]]) {
			if rest, ours := strings.CutPrefix(name, own); ours && !slices.Contains(found, "internal/"+rest) {
				found = append(found, "internal/"+rest)
			}
		}
	}
	return found
}
