// SPDX-License-Identifier: Apache-2.0

package podsecurity

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestParse checks valid and invalid levels.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"restricted": "restricted:latest", "baseline:v1.30": "baseline:v1.30", "restricted:latest": "restricted:latest", "privileged": "privileged:latest",
		"": "", "Restricted": "", "restricted:": "", "restricted:1.30": "", "restricted:v1.30.1": "", "restricted:v2.0": "", "restricted:v1.30:x": "", "restricted ": "",
	} {
		level, err := Parse(text)
		if (err == nil) != (want != "") || err == nil && level.String() != want {
			t.Errorf("%q: %s, %v, want %q", text, level, err, want)
		}
	}
}

// TestOfLabels: an invalid label is listed, and an invalid level counts as the strictest.
func TestOfLabels(t *testing.T) {
	const prefix = "pod-security.kubernetes.io/"
	for labels, want := range map[string]string{
		"":                                       "privileged:latest",
		"enforce=restricted":                     "restricted:latest",
		"enforce-version=v1.30":                  "privileged:v1.30",
		"enforce=baseline enforce-version=v1.30": "baseline:v1.30",
		"warn=restricted audit=restricted":       "privileged:latest",
		"enforce=Baseline":                       "restricted:latest enforce",
		"enforce=baseline enforce-version=1.30":  "baseline:latest enforce-version",
		"warn=x audit-version=y":                 "privileged:latest warn audit-version",
	} {
		all := map[string]string{"other": "restricted"}
		for _, one := range strings.Fields(labels) {
			name, value, _ := strings.Cut(one, "=")
			all[prefix+name] = value
		}
		level, wrong := OfLabels(all)
		got := level.String()
		for _, w := range wrong {
			got += " " + strings.TrimPrefix(w.Label, prefix)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", labels, got, want)
		}
	}
}

// TestRefusal checks defaults of the API server, and fields in unusual spellings. The manifests of internal/check are compared with the
// library itself.
func TestRefusal(t *testing.T) {
	const fine = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: i, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]"
	for _, test := range []struct{ level, metadata, spec, want string }{
		{"restricted", "", fine, ""},
		{"privileged", "", "hostNetwork: true, containers: [{name: c}]", ""},
		{"restricted", "", fine + ", volumes: [{name: tmp}]", ""}, // an emptyDir by default
		{"restricted", "", fine + ", volumes: [{name: v, hostPath: {path: /x}}]", `violates PodSecurity "restricted:latest": restricted volume types (volume "v" uses restricted volume type "hostPath")`},
		{"baseline", "", "hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80}]}]", `violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPort (container "c" uses hostPort 80)`},
		{"baseline", "", "containers: [{name: c, ports: [{containerPort: 80}]}]", ""},
		{"baseline:v1.30", "annotations: {container.apparmor.security.beta.kubernetes.io/c: unconfined}", "containers: [{name: c}]", `violates PodSecurity "baseline:v1.30": forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined"")`},
		{"restricted", "", strings.Replace(fine, "runAsNonRoot", "RunAsNonRoot", 1), `violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)`},
		{"restricted:v1.0", "", "containers: [{name: c, securityContext: {runAsNonRoot: true}}]", ""},
		{"restricted:v1.99", "", fine, ""}, // like the latest version in the library
		{"baseline", "", "hostNetwork: \"yes\", containers: [{name: c}]", "error: json: cannot unmarshal string into Go struct field PodSpec.hostNetwork of type bool"},
	} {
		level, err := Parse(test.level)
		if err != nil {
			t.Fatal(err)
		}
		var metadata, spec map[string]any
		for text, into := range map[string]*map[string]any{test.metadata: &metadata, test.spec: &spec} {
			if err := yaml.Unmarshal([]byte("{"+text+"}"), into); err != nil {
				t.Fatal(err)
			}
		}
		got, err := level.Refusal(metadata, spec)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %s: %q, want %q", test.level, test.spec, got, test.want)
		}
	}
}
