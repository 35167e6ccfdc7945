// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// answer is what is right for one manifest.
type answer struct {
	// Refused is set if the API server takes it in no namespace: it breaks rules of its own.
	Refused bool `json:"refused,omitempty"`
	// Custom is set if it is of a kind that the API server doesn't have.
	Custom bool  `json:"custom,omitempty"`
	Pods   []who `json:"pods,omitempty"`
	// Admitted says that a policy lets it in; WithHostUsers, that one does for which a user namespace of the pod's is enough.
	Admitted      bool `json:"admitted"`
	WithHostUsers bool `json:"withHostUsers"`
}

// unsure are the containers that keep the manifest's objects from the first one on out; none: it is let in.
func (a answer) unsure(lenient bool) []string {
	for _, p := range a.Pods {
		if unsure := p.keptOut(lenient); len(unsure) > 0 {
			return unsure
		}
	}
	return nil
}

func (w who) keptOut(lenient bool) []string {
	if lenient && w.UserNamespace {
		return nil
	}
	return w.Unsure
}

// who are a pod's containers: root, non-root, unknown, never starts, windows.
type who struct {
	Object      string            `json:"object"`
	Containers  map[string]string `json:"containers"`
	PodSecurity podSecurity       `json:"podSecurity"`
	// Unsure are the containers that keep it out; UserNamespace says that they don't where one is enough.
	Unsure        []string `json:"unsure,omitempty"`
	UserNamespace bool     `json:"userNamespace,omitempty"`
}

// podSecurity is what the levels of Pod Security make of a pod.
type podSecurity struct {
	Baseline   bool `json:"baseline"`
	Restricted bool `json:"restricted"`
	// Users is what restricted says of users alone, and UsersBefore, what it said up to version 1.34.
	Users       bool `json:"users"`
	UsersBefore bool `json:"usersBefore"`
}

// judge is what has the answers.
type judge struct {
	kubelet  string // test/policies/kubelet, built
	security policy.Evaluator
	users    policy.Evaluator // of whom the containers are alone
}

func newJudge(kubelet string) (*judge, error) {
	j := &judge{kubelet: kubelet}
	all, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	j.security = all
	users, err := policy.NewEvaluator([]policy.Check{policy.CheckRunAsNonRoot(), policy.CheckRunAsUser()}, nil)
	if err != nil {
		return nil, err
	}
	j.users = users
	return j, nil
}

func (j *judge) podSecurity(pod *v1.Pod) podSecurity {
	allowed := func(e policy.Evaluator, level api.Level, version api.Version) bool {
		return policy.AggregateCheckResults(e.EvaluatePod(api.LevelVersion{Level: level, Version: version}, &metav1.ObjectMeta{}, &pod.Spec)).Allowed
	}
	return podSecurity{
		Baseline:    allowed(j.security, api.LevelBaseline, api.LatestVersion()),
		Restricted:  allowed(j.security, api.LevelRestricted, api.LatestVersion()),
		Users:       allowed(j.users, api.LevelRestricted, api.LatestVersion()),
		UsersBefore: allowed(j.users, api.LevelRestricted, api.MajorMinorVersion(1, 34)),
	}
}

// answers are those to a table. valid says of an object whether the API server takes it at all.
func (j *judge) answers(rows []row, valid func(*row, *object) (bool, error)) (map[string]answer, error) {
	var pods []v1.Pod
	for _, r := range rows {
		for _, o := range r.objects {
			pods = append(pods, o.pods...)
		}
	}
	text, err := json.Marshal(pods)
	if err != nil {
		return nil, err
	}
	ask := exec.Command(j.kubelet)
	ask.Stdin = bytes.NewReader(text)
	text, err = ask.Output()
	if err != nil {
		return nil, fmt.Errorf("asking the kubelet: %w", err)
	}
	var are []map[string]string
	if err := json.Unmarshal(text, &are); err != nil || len(are) != len(pods) {
		return nil, fmt.Errorf("the kubelet's functions answered for %d of %d pods: %w", len(are), len(pods), err)
	}
	all := map[string]answer{}
	for i := range rows {
		r := &rows[i]
		a := answer{Admitted: true, WithHostUsers: true}
		for n := range r.objects {
			o := &r.objects[n]
			if o.typed == nil && o.err == nil {
				a.Custom = true
			} else if ok, err := valid(r, o); err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			} else if !ok {
				a.Refused = true
			}
			for p := range o.pods {
				j.add(&a, r, o, &o.pods[p], are[0])
				are = are[1:]
			}
		}
		if a.Refused || a.Custom {
			a.Admitted, a.WithHostUsers = false, false
		}
		if a.Refused {
			a.Pods = nil
		}
		all[r.name] = a
	}
	return all, nil
}

// add puts a pod into an answer.
func (j *judge) add(a *answer, r *row, o *object, pod *v1.Pod, are map[string]string) {
	windows := pod.Spec.OS != nil && pod.Spec.OS.Name == v1.Windows
	judged := containers(r, pod)
	var unsure []string
	for _, name := range judged {
		sure := are[name] == "non-root" || are[name] == "never starts"
		if windows {
			// The kubelet's rule for Windows is of a build of its own: Pod Security's, which has none of its exceptions, is asked for.
			one := pod.DeepCopy()
			one.Spec.InitContainers = nil
			one.Spec.Containers = slices.DeleteFunc(one.Spec.Containers, func(c v1.Container) bool { return c.Name != name })
			sure = j.podSecurity(one).UsersBefore
		}
		if !sure {
			unsure = append(unsure, name)
		}
	}
	if windows {
		for name := range are {
			are[name] = "windows"
		}
	}
	inClass := pod.Spec.RuntimeClassName != nil && *pod.Spec.RuntimeClassName == "nonroot"
	if inClass {
		unsure = nil
	}
	w := who{o.kind + " " + o.name, are, j.podSecurity(pod), unsure, pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers}
	a.Admitted = a.Admitted && len(w.keptOut(false)) == 0
	a.WithHostUsers = a.WithHostUsers && len(w.keptOut(true)) == 0
	a.Pods = append(a.Pods, w)
}

// containers are those that a request is about: of a new object all, of an update those that it brings.
func containers(r *row, pod *v1.Pod) (names []string) {
	if r.before == nil {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			names = append(names, c.Name)
		}
		return names
	}
	was := r.before.pods[0].Spec
	if r.objects[0].kind == "Pod" {
		for _, c := range pod.Spec.EphemeralContainers {
			if !slices.ContainsFunc(was.EphemeralContainers, func(b v1.EphemeralContainer) bool { return b.Name == c.Name }) {
				names = append(names, c.Name)
			}
		}
		return names
	}
	if equality.Semantic.DeepEqual(was, pod.Spec) {
		return nil
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		names = append(names, c.Name)
	}
	return names
}
