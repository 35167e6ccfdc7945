// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
)

// question is a request of admission in a namespace that may have a default, and what is to become of it.
type question struct {
	name      string
	namespace string // one of defaults
	user      string // who asks; "": somebody
	before    object // what an update finds; no kind: the object is new
	object    object
	gone      bool // it is to be deleted
	going     bool // it was deleted before, and waits for a finalizer
	ephemeral bool // what is added are ephemeral containers
	nowhere   bool // the object itself doesn't name its namespace

	class string // which its pods name afterwards; "": none
	why   string // what the refusal says; "": it is taken
	// gatekeeper is the class where Gatekeeper gives another one than the others do, which docs/kubernetes.md says.
	gatekeeper string
}

// defaults are namespaces by their label nonroot-runc.io/runtime; "": none.
var defaults = map[string]string{"chosen": "nonroot", "audited": "nonroot-audit", "mistyped": "non-root", "unlabelled": "", exemptNamespace: "nonroot"}

// Who is exempt: the namespace as the policies come, the service account by what tests put into them.
const (
	exemptNamespace = "kube-system"
	exemptAccount   = "ci:builder"
	exemptUser      = "system:serviceaccount:" + exemptAccount
)

const (
	another = "leave runtimeClassName out"
	neither = "neither nonroot nor nonroot-audit"
)

// makers are the kinds whose objects make pods.
var makers = []string{"ReplicationController", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob"}

// workload is a Pod, or one of the makers: which class it names, or none, which image it has, and a number that an update may change.
func workload(kind, name, class, image string, n int) object {
	type of = map[string]any
	spec := of{"containers": []any{of{"name": "c", "image": image}}}
	if class != "" {
		spec["runtimeClassName"] = class
	}
	labels := of{"app": "a"}
	template := of{"metadata": of{"labels": labels}, "spec": spec}
	api := "apps/v1"
	whole := of{"replicas": n, "selector": of{"matchLabels": labels}, "template": template}
	switch kind {
	case "Pod":
		api, whole = "v1", spec
	case "ReplicationController":
		api, whole["selector"] = "v1", labels
	case "DaemonSet":
		delete(whole, "replicas")
		whole["minReadySeconds"] = n
	case "StatefulSet":
		whole["serviceName"] = "s"
	case "Job":
		spec["restartPolicy"] = "Never"
		api, whole = "batch/v1", of{"parallelism": n, "template": template}
	case "CronJob":
		spec["restartPolicy"] = "Never"
		api, whole = "batch/v1", of{"schedule": fmt.Sprintf("%d * * * *", n), "jobTemplate": of{"spec": of{"template": template}}}
	}
	text, err := json.Marshal(of{"apiVersion": api, "kind": kind, "metadata": of{"name": name, "labels": of{"n": fmt.Sprint("n", n)}}, "spec": whole})
	if err != nil {
		panic(err) // it is written above
	}
	all, err := readObjects(text)
	if err == nil {
		err = all[0].err
	}
	if err != nil {
		panic(err)
	}
	return all[0]
}

// debugged is a pod with an ephemeral container.
func debugged(pod object) object {
	value := pod.raw("")
	value["spec"].(map[string]any)["ephemeralContainers"] = []any{map[string]any{"name": "debug", "image": "i"}}
	delete(value["metadata"].(map[string]any), "namespace")
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	all, err := readObjects(text)
	if err != nil {
		panic(err)
	}
	return all[0]
}

// questions are those that each engine is asked.
func questions() []question {
	pod := func(class string) object { return workload("Pod", "new", class, "i", 1) }
	ask := []question{
		// A pod that names no class gets the one of the label; one that names another is refused.
		{name: "a pod that names none", namespace: "chosen", object: pod(""), class: "nonroot"},
		{name: "a pod that names the class", namespace: "chosen", object: pod("nonroot"), class: "nonroot"},
		{name: "a pod of another class", namespace: "chosen", object: pod("other"), why: another},
		{name: "a pod of another class, which names no namespace", namespace: "chosen", nowhere: true, object: pod("other"), why: another},
		{name: "a pod that names neither class nor namespace", namespace: "chosen", nowhere: true, object: pod(""), class: "nonroot"},
		{name: "a pod of the class that only looks", namespace: "chosen", object: pod("nonroot-audit"), why: another},
		{name: "a pod that names none, audited", namespace: "audited", object: pod(""), class: "nonroot-audit"},
		{name: "a pod that names the class, audited", namespace: "audited", object: pod("nonroot-audit"), class: "nonroot-audit"},
		{name: "a pod of another class, audited", namespace: "audited", object: pod("other"), why: another},
		{name: "a pod of the class that enforces, audited", namespace: "audited", object: pod("nonroot"), why: another},
		// A label that means nothing refuses everything, so that it is noticed.
		{name: "a pod that names none, and a mistyped label", namespace: "mistyped", object: pod(""), why: neither},
		{name: "a pod that names the class, and a mistyped label", namespace: "mistyped", object: pod("nonroot"), why: neither},
		{name: "a pod of another class, and a mistyped label", namespace: "mistyped", object: pod("other"), why: neither},
		{name: "a pod that names what the mistyped label does", namespace: "mistyped", object: pod("non-root"), why: neither},
		{name: "a Deployment, and a mistyped label", namespace: "mistyped", object: workload("Deployment", "new", "", "i", 1), why: neither},
		// Without the label, nothing is asked for.
		{name: "a pod that names none, and no label", namespace: "unlabelled", object: pod("")},
		{name: "a pod of another class, and no label", namespace: "unlabelled", object: pod("other"), class: "other"},
		{name: "a Deployment of another class, and no label", namespace: "unlabelled", object: workload("Deployment", "new", "other", "i", 1), class: "other"},
		// Who is exempt.
		{name: "a pod that names none, in an exempt namespace", namespace: exemptNamespace, object: pod("")},
		{name: "a pod of another class, in an exempt namespace", namespace: exemptNamespace, object: pod("other"), class: "other"},
		{name: "a Deployment of another class, in an exempt namespace", namespace: exemptNamespace, object: workload("Deployment", "new", "other", "i", 1), class: "other"},
		{name: "a pod that names none, by an exempt service account", namespace: "chosen", user: exemptUser, object: pod(""), gatekeeper: "nonroot"},
		{name: "a pod of another class, by an exempt service account", namespace: "chosen", user: exemptUser, object: pod("other"), class: "other"},
		{name: "a Deployment of another class, by an exempt service account", namespace: "chosen", user: exemptUser, object: workload("Deployment", "new", "other", "i", 1), class: "other"},
		{name: "a pod of another class, and a mistyped label, by an exempt service account", namespace: "mistyped", user: exemptUser, object: pod("other"), class: "other"},
		{name: "a pod that names none, by another namespace's service account", namespace: "chosen", user: "system:serviceaccount:team:builder", object: pod(""), class: "nonroot"},
		{name: "a pod of another class, by another namespace's service account", namespace: "chosen", user: "system:serviceaccount:team:builder", object: pod("other"), why: another},
		{name: "a pod of another class, by a user of the service account's name", namespace: "chosen", user: exemptAccount, object: pod("other"), why: another},
		// Pods of before stay as they are, and can still be labelled and debugged.
		{
			name: "a pod of before that names none, labelled", namespace: "chosen",
			before: workload("Pod", "bare", "", "i", 1), object: workload("Pod", "bare", "", "i", 2),
		},
		{
			name: "a pod of before of another class, labelled", namespace: "chosen",
			before: workload("Pod", "old", "other", "i", 1), object: workload("Pod", "old", "other", "i", 2), class: "other",
		},
		{
			name: "a pod of before, and a mistyped label, labelled", namespace: "mistyped",
			before: workload("Pod", "old", "other", "i", 1), object: workload("Pod", "old", "other", "i", 2), class: "other",
		},
		{
			name: "a pod of before of another class, debugged", namespace: "chosen", ephemeral: true,
			before: workload("Pod", "debugged", "other", "i", 1), object: debugged(workload("Pod", "debugged", "other", "i", 1)), class: "other",
		},
		{
			name: "a pod of before that names none, debugged", namespace: "chosen", ephemeral: true,
			before: workload("Pod", "bare-debugged", "", "i", 1), object: debugged(workload("Pod", "bare-debugged", "", "i", 1)),
		},
		{
			name: "a pod of before of another class, deleted", namespace: "chosen", gone: true,
			before: workload("Pod", "old-gone", "other", "i", 1), object: workload("Pod", "old-gone", "other", "i", 1),
		},
	}
	for _, kind := range makers {
		of := func(name, class, image string, n int) object {
			return workload(kind, strings.ToLower(kind)+"-"+name, class, image, n)
		}
		ask = append(ask,
			question{name: "a " + kind + " that names none", namespace: "chosen", object: of("new", "", "i", 1)},
			question{name: "a " + kind + " that names the class", namespace: "chosen", object: of("new", "nonroot", "i", 1), class: "nonroot"},
			question{name: "a " + kind + " of another class", namespace: "chosen", object: of("new", "other", "i", 1), why: another},
			question{name: "a " + kind + " of another class, audited", namespace: "audited", object: of("new", "nonroot", "i", 1), why: another},
			question{name: "a " + kind + " of before that names none, scaled", namespace: "chosen", before: of("bare", "", "i", 1), object: of("bare", "", "i", 2)},
			// Its controller does this while it rolls out the pods of the new template.
			question{name: "a " + kind + " of before of another class, scaled", namespace: "chosen", before: of("old", "other", "i", 1), object: of("old", "other", "i", 2), class: "other"},
			question{name: "a " + kind + " of before, and a mistyped label, scaled", namespace: "mistyped", before: of("old", "other", "i", 1), object: of("old", "other", "i", 2), class: "other"},
			question{name: "a " + kind + " of before of another class, deleted", namespace: "chosen", gone: true, before: of("gone", "other", "i", 1), object: of("gone", "other", "i", 1)},
		)
		if kind == "Job" {
			continue // its template can't be changed
		}
		ask = append(ask,
			question{name: "a " + kind + " that comes to name another class", namespace: "chosen", before: of("bare", "", "i", 1), object: of("bare", "other", "i", 1), why: another},
			question{name: "a " + kind + " of another class, with another image", namespace: "chosen", before: of("old", "other", "i", 1), object: of("old", "other", "j", 1), why: another},
			question{name: "a " + kind + " of another class, which gives it up", namespace: "chosen", before: of("old", "other", "i", 1), object: of("old", "", "i", 1)},
			question{name: "a " + kind + " of another class, which takes the right one", namespace: "chosen", before: of("old", "other", "i", 1), object: of("old", "nonroot", "i", 1), class: "nonroot"},
			question{name: "a " + kind + ", and a mistyped label, with another image", namespace: "mistyped", before: of("old", "other", "i", 1), object: of("old", "other", "j", 1), why: neither},
			question{name: "a " + kind + " of another class, with another image, by an exempt service account", namespace: "chosen", user: exemptUser, before: of("old", "other", "i", 1), object: of("old", "other", "j", 1), class: "other"},
			question{name: "a " + kind + " of another class, with another image, that is going", namespace: "chosen", going: true, before: of("going", "other", "i", 1), object: of("going", "other", "j", 1), class: "other"},
		)
	}
	return ask
}

func (q *question) row() *row {
	r := &row{name: q.name, objects: []object{q.object}}
	if q.before.kind != "" {
		r.before = &q.before
	}
	return r
}

// webhooks are the questions as the API server puts them to webhooks.
func webhooks() (requests []request) {
	for _, q := range questions() {
		r := newRequest(q.row(), 0, q.namespace)
		r.Name, r.Labels = q.name, map[string]any{}
		if label := defaults[q.namespace]; label != "" {
			r.Labels[labelKey] = label
		}
		if q.user != "" {
			r.Request["userInfo"] = map[string]any{"username": q.user}
		}
		if q.nowhere {
			delete(r.Request["object"].(map[string]any)["metadata"].(map[string]any), "namespace")
		}
		if q.gone {
			r.Request["operation"] = "DELETE"
			delete(r.Request, "object")
		}
		if q.going {
			for _, which := range []string{"object", "oldObject"} {
				r.Request[which].(map[string]any)["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-01T00:00:00Z"
			}
		}
		requests = append(requests, r)
	}
	return requests
}

const labelKey = "nonroot-runc.io/runtime"

// outcome is what an engine made of a request: the object as it would be stored, and why it is refused, "": it isn't.
type outcome struct {
	Object json.RawMessage `json:"object"`
	Why    string          `json:"why"`
}

// judged holds an outcome against what is right.
func (q *question) judged(engine string, o outcome) error {
	want := q.class
	if engine == "gatekeeper" && q.gatekeeper != "" {
		want = q.gatekeeper
	}
	switch {
	case q.why != "" && !strings.Contains(o.Why, q.why):
		return fmt.Errorf("%s: %q does not say %q", q.name, o.Why, q.why)
	case q.why == "" && o.Why != "":
		return fmt.Errorf("%s: it is to be taken: %q", q.name, o.Why)
	case q.why != "" || q.gone:
		return nil
	}
	objects, err := readObjects(o.Object)
	if err == nil {
		err = objects[0].err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q.name, err)
	}
	got := ""
	if named := objects[0].pods[0].Spec.RuntimeClassName; named != nil {
		got = *named
	}
	if got != want {
		return fmt.Errorf("%s: the class is to be %q, not %q", q.name, want, got)
	}
	return nil
}

// unchanged says that an engine has changed nothing of a pod but its class; Kyverno's names the namespace, too, where the pod doesn't.
func unchanged(r request, o outcome) error {
	var after, before map[string]any
	text, err := json.Marshal(r.Request["object"])
	if err != nil {
		return err
	}
	if err := errors.Join(json.Unmarshal(text, &before), json.Unmarshal(o.Object, &after)); err != nil {
		return err
	}
	if meta := before["metadata"].(map[string]any); meta["namespace"] == nil {
		meta["namespace"] = r.Request["namespace"]
		after["metadata"].(map[string]any)["namespace"] = r.Request["namespace"]
	}
	for _, object := range []map[string]any{before, after} {
		if object["kind"] == "Pod" {
			delete(object["spec"].(map[string]any), "runtimeClassName")
		}
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("%s: more than the class was changed: %s", r.Name, o.Object)
	}
	return nil
}

// decided holds what an engine made of the questions against what is right.
func decided(engine, file string) error {
	var said map[string]outcome
	if err := readJSON(file, &said); err != nil {
		return err
	}
	var wrong []string
	requests := webhooks()
	for i, q := range questions() {
		o, ok := said[q.name]
		if !ok {
			wrong = append(wrong, q.name+": there is no verdict")
			continue
		}
		if err := q.judged(engine, o); err != nil {
			wrong = append(wrong, err.Error())
		} else if o.Why == "" && !q.gone {
			if err := unchanged(requests[i], o); err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}
	fmt.Fprintf(os.Stderr, "policies: %d requests of namespaces with a default, %d of them wrong\n", len(requests), len(wrong))
	return all(wrong)
}
