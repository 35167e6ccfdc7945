// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	v1 "k8s.io/api/core/v1"
)

// overhead shows that a class that a webhook sets, as Kyverno and Gatekeeper do, has the effect of one that the pod itself names: the API server
// merges the class's node selector and its overhead after the webhooks.
func (s *server) overhead() error {
	webhook := httptest.NewTLSServer(http.HandlerFunc(setsClass))
	defer webhook.Close()
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw}))
	for path, text := range map[string]string{
		"/api/v1/namespaces": "{apiVersion: v1, kind: Namespace, metadata: {name: webhook, labels: {webhook: sets-class}}}",
		"/apis/node.k8s.io/v1/runtimeclasses": "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: scheduled}, handler: nonroot, " +
			"scheduling: {nodeSelector: {ready: yes-it-is}}, overhead: {podFixed: {cpu: 10m}}}",
		"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: sets-class}, " +
			"webhooks: [{name: sets-class.example.org, clientConfig: {url: " + webhook.URL + ", caBundle: " + ca + "}, admissionReviewVersions: [v1], sideEffects: None, reinvocationPolicy: Never, " +
			"namespaceSelector: {matchLabels: {webhook: sets-class}}, rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}]}",
	} {
		if _, err := s.do(http.MethodPost, path+"?fieldValidation=Strict", "application/yaml", []byte(text)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	bare := workload("Pod", "bare", "", "i", 1)
	// A webhook is asked some time after it is there.
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		text, err := s.do(http.MethodPost, bare.path("webhook")+"?fieldValidation=Strict"+dryRun, "application/json", bare.text)
		if err != nil {
			return err
		}
		var pod v1.Pod
		if err := json.Unmarshal(text, &pod); err != nil {
			return err
		}
		switch {
		case pod.Spec.RuntimeClassName == nil && time.Now().After(end):
			return errors.New("the webhook sets no class after a minute")
		case pod.Spec.RuntimeClassName == nil:
			continue
		case pod.Spec.NodeSelector["ready"] != "yes-it-is" || pod.Spec.Overhead.Cpu().String() != "10m":
			return fmt.Errorf("a class that a webhook sets has no effect: %v, %v", pod.Spec.NodeSelector, pod.Spec.Overhead)
		}
		return nil
	}
}

// setsClass answers a review of admission with a patch.
func setsClass(w http.ResponseWriter, q *http.Request) {
	var review struct{ Request struct{ UID string } }
	text, err := io.ReadAll(q.Body)
	if err == nil {
		err = json.Unmarshal(text, &review)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	patch := base64.StdEncoding.EncodeToString([]byte(`[{"op": "add", "path": "/spec/runtimeClassName", "value": "scheduled"}]`))
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": %q, "allowed": true, "patchType": "JSONPatch", "patch": %q}}`, review.Request.UID, patch)
}
