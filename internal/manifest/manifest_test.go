// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// TestPods checks which values are pods, anywhere in a file.
func TestPods(t *testing.T) {
	const c = "containers: [{name: c, image: i}]"
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ns}\nspec: {" + c + "}":                                                                                                                                                         "Pod ns/a: container c i",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {" + c + "}}}":                                                                                                                                        "Deployment a: container c i",
		"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: {spec: {" + c + "}}}}}":                                                                                                                   "CronJob a: container c i",
		"apiVersion: v1\nkind: PodTemplate\nmetadata: {name: a}\ntemplate: {spec: {" + c + "}}":                                                                                                                                                    "PodTemplate a: container c i",
		"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {" + c + "}}, {apiVersion: v1, kind: ConfigMap}, {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {" + c + "}}]":                         "Pod a: container c i; Pod b: container c i",
		"apiVersion: v1\nkind: PodList\nitems: [{apiVersion: v1, kind: Pod, spec: {" + c + "}}]":                                                                                                                                                   "Pod: container c i",
		"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {template: {spec: {" + c + "}}}":                                                                                                                              "Rollout a: container c i",
		"apiVersion: serving.knative.dev/v1\nkind: Service\nspec: {template: {spec: {containers: [{image: i}]}}}":                                                                                                                                  "Service: container  i",
		"apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nspec: {pytorchReplicaSpecs: {Master: {template: {spec: {" + c + "}}}, Worker: {template: {spec: {" + c + "}}}}}":                                                                           "PyTorchJob: container c i; PyTorchJob: container c i",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {securityContext: {runAsUser: 5}, templates: [{name: x, container: {image: i}}, {name: y, script: {image: j}, securityContext: {runAsUser: 6}}]}":                                 "Workflow: container  i 5; Workflow: container  j 6",
		"apiVersion: v1\nkind: Pod\nspec:\n  initContainers: [{name: i, image: x}, {name: s, image: x, restartPolicy: Always}]\n  " + c + "\n  ephemeralContainers: [{name: e, image: x}]":                                                         "Pod: init container i x, sidecar s x, container c i, ephemeral container e x",
		"apiVersion: v1\nkind: Pod\nspec: {" + c + "}\n---\n# nothing\n---\napiVersion: v1\nkind: Pod\nspec: {" + c + "}\n--- # end\n":                                                                                                             "Pod: container c i; Pod: container c i",
		`{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "i"}]}}`:                                                                                                                                               "Pod: container c i",
		"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {x: {" + c + "}}":                                                                                                                                              "",
		"apiVersion: v1\nkind: ConfigMap\ndata: {x: \"containers: [{image: i}]\"}":                                                                                                                                                                 "",
		"x: &x {name: c, image: i}\napiVersion: v1\nkind: Pod\nspec: {containers: [*x, {<<: *x, name: d}]}":                                                                                                                                        "Pod: container c i, container d i",
		"apiVersion: x/v1\nkind: Cluster\nspec: {sidecars: [{name: s, image: i}], template: {spec: {" + c + "}}}":                                                                                                                                  "Cluster: sidecar s i; Cluster: container c i",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {" + c + ", template: {spec: {" + c + "}}}":                                                                                                                                                  "Deployment: container c i; Deployment: container c i",
		"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec: {steps: [{name: a, image: i}, {name: b, image: j, securityContext: {runAsUser: 0}}], sidecars: [{name: s, image: k}], stepTemplate: {securityContext: {runAsUser: 5}}}": "Task t: container a i 5, container b j 0, sidecar s k",
		"apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: t}\nspec: {podTemplate: {securityContext: {runAsUser: 7}}, taskSpec: {stepTemplate: {image: i}, steps: [{name: a}]}}":                                                          "TaskRun t: container a i 7",
		"apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: t}\nspec: {taskRunTemplate: {podTemplate: {securityContext: {runAsUser: 7}}}, pipelineSpec: {tasks: [{taskSpec: {steps: [{name: a, image: i}]}}]}}":                        "PipelineRun t: container a i 7",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {templates: [{container: {image: i}, x: {" + c + "}}]}":                                                                                                                           "Workflow: container  i; Workflow: container c i",
		"apiVersion: x/v1\nkind: CustomResourceDefinition\nspec: {x: {" + c + "}}":                                                                                                                                                                 "CustomResourceDefinition: container c i",
		"\ufeffapiVersion: v1\nkind: Pod\nspec: {" + c + "}":                                                                                                                                                                                       "Pod: container c i",
		"apiVersion: v1\nkind: Pod\nspec: {" + c + "}\n...\n# end\n":                                                                                                                                                                               "Pod: container c i",
		"{apiVersion: v1, kind: Pod, spec: {" + c + "}}":                                                                                                                                                                                           "Pod: container c i",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: c, resources: {}}]}}}":                                                                                                                                "",
	} {
		file, err := Read([]byte(text))
		var got []string
		for _, p := range file.Pods {
			var all []string
			for _, c := range p.Containers {
				one := fmt.Sprintf("%s %s %s", c.Role, c.Name, c.Image)
				for _, user := range []*int64{p.RunAsUser, c.RunAsUser} {
					if user != nil {
						one += fmt.Sprintf(" %d", *user)
					}
				}
				all = append(all, one)
			}
			got = append(got, p.Title()+": "+strings.Join(all, ", "))
		}
		if s := strings.Join(got, "; "); err != nil || s != want {
			t.Errorf("%s: %q, %v, want %q", text, s, err, want)
		}
	}
}

// TestErrors: a file that can't be read completely has an error with a line.
func TestErrors(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	for text, line := range map[string]int{
		"":       0,
		"a: b\n": 1,
		"apiVersion: v1\nkind: Pod\n---\nfoo: bar\n":                                                              4,
		"- apiVersion: v1\n  kind: Pod\n":                                                                         1,
		"apiVersion: v1\nkind: Pod\nspec: {{ .Values.x }}\n":                                                      0,
		"apiVersion: v1\nkind: Pod\nkind: Pod\n":                                                                  3,
		"apiVersion: v1\nkind: Pod\n--- {apiVersion: v1}\n":                                                       3,
		"apiVersion: v1\nkind: Pod\nspec:\n  hostUsers: maybe\n  containers: [{image: x}]\n":                      4,
		"apiVersion: v1\nkind: Pod\nspec:\n  containers: [{image: x}, y]\n":                                       4,
		"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 5}, {image: x}]}\n":                               3,
		"apiVersion: v1\nkind: Pod\n" + bomb:                                                                      0,
		"apiVersion: v1\nkind: Pod\nx: " + strings.Repeat("[", 20000) + "\n":                                      0,
		"{\"apiVersion\": \"v1\", \"kind\": \"Pod\"} trailing":                                                    0,
		"apiVersion: v1\nkind: Pod\n...\napiVersion: v1\nkind: Pod\n":                                             0,
		"apiVersion: v1\nkind: Pod\r---\rapiVersion: v1\rkind: Pod\n":                                             0,
		"apiVersion: v1\nkind: Pod\u2028---\u2028apiVersion: v1\u2028kind: Pod\n":                                 0,
		"{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"x\": [{\"a\": 1,\n\"\\u0061\": 2}]}":                      3,
		"apiVersion: v1\nkind: Pod\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"kind\": \"Pod\"}":         5,
		"apiVersion: v1\nkind: Pod\nspec: {containers: [" + strings.Repeat("{image: x},", maxContainers+1) + "]}": 0,
		"\xff\xfea\x00":                 0,
		strings.Repeat(" ", MaxBytes+1): 0,
	} {
		_, err := Read([]byte(text))
		var e *unread.Error
		if !errors.As(err, &e) || line != 0 && e.Line != line {
			t.Errorf("%.60q: %v, want line %d", text, err, line)
		}
	}
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"apiVersion: v1\nkind: Pod": true, "{\"apiVersion\":\"v1\",\"kind\":\"x\"}": true, "# x\n---\n\"apiVersion\": v1\n'kind': x": true, "FROM debian": false, "services: {}": false, "kind: x": false,
		"\ufeffapiVersion: v1\nkind: Pod": true, "{apiVersion: v1, kind: Pod}": true, "apiVersion: v1\rkind: Pod": true, "# an apiVersion: and a kind: x": false,
		"\xff\xfea\x00p\x00i\x00V\x00e\x00r\x00s\x00i\x00o\x00n\x00:\x00\n\x00k\x00i\x00n\x00d\x00:\x00": true, "\xfe\xff\x00a\x00:": false,
	} {
		if Is([]byte(text)) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
}

// TestIsOther: a file that only mentions objects contains none, and one that can't be read may contain some.
func TestIsOther(t *testing.T) {
	for text, want := range map[string]bool{
		"jobs:\n  x:\n    run: |\n      apiVersion: v1\n      kind: Pod\n": true, "gateway:\n  apiVersion: v1\n  kind: x\n": true,
		"apiVersion: v1\nkind: Pod": false, "  apiVersion: v1\n  kind: Pod": false, "a: b\n---\n  apiVersion: v1\n  kind: Pod": false, "{apiVersion: v1, kind: Pod}": false,
		"- apiVersion: v1\n  kind: Pod": false, "  apiVersion: v1\n  kind: {{ x }}": false, "a: b\r---\rapiVersion: v1\rkind: Pod": false, "? apiVersion\n: v1\nkind: x": false,
	} {
		if IsOther([]byte(text)) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nspec: {securityContext: {runAsUser: 0}, containers: [{name: c, image: i}], volumes: [{name: s, secret: {defaultMode: 0400}}]}\n---\na: &a [b]\nc: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Read(text)
		lines := strings.Count(string(text), "\n") + 1
		if err == nil && file.Objects == 0 {
			t.Error("nothing, and no error")
		}
		for _, p := range file.Pods {
			for _, c := range p.Containers {
				if c.Line < 0 || c.Line > lines || c.UserLine > lines {
					t.Errorf("line %d of %d", c.Line, lines)
				}
			}
		}
	})
}

// TestNamespaces checks labels and their lines. A Namespace of another API doesn't count.
func TestNamespaces(t *testing.T) {
	const text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels: {l: x, m: z}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n---\n" +
		"apiVersion: v1\nkind: Namespace\n---\napiVersion: example.org/v1\nkind: Namespace\nmetadata: {name: d, labels: {l: x}}\n"
	file, err := Read([]byte(text))
	if got, want := fmt.Sprint(file.Namespaces), "[{a 5 map[l:x m:z]} {b 9 map[]} { 11 map[]}]"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

// TestWhole checks the complete data of a pod, and that the metadata are the pod's own.
func TestWhole(t *testing.T) {
	const c = "containers: [{name: c, image: i, x: z}]"
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {" + c + "}":                                                      "map[name:a] map[containers:[map[image:i name:c x:z]]]",
		"apiVersion: v1\nkind: PodTemplate\nmetadata: {name: a}\ntemplate: {metadata: {name: b}, spec: {" + c + "}}":             "map[name:b] map[containers:[map[image:i name:c x:z]]]",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {metadata: {name: b}, spec: {" + c + "}}}": "map[name:b] map[containers:[map[image:i name:c x:z]]]",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {" + c + "}}}":                      "map[] map[containers:[map[image:i name:c x:z]]]",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {templates: [{container: {image: i}, sidecars: [{image: s}]}]}": "map[] map[containers:[map[image:i] map[image:s]] initContainers:<nil> securityContext:<nil> sidecars:[map[image:s]] volumes:<nil>]",
	} {
		file, err := Whole([]byte(text))
		if err != nil || len(file.Pods) != 1 || fmt.Sprint(file.Pods[0].Metadata, " ", file.Pods[0].Spec) != want {
			t.Errorf("%s: %v, %v, want %s", text, file.Pods, err, want)
		}
		if file, _ := Read([]byte(text)); file.Pods[0].Spec != nil {
			t.Errorf("%s: it is kept", text)
		}
	}
}

// TestResource: a manifest in a string, which an Argo workflow creates, is read like one in a file.
func TestResource(t *testing.T) {
	const head = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  templates:\n  - name: a\n    resource:\n      action: create\n      manifest: |\n"
	const pod = "        apiVersion: v1\n        kind: Pod\n        metadata: {name: \"{{n}}\"}\n"
	for text, want := range map[string]string{
		pod + "        spec: {containers: [{name: c, image: i, securityContext: {runAsUser: 0}}]}\n":                           "Pod ARGO-TEMPLATE 0",
		pod + "        spec: {containers: [{name: c, image: \"{{i}}\"}]}\n":                                                    "Pod ARGO-TEMPLATE -",
		pod + "        spec: {containers: [{name: c, image: i, securityContext: {runAsUser: \"{{u}}\"}}]}\n":                   "unclear",
		pod + "        spec: {containers: [{name: c, image: i, securityContext: {runAsUser: {{u}}}}]}\n":                       "unclear",
		"        {{inputs.parameters.manifest}}\n":                                                                             "unclear",
		"        apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: \"{{n}}\"}\n        data: {a: \"{{x}}\"}\n": "",
		"        apiVersion: v1\n        kind: ConfigMap\n        data: {a: {{x}}}\n":                                          "",
	} {
		file, err := Read([]byte(head + text))
		got := ""
		for _, p := range file.Pods {
			got = p.Title()
			if p.Unclear != "" {
				got = "unclear"
			} else if u := p.Containers[0].RunAsUser; u != nil {
				got += fmt.Sprintf(" %d", *u)
			} else {
				got += " -"
			}
			if p.Line != 8 {
				t.Errorf("%s: line %d", text, p.Line)
			}
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

// TestPodSpecPatch: an Argo workflow's patches are merged into its pods. What a template makes of one is unknown, if it concerns users.
func TestPodSpecPatch(t *testing.T) {
	const head, tail = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n", "\n  templates:\n  - name: a\n    container: {image: i}\n    securityContext: {runAsUser: 5}\n    sidecars: [{name: s, image: j}]\n"
	for text, want := range map[string]string{
		head + "  podSpecPatch: '{\"securityContext\": {\"runAsUser\": 0}}'" + tail:                                                                    "0 main i, s j",
		head + "  podSpecPatch: |\n    securityContext: {runAsNonRoot: true}" + tail:                                                                   "5 true main i, s j",
		head + "  podSpecPatch: '{\"containers\": [{\"name\": \"main\", \"securityContext\": {\"runAsUser\": 0}}]}'" + tail:                            "5 main i 0, s j",
		head + "  podSpecPatch: '{containers: [{name: s, image: k}, {name: x, image: l}]}'" + tail:                                                     "5 main i, s k, x l",
		head + "  podSpecPatch: '{securityContext: null}'" + tail:                                                                                      "main i, s j",
		head + "  podSpecPatch: '{containers: [{name: main, resources: {limits: {memory: \"{{m}}\"}}}]}'" + tail:                                       "5 main i, s j",
		head + "  podSpecPatch: '{\"containers\": [{\"name\": \"main\", \"resources\": {\"limits\": {\"cpu\": {{c}}}}}]}'" + tail:                      "5 main i, s j",
		head + "  podSpecPatch: '{securityContext: {runAsUser: {{u}}}}'" + tail:                                                                        "unclear",
		head + "  podSpecPatch: '{\"securityContext\": {\"runAsUser\": {{u}}}}'" + tail:                                                                "unclear",
		head + "  podSpecPatch: '{securityContext: \"{{u}}\"}'" + tail:                                                                                 "unclear",
		head + "  podSpecPatch: '{{inputs.parameters.patch}}'" + tail:                                                                                  "unclear",
		head + "  podSpecPatch: '{containers: [{$patch: replace}, {name: main, image: i}]}'" + tail:                                                    "unclear",
		head + "  podSpecPatch: '{containers: [{name: \"{{n}}\", securityContext: {runAsUser: 0}}]}'" + tail:                                           "unclear",
		head + "  podSpecPatch: '['" + tail:                                                                                                            "unclear",
		head + tail + "    podSpecPatch: '{securityContext: {runAsUser: 0}}'\n":                                                                        "0 main i, s j",
		head + "  podSpecPatch: '{securityContext: {runAsUser: 0}}'" + tail + "    podSpecPatch: '{securityContext: {runAsUser: 6}}'\n":                "6 main i, s j",
		head + "  templateDefaults: {securityContext: {runAsNonRoot: true}}" + tail:                                                                    "5 true  i, s j",
		head + "  templateDefaults: {podSpecPatch: '{securityContext: {runAsUser: 0}}'}" + tail:                                                        "0 main i, s j",
		head + "  templateDefaults: {securityContext: {runAsUser: 0}}\n  templates:\n  - {name: a, script: {image: i}}\n":                              "0  i",
		head + "  podSpecPatch: '{securityContext: {runAsUser: 0}}'\n  templates:\n  - {name: a, containerSet: {containers: [{name: c, image: i}]}}\n": "0 c i",
		head + "  podSpecPatch: ''" + tail: "5  i, s j",
	} {
		file, err := Read([]byte(text))
		if err != nil || len(file.Pods) != 1 {
			t.Errorf("%s: %v, %+v", text, err, file)
			continue
		}
		p, got := file.Pods[0], ""
		if p.RunAsUser != nil {
			got += fmt.Sprintf("%d ", *p.RunAsUser)
		}
		if p.RunAsNonRoot != nil {
			got += fmt.Sprintf("%t ", *p.RunAsNonRoot)
		}
		for n, c := range p.Containers {
			if n > 0 {
				got += ", "
			}
			got += c.Name + " " + c.Image
			if c.RunAsUser != nil {
				got += fmt.Sprintf(" %d", *c.RunAsUser)
			}
		}
		if p.Unclear != "" {
			got = "unclear"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestTemplate: of a template that is no YAML, it is said that it may be one.
func TestTemplate(t *testing.T) {
	_, err := Read([]byte("apiVersion: v1\nkind: Pod\n{{- if .X }}\nspec: {}\n{{- end }}\n"))
	if err == nil || !strings.Contains(err.Error(), "seems to be a template") {
		t.Errorf("%v", err)
	}
	if _, err = Read([]byte("apiVersion: v1\nkind: [\n")); err == nil || strings.Contains(err.Error(), "template") {
		t.Errorf("%v", err)
	}
}
