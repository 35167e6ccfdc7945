// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/podsecurity"
)

// TestPodSecurityTable: check reports the refusals of the levels for the table's pods in the same words. hack/policies computed them with
// the library from the API server's own types, and compared those of the latest version with a real API server.
func TestPodSecurityTable(t *testing.T) {
	table, right := answered(t)
	text, err := os.ReadFile("testdata/podsecurity.json")
	if err != nil {
		t.Fatal(err)
	}
	var words map[string][]map[string][]string
	if err := json.Unmarshal(text, &words); err != nil {
		t.Fatal(err)
	}
	var levels []string
	for _, pods := range words {
		for _, pod := range pods {
			levels = slices.AppendSeq(levels, slices.Values(slices.Concat(slices.Collect(maps.Values(pod))...)))
		}
	}
	slices.Sort(levels)
	levels = slices.Compact(levels)
	refused, passed := 0, 0
	for _, f := range table.Files {
		if strings.HasSuffix(f.Name, ".before") || right[f.Name].Refused {
			continue
		}
		for _, one := range levels {
			level, err := podsecurity.Parse(one)
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, pod := range words[f.Name] {
				for text, levels := range pod {
					if slices.Contains(levels, one) {
						want = append(want, text)
					}
				}
			}
			for _, r := range Manifests(f.Name, f.Data, Options{PodSecurity: &level}) {
				for _, found := range r.Findings {
					if found.ID == podSecurity.ID {
						_, words, _ := strings.Cut(found.Why, fmt.Sprintf(": violates PodSecurity %q: ", one))
						got = append(got, words)
					}
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s, %s: %q, want %q", f.Name, one, got, want)
			}
			if len(want) > 0 {
				refused++
			} else {
				passed++
			}
		}
	}
	if len(levels) < 6 || refused < 300 || passed < 100 {
		t.Errorf("%d levels, %d manifests refused and %d not are too few", len(levels), refused, passed)
	}
}

// TestPodSecurityLevel checks which level applies to a pod: its namespace's levels in all files, or the one from the command line.
func TestPodSecurityLevel(t *testing.T) {
	namespace := func(name, labels string) string {
		return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: {" + labels + "}}\n---\n"
	}
	const (
		prefix = "pod-security.kubernetes.io/"
		in     = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: a}\nspec: {template: {spec: {hostNetwork: true, securityContext: {runAsNonRoot: true}, containers: [{name: c, image: i}, {name: d, image: i}]}}}\n"
	)
	bare := strings.Replace(in, ", namespace: a", "", 1)
	for _, test := range []struct{ name, text, told, asked, inherit, want string }{
		{"no namespace among what is checked", in, "", "", "", ""},
		{"no level", namespace("a", "x: y") + in, "", "", "", ""},
		{"privileged", namespace("a", prefix+"enforce: privileged") + in, "", "", "", ""},
		{"a warning alone", namespace("a", prefix+"warn: restricted") + in, "", "", "", ""},
		{"baseline", namespace("a", prefix+"enforce: baseline") + in, "", "", "", "baseline:latest"},
		{"behind it", in + "---\n" + namespace("a", prefix+"enforce: baseline"), "", "", "", "baseline:latest"},
		{"by version", namespace("a", prefix+"enforce: baseline, "+prefix+"enforce-version: v1.20") + in, "", "", "", "baseline:v1.20"},
		{"another namespace", namespace("b", prefix+"enforce: baseline") + in, "", "", "", ""},
		{"in another file", in, namespace("a", prefix+"enforce: baseline"), "", "", "baseline:latest"},
		{"in two files", namespace("a", prefix+"enforce: restricted") + in, namespace("a", prefix+"enforce: baseline"), "", "", "baseline:latest restricted:latest"},
		{"in two files, once", namespace("a", prefix+"enforce: baseline") + in, namespace("a", prefix+"enforce: baseline"), "", "", "baseline:latest"},
		{"no level that there is", namespace("a", prefix+"enforce: Baseline") + in, "", "", "", "restricted:latest"},
		{"no namespace", namespace("a", prefix+"enforce: baseline") + bare, "", "", "", ""},
		{"no namespace, told", namespace("a", prefix+"enforce: baseline") + bare, "", "", "a", "baseline:latest"},
		{"asked for", bare, "", "baseline:v1.30", "", "baseline:v1.30"},
		{"asked for in its place", namespace("a", prefix+"enforce: restricted") + in, "", "baseline", "", "baseline:latest"},
		{"asked for none", namespace("a", prefix+"enforce: restricted") + in, "", "privileged", "", ""},
	} {
		o := Options{Namespaces: &Namespaces{}, Namespace: test.inherit}
		o.Namespaces.Add(ReadObjects("g", []byte(test.told)))
		if test.asked != "" {
			level, err := podsecurity.Parse(test.asked)
			if err != nil {
				t.Fatal(err)
			}
			o.PodSecurity = &level
		}
		var got []string
		for _, r := range Manifests("f", []byte(test.text), o) {
			for _, f := range r.Findings {
				if f.ID == podSecurity.ID {
					_, rest, _ := strings.Cut(f.Why, `its pods: violates PodSecurity "`)
					level, _, _ := strings.Cut(rest, `": host namespaces (hostNetwork=true)`)
					got = append(got, level)
					if f.Object != "Deployment "+strings.TrimPrefix("a/d", map[bool]string{true: "a/"}[strings.Contains(test.text, bare)]) || f.Line == 0 {
						t.Errorf("%s: %+v", test.name, f)
					}
				}
			}
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %q, want %q", test.name, s, test.want)
		}
	}
}

// TestPodSecurityIsSure: a pod for which a level can't be computed does not pass.
func TestPodSecurityIsSure(t *testing.T) {
	level, err := podsecurity.Parse("baseline")
	if err != nil {
		t.Fatal(err)
	}
	mistyped := "apiVersion: example.org/v1\nkind: Job\nmetadata: {name: d}\nspec: {hostPID: \"no\", containers: [{name: c, image: i, securityContext: {runAsUser: 5}}]}\n"
	many := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec: {containers: [{name: c, image: i}]}\n"
	for n := range maxLevels + 5 {
		many += fmt.Sprintf("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: v1.%d}}\n", n)
	}
	for text, o := range map[string]Options{mistyped: {PodSecurity: &level}, many: {}} {
		all := Manifests("f", []byte(text), o)
		if len(all) != 1 || !slices.Contains(idsOf(all[0]), podSecurity.ID) {
			t.Errorf("%s: %+v", text, all)
		}
	}
}
