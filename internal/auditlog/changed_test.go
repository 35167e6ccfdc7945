// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

func TestChanged(t *testing.T) {
	const before = `{"a": 1, "process": {"user": {"uid": 0, "gid": 0}, "env": ["A=1"], "cwd": "/"}, "linux": {"seccomp": {}, "x": [1]}}`
	for _, c := range []struct {
		after string
		want  []string
	}{
		{before, nil},
		{`{"a": 1, "process": {"user": {"uid": 5, "gid": 5, "additionalGids": [7]}, "env": ["A=1"], "cwd": "/"}, "linux": {"seccomp": {}, "x": [1]}}`, []string{"user", "groups"}},
		{`{"process": {"user": {"uid": 0, "gid": 0}, "env": ["A=2"], "noNewPrivileges": true}, "linux": {"seccomp": {"b": 1}, "x": [2]}, "mounts": []}`, []string{"env", "noNewPrivileges", "process.cwd", "seccomp", "linux.x", "mounts", "a"}},
		{`{"a": 1}`, []string{"user", "env", "process.cwd", "seccomp", "linux.x"}},
	} {
		got := Look([]byte(c.after)).Changed(Look([]byte(before)))
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.after, got, c.want)
		}
	}
	if got := LookAtProcess([]byte(`{"user":{"uid":1},"capabilities":{}}`)).Changed(LookAtProcess([]byte(`{"user":{"uid":0}}`))); !slices.Equal(got, []string{"user", "capabilities"}) {
		t.Errorf("%q", got)
	}
}

// TestChangedInRecordings: what real engines asked for, and what the rewrite changed.
func TestChangedInRecordings(t *testing.T) {
	recorded, err := filepath.Glob("../spec/testdata/recorded/*.config.json")
	if err != nil || len(recorded) < 10 {
		t.Fatal(recorded, err)
	}
	for _, name := range recorded {
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join("../spec/testdata/golden", filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range Look(after).Changed(Look(before)) {
			if !slices.Contains([]string{"user", "groups", "capabilities", "noNewPrivileges", "env", "seccomp", "mounts", "annotations", "devices"}, part) {
				t.Errorf("%s: %q changed", name, part)
			}
		}
		if got := Look(after).Changed(Look(after)); got != nil {
			t.Errorf("%s: %q changed in itself", name, got)
		}
	}
}

func BenchmarkChanged(b *testing.B) {
	before, err := os.ReadFile("../spec/testdata/recorded/docker-plain.config.json")
	if err != nil {
		b.Fatal(err)
	}
	after, err := os.ReadFile("../spec/testdata/golden/docker-plain.config.json")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Look(after).Changed(Look(before))
	}
}

func TestLook(t *testing.T) {
	s := Look([]byte(`{"process": {"user": {"uid": 7, "additionalGids": [8]}}, "annotations": {"a": "b\n"}}`))
	if id := s.User(); id == nil || id.UID != 7 || id.GID != 0 || !slices.Equal(id.Groups, []uint32{8}) || s.Annotations()["a"] != "b\n" {
		t.Errorf("%+v", s)
	}
	if id := Look([]byte(`{"process": {"cwd": "/"}}`)).User(); id == nil || id.UID != 0 {
		t.Errorf("%+v", id)
	}
	for _, bad := range []string{``, `[]`, `{"process": []}`, `{"process": {"user": {"uid": -1}}}`, `{"process": {"user": {"uid": 4294967296}}}`} {
		if id := Look([]byte(bad)).User(); id != nil {
			t.Errorf("%s: %+v", bad, id)
		}
	}
}

func TestEngineOf(t *testing.T) {
	for _, c := range []struct{ root, dir, want string }{
		{"/var/run/docker/runtime-runc/moby", "/run/x/moby/c1", policy.Docker},
		{"/run/containerd/runc/k8s.io", "/run/x/k8s.io/c1", policy.Kubernetes},
		{"/run/containerd/runc/default", "/run/x/default/c1", policy.Containerd},
		{"", "/var/lib/containers/storage/overlay-containers/c1/userdata", "podman"},
		{"/run/runc", "/run/containers/storage/overlay-containers/c1/userdata", "cri-o"},
		{"", "/var/lib/docker/buildkit/executor/c1", "buildkit"},
		{"", "/var/lib/buildkit/runc-overlayfs/executor/c1", "buildkit"},
		{"", "/tmp/bundle", ""},
		{"", "", ""},
	} {
		var e decision.Decision
		if Locate(&e, c.root, c.dir, "", nil, owners()); e.Engine != c.want {
			t.Errorf("%q, %q: %q, want %q", c.root, c.dir, e.Engine, c.want)
		}
	}
}
