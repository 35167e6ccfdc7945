// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// request is what the API server asks a webhook.
type request struct {
	Name    string         `json:"name"` // the row's, and the object's number
	Labels  map[string]any `json:"labels"`
	Request map[string]any `json:"request"`

	row *row
	n   int
}

// elsewhere is the name of a request in a namespace that nobody chose.
const elsewhere = "elsewhere"

var chosen = map[string]any{"nonroot-runc.io/never-root": "true"}

// requests are those of all objects that have a type.
func requests(rows []row) (all []request) {
	for i := range rows {
		r := &rows[i]
		for n := range r.objects {
			if r.objects[n].typed == nil {
				continue
			}
			q := newRequest(r, n, "chosen")
			q.Labels = chosen
			all = append(all, q)
			if r.name == "pod-user-zero" {
				q = newRequest(r, n, "other")
				q.Name, q.Labels = elsewhere, map[string]any{}
				all = append(all, q)
			}
		}
	}
	return all
}

func newRequest(r *row, n int, namespace string) request {
	o := &r.objects[n]
	gv, err := schema.ParseGroupVersion(o.api)
	if err != nil {
		panic(err) // its type was read
	}
	kind := map[string]any{"group": gv.Group, "version": gv.Version, "kind": o.kind}
	resource := map[string]any{"group": gv.Group, "version": gv.Version, "resource": kinds[o.kind].resource}
	q := map[string]any{
		"uid": r.name, "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource, "name": o.name, "namespace": namespace,
		"operation": "CREATE", "userInfo": map[string]any{"username": "somebody"}, "object": o.stored(namespace), "dryRun": false,
	}
	if r.before != nil {
		q["operation"], q["oldObject"] = "UPDATE", r.before.stored(namespace)
	}
	if r.adds() {
		q["subResource"], q["requestSubResource"] = "ephemeralcontainers", "ephemeralcontainers"
	}
	return request{Name: fmt.Sprintf("%s %d", r.name, n), Request: q, row: r, n: n}
}

// compare holds what an engine said of the requests against the answers: why it refuses them, "" if it doesn't.
func compare(rows []row, right map[string]answer, files []string) error {
	var are [2]map[string]outcome
	for i := range are {
		if err := readJSON(files[i], &are[i]); err != nil {
			return err
		}
		if o, ok := are[i][elsewhere]; !ok || o.Why != "" {
			return fmt.Errorf("in a namespace that nobody chose: %t, %q", ok, o.Why)
		}
	}
	return each(rows, right, func(r *row, lenient bool) (string, error) {
		said := are[0]
		if lenient {
			said = are[1]
		}
		for n := range r.objects {
			o, ok := said[fmt.Sprintf("%s %d", r.name, n)]
			if !ok {
				return "", errors.New("there is no verdict")
			}
			if o.Why != "" {
				return o.Why, nil
			}
		}
		return "", nil
	})
}

// suite writes tests for gator verify: the requests, and new objects as they stand in their manifests.
func suite(rows []row, right map[string]answer, policies, directory string) error {
	put := func(name string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(directory, name), text, 0o600)
	}
	for name, labels := range map[string]map[string]any{"chosen": chosen, "other": {}} {
		if err := put("namespace-"+name+".yaml", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}}); err != nil {
			return err
		}
	}
	var tests []any
	for _, lenient := range []bool{false, true} {
		text, err := os.ReadFile(filepath.Join(policies, "constraint.yaml"))
		if err != nil {
			return err
		}
		if with := bytes.ReplaceAll(text, []byte("hostUsers: false\n"), []byte("hostUsers: true\n")); lenient && bytes.Equal(with, text) {
			return errors.New("constraint.yaml has no parameter hostUsers")
		} else if lenient {
			text = with
		}
		constraint := fmt.Sprintf("constraint-%t.yaml", lenient)
		if err := os.WriteFile(filepath.Join(directory, constraint), text, 0o600); err != nil {
			return err
		}
		var cases []any
		for i, q := range requests(rows) {
			a := right[q.row.name]
			if a.Refused {
				continue
			}
			add := func(file string, object any, unsure []string) error {
				assertion := map[string]any{"violations": "no"}
				if len(unsure) > 0 {
					assertion = map[string]any{"violations": 1, "message": "^may run as root: " + strings.Join(unsure, ", ") + ": set"}
				}
				cases = append(cases, map[string]any{
					"name": q.Name + " " + file, "object": file, "inventory": []string{"namespace-chosen.yaml", "namespace-other.yaml"}, "assertions": []any{assertion},
				})
				return put(file, object)
			}
			unsure := a.Pods[q.n].keptOut(lenient)
			if q.Name == elsewhere {
				unsure = nil
			}
			review := map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": q.Request}
			if err := add(fmt.Sprintf("review-%d-%t.yaml", i, lenient), review, unsure); err != nil {
				return err
			}
			if q.Name == elsewhere {
				// Where Gatekeeper is asked for deletions, too, what is there may go, whoever it is.
				gone := newRequest(q.row, q.n, "chosen").Request
				gone["operation"], gone["oldObject"] = "DELETE", gone["object"]
				delete(gone, "object")
				review["request"] = gone
				if err := add(fmt.Sprintf("deletion-%t.yaml", lenient), review, nil); err != nil {
					return err
				}
			}
			if q.row.before == nil && q.Name != elsewhere {
				if err := add(fmt.Sprintf("object-%d-%t.yaml", i, lenient), q.row.objects[q.n].raw("chosen"), unsure); err != nil {
					return err
				}
			}
		}
		if len(cases) < 2*80 {
			return fmt.Errorf("%d cases are too few", len(cases))
		}
		tests = append(tests, map[string]any{"name": fmt.Sprintf("hostUsers %t", lenient), "template": "template.yaml", "constraint": constraint, "cases": cases})
	}
	text, err := os.ReadFile(filepath.Join(policies, "template.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "template.yaml"), text, 0o600); err != nil {
		return err
	}
	return put("suite.yaml", map[string]any{"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite", "tests": tests})
}

// tests writes tests for kyverno test: new objects as they stand in their manifests, with members that are null.
func tests(rows []row, right map[string]answer, policy, directory string) error {
	text, err := os.ReadFile(policy)
	if err != nil {
		return err
	}
	var resources, results []any
	for i := range rows {
		r := &rows[i]
		a := right[r.name]
		// Results are found by an object's name.
		if a.Refused || a.Custom || r.before != nil || len(r.objects) != 1 {
			continue
		}
		object, err := json.Marshal(r.objects[0].raw("chosen"))
		if err != nil {
			return err
		}
		name, result := fmt.Sprintf("object-%d.yaml", i), "pass"
		if !a.Admitted {
			result = "fail"
		}
		if err := os.WriteFile(filepath.Join(directory, name), object, 0o600); err != nil {
			return err
		}
		resources = append(resources, name)
		results = append(results, map[string]any{"policy": "never-root", "isValidatingPolicy": true, "kind": r.objects[0].kind, "resources": []string{r.objects[0].name}, "result": result})
	}
	if len(results) < 80 {
		return fmt.Errorf("%d manifests are too few", len(results))
	}
	for name, v := range map[string]any{
		"kyverno-test.yaml": map[string]any{
			"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test", "metadata": map[string]any{"name": "table"}, "policies": []string{"policy.yaml"}, "resources": resources,
			"variables": "values.yaml", "results": results,
		},
		"values.yaml": map[string]any{
			"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Values", "namespaceSelector": []any{map[string]any{"name": "chosen", "labels": chosen}},
		},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(directory, "policy.yaml"), text, 0o600)
}
