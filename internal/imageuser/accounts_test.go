// SPDX-License-Identifier: Apache-2.0

package imageuser

import (
	"encoding/json"
	"os"
	"testing"
)

func read(t *testing.T, file string, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReaders compares both readers with the engines' own (hack/dockerfiles), and Read with both.
func TestReaders(t *testing.T) {
	var cases struct {
		Accounts map[string]struct{ Passwd, Group *string }
		Users    []string
	}
	var answers map[string]map[string][2]string
	read(t, "testdata/users.json", &cases)
	read(t, "testdata/answers.json", &answers)
	shown := func(w Who) string {
		if w.Err != nil {
			return "never"
		}
		return w.String()
	}
	n, differ := 0, 0
	for name, a := range cases.Accounts {
		var of Accounts
		if a.Passwd != nil {
			of.Passwd = []byte(*a.Passwd)
		}
		if a.Group != nil {
			of.Group = []byte(*a.Group)
		}
		for _, text := range cases.Users {
			want, ok := answers[name][text]
			if !ok {
				t.Fatalf("%s, %q: no answer: run hack/dockerfiles", name, text)
			}
			n++
			docker, containerd := of.Docker(text), of.Containerd(text)
			if got := [2]string{shown(docker), shown(containerd)}; got != want {
				t.Errorf("%s, %q: %q, and the engines have %q", name, text, got, want)
			}
			if want[0] != want[1] {
				differ++
			}
			alone := Read(text)
			if alone.Kind == Invalid && (docker.Err == nil || containerd.Err == nil) && name == "usual" {
				t.Errorf("%q never starts, and the engines have %q", text, want)
			}
			if alone.Kind == Number && (docker.Root() || containerd.Root()) && name != "odd" {
				t.Errorf("%q is a number, and root: %q", text, want)
			}
		}
	}
	if n < 300 || differ < 5 {
		t.Errorf("only %d cases, of which %d differ", n, differ)
	}
}
