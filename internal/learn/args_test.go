// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestWithArgs: only the command changes, and every other byte of config.json stays.
func TestWithArgs(t *testing.T) {
	for config, want := range map[string]string{
		`{"process": {"user": {"args": 1}, "args" : [ "a", "b" ] , "cwd": "/"}, "more": [1e2]}`: `{"process": {"user": {"args": 1}, "args" : ["sh","-c","x \"y\""] , "cwd": "/"}, "more": [1e2]}`,
		`{"args": ["z"], "process":{"args":null}}`:                                              `{"args": ["z"], "process":{"args":["sh","-c","x \"y\""]}}`,
		`{"process": {"cwd": "/"}}`:                                                             "",
		`{"process": {"args": ["a"], "args": ["b"]}}`:                                           "",
		`{}`: "",
	} {
		got, err := withArgs([]byte(config), []string{"sh", "-c", `x "y"`})
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %s", config, got, err, want)
		}
	}
}

// FuzzWithArgs: the result is a config.json with this command, and doing it again changes nothing.
func FuzzWithArgs(f *testing.F) {
	f.Add([]byte(`{"process": {"args": ["a"], "user": {"uid": 1}}}`), "sh")
	f.Fuzz(func(t *testing.T, config []byte, arg string) {
		if !utf8.ValidString(arg) || strings.Contains(arg, "\x00") { // no command line contains these
			return
		}
		got, err := withArgs(config, []string{arg})
		if err != nil {
			return
		}
		doc, err := spec.ParseConfig(got)
		if err != nil {
			t.Fatal(err)
		}
		args, err := doc.Args()
		if again, _ := withArgs(got, []string{arg}); !bytes.Equal(again, got) || err == nil && !slices.Equal(args, []string{arg}) {
			t.Errorf("%s: %s, %q, %v", config, got, args, err)
		}
	})
}
