// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imagefile"
	"github.com/nonroot-runc/nonroot-runc/internal/podsecurity"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trial"
)

// FuzzBases: an accepted entry is valid, and looking up an image with it does not fail.
func FuzzBases(f *testing.F) {
	f.Add([]byte("[[base]]\nimage = \"a/*\"\ntags = [\"1*\"]\nexcept = [\"*x\"]\nuser = \"5\"\nenv = [\"A=b\"]\ndate = \"2026-01-01\"\nsource = \"us\"\n"), "a/b:1.2")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		entries, err := ParseBases("x", text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if len(e.Tags) == 0 || e.Source == "" || e.User == nil && e.OS != "windows" {
				t.Errorf("%+v", e)
			}
		}
		Bases(nil, entries...)(name)
	})
}

// FuzzImage: an image in a readable archive has a result, with a finding if it runs as root or never starts.
func FuzzImage(f *testing.F) {
	layer := testkit.Layer(f, "etc/passwd: app:x:5:5::/:", "bin/su 0:0 4755", "data/ 0:0")
	f.Add(testkit.DockerArchive(f, "x", map[string]any{"User": "app", "Entrypoint": []string{"su"}, "Volumes": map[string]any{"/data": map[string]any{}}}, layer).Tar(f))
	o := Options{Policy: policy.Default(), World: trial.World{Groups: &policy.HostGroups{}}, Now: time.Unix(1, 0)}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := imagefile.Archive(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		for _, image := range all {
			if r := Image("x", image, o); (r.Verdict == Root || r.Verdict == Never) && len(r.Findings) == 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}

// FuzzServices and FuzzPods: any text has a result, and the marks of findings are within their lines.
func FuzzServices(f *testing.F) {
	f.Add([]byte("services:\n  a: {image: debian, user: '0', volumes: ['d:/d']}\n  b: {image: debian, user: '5:5', volumes: ['d:/d']}\nvolumes: {d: {}}\n"))
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		marked(t, Compose("compose.yaml", text, o, ComposeOptions{Dir: dir}))
		marked(t, Compose("compose.yaml", []byte("services: {a: {image: debian}}"), o, ComposeOptions{Dir: dir, Overrides: []ComposeFile{{"over.yaml", text}}}))
	})
}

// FuzzPatch: any text has a result as a patch, and as a Kustomization.
func FuzzPatch(f *testing.F) {
	f.Add([]byte("kind: Deployment\nspec: {template: {spec: {securityContext: {runAsUser: 0}, containers: [{name: c, $patch: replace}]}}}\n---\n- {op: remove, path: /spec/securityContext/runAsUser}\n"))
	f.Add([]byte("patches:\n- path: a.yaml\n- patch: |-\n    - {op: add, path: /spec/securityContext, value: {runAsUser: 0}}\npatchesStrategicMerge: [\"{runAsNonRoot: false}\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		marked(t, []Result{Patch("patch.yaml", text), Patch("kustomization.yaml", text)})
	})
}

func FuzzPods(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: c, image: debian, securityContext: {runAsUser: 0}}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {pod-security.kubernetes.io/enforce: x}}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {namespace: a}\nspec: {templates: [{container: {image: i}, sidecars: [{image: s}]}]}\n"))
	f.Add([]byte("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  podSpecPatch: '{securityContext: {runAsUser: {{u}}}}'\n  templateDefaults: {podSpecPatch: '{containers: [{name: main, image: x}]}'}\n  templates: [{container: {image: i}}, {resource: {manifest: '{apiVersion: v1, kind: Pod, spec: {containers: [{image: i}]}}'}}]\n"))
	level, err := podsecurity.Parse("restricted")
	if err != nil {
		f.Fatal(err)
	}
	o := Options{Build: dockerfile.Options{Base: Bases(nil)}}
	f.Fuzz(func(t *testing.T, text []byte) {
		o.PodSecurity = nil
		marked(t, Manifests("pod.yaml", text, o))
		o.PodSecurity = &level
		marked(t, Manifests("pod.yaml", text, o))
	})
}

func marked(t *testing.T, all []Result) {
	t.Helper()
	if len(all) == 0 {
		t.Error("no answer")
	}
	for _, r := range all {
		for _, f := range r.Findings {
			if f.Length > 0 && (f.Column < 1 || f.Column-1+f.Length > len(f.Source)) || strings.Contains(f.Source, "\n") {
				t.Errorf("%+v", f)
			}
		}
	}
}
