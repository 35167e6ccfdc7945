// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	source "go/build"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	generate "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/adopt"
	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
	"github.com/nonroot-runc/nonroot-runc/internal/report"
)

const schemaDirectory = "../../docs/schemas"

// printed are the values that verbs print with --json, by the names of their schemas.
var printed = map[string]any{
	"check":          checkResults{},
	"config-show":    inForce{},
	"configure":      configured{},
	"configure-list": needs{},
	"doctor":         []doctor.Check{},
	"explain":        explain.Report{},
	"explain-all":    []explained{},
	"learn":          learnedJSON{},
	"policy-apply":   applied{},
	"policy-check":   checkedPolicy{},
	"policy-pin":     pinned{},
	"policy-test":    expectations{},
	"policy-show":    explain.Decided{},
	"ps":             ps.Listing{},
	"report":         report.Summary{},
	"version":        versions{},
	// volumes adopt and undo
	"volumes-adopt": []adopt.Result{},
	"volumes-list":  toAdopt{},
}

// TestSchemas: docs/schemas has what the verbs print, each member with the comment that it has in the source. UPDATE=1 writes them.
func TestSchemas(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(schemaDirectory, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := printed[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("%s is of nothing that is printed", file)
		}
	}
	for name := range printed {
		got, file := schemaOf(t, name), filepath.Join(schemaDirectory, name+".json")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program prints (%v)\nhint: UPDATE=1 go test -run TestSchemas ./cmd/nonroot-ctl", file, err)
		}
	}
}

// TestEachPrintedHasASchema: whoever prints one more value adds it to the table.
func TestEachPrintedHasASchema(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "printJSON" {
					calls++
				}
			}
			return true
		})
	}
	// policy check prints its value in two places, for a policy that is refused and for one that is not.
	if calls != len(printed)+1 {
		t.Errorf("%d calls of printJSON, and %d schemas", calls, len(printed))
	}
}

// TestPrintedIsAsItsSchema runs what needs no engine, and holds what it prints against its schema, in which no other member may be.
func TestPrintedIsAsItsSchema(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	log := write("a.log", twoLines)
	policy := write("policy.toml", "existing = \"leave\"\nlog.file = \""+log+"\"\n"+rules)
	bad := write("bad.toml", "mode = \"often\"\nnone = 1\n")
	suite := write("suite.toml", "[[test]]\nname = \"root\"\ncontainer = {engine = \"docker\"}\nexpect = {mode = \"rewrite\"}\n")
	wrapper := write("nonroot-runc", "#!/bin/sh\n")
	if err := os.Chmod(wrapper, 0o755); err != nil {
		t.Fatal(err)
	}
	dockerfile := write("Dockerfile", "FROM debian:12\nCMD [\"sleep\", \"1\"]\n")
	for _, test := range []struct {
		schema string
		args   []string
		fails  bool
	}{
		{"version", []string{"version", "--json"}, false},
		{"config-show", []string{"config", "show", "--json", "--policy", policy}, false},
		{"config-show", []string{"config", "show", "--json", "--policy", policy, "--rule", "gpu"}, false},
		{"policy-check", []string{"policy", "check", "--json", policy}, false},
		{"policy-check", []string{"policy", "check", "--json", bad}, true},
		{"policy-test", []string{"policy", "test", "--json", "--policy", policy, suite}, false},
		{"policy-show", []string{"policy", "show", "--json", "--policy", policy, "--engine", "docker"}, false},
		{"check", []string{"check", "--json", dockerfile}, true},
		{"report", []string{"report", "--json", "--policy", policy}, false},
		{"ps", []string{"ps", "--json"}, false},
		{"configure", []string{"configure", "podman", "--json", "--binary", wrapper, "--config", filepath.Join(dir, "podman.conf"), "--dry-run"}, false},
	} {
		a := app()
		var out bytes.Buffer
		a.Writer, a.ErrWriter, a.ExitErrHandler = &out, io.Discard, func(*cli.Context, error) {}
		args := append([]string{"nonroot-ctl"}, test.args...)
		if err := a.Run(args); (err != nil) != test.fails {
			t.Errorf("%q: %v", args, err)
			continue
		}
		value, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		if err := compiled(t, test.schema).Validate(value); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestSchemasHold: a member that is not in the schema is found, and so is one of another type.
func TestSchemasHold(t *testing.T) {
	for name, text := range map[string]string{
		"one more":     `{"file":"","sha256":"","mode":"rewrite","rules":0,"hints":[],"faults":[],"x":1}`,
		"one less":     `{"file":"","sha256":"","mode":"rewrite","rules":0,"hints":[]}`,
		"another type": `{"file":"","sha256":"","mode":"rewrite","rules":"0","hints":[],"faults":[]}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if compiled(t, "policy-check").Validate(value) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(schemaDirectory, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemaOf is the schema of what is printed under a name.
func schemaOf(t *testing.T, name string) []byte {
	t.Helper()
	s := ofType(t, reflect.TypeOf(printed[name]))
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "nonroot-ctl " + strings.ReplaceAll(name, "-", " ") + " --json"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// ofType is a type's schema. A decision writes itself, and has the members of a line of the log, which are in docs/log.md.
func ofType(t *testing.T, what reflect.Type) *generate.Schema {
	t.Helper()
	s, err := generate.ForType(what, &generate.ForOptions{TypeSchemas: map[reflect.Type]*generate.Schema{
		reflect.TypeFor[explain.Decided](): {Type: "object", Description: "The decision: the members of a line of the log (docs/log.md) that it has."},
	}})
	if err != nil {
		t.Fatalf("%v: %v", what, err)
	}
	describe(t, s, what, map[reflect.Type]bool{})
	return s
}

// describe takes the comments of a struct's fields over to its schema.
func describe(t *testing.T, s *generate.Schema, what reflect.Type, above map[reflect.Type]bool) {
	t.Helper()
	switch what.Kind() {
	case reflect.Pointer:
		describe(t, s, what.Elem(), above)
	case reflect.Slice, reflect.Array:
		if s.Items != nil {
			describe(t, s.Items, what.Elem(), above)
		}
	case reflect.Map:
		if s.AdditionalProperties != nil {
			describe(t, s.AdditionalProperties, what.Elem(), above)
		}
	case reflect.Struct:
		if above[what] {
			return
		}
		above[what] = true
		defer delete(above, what)
		comments := commentsOf(t, what)
		for i := range what.NumField() {
			f := what.Field(i)
			if f.Anonymous && f.Tag.Get("json") == "" {
				describe(t, s, f.Type, above)
				continue
			}
			member, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			at := s.Properties[member]
			if at == nil {
				continue
			}
			if at.Description == "" {
				at.Description = comments[f.Name]
			}
			describe(t, at, f.Type, above)
		}
	}
}

var sources = map[string]map[string]map[string]string{} // a directory's types, their fields, and the comment of each

func commentsOf(t *testing.T, what reflect.Type) map[string]string {
	t.Helper()
	const module = "github.com/nonroot-runc/nonroot-runc/"
	dir, ours := strings.CutPrefix(what.PkgPath(), module)
	if what.PkgPath() == "main" || strings.HasSuffix(what.PkgPath(), "cmd/nonroot-ctl") {
		dir, ours = "cmd/nonroot-ctl", true
	}
	if !ours {
		return nil
	}
	if sources[dir] == nil {
		sources[dir] = map[string]map[string]string{}
		pkg, err := source.ImportDir(filepath.Join("../..", dir), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if s, ok := spec.Type.(*ast.StructType); ok {
						sources[dir][spec.Name.Name] = fieldComments(s)
					}
				}
				return true
			})
		}
	}
	return sources[dir][what.Name()]
}

func fieldComments(s *ast.StructType) map[string]string {
	comments := map[string]string{}
	for _, f := range s.Fields.List {
		text := strings.TrimSpace(f.Comment.Text())
		if text == "" {
			text = strings.TrimSpace(f.Doc.Text())
		}
		for _, name := range f.Names {
			comments[name.Name] = strings.ReplaceAll(text, "\n", " ")
		}
	}
	return comments
}
