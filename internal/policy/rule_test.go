// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

func TestPatternsTake(t *testing.T) {
	for _, test := range []struct {
		patterns, text string
		want           bool
	}{
		{"", "", true},
		{"", "a", true},
		{"*", "a", true},
		{"*", "", false},
		{"!a", "", false},
		{"!a", "b", true},
		{"!a", "a", false},
		{"team-*", "team-a", true},
		{"team-*", "a-team-a", false},
		{"team-* !team-x", "team-x", false},
		{"!team-x team-*", "team-x", false},
		{"team-* !team-x", "other", false},
		{"a b", "b", true},
		{"docker.io/*", "docker.io/library/nginx", false},
		{"docker.io/*/*", "docker.io/library/nginx", true},
		{"[a-c]?", "b1", true},
		{"A", "a", false},
	} {
		if got := Patterns(strings.Fields(test.patterns)).Take(test.text); got != test.want {
			t.Errorf("%q and %q: %v", test.patterns, test.text, got)
		}
	}
}

// cri holds the annotations that containerd's CRI plugin writes.
var cri = map[string]string{
	"io.kubernetes.cri.sandbox-namespace": "team-a", "io.kubernetes.cri.sandbox-name": "web-1",
	"io.kubernetes.cri.container-name": "app", "io.kubernetes.cri.image-name": "nginx:1",
}

// TestOriginOf: the only known facts about a container's origin are its own engine's (SECURITY.md F1, F3, F4).
func TestOriginOf(t *testing.T) {
	for _, test := range []struct{ root, want string }{
		{"/var/run/docker/runtime-runc/moby", "docker ///"},
		{"/run/docker/runtime-nonroot/moby", "docker ///"},
		{"/data/exec/runtime-runc/plugins.moby", "docker-plugin ///"},
		{"/run/containerd/runc/k8s.io", "kubernetes team-a/web-1/app/nginx:1"},
		{"/run/containerd/runc/k8s.io/", "kubernetes team-a/web-1/app/nginx:1"},
		{"/run/containerd/runc/default", "containerd default///"},
		{"/run/containerd/runc/default/../k8s.io", "kubernetes team-a/web-1/app/nginx:1"},
		{"/run/containerd/runc", " ///"},
		{"/tmp/run/containerd/runc/k8s.io", " ///"},
		{"/run/runc", " ///"},
		{"/run/crio/k8s.io", " ///"},
		{"", " ///"},
	} {
		o := OriginOf(test.root, "/b", cri)
		if got := fmt.Sprintf("%s %s/%s/%s/%s", o.Engine, o.Namespace, o.Pod, o.Container, o.Image); got != test.want {
			t.Errorf("%q: %s, want %s", test.root, got, test.want)
		}
	}
}

const ruled = `
[[rule]]
name = "over"
mode = "off"
reason = "x"
until = 2026-01-31
match.namespace = ["team-a"]
[[rule]]
name = "images"
match.image = ["nginx:*"]
match.namespace = ["team-*"]
identity.uid = 2000
[[rule]]
name = "marked"
match.annotations = {mark = ["yes"]}
identity.uid = 3000
[[rule]]
name = "docker"
match.engine = ["docker"]
identity.uid = 4000
`

func TestFor(t *testing.T) {
	p, err := Parse("p", []byte(ruled))
	if err != nil {
		t.Fatal(err)
	}
	before, after := time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		root        string
		annotations map[string]string
		now         time.Time
		want        string
	}{
		{"/run/containerd/runc/k8s.io", cri, before, "over"},
		{"/run/containerd/runc/k8s.io", cri, after, "images"},
		{"/run/containerd/runc/default", cri, after, "default"},
		{"", cri, before, "default"},
		{"", map[string]string{"mark": "yes"}, after, "marked"},
		{"", map[string]string{"mark": "no"}, after, "default"},
		{"/run/docker/runtime-runc/moby", map[string]string{"mark": "yes"}, after, "marked"},
		{"/run/docker/runtime-runc/moby", nil, after, "docker"},
	} {
		if got := p.For(OriginOf(test.root, "/b", test.annotations), test.now); got.Rule != test.want {
			t.Errorf("%q %v: %q, want %q", test.root, test.annotations, got.Rule, test.want)
		}
	}
}

// TestMoreForSome: a rule that gives more must match on what containers can't choose, unless the general part gives it
// to all.
func TestMoreForSome(t *testing.T) {
	for _, text := range []string{
		"process.user_namespaces = \"allow\"\nmatch.engine = [\"docker\"]",
		"process.user_namespaces = \"allow\"",
		"identity.groups = [\"video\"]\nmatch.image = [\"*/cuda\"]",
		"identity.allowed_gids = [\"adm\"]\nmatch.namespace = [\"[k]ube-*\"]",
	} {
		if _, err := Parse("p", []byte("[[rule]]\nname = \"a\"\n"+text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Parse("p", []byte("[identity]\ngroups = [\"docker\"]\n[process]\nuser_namespaces = \"allow\"\n[[rule]]\nname = \"a\"\nmatch.image = [\"x\"]")); err != nil {
		t.Error(err)
	}
}

// FuzzRules: no policy, with any facts, gives uid 0, gid 0 or group 0 unless a mode exempts; and choosing annotations
// never leads to an exemption, unless all containers of a namespace, engine or root have it anyway.
func FuzzRules(f *testing.F) {
	f.Add([]byte(whole), "/run/containerd/runc/k8s.io", "io.kubernetes.cri.sandbox-namespace", "kube-system", uint32(0), uint32(0))
	f.Add([]byte(ruled), "/run/docker/runtime-runc/moby", "mark", "yes", uint32(1000), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, root, key, value string, uid, gid uint32) {
		p, err := Parse("p", data)
		if err != nil {
			return
		}
		annotations := map[string]string{key: value}
		q := p.For(OriginOf(root, "/b", annotations), time.Now())
		// Without the facts that only the engine controls, annotations alone never lead to an exemption.
		if bare := p.For(OriginOf("", "/b", annotations), time.Now()); bare.Mode.Exempts() && !p.Mode.Exempts() && bare.Rule != "build" {
			t.Fatalf("an annotation exempts: %+v", bare)
		}
		facts := facts(spec.User{UID: uid, GID: gid, Groups: []uint32{gid, 0}})
		facts.Container.Annotations = annotations
		facts.Origin = OriginOf(root, "/b", annotations)
		facts.Assign = (&inOrder{}).assign
		facts.Devices, facts.Device = []string{"/dev/dri/card0"}, func(string) (uint32, bool) { return gid, true }
		facts.People = func() (*accounts.Files, error) {
			return &accounts.Files{Passwd: []byte(people), Group: []byte(teams)}, nil
		}
		for _, one := range []*Policy{q, q.Audit} {
			if one == nil || one.Mode == Off {
				continue
			}
			d := one.decideIn(facts)
			if d.Mode == Rewrite && (d.Identity.UID == 0 || d.Identity.GID == 0 || slices.Contains(d.Identity.Groups, 0)) {
				t.Fatalf("%+v", d)
			}
		}
	})
}

// BenchmarkTwoHundredRules measures what a policy of 200 rules adds to a call: it is read and matched each time.
func BenchmarkTwoHundredRules(b *testing.B) {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "[[rule]]\nname = \"rule %d\"\nmatch.namespace = [\"team-%d-*\"]\nidentity.uid = %d\nhome.size = \"1g\"\n", i, i, i+1000)
	}
	data := []byte(text.String())
	o := OriginOf("/run/containerd/runc/k8s.io", "/b", cri)
	for name, parse := range map[string]func(string, []byte) (*Policy, error){"all": Parse, "for one": ParseForOne, "by the library": parseAny} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := parse("p", data)
				if err != nil {
					b.Fatal(err)
				}
				if got := p.For(o, time.Time{}); got != p {
					b.Fatal(got.Rule)
				}
			}
		})
	}
}

// TestUnguardedBuildIsNone: a bundle that others can change does not count as a builder's by its path, whatever the
// modes are (SECURITY.md F8).
func TestUnguardedBuildIsNone(t *testing.T) {
	for _, text := range []string{
		"[build]\nmode = \"off\"\nreason = \"x\"\nbundles = [\"/var/lib/b/executor\"]\n",
		"mode = \"off\"\nreason = \"x\"\n[build]\nbundles = [\"/var/lib/b/executor\"]\n",
	} {
		p, err := Parse("p", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		f := &Facts{Bundle: "/var/lib/b/executor/c"}
		if got := p.InForce(f); got.Rule != "build" {
			t.Errorf("%s: %q", text, got.Rule)
		}
		f.Unguarded = true
		if got := p.InForce(f); got.Mode != Rewrite || got.Existing != Rewrite {
			t.Errorf("%s: mode %s", text, got.Mode)
		}
		if d := p.Failed(f, errors.New("written by others")); !d.Refused() || d.Reason != "written by others" {
			t.Errorf("%s: %+v", text, d)
		}
	}
}
