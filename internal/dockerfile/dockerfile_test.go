// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// bases returns a lookup of the corpus's images.
func bases(t *testing.T) func(string) (Base, bool) {
	t.Helper()
	known := map[string]Base{}
	decode(t, "testdata/bases.json", &known)
	return func(name string) (Base, bool) {
		b, ok := known[name]
		b.Source = "the corpus"
		return b, ok
	}
}

func decode(t *testing.T, file string, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCorpus compares the evaluation with BuildKit's.
func TestCorpus(t *testing.T) {
	all, err := txtar.ParseFile("testdata/corpus.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]struct {
		User                    string
		Invalid, Error, Unknown bool
	}
	decode(t, "testdata/answers.json", &answers)
	options := map[string]Options{}
	for _, f := range all.Files {
		if name, ok := strings.CutSuffix(f.Name, ".options"); ok {
			var o Options
			if err := json.Unmarshal(f.Data, &o); err != nil {
				t.Fatal(f.Name, err)
			}
			options[name] = o
		}
	}
	if len(answers) < 190 || len(answers)+len(options) != len(all.Files) {
		t.Fatalf("%d answers and %d options for %d files: run hack/dockerfiles", len(answers), len(options), len(all.Files))
	}
	var of [3]int // number of files that are invalid, have an error, and are unknown
	for _, f := range all.Files {
		want, ok := answers[f.Name]
		if !ok {
			continue
		}
		o := options[f.Name]
		o.Base = bases(t)
		image, err := Evaluate(f.Data, o)
		var own *unread.Error
		errors.As(err, &own)
		for n, one := range []bool{want.Invalid, want.Error, want.Unknown} {
			if one {
				of[n]++
			}
		}
		switch {
		case (err != nil && !own.Parsed) != want.Invalid, (err != nil && own.Parsed) != want.Error:
			t.Errorf("%s: %+v, and BuildKit says invalid: %v, error: %v", f.Name, own, want.Invalid, want.Error)
		case err == nil && image.Known == want.Unknown:
			t.Errorf("%s: known: %v, and BuildKit has an answer that rests on the unknown image: %v", f.Name, image.Known, want.Unknown)
		case err == nil && image.Known && image.User != want.User:
			t.Errorf("%s: %q, and BuildKit has %q", f.Name, image.User, want.User)
		}
	}
	for n, count := range of {
		if count < 10 {
			t.Errorf("only %d have the answer %d", count, n)
		}
	}
}

// TestUnknownBase: with an unknown base image, the user is known only if the file itself sets it.
func TestUnknownBase(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM nobody/knows\n":                               false,
		"FROM nobody/knows AS a\nFROM a\n":                  false,
		"FROM nobody/knows\nUSER app\n":                     true,
		"FROM nobody/knows AS a\nUSER app\nFROM a\n":        true,
		"FROM nobody/knows AS a\nUSER app\nFROM debian":     true,
		"FROM debian AS a\nUSER app\nFROM nobody/knows":     false,
		"FROM nobody/knows\nENV U=app\nUSER ${U}\n":         true,
		"FROM nobody/knows\nUSER $U\n":                      false, // the base's environment may have a value
		"FROM nobody/knows\nUSER ${U:-5}\n":                 false,
		"FROM nobody/knows\nARG U\nUSER $U\n":               false,
		"FROM nobody/knows\nARG U=5\nUSER $U\n":             true,
		"FROM nobody/knows\nENV A=$U\nUSER $A\n":            false,
		"FROM nobody/knows\nENV A=$U\nENV A=5\nUSER $A":     true,
		"FROM nobody/knows\nARG A=x$U\nUSER $A\nUSER 5":     true,
		"FROM nobody/knows AS a\nENV A=$U\nFROM a\nUSER $A": false,
		"FROM debian\nUSER $U\n":                            true,
		"FROM nobody/knows AS a\nONBUILD USER b\nFROM a":    true,
	} {
		image, err := Evaluate([]byte(text), Options{Base: bases(t)})
		if err != nil || image.Known != want {
			t.Errorf("%q: %+v, %v", text, image, err)
		}
	}
}

// TestSteps checks the explanation of the result.
func TestSteps(t *testing.T) {
	text := "ARG V=1\nFROM debian:$V AS app\nARG U\nUSER ${U:-root}\nFROM app\n"
	image, err := Evaluate([]byte(text), Options{Base: bases(t)})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, s := range image.Steps {
		said = append(said, s.Text)
	}
	want := `the image "debian:1" names no user, which is root (the corpus); USER ${U:-root} is "root"; the stage is made from app`
	if got := strings.Join(said, "; "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	unset, err := Evaluate([]byte("FROM debian\nARG A\nUSER $A:$B\n"), Options{Base: bases(t)})
	if err != nil || unset.Steps[1].Text != `USER $A:$B is ":", as nothing gives A and B a value` {
		t.Errorf("%+v, %v", unset, err)
	}
	if image.Steps[1].Line != 4 || image.Steps[2].Line != 5 {
		t.Errorf("%+v", image.Steps)
	}
}

// TestErrors checks that errors have a line.
func TestErrors(t *testing.T) {
	for text, want := range map[string]int{
		"":                                  0,
		"\n \n":                             0,
		"FROM debian\nUSR app\n":            2,
		"FROM debian\n\nUSER\n":             3,
		"FROM debian\nUSER ${X:?no}\n":      2,
		"FROM debian\nONBUILD FROM x\n":     2,
		"FROM debian AS a\nFROM ${B}\n":     2,
		"FROM Debian\n":                     1,
		"RUN <<EOF\n":                       0,
		strings.Repeat("# c\n", MaxBytes/4): 0,
	} {
		_, err := Evaluate([]byte(text), Options{Base: bases(t)})
		var e *unread.Error
		if !errors.As(err, &e) || e.Line != want && want != 0 {
			t.Errorf("%.40q: %v, want line %d", text, err, want)
		}
	}
}

// TestBounds: a file that is made to be expensive is refused immediately.
func TestBounds(t *testing.T) {
	stages := "FROM debian AS a0\n" + strings.Repeat("FROM debian\n", maxStages)
	var chain strings.Builder
	chain.WriteString("FROM debian AS a\n" + strings.Repeat("RUN x\n", 100))
	for range 300 {
		chain.WriteString("FROM a AS a\n" + strings.Repeat("RUN x\n", 100))
	}
	for name, text := range map[string]string{
		"stages": stages, "instructions": chain.String(), "bytes": strings.Repeat(" ", MaxBytes+1),
		"a variable that doubles": "FROM debian\nENV A=xxxxxxxxxxxxxxxx\n" + strings.Repeat("ENV A=$A$A\n", 60), "an ARG that doubles": "ARG A=xxxxxxxxxxxxxxxx\n" + strings.Repeat("ARG A=$A$A\n", 60) + "FROM debian",
	} {
		if _, err := Evaluate([]byte(text), Options{Base: bases(t)}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzEvaluate: every text has a result or an error, and every result has its steps.
func FuzzEvaluate(f *testing.F) {
	all, err := txtar.ParseFile("testdata/corpus.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range all.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		image, err := Evaluate(text, Options{Base: func(string) (Base, bool) { return Base{}, false }})
		if err == nil && (len(image.Steps) == 0 || image.Known && image.User != "" && len(image.Steps) < 2) {
			t.Errorf("%+v", image)
		}
	})
}

// TestIs: a Dockerfile is what a build can read, and nothing else, even with similar words.
func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM debian\n": true, "# syntax=docker/dockerfile:1\nARG V=1\nfrom debian:$V AS a\nRUN x": true, "FROM scratch": true,
		"": false, "package main\n": false, "# Dockerfile\n\nFROM is an instruction.\n": false, "FROM": false, "RUN x\nFROM debian": false, "FROM debian\nRUNN x": false, "ARG V": false,
		"FROM {{ .Base }}\n{{ if .X }}\nRUN x\n{{ end }}": false,
	} {
		if Is([]byte(text)) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
}

// TestContexts: a build context stands in for images and stages of its name.
func TestContexts(t *testing.T) {
	base := func(name string) (Base, bool) {
		user, ok := map[string]string{"app": "5", "rooted": "", "docker.io/library/node:1": "7", "node:1": "7", "a:b/c": "9"}[name]
		return Base{User: user}, ok
	}
	for _, one := range []struct {
		text, name, value, want string
	}{
		{"FROM app\n", "", "", "5"},
		{"FROM app\n", "app", "docker-image://rooted", "root"},
		{"FROM app:latest\n", "app", "docker-image://rooted", "root"},
		{"FROM docker.io/library/app\n", "app", "docker-image://rooted", "root"},
		{"FROM app\n", "app", "docker-image://none", "unknown"},
		{"FROM app\n", "app", "../dir", "unknown"},
		{"FROM app\n", "app", "service:x", "unknown"},
		{"FROM app\n", "other", "docker-image://rooted", "5"},
		{"FROM rooted AS b\nUSER 5\nFROM b\n", "b", "docker-image://rooted", "root"},
		{"FROM rooted AS b\nUSER 0\nFROM b\n", "b", "docker-image://app", "5"},
		{"FROM rooted AS b\nUSER 5\nFROM b\n", "b", "https://example.org/x.git", "unknown"},
		{"FROM app\nUSER 3\n", "app", "../dir", "3"},
	} {
		image, err := Evaluate([]byte(one.text), Options{Base: base, Contexts: map[string]string{one.name: one.value}})
		got := "unknown"
		switch {
		case err != nil:
			got = err.Error()
		case image.Known && image.User == "":
			got = "root"
		case image.Known:
			got = image.User
		}
		if got != one.want {
			t.Errorf("%+v: %s", one, got)
		}
	}
}
