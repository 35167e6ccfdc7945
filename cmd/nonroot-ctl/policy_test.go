// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// shownBy runs policy show with a policy's text.
func shownBy(t *testing.T, text string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := app()
	var out bytes.Buffer
	a.Writer = &out
	err := a.Run(append([]string{"nonroot-ctl", "policy", "show", "--policy", file}, args...))
	return out.String(), err
}

const teamA = `
[[rule]]
name = "team a"
match.engine = ["kubernetes"]
match.namespace = ["team-a"]
mode = "refuse"
[[rule]]
name = "gpu"
match.namespace = ["gpu"]
identity = {uid = 7000, gid = 7001}
[[rule]]
name = "docker"
match.engine = ["docker"]
mode = "off"
reason = "a test"
`

// TestPolicyShowWithoutAnEngine: a namespace with an image but without an engine means Kubernetes, and the output says so.
func TestPolicyShowWithoutAnEngine(t *testing.T) {
	out, err := shownBy(t, teamA, "--namespace", "team-a", "--image", "nginx", "--uid", "0")
	if err != nil || !strings.Contains(out, "engine    kubernetes") || !strings.Contains(out, "rule      \"team a\"\nmode      refuse\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = shownBy(t, teamA, "--namespace", "team-a", "--engine", "containerd"); err != nil || !strings.Contains(out, "rule      \"default\"") || strings.Contains(out, "engine ") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = shownBy(t, teamA, "--namespace", "team-a", "--engine", "docker"); err == nil {
		t.Errorf("Docker has no namespaces:\n%s", out)
	}
	if out, err = shownBy(t, teamA); err != nil || !strings.Contains(out, "rule      \"default\"") || strings.Contains(out, "engine ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPolicyShowJSON: the identity is written like in explain, and a refusal has none.
func TestPolicyShowJSON(t *testing.T) {
	for _, c := range []struct {
		args []string
		want *explain.Identity
	}{
		{[]string{"--namespace", "gpu"}, &explain.Identity{UID: 7000, GID: 7001, Groups: []uint32{}}},
		{[]string{"--namespace", "team-a"}, nil},
		{[]string{"--engine", "docker", "--gid", "5", "--group", "6"}, &explain.Identity{UID: 0, GID: 5, Groups: []uint32{6}}},
	} {
		out, err := shownBy(t, teamA, append(c.args, "--json")...)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(c.want)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, got["identity"]); err != nil || compact.String() != string(want) {
			t.Errorf("%q: %s, %v; want %s", c.args, compact.String(), err, want)
		}
	}
}

// TestIdle: only rules without effect are reported.
func TestIdle(t *testing.T) {
	p, err := policy.Parse("p", []byte(`
[[rule]]
name = "over"
until = 2020-01-01
match.engine = ["docker"]
[[rule]]
name = "nobodys"
match.engine = ["podman", "cri-o"]
mode = "off"
reason = "a test"
[[rule]]
name = "some"
match.engine = ["podman", "docker*"]
[[rule]]
name = "others"
match.engine = ["!docker"]
[[rule]]
name = "all"
[[rule]]
name = "behind"
match.root = ["/x"]
`[1:]))
	if err != nil {
		t.Fatal(err)
	}
	got := idle(p, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	want := []string{
		`rule "over" has run out on 2020-01-01`,
		`rule "nobodys" matches no container: its engines are not among docker, docker-plugin, kubernetes, containerd`,
		`rule "all" matches every container: no rule behind it is ever asked`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCheckOfABadPolicy: the check fails and reports all faults, also in JSON.
func TestCheckOfABadPolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(file, []byte("mode = \"rewrit\"\n[identity]\nuid = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := app()
	var out bytes.Buffer
	a.Writer = &out
	err := a.Run([]string{"nonroot-ctl", "policy", "check", "--json", file})
	if err == nil || !strings.Contains(err.Error(), ":1:1: mode: ") || !strings.Contains(err.Error(), ":3:1: identity.uid: ") {
		t.Errorf("%v", err)
	}
	var checked checkedPolicy
	if err := json.Unmarshal(out.Bytes(), &checked); err != nil || len(checked.Faults) != 2 || checked.File != file {
		t.Errorf("%v: %s", err, out.String())
	}
}
