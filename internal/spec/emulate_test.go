// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// answers returns how a profile answers a call regardless of arguments: each rule's action, or the default.
func answers(s *specs.LinuxSeccomp, call string) (all []string) {
	for _, r := range s.Syscalls {
		if slices.Contains(r.Names, call) {
			a := string(r.Action)
			if r.ErrnoRet != nil && *r.ErrnoRet == 0 {
				a = "success"
			}
			all = append(all, a)
		}
	}
	if all == nil {
		all = []string{string(s.DefaultAction)}
	}
	return all
}

func emulating(t *testing.T, seccomp string) (*specs.LinuxSeccomp, error) {
	t.Helper()
	text := `{"process":{"user":{"uid":0,"gid":0},"args":["x"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{` + seccomp + `}}`
	change := func(text []byte) ([]byte, error) {
		d, err := ParseConfig(text)
		if err != nil {
			return nil, err
		}
		return d.Rewrite(Change{Process: ProcessChange{UID: 5, GID: 5}, Container: &ContainerChange{EmulateOwnership: true, AllowUserNamespaces: true, Machine: machine(t)}})
	}
	once, err := change([]byte(text))
	if err != nil {
		return nil, err
	}
	twice, err := change(once)
	if err != nil || string(twice) != string(once) {
		t.Errorf("%s: twice is not once: %v\n%s\n%s", seccomp, err, once, twice)
	}
	var s specs.Spec
	if err := json.Unmarshal(once, &s); err != nil {
		t.Fatal(err)
	}
	return s.Linux.Seccomp, nil
}

func machine(t *testing.T) Machine {
	m, err := MachineOf("amd64")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEmulateOwnership: calls that the profile allows succeed without effect, and what it denies stays denied.
func TestEmulateOwnership(t *testing.T) {
	for _, test := range []struct {
		name, seccomp string
		chown, mkdir  string
	}{
		{"no profile", `"x":1`, "success", "SCMP_ACT_ALLOW"},
		{"allowed by default", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}`, "success", "SCMP_ACT_ALLOW"},
		{"denied by default", `"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}`, "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO"},
		{"allowed", `"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chown","mkdir"],"action":"SCMP_ACT_ALLOW"}]}`, "success", "SCMP_ACT_ALLOW"},
		{"allowed alone", `"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ALLOW"}]}`, "success", "SCMP_ACT_ERRNO"},
		{"allowed twice", `"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ALLOW"},{"names":["mkdir","ch\u006fwn"],"action":"SCMP_ACT_ALLOW"}]}`, "success", "SCMP_ACT_ALLOW"},
		{"logged", `"seccomp":{"defaultAction":"SCMP_ACT_LOG"}`, "SCMP_ACT_LOG", "SCMP_ACT_LOG"},
		{"traced", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"SCMP_ACT_TRACE"}]}`, "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW"},
		{"denied", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}`, "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"},
		{"killed", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"SCMP_ACT_KILL"}]}`, "SCMP_ACT_KILL", "SCMP_ACT_ALLOW"},
		{"allowed and denied", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ALLOW"},{"names":["chown"],"action":"SCMP_ACT_TRAP"}]}`, "SCMP_ACT_ALLOW SCMP_ACT_TRAP", "SCMP_ACT_ALLOW"},
		{"by a condition", `"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":0,"op":"SCMP_CMP_EQ"}]}]}`, "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"},
	} {
		s, err := emulating(t, test.seccomp)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(answers(s, "chown"), " "); got != test.chown {
			t.Errorf("%s: chown: %s, want %s", test.name, got, test.chown)
		}
		if got := strings.Join(answers(s, "mkdir"), " "); got != test.mkdir {
			t.Errorf("%s: mkdir: %s, want %s", test.name, got, test.mkdir)
		}
		for _, call := range []string{"setuid", "setgid", "setresuid", "chmod", "mount", "unshare"} {
			if slices.Contains(answers(s, call), "success") {
				t.Errorf("%s: %s is answered", test.name, call)
			}
		}
	}
}

// TestEmulateOwnershipByEngines: with each engine's profile all of the calls succeed, and every other rule stays.
func TestEmulateOwnershipByEngines(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.config.json")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var before, after specs.Spec
		d, err := ParseConfig(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Rewrite(Change{Process: ProcessChange{UID: 5, GID: 5}, Container: &ContainerChange{EmulateOwnership: true, Machine: machine(t)}})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(out, &after) != nil {
			t.Fatal(file)
		}
		checkSeccomp(t, file, before.Linux, after.Linux)
		for _, call := range emulated {
			was := []string{string(specs.ActAllow)}
			if before.Linux.Seccomp != nil {
				was = answers(before.Linux.Seccomp, call)
			}
			allowed := !slices.ContainsFunc(was, func(a string) bool { return a != string(specs.ActAllow) })
			if got := answers(after.Linux.Seccomp, call); (len(got) == 1 && got[0] == "success") != allowed {
				t.Errorf("%s: %s: %s, was %s", file, call, got, was)
			}
		}
	}
}

// TestEmulateOwnershipFails on an invalid profile.
func TestEmulateOwnershipFails(t *testing.T) {
	for _, seccomp := range []string{
		`"seccomp":[]`, `"seccomp":{"defaultAction":1}`, `"seccomp":{"defaultAction":"X"}`, `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}`,
		`"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"X"}]}`,
		`"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown",1],"action":"SCMP_ACT_ALLOW"}]}`,
		`"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown"],"action":"SCMP_ACT_ALLOW","args":1}]}`,
	} {
		if _, err := emulating(t, seccomp); err == nil {
			t.Errorf("%s is taken", seccomp)
		}
	}
}
