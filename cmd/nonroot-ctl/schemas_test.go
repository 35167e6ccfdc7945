// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"go/ast"
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
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// printed has the values that verbs print with --json, by the names of their schemas.
var printed = map[string]any{
	"check":           checkResults{},
	"config-show":     inForce{},
	"configure":       configured{},
	"configure-list":  needs{},
	"doctor":          []doctor.Check{},
	"explain":         explain.Report{},
	"explain-all":     []explained{},
	"explain-message": explainedMessage{},
	"learn":           learnedJSON{},
	"policy-apply":    applied{},
	"policy-check":    checkedPolicy{},
	"policy-pin":      pinned{},
	"policy-test":     expectations{},
	"policy-show":     explain.Decided{},
	"ps":              ps.Listing{},
	"report":          report.Summary{},
	"setup":           setUp{},
	"version":         versions{},
	// volumes adopt and undo
	"volumes-adopt": []adopt.Result{},
	"volumes-list":  toAdopt{},
}

var schemas = testkit.Schemas{
	Program: "nonroot-ctl", Printed: printed,
	// A decision has its own encoder. Its members are those of a line of the log, in docs/log.md.
	As: map[reflect.Type]*generate.Schema{
		reflect.TypeFor[explain.Decided](): {Type: "object", Description: "The decision: the members of a line of the log (docs/log.md) that it has."},
	},
}

// TestSchemas compares docs/schemas with what the verbs print. UPDATE=1 writes it.
func TestSchemas(t *testing.T) { schemas.Check(t) }

// TestEachPrintedHasASchema: each printed value has to be in the table.
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

// TestPrintedIsAsItsSchema runs the verbs that need no engine, and validates their output. Members that are not in the schema are errors.
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
		if err := schemas.Compiled(t, test.schema).Validate(value); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestSchemasHold: an unknown member is an error, and so is one with another type.
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
		if schemas.Compiled(t, "policy-check").Validate(value) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
