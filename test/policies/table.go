// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// row is one manifest of the table.
type row struct {
	name    string
	objects []object
	before  *object // what an update finds; nil: the objects are new
}

// object is one document of a manifest, or one item of its list.
type object struct {
	text            []byte // as it stands there; of an item, as JSON
	api, kind, name string
	pods            []v1.Pod // one for each specification in it
	typed           any      // nil: no kind that the API server has
	err             error    // the types don't read it
}

// kinds are those that hold pods.
var kinds = map[string]struct {
	path, resource string
	read           func(text []byte) (any, *v1.PodSpec, error)
}{
	"Pod":                   {"/api/v1", "pods", reader(func(o *v1.Pod) *v1.PodSpec { return &o.Spec })},
	"PodTemplate":           {"/api/v1", "podtemplates", reader(func(o *v1.PodTemplate) *v1.PodSpec { return &o.Template.Spec })},
	"ReplicationController": {"/api/v1", "replicationcontrollers", reader(func(o *v1.ReplicationController) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"Deployment":            {"/apis/apps/v1", "deployments", reader(func(o *appsv1.Deployment) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"ReplicaSet":            {"/apis/apps/v1", "replicasets", reader(func(o *appsv1.ReplicaSet) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"DaemonSet":             {"/apis/apps/v1", "daemonsets", reader(func(o *appsv1.DaemonSet) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"StatefulSet":           {"/apis/apps/v1", "statefulsets", reader(func(o *appsv1.StatefulSet) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"Job":                   {"/apis/batch/v1", "jobs", reader(func(o *batchv1.Job) *v1.PodSpec { return &o.Spec.Template.Spec })},
	"CronJob":               {"/apis/batch/v1", "cronjobs", reader(func(o *batchv1.CronJob) *v1.PodSpec { return &o.Spec.JobTemplate.Spec.Template.Spec })},
}

// reader reads a type as the API server does: what is doubled or unknown is refused.
func reader[T any](spec func(*T) *v1.PodSpec) func([]byte) (any, *v1.PodSpec, error) {
	return func(text []byte) (any, *v1.PodSpec, error) {
		var o T
		if err := yaml.UnmarshalStrict(text, &o); err != nil {
			return nil, nil, err
		}
		return &o, spec(&o), nil
	}
}

// templates are where custom resources have specifications of pods; * is each member, in the order of names.
var templates = map[string][]string{
	"Rollout": {"spec", "template", "spec"}, "CloneSet": {"spec", "template", "spec"}, "Service": {"spec", "template", "spec"},
	"PyTorchJob": {"spec", "pytorchReplicaSpecs", "*", "template", "spec"},
}

func readTable(file string) ([]row, error) {
	all, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	before := map[string]*object{}
	var rows []row
	for _, f := range all.Files {
		var objects []object
		for text := range bytes.SplitSeq(f.Data, []byte("\n---\n")) {
			more, err := readObjects(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			objects = append(objects, more...)
		}
		if name, ok := strings.CutSuffix(f.Name, ".before"); ok {
			if len(objects) != 1 || objects[0].err != nil {
				return nil, fmt.Errorf("%s: not one object: %v", f.Name, objects[0].err)
			}
			before[name] = &objects[0]
			continue
		}
		rows = append(rows, row{name: f.Name, objects: objects, before: before[f.Name]})
		delete(before, f.Name)
	}
	if len(rows) < 80 || len(before) > 0 {
		return nil, fmt.Errorf("%d manifests, and %d that nothing comes after", len(rows), len(before))
	}
	return rows, nil
}

func readObjects(text []byte) ([]object, error) {
	var head struct {
		APIVersion string
		Kind       string
		Metadata   struct{ Name string }
		Items      []json.RawMessage
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.Kind == "List" {
		var all []object
		for _, item := range head.Items {
			more, err := readObjects(item)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	}
	o := object{text: text, api: head.APIVersion, kind: head.Kind, name: head.Metadata.Name}
	if path, ok := templates[head.Kind]; ok {
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			return nil, err
		}
		specs, err := find(value, path)
		for i := range specs {
			o.pods = append(o.pods, v1.Pod{Spec: specs[i]})
		}
		return []object{o}, err
	}
	kind, ok := kinds[head.Kind]
	if !ok {
		return nil, fmt.Errorf("unknown kind %q", head.Kind)
	}
	var spec *v1.PodSpec
	if o.typed, spec, o.err = kind.read(text); o.err == nil {
		o.pods = []v1.Pod{{Spec: *spec}}
	}
	return []object{o}, nil
}

// find are the specifications at a path.
func find(value any, path []string) ([]v1.PodSpec, error) {
	if len(path) == 0 {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		var spec v1.PodSpec
		err = yaml.UnmarshalStrict(text, &spec)
		return []v1.PodSpec{spec}, err
	}
	m, _ := value.(map[string]any)
	names := []string{path[0]}
	if path[0] == "*" {
		names = slices.Sorted(maps.Keys(m))
	}
	var all []v1.PodSpec
	for _, name := range names {
		specs, err := find(m[name], path[1:])
		if err != nil {
			return nil, err
		}
		all = append(all, specs...)
	}
	return all, nil
}

// raw is the object as a client sends it, in a namespace.
func (o *object) raw(namespace string) map[string]any {
	var value map[string]any
	if err := yaml.Unmarshal(o.text, &value); err != nil {
		panic(err) // it was read before
	}
	value["metadata"].(map[string]any)["namespace"] = namespace
	return value
}

// stored is the object as the API server hands it to others: written from its type, without members that are null.
func (o *object) stored(namespace string) map[string]any {
	text, err := json.Marshal(o.typed)
	if err != nil {
		panic(err)
	}
	return (&object{text: text}).raw(namespace)
}

// adds reports whether an update adds ephemeral containers, for which there is a way of its own.
func (r *row) adds() bool {
	return r.before != nil && len(r.objects[0].pods[0].Spec.EphemeralContainers) > len(r.before.pods[0].Spec.EphemeralContainers)
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
