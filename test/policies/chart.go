// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// chart has the API server itself decide the requests of namespaces with a default, by the Helm chart's policies.
func (s *server) chart(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	with := bytes.Replace(text, []byte("\n  serviceAccounts: \"\"\n"), []byte("\n  serviceAccounts: "+exemptAccount+"\n"), 1)
	if bytes.Equal(with, text) {
		return fmt.Errorf("%s has no parameter serviceAccounts", file)
	}
	ask := questions()
	if err := s.before(ask); err != nil {
		return err
	}
	paths := map[string]string{"MutatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies", "MutatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"}
	for kind, path := range clusterPaths {
		paths[kind] = strings.Replace(path, "/kube-system/", "/nonroot-runc/", 1)
	}
	if err := s.apply(with, paths); err != nil {
		return err
	}
	for namespace, label := range defaults {
		labels := fmt.Sprintf(`{"metadata": {"labels": {%q: %q}}}`, labelKey, label)
		if label == "" {
			continue
		}
		if _, err := s.do(http.MethodPatch, "/api/v1/namespaces/"+namespace, "application/merge-patch+json", []byte(labels)); err != nil {
			return err
		}
	}
	// A policy is in force some time after it is there, and the one that puts the class in may come later than the one that asks for it.
	end := time.Now().Add(time.Minute)
	for i := range ask {
		q := &ask[i]
		for q.before.kind == "" && q.judged("apiserver", s.decides(q)) != nil && time.Now().Before(end) {
			time.Sleep(100 * time.Millisecond)
		}
	}
	var wrong []string
	for i := range ask {
		if err := ask[i].judged("apiserver", s.decides(&ask[i])); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	fmt.Fprintf(os.Stderr, "policies: %d requests of namespaces with a default, %d of them wrong\n", len(ask), len(wrong))
	return errors.Join(all(wrong), s.types())
}

// before makes what is there before the namespaces have their labels.
func (s *server) before(ask []question) error {
	if err := s.apply([]byte("{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: non-root}, handler: other}"), clusterPaths); err != nil {
		return err
	}
	for _, namespace := range []string{"nonroot-runc", "chosen", "audited", "mistyped", "unlabelled"} {
		if err := s.apply([]byte("{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}"), clusterPaths); err != nil {
			return err
		}
	}
	made := map[string]bool{}
	for i := range ask {
		q := &ask[i]
		path := q.object.path(q.namespace) + "/" + q.object.name
		if q.before.kind == "" || made[path] {
			continue
		}
		made[path] = true
		if err := s.create(&q.before, q.namespace, ""); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		if !q.going {
			continue
		}
		if _, err := s.do(http.MethodPatch, path, "application/merge-patch+json", []byte(`{"metadata": {"finalizers": ["example.org/wait"]}}`)); err != nil {
			return err
		}
		if _, err := s.do(http.MethodDelete, path, "application/json", nil); err != nil {
			return err
		}
	}
	return nil
}

// decides is what the API server makes of a request, which it doesn't carry out.
func (s *server) decides(q *question) outcome {
	as := *s
	as.user = q.user
	method, path, kind := http.MethodPost, q.object.path(q.namespace), "application/json"
	sent := q.object.raw(q.namespace)
	if q.nowhere {
		delete(sent["metadata"].(map[string]any), "namespace")
	}
	body, err := json.Marshal(sent)
	if err != nil {
		return outcome{Why: err.Error()}
	}
	if q.before.kind != "" {
		method, path = http.MethodPut, path+"/"+q.object.name
	}
	switch {
	case q.gone:
		method, body = http.MethodDelete, nil
	case q.ephemeral:
		method, path, kind = http.MethodPatch, path+"/ephemeralcontainers", "application/strategic-merge-patch+json"
	case method == http.MethodPut && (q.object.kind == "Pod" || q.object.kind == "Job"):
		// What the server has filled in can't be changed.
		method, kind = http.MethodPatch, "application/strategic-merge-patch+json"
	}
	text, err := as.do(method, path+"?fieldValidation=Strict"+dryRun, kind, body)
	if err != nil {
		return outcome{Why: err.Error()}
	}
	return outcome{Object: text}
}
