// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"encoding/json"
	"go/ast"
	source "go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	generate "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	schemaDirectory = "../../docs/schemas"                   // from the directory of a command
	module          = "github.com/nonroot-runc/nonroot-runc" // its directory is above that
	pluginsSchemas  = "kubectl-nonroot-"                     // the names of the schemas of kubectl's plugin begin with it
)

// Schemas are the JSON Schemas in docs/schemas of what a command prints with --json. They are made of the types that it prints; the
// comment of each field is the description of the member.
type Schemas struct {
	Program string                            // as titles have it
	Prefix  string                            // of the names of the files: pluginsSchemas, or none
	Printed map[string]any                    // a value of each type, by the name of its schema
	As      map[reflect.Type]*generate.Schema // types that write themselves
}

// Check holds docs/schemas against the types: no schema is stale, missing or of nothing that is printed. UPDATE=1 writes them.
func (s Schemas) Check(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(schemaDirectory, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasPrefix(name, pluginsSchemas) != (s.Prefix == pluginsSchemas) {
			continue
		}
		if _, ok := s.Printed[strings.TrimPrefix(name, s.Prefix)]; !ok {
			t.Errorf("%s is of nothing that is printed", file)
		}
	}
	for name := range s.Printed {
		got, file := s.of(t, name), s.file(name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program prints (%v)\nhint: UPDATE=1 go test -run TestSchemas ./cmd/%s", file, err, strings.ReplaceAll(s.Program, " ", "-"))
		}
	}
}

// Compiled is a schema as the file has it.
func (s Schemas) Compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func (s Schemas) file(name string) string {
	return filepath.Join(schemaDirectory, s.Prefix+name+".json")
}

// of is the schema of what is printed under a name.
func (s Schemas) of(t *testing.T, name string) []byte {
	t.Helper()
	what := reflect.TypeOf(s.Printed[name])
	of, err := generate.ForType(what, &generate.ForOptions{TypeSchemas: s.As})
	if err != nil {
		t.Fatalf("%v: %v", what, err)
	}
	comments{}.describe(t, of, what, map[reflect.Type]bool{})
	of.Schema = "https://json-schema.org/draft/2020-12/schema"
	of.Title = s.Program + " " + strings.ReplaceAll(name, "-", " ") + " --json"
	text, err := json.MarshalIndent(of, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// comments has the types of each directory that was read, their fields, and the comment of each.
type comments map[string]map[string]map[string]string

// describe copies the comments of a struct's fields to its schema.
func (c comments) describe(t *testing.T, s *generate.Schema, what reflect.Type, above map[reflect.Type]bool) {
	t.Helper()
	switch what.Kind() {
	case reflect.Pointer:
		c.describe(t, s, what.Elem(), above)
	case reflect.Slice, reflect.Array:
		if s.Items != nil {
			c.describe(t, s.Items, what.Elem(), above)
		}
	case reflect.Map:
		if s.AdditionalProperties != nil {
			c.describe(t, s.AdditionalProperties, what.Elem(), above)
		}
	case reflect.Struct:
		if above[what] {
			return
		}
		above[what] = true
		defer delete(above, what)
		said := c.of(t, what)
		for i := range what.NumField() {
			f := what.Field(i)
			if f.Anonymous && f.Tag.Get("json") == "" {
				c.describe(t, s, f.Type, above)
				continue
			}
			member, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			at := s.Properties[member]
			if at == nil {
				continue
			}
			if at.Description == "" {
				at.Description = said[f.Name]
			}
			c.describe(t, at, f.Type, above)
		}
	}
}

// of are the comments of a type's fields, if the type is one of this module's. A command's own package is in the directory of the test.
func (c comments) of(t *testing.T, what reflect.Type) map[string]string {
	t.Helper()
	dir := "."
	if within, ours := strings.CutPrefix(what.PkgPath(), module+"/internal/"); ours {
		dir = filepath.Join("../../internal", within)
	} else if what.PkgPath() != "main" && !strings.HasPrefix(what.PkgPath(), module+"/cmd/") {
		return nil
	}
	if c[dir] == nil {
		c[dir] = map[string]map[string]string{}
		pkg, err := source.ImportDir(dir, 0)
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
						c[dir][spec.Name.Name] = fieldComments(s)
					}
				}
				return true
			})
		}
	}
	return c[dir][what.Name()]
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
