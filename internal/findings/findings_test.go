// SPDX-License-Identifier: Apache-2.0

package findings

import (
	"bytes"
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nonroot-runc/nonroot-runc/internal/check"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// text has a finding of each severity, also one after letters of several bytes, one that is ignored, and one about the whole file.
const text = "FROM debian\nRUN echo \u00e9\u00e9 && chmod 4755 /x\n# nonroot-ctl: ignore setuid-file it pings, 100%\nRUN chmod u+s /bin/ping\nUSER app\n"

func results() []check.Result {
	o := check.Options{Build: dockerfile.Options{Base: check.Bases(nil)}}
	all := []check.Result{
		check.Dockerfile("a dir/Docker:file, %", []byte(text), o), check.Dockerfile("/abs/Dockerfile", []byte("FROM debian\n"), o),
		check.Dockerfile("empty", nil, o), check.Dockerfile("fine", []byte("FROM debian\nUSER 1:1"), o),
	}
	return all
}

// TestSARIF validates the output with OASIS's schema (sarif-schema-2.1.0.json, errata 01).
func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	all := results()
	old := check.Dockerfile("old", []byte("FROM debian"), check.Options{Build: dockerfile.Options{Base: check.Bases(nil)}})
	Baseline{fingerprint(old.Findings[0]): 1}.Apply(&old)
	if err := SARIF(&out, "1", append(all, old)); err != nil {
		t.Fatal(err)
	}
	schema := compiled(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	broken, _ := jsonschema.UnmarshalJSON(strings.NewReader(strings.ReplaceAll(out.String(), `"startLine": 2`, `"startLine": 0`)))
	if schema.Validate(broken) == nil {
		t.Error("the schema takes a line 0")
	}
	for _, want := range []string{
		`"startColumn": 16`, `"endColumn": 21`, `"uri": "a%20dir/Docker:file,%20%25"`, `"uri": "file:///abs/Dockerfile"`, `"kind": "inSource"`, `"kind": "external"`, `"justification": "it pings, 100%"`, `"ruleId": "user-by-name"`, `"level": "note"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestGitHub(t *testing.T) {
	var out bytes.Buffer
	if err := GitHub(&out, results()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"::warning file=a dir/Docker%3Afile%2C %25,line=2,col=16,endColumn=21,title=setuid-file::the file is made setuid",
		"::notice file=a dir/Docker%3Afile%2C %25,line=5,col=6,endColumn=9,title=user-by-name::",
		"::error file=/abs/Dockerfile,line=1,title=runs-as-root::", "::error file=empty,title=unreadable::",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
	// A file's name may contain anything.
	out.Reset()
	if err := GitHub(&out, []check.Result{{Findings: []check.Finding{{ID: "i", File: "a\x1b[2J\u202e\n::x", Why: "w"}}}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("says %q", out.String())
	}
}

func TestJUnit(t *testing.T) {
	for on, failures := range map[check.Severity]int{check.Error: 2, check.Warning: 3, check.Note: 4} {
		var out bytes.Buffer
		all := results()
		all[0].Findings[0].Why += "\x00\xff" // not allowed in XML
		if err := JUnit(&out, on, all); err != nil {
			t.Fatal(err)
		}
		var got suites
		if err := xml.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Failures != failures || got.Tests != 6 || len(got.Suites) != 4 || got.Suites[0].Cases[2].Skipped == nil || got.Suites[3].Cases[0].Failure != nil {
			t.Errorf("%s: %s", on, out.String())
		}
	}
}

// TestBaseline: earlier findings are not reported, even if they have moved. New ones, further ones of the same kind, and files that can't
// be read are.
func TestBaseline(t *testing.T) {
	o := check.Options{Build: dockerfile.Options{Base: check.Bases(nil)}}
	of := func(text string) check.Result { return check.Dockerfile("Dockerfile", []byte(text), o) }
	const chmod = "RUN chmod u+s /x\n"
	var file bytes.Buffer
	if err := WriteBaseline(&file, []check.Result{of("FROM debian\n" + chmod), of("FRM x")}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"FROM debian\n" + chmod:         "left 1: ",
		"FROM debian\n\n  " + chmod:     "left 1: ",
		"FROM debian\n" + chmod + chmod: "left 1: setuid-file",
		"FROM debian\nUSER 0\n" + chmod: "left 2: runs-as-root",
		"FRM x":                         "left 3: unreadable",
	} {
		b, err := ReadBaseline(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		r := of(text)
		b.Apply(&r)
		var ids []string
		for _, f := range r.Findings {
			ids = append(ids, f.ID)
		}
		if got := "left " + string(rune('0'+b.Left())) + ": " + strings.Join(ids, " "); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	var again bytes.Buffer
	b, _ := ReadBaseline(bytes.NewReader(file.Bytes()))
	r := of("FROM debian\n" + chmod)
	b.Apply(&r)
	if err := WriteBaseline(&again, []check.Result{r, of("FRM x")}); err != nil || again.String() != file.String() {
		t.Errorf("%v: %s", err, again.String())
	}
	for _, bad := range []string{"x", "0123", strings.Repeat("0", 33)} {
		if _, err := ReadBaseline(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzBaseline(f *testing.F) {
	f.Add(heading + strings.Repeat("0", 32) + " x \"y\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ReadBaseline(strings.NewReader(text))
		if err == nil && b.Left() > strings.Count(text, "\n")+1 {
			t.Errorf("%q: %v", text, b)
		}
	})
}
