// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// workload is one that names a RuntimeClass, or none.
func workload(kind, name, class, image string, replicas int) object {
	spec := "{containers: [{name: c, image: " + image + "}]}"
	if class != "" {
		spec = "{runtimeClassName: " + class + ", containers: [{name: c, image: " + image + "}]}"
	}
	text := fmt.Sprintf("{apiVersion: apps/v1, kind: %s, metadata: {name: %s}, spec: {replicas: %d, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: %s}}}",
		kind, name, replicas, spec)
	if kind == "Pod" {
		text = fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: %s}", name, spec)
	}
	all, err := readObjects([]byte(text))
	if err == nil {
		err = all[0].err
	}
	if err != nil {
		panic(err) // it is written above
	}
	// The API server takes what begins with a brace for JSON.
	all[0].text, err = yaml.YAMLToJSON(all[0].text)
	if err != nil {
		panic(err)
	}
	return all[0]
}

// chart has the API server judge what namespaces with the Helm chart's label take: what names another class, and what is older than the label.
func (s *server) chart(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := s.apply([]byte("{apiVersion: v1, kind: Namespace, metadata: {name: nonroot-runc}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: chart}}"), clusterPaths); err != nil {
		return err
	}
	// Of before the label: a Deployment and a ReplicaSet that name another class.
	for _, o := range []object{workload("Deployment", "old", "other", "i", 1), workload("ReplicaSet", "old", "other", "i", 1), workload("Deployment", "bare", "", "i", 1)} {
		if err := s.create(&o, "chart", ""); err != nil {
			return err
		}
	}
	paths := map[string]string{"MutatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies", "MutatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"}
	for kind, path := range clusterPaths {
		paths[kind] = strings.Replace(path, "/kube-system/", "/nonroot-runc/", 1)
	}
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		if err := s.apply(doc, paths); err != nil {
			return err
		}
	}
	if _, err := s.do(http.MethodPatch, "/api/v1/namespaces/chart", "application/merge-patch+json", []byte(`{"metadata": {"labels": {"nonroot-runc.io/runtime": "nonroot"}}}`)); err != nil {
		return err
	}
	end := time.Now().Add(time.Minute)
	for first := workload("Pod", "other", "other", "i", 0); s.create(&first, "chart", dryRun) == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("the policy refuses no pod of another class after a minute")
		}
	}
	// The one that puts the class in may come later than the one that asks for it.
	for none := workload("Pod", "none", "", "i", 0); ; time.Sleep(100 * time.Millisecond) {
		err := s.create(&none, "chart", dryRun)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("the policy gives no pod the class after a minute: %w", err)
		}
	}
	var wrong []string
	for _, c := range []struct {
		what   string
		o      object
		update bool
		taken  bool
	}{
		{"a pod of another class", workload("Pod", "p", "other", "i", 0), false, false},
		{"a pod of the class", workload("Pod", "p", "nonroot", "i", 0), false, true},
		{"a pod that names none", workload("Pod", "p", "", "i", 0), false, true},
		{"a Deployment of another class", workload("Deployment", "d", "other", "i", 1), false, false},
		{"a Deployment that names none", workload("Deployment", "d", "", "i", 1), false, true},
		{"a Deployment that comes to name another class", workload("Deployment", "bare", "other", "i", 1), true, false},
		{"a Deployment of another class, with another image", workload("Deployment", "old", "other", "j", 1), true, false},
		{"a Deployment of another class, which gives it up", workload("Deployment", "old", "", "i", 1), true, true},
		// Its controller does this while it rolls out the pods of the new template.
		{"a ReplicaSet of before, scaled", workload("ReplicaSet", "old", "other", "i", 0), true, true},
		{"a Deployment of before, scaled", workload("Deployment", "old", "other", "i", 0), true, true},
	} {
		r := &row{name: c.what, objects: []object{c.o}}
		if c.update {
			r.before = &c.o
		}
		err := s.try(r, &c.o, "chart")
		var no *refusal
		refused := errors.As(err, &no) && strings.Contains(no.message, "leave runtimeClassName out")
		if c.taken && err != nil || !c.taken && !refused {
			wrong = append(wrong, fmt.Sprintf("%s: taken is to be %t: %v", c.what, c.taken, err))
		}
	}
	return errors.Join(all(wrong), s.types())
}
