// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// server is an API server on this machine.
type server struct {
	url, token string
	user       string // who asks, in place of whose the token is; "": nobody else
	client     *http.Client
}

func newServer(url, token string) *server {
	return &server{url: url, token: token, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it is on loopback, and made its certificate itself
	}}}
}

// refusal is an answer that is not one of success.
type refusal struct {
	code    int
	message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.code, r.message) }

func (s *server) do(method, path, kind string, body []byte) ([]byte, error) {
	q, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+s.token)
	q.Header.Set("Content-Type", kind)
	if s.user != "" {
		q.Header.Set("Impersonate-User", s.user)
		q.Header.Set("Impersonate-Group", "system:masters")
	}
	a, err := s.client.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode < 300 {
		return text, err
	}
	var status struct{ Message string }
	if err := json.Unmarshal(text, &status); err != nil {
		status.Message = string(text)
	}
	return nil, &refusal{a.StatusCode, status.Message}
}

// apply makes the objects of a manifest.
func (s *server) apply(text []byte, paths map[string]string) error {
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var o struct{ Kind string }
		if err := yaml.Unmarshal(doc, &o); err != nil {
			return err
		}
		path, ok := paths[o.Kind]
		if !ok {
			return fmt.Errorf("unknown kind %q", o.Kind)
		}
		if _, err := s.do(http.MethodPost, path+"?fieldValidation=Strict", "application/yaml", doc); err != nil {
			return fmt.Errorf("%s: %w", o.Kind, err)
		}
	}
	return nil
}

var clusterPaths = map[string]string{
	"Namespace": "/api/v1/namespaces", "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses", "ConfigMap": "/api/v1/namespaces/kube-system/configmaps",
	"ValidatingAdmissionPolicy":        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
	"ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}

func (o *object) path(namespace string) string {
	return kinds[o.kind].path + "/namespaces/" + namespace + "/" + kinds[o.kind].resource
}

// create asks for a new object, by default without keeping it.
func (s *server) create(o *object, namespace, dry string) error {
	kind := "application/yaml"
	if bytes.HasPrefix(o.text, []byte("{")) {
		kind = "application/json"
	}
	_, err := s.do(http.MethodPost, o.path(namespace)+"?fieldValidation=Strict"+dry, kind, o.text)
	return err
}

const dryRun = "&dryRun=All"

// prepare makes what a row's update finds.
func (s *server) prepare(r *row, namespace string) error {
	if r.before == nil {
		return nil
	}
	o := r.before
	if len(o.pods[0].Spec.EphemeralContainers) == 0 {
		return s.create(o, namespace, "")
	}
	bare := o.raw(namespace)
	delete(bare["spec"].(map[string]any), "ephemeralContainers")
	text, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	if err := s.create(&object{text: text, kind: o.kind}, namespace, ""); err != nil {
		return err
	}
	return s.patch(o, namespace, "")
}

// patch puts what an object says into the one that is there: ephemeral containers by the way that is theirs.
func (s *server) patch(o *object, namespace, dry string) error {
	text, err := json.Marshal(o.raw(namespace))
	if err != nil {
		return err
	}
	path := o.path(namespace) + "/" + o.name
	if len(o.pods[0].Spec.EphemeralContainers) > 0 {
		path += "/ephemeralcontainers"
	}
	_, err = s.do(http.MethodPatch, path+"?fieldValidation=Strict"+dry, "application/strategic-merge-patch+json", text)
	return err
}

// try asks whether a namespace takes an object.
func (s *server) try(r *row, o *object, namespace string) error {
	switch {
	case r.before == nil:
		return s.create(o, namespace, dryRun)
	case o.kind == "Pod":
		return s.patch(o, namespace, dryRun)
	}
	text, err := json.Marshal(o.raw(namespace))
	if err != nil {
		return err
	}
	_, err = s.do(http.MethodPut, o.path(namespace)+"/"+o.name+"?fieldValidation=Strict"+dryRun, "application/json", text)
	return err
}

// namespaces are those in which the table is tried: where nothing is asked for, where the policy is as it comes, where a user
// namespace is enough, and two levels of Pod Security.
var namespaces = []string{"free", "strict", "lenient", "restricted", "baseline"}

// start makes what is there before any policy.
func (s *server) start(rows []row) error {
	for _, n := range []string{"nonroot", "nonroot-audit", "other"} {
		if err := s.apply([]byte("{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: "+n+"}, handler: "+n+"}"), clusterPaths); err != nil {
			return err
		}
	}
	for _, n := range namespaces {
		if err := s.apply([]byte("{apiVersion: v1, kind: Namespace, metadata: {name: "+n+"}}"), clusterPaths); err != nil {
			return err
		}
		for i := range rows {
			if err := s.prepare(&rows[i], n); err != nil {
				return fmt.Errorf("%s, before: %w", rows[i].name, err)
			}
		}
	}
	return nil
}

// valid reports whether the API server takes an object where no policy is asked.
func (s *server) valid(r *row, o *object) (bool, error) {
	err := s.try(r, o, "free")
	var no *refusal
	// A RuntimeClass without a name is looked up, which fails inside.
	if errors.As(err, &no) && (no.code == http.StatusBadRequest || no.code == http.StatusUnprocessableEntity || no.message == "resource name may not be empty") {
		return false, nil
	}
	return err == nil, err
}

// policies has the API server judge the table by a file of policies.
func (s *server) policies(rows []row, right map[string]answer, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := s.apply(text, clusterPaths); err != nil {
		return err
	}
	// The same once more, for other namespaces and with the other value of its parameter.
	docs := bytes.Split(text, []byte("\n---\n"))
	for _, doc := range [][]byte{docs[0], docs[len(docs)-1]} {
		doc = bytes.ReplaceAll(doc, []byte("name: never-root\n"), []byte("name: lenient\n"))
		doc = bytes.ReplaceAll(doc, []byte("paramRef: {name: never-root,"), []byte("paramRef: {name: lenient,"))
		doc = bytes.ReplaceAll(doc, []byte(`hostUsers: "false"`), []byte(`hostUsers: "true"`))
		doc = bytes.ReplaceAll(doc, []byte(`never-root: "true"`), []byte(`never-root: lenient`))
		if err := s.apply(doc, clusterPaths); err != nil {
			return err
		}
	}
	for namespace, labels := range map[string]string{
		"strict": `"nonroot-runc.io/never-root": "true"`, "lenient": `"nonroot-runc.io/never-root": "lenient"`,
		"restricted": `"pod-security.kubernetes.io/enforce": "restricted"`, "baseline": `"pod-security.kubernetes.io/enforce": "baseline"`,
	} {
		if _, err := s.do(http.MethodPatch, "/api/v1/namespaces/"+namespace, "application/merge-patch+json", []byte(`{"metadata": {"labels": {`+labels+`}}}`)); err != nil {
			return err
		}
	}
	// A policy is in force some time after it is there.
	end := time.Now().Add(time.Minute)
	for i := range rows {
		for rows[i].name == "pod-user-zero" && (s.try(&rows[i], &rows[i].objects[0], "strict") == nil || s.try(&rows[i], &rows[i].objects[0], "lenient") == nil) {
			if time.Now().After(end) {
				return errors.New("the policy refuses no pod of root after a minute")
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	for name, want := range map[string]bool{"passes.yaml": true, "fails.yaml": false} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "examples", name))
		if err != nil {
			return err
		}
		example, err := readObjects(text)
		if err != nil {
			return err
		}
		o := &example[0]
		if o.text, err = json.Marshal(o.raw("strict")); err != nil {
			return err
		}
		if err := s.create(o, "strict", dryRun); (err == nil) != want {
			return fmt.Errorf("examples/%s: %w", name, err)
		}
	}
	return each(rows, right, func(r *row, lenient bool) (string, error) {
		namespace := "strict"
		if lenient {
			namespace = "lenient"
		}
		for i := range r.objects {
			err := s.try(r, &r.objects[i], namespace)
			var no *refusal
			if errors.As(err, &no) && strings.Contains(no.message, "may run as root: ") {
				return no.message, nil
			}
			if err != nil {
				return "", err
			}
		}
		return "", nil
	})
}

// types says which expressions of the policies there don't fit the types of what they are asked about.
func (s *server) types() error {
	end := time.Now().Add(time.Minute)
	for {
		text, err := s.do(http.MethodGet, clusterPaths["ValidatingAdmissionPolicy"], "application/json", nil)
		if err != nil {
			return err
		}
		var list struct {
			Items []struct {
				Metadata struct {
					Name       string
					Generation int64
				}
				Status struct {
					ObservedGeneration int64
					TypeChecking       *struct {
						ExpressionWarnings []struct{ FieldRef, Warning string }
					}
				}
			}
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		var wrong []string
		known := len(list.Items) > 0
		for _, p := range list.Items {
			known = known && p.Status.ObservedGeneration == p.Metadata.Generation && p.Status.TypeChecking != nil
			for i := 0; known && i < len(p.Status.TypeChecking.ExpressionWarnings); i++ {
				w := p.Status.TypeChecking.ExpressionWarnings[i]
				wrong = append(wrong, fmt.Sprintf("%s: %s: %s", p.Metadata.Name, w.FieldRef, w.Warning))
			}
		}
		if known {
			return all(wrong)
		}
		if time.Now().After(end) {
			return errors.New("nothing says whether the policies' expressions fit after a minute")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// levels holds Pod Security of the server's against the library's answers, and its words against the library's. Of workloads it only warns.
func (s *server) levels(rows []row, right map[string]answer) error {
	var wrong []string
	said, err := words(rows)
	if err != nil {
		return err
	}
	for i := range rows {
		r, a := &rows[i], right[rows[i].name]
		if a.Refused || a.Custom || r.before != nil && !r.adds() {
			continue
		}
		for n := range r.objects {
			if r.objects[n].kind != "Pod" {
				continue
			}
			for namespace, want := range map[string]bool{"restricted": a.Pods[n].PodSecurity.Restricted, "baseline": a.Pods[n].PodSecurity.Baseline} {
				err := s.try(r, &r.objects[n], namespace)
				if (err == nil) != want {
					wrong = append(wrong, fmt.Sprintf("%s: %s: the library says %t, the server %v", r.name, namespace, want, err))
				}
				level := namespace + ":latest"
				for text, levels := range said[r.name][n] {
					if slices.Contains(levels, level) && (err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("violates PodSecurity %q: %s", level, text))) {
						wrong = append(wrong, fmt.Sprintf("%s: %s: the library says %q, the server %v", r.name, level, text, err))
					}
				}
			}
		}
	}
	// What the API server fills in before it judges, as internal/podsecurity does.
	for spec, words := range map[string]string{
		`"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}, "volumes": [{"name": "tmp"}], "containers": [{"name": "c", "image": "i", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]`: "",
		`"hostNetwork": true, "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]`: `violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), hostPort (container "c" uses hostPort 80), `,
	} {
		o := &object{kind: "Pod", text: []byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "defaults"}, "spec": {` + spec + `}}`)}
		if err := s.create(o, "restricted", dryRun); words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			wrong = append(wrong, fmt.Sprintf("%s: %v, want %q", spec, err, words))
		}
	}
	return all(wrong)
}
