// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// nothing is the world of a host without groups, people and devices.
var nothing = World{
	Groups: &policy.HostGroups{},
	People: func(*policy.Policy) *policy.People { return nil },
}

const text = `
[audit]
mode = "refuse"
[[rule]]
name = "agents"
mode = "off"
reason = "they configure the host"
until = 2026-12-31
match.namespace = ["kube-system"]
match.engine = ["kubernetes"]
[[rule]]
name = "docker"
match.engine = ["docker"]
identity.requests = ["environment"]
`

func read(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("p", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var today = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func TestRun(t *testing.T) {
	app := []string{"app:x:1000:1000::/:/bin/sh"}
	for _, test := range []struct {
		name string
		c    Container
		want decision.Decision
	}{
		{"general part", Container{}, decision.Decision{Rule: "default", Mode: policy.Rewrite, Source: policy.Fixed, Identity: &policy.Identity{UID: 65532, GID: 65532}, Audited: "would be refused"}},
		{"exempt", Container{Engine: "kubernetes", Namespace: "kube-system"}, decision.Decision{Rule: "agents", Mode: policy.Off, Identity: &policy.Identity{}}},
		{"the same from containerd", Container{Engine: "containerd", Namespace: "kube-system"}, decision.Decision{Rule: "default", Mode: policy.Rewrite, Source: policy.Fixed, Identity: &policy.Identity{UID: 65532, GID: 65532}, Audited: "would be refused"}},
		{
			"a request by name",
			Container{Engine: "docker", Env: []string{"NONROOT_USER=app"}, Passwd: app},
			decision.Decision{Rule: "docker", Mode: policy.Rewrite, Source: policy.Requested, Identity: &policy.Identity{UID: 1000, GID: 1000}},
		},
		{"kept", Container{Root: "/run/docker/runtime-x/moby", UID: 5, GID: 6}, decision.Decision{Rule: "docker", Mode: policy.Rewrite, Source: policy.Kept, Identity: &policy.Identity{UID: 5, GID: 6}}},
	} {
		got, err := test.c.Run(read(t), nothing, today)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got.Rule != test.want.Rule || got.Mode != test.want.Mode || got.Source != test.want.Source || got.Identity.UID != test.want.Identity.UID ||
			got.Identity.GID != test.want.Identity.GID || !strings.HasPrefix(got.Audited, test.want.Audited) || (got.Audited == "") != (test.want.Audited == "") {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	for _, c := range []Container{
		{Engine: "lxc"}, {Engine: "docker", Root: "/x"}, {Engine: "docker", Namespace: "x"}, {Image: "nginx"}, {Root: "/run/containerd/runc/a", Namespace: "b"},
	} {
		if r, err := c.Run(read(t), nothing, today); err == nil {
			t.Errorf("%+v, which nothing is like, gives %+v", c, r)
		}
	}
}

func TestExpectations(t *testing.T) {
	suite, err := ParseSuite("s", []byte(`
[[test]]
name = "holds"
container = {engine = "kubernetes", namespace = "kube-system"}
expect = {rule = "agents", mode = "off", reason = "configure"}
[[test]]
name = "has run out"
date = 2027-01-01
container = {engine = "kubernetes", namespace = "kube-system"}
expect = {rule = "default", mode = "rewrite", uid = 65532, gid = 65532, source = "fixed", audited = "asks for root"}
[[test]]
name = "all wrong"
container = {groups = [7]}
expect = {rule = "x", mode = "off", uid = 1, gid = 2, groups = [7], source = "kept", reason = "y", audited = ""}
`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 0, 8} {
		wrong, err := suite.Tests[i].Run(read(t), nothing, today)
		if err != nil || len(wrong) != want {
			t.Errorf("%s: %q, %v; want %d", suite.Tests[i].Name, wrong, err, want)
		}
	}
	for _, bad := range []string{
		"", "[[test]]\nname = \"x\"", "[[test]]\nexpect.uid = 1", "[[test]]\nname = \"x\"\nexpect.user = 1", "[[test]]\nname = \"x\"\nexpect.uid = -1",
		"[[test]]\nname = \"x\"\nexpect.uid = 1\ndate = \"soon\"", "[[test]\n",
	} {
		if s, err := ParseSuite("s", []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "s:") {
			t.Errorf("%q gives %+v, %v", bad, s, err)
		}
	}
	if !slices.ContainsFunc(suite.Tests, func(t Test) bool { return t.Expect.Audited != nil && *t.Expect.Audited == "" }) {
		t.Error("an empty audited is lost")
	}
}

// TestImageUser: an image with known accounts runs as its own user, like a created container does. Without them, a note says that it may.
func TestImageUser(t *testing.T) {
	for _, c := range []struct {
		Container
		uid  uint32
		note bool
	}{
		{Container{Passwd: []string{"root:x:0:0::/:/bin/sh", "redis:x:999:999::/:/bin/sh"}, Group: []string{"redis:x:999:"}}, 999, false},
		{Container{Passwd: []string{"root:x:0:0::/:/bin/sh"}}, 65532, false},
		{Container{}, 65532, true},
		{Container{UID: 1000, GID: 1000}, 1000, false},
	} {
		r, err := c.Run(policy.Default(), nothing, today)
		if err != nil || r.Identity.UID != c.uid || (len(r.Notes) > 0) != c.note {
			t.Errorf("%+v: %+v, %v", c, r, err)
		}
	}
}
