// SPDX-License-Identifier: Apache-2.0

package check

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// answer is what hack/policies found for a manifest.
type answer struct {
	Refused, Custom, Admitted, WithHostUsers bool
	Pods                                     []struct {
		Object      string
		Containers  map[string]Verdict
		PodSecurity struct{ Baseline, Restricted, Users, UsersBefore bool }
		Unsure      []string
	}
}

// answered returns the manifests of the table, and the answer for each.
func answered(t *testing.T) (*txtar.Archive, map[string]answer) {
	t.Helper()
	table, err := txtar.ParseFile("testdata/manifests.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]answer{}
	if err := json.Unmarshal(text, &right); err != nil || len(right) < 80 {
		t.Fatalf("%d answers, %v", len(right), err)
	}
	return table, right
}

// beyondTypes are manifests that the API server refuses in its validation, although their types are right. check takes them as they are.
var beyondTypes = []string{"class-empty", "container-name-twice", "windows-with-a-uid"}

// TestManifestTable: check's verdict is the user that the kubelet starts, and there is a finding for each pod that an admission policy
// refuses.
func TestManifestTable(t *testing.T) {
	table, right := answered(t)
	for _, f := range table.Files {
		before := strings.HasSuffix(f.Name, ".before")
		a, ok := right[f.Name]
		switch {
		case before:
			continue
		case !ok:
			t.Errorf("%s has no answer: run hack/policies", f.Name)
			continue
		case a.Refused && !slices.Contains(beyondTypes, f.Name):
			if all := Manifests(f.Name, f.Data, Options{}); len(all) != 1 || all[0].Verdict != Invalid {
				t.Errorf("%s: the API server refuses it: %+v", f.Name, all)
			}
			continue
		case a.Refused:
			continue
		}
		var want, got []string
		for _, p := range a.Pods {
			for name, verdict := range p.Containers {
				want = append(want, fmt.Sprintf("%s %s: %s", p.Object, name, verdict))
			}
		}
		for _, r := range Manifests(f.Name, f.Data, Options{}) {
			object, c, _ := strings.Cut(r.Object, ", ")
			got = append(got, fmt.Sprintf("%s %s: %s", object, c[strings.LastIndexByte(c, ' ')+1:], r.Verdict))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s: %q, want %q", f.Name, got, want)
		}
		// For an update, the policies only look at the changes. For Windows, Pod Security's levels are stricter than check.
		if slices.ContainsFunc(table.Files, func(o txtar.File) bool { return o.Name == f.Name+".before" }) || strings.HasPrefix(f.Name, "windows-") {
			continue
		}
		want, got = nil, nil
		for _, p := range a.Pods {
			want = append(want, p.Unsure...)
		}
		for _, r := range Manifests(f.Name, f.Data, Options{RuntimeClass: "nonroot"}) {
			for _, id := range idsOf(r) {
				if id == podRoot.ID || id == podUnknown.ID || id == rootInNamespace.ID {
					got = append(got, r.Object[strings.LastIndexByte(r.Object, ' ')+1:])
				}
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: a policy refuses it for %q, check finds %q", f.Name, want, got)
		}
	}
}

// TestPodSecurityIsEnough: up to version 1.34, the policies admit what the level restricted admits. Its later versions match the policies with
// hostUsers: true (docs/admission.md). The level baseline admits root.
func TestPodSecurityIsEnough(t *testing.T) {
	table, right := answered(t)
	admitted, root := 0, 0
	for name, a := range right {
		if a.Refused || a.Custom || slices.ContainsFunc(table.Files, func(o txtar.File) bool { return o.Name == name+".before" }) {
			continue
		}
		users, before, baseline := true, true, true
		for _, p := range a.Pods {
			users, before, baseline = users && p.PodSecurity.Users, before && p.PodSecurity.UsersBefore, baseline && p.PodSecurity.Baseline
			if p.PodSecurity.Restricted && !p.PodSecurity.Users {
				t.Errorf("%s: restricted, and not about users", name)
			}
		}
		if before && !a.Admitted || users && !a.WithHostUsers {
			t.Errorf("%s: Pod Security lets it in, and the policies don't", name)
		}
		if before {
			admitted++
		}
		if baseline && !a.WithHostUsers {
			root++
		}
	}
	if admitted < 10 || root < 10 {
		t.Errorf("%d and %d manifests are too few", admitted, root)
	}
}

// TestPoliciesWereTried: each engine has tried the current policies on the current tables, and agreed with every answer: which users are
// not root, and what a namespace's default is.
func TestPoliciesWereTried(t *testing.T) {
	const policies = "../../deploy/policies"
	text, err := os.ReadFile(filepath.Join(policies, "tried.json"))
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]string{}
	if err := json.Unmarshal(text, &tried); err != nil {
		t.Fatal(err)
	}
	const (
		table    = "../../internal/check/testdata/manifests.txtar"
		defaults = "../../test/policies/defaults.go"
	)
	const constraints = "gatekeeper/default/constraints/"
	for engine, files := range map[string][]string{
		"apiserver":         {"validatingadmissionpolicy.yaml", table},
		"gatekeeper":        {"gatekeeper/template.yaml", "gatekeeper/constraint.yaml", table},
		"kyverno":           {"kyverno/policy.yaml", table},
		"apiserver-default": {"../kubernetes/admission.yaml", defaults},
		"gatekeeper-default": {
			"gatekeeper/default/mutators.yaml", "gatekeeper/default/template.yaml", constraints + "nonroot.yaml", constraints + "nonroot-audit.yaml", constraints + "other.yaml",
			defaults,
		},
		"kyverno-default": {"kyverno/default/policies.yaml", defaults},
	} {
		sum := sha256.New()
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(policies, name))
			if err != nil {
				t.Fatal(err)
			}
			sum.Write(text)
		}
		if got := fmt.Sprintf("%x", sum.Sum(nil)); got != tried[engine] {
			t.Errorf("%s has not tried %q as they are: run hack/policies %s", engine, files, strings.TrimSuffix(engine, "-default"))
		}
	}
}

// TestLabelledNamespace: pods without a class get the one of their namespace's label, which is in the same file or comes from elsewhere.
// Nothing is known if two labels contradict each other, or if an object names no namespace.
func TestLabelledNamespace(t *testing.T) {
	const (
		labelled = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {nonroot-runc.io/runtime: nonroot}}\n---\n"
		audited  = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {nonroot-runc.io/runtime: nonroot-audit}}\n---\n"
		bare     = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n"
	)
	pod := func(namespace, spec string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p" + namespace + "}\nspec: {" + spec + "containers: [{name: c, image: i, securityContext: {runAsUser: 0}}]}\n"
	}
	in := pod(", namespace: a", "")
	for _, test := range []struct {
		name, text string
		told       map[string]string // in other files and on the command line
		inherit    string            // the namespace of objects that name none
		want       string
	}{
		{"no label", in, nil, "", "pod-runs-as-root"},
		{"in the file", labelled + in, nil, "", ""},
		{"behind it", in + "---\n" + labelled, nil, "", ""},
		{"told", in, map[string]string{"a": "nonroot"}, "", ""},
		{"another one", in, map[string]string{"b": "nonroot"}, "", "pod-runs-as-root"},
		{"audited", audited + in, nil, "", "pod-runs-as-root"},
		{"a label of another meaning", in, map[string]string{"a": "true"}, "", "pod-runs-as-root"},
		{"a class of its own", labelled + pod(", namespace: a", "runtimeClassName: other, "), nil, "", "pod-runs-as-root"},
		{"two namespaces of a name", labelled + bare + in, nil, "", "pod-runs-as-root"},
		{"and told", bare + in, map[string]string{"a": "nonroot"}, "", ""},
		{"no namespace", labelled + pod("", ""), nil, "", "pod-runs-as-root"},
		{"no namespace, told", labelled + pod("", ""), nil, "a", ""},
		{"another one than told", pod(", namespace: b", ""), map[string]string{"a": "nonroot"}, "a", "pod-runs-as-root"},
	} {
		all := Manifests("f", []byte(test.text), Options{Namespaces: &Namespaces{classes: test.told}, Namespace: test.inherit})
		if len(all) != 1 || strings.Join(idsOf(all[0]), " ") != test.want {
			t.Errorf("%s: %+v, want %q", test.name, all, test.want)
		}
		if all[0].Governed != (test.want == "") {
			t.Errorf("%s: governed is %t", test.name, all[0].Governed)
		}
		if said := fmt.Sprint(all[0].Steps); test.want == "" && !strings.Contains(said, `the namespace "a" is labelled nonroot-runc.io/runtime=nonroot`) {
			t.Errorf("%s: %s", test.name, said)
		}
	}
}

// TestUnknownInUserNamespace: a container with an unknown image is at most root of the pod's user namespace, if the pod has one.
func TestUnknownInUserNamespace(t *testing.T) {
	for spec, want := range map[string]bool{"hostUsers: false, ": true, "hostUsers: true, ": false, "": false} {
		all := Manifests("f", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {"+spec+"containers: [{name: c, image: i}]}\n"), Options{})
		if len(all) != 1 || len(all[0].Findings) != 1 || all[0].Findings[0].ID != podUnknown.ID || strings.Contains(all[0].Findings[0].Why, "user namespace") != want {
			t.Errorf("%q: %+v", spec, all)
		}
	}
}

// TestImageWithoutUser: an image without a user is described as such, not as one with an empty user.
func TestImageWithoutUser(t *testing.T) {
	o := Options{Build: dockerfile.Options{Base: Bases(map[string]string{"rooted": ""})}}
	all := Manifests("f", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: rooted}]}\n"), o)
	if len(all) != 1 || len(all[0].Findings) != 1 || !strings.HasPrefix(all[0].Findings[0].Why, `the image "rooted" names no user, which is root (`) {
		t.Errorf("%+v", all)
	}
}
