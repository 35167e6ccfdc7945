// SPDX-License-Identifier: Apache-2.0

// Package podsecurity says what a level of Pod Security makes of a pod, by the API server's own library
// (k8s.io/pod-security-admission) and in its words. Which level counts for a pod is not known here (internal/check).
package podsecurity

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	strict "sigs.k8s.io/json"
)

// Level is one of the levels, in a version. The zero value asks for nothing.
type Level struct{ of api.LevelVersion }

// String is how the API server writes it: restricted:v1.37.
func (l Level) String() string { return l.of.String() }

// Refuses reports whether there are pods that the level refuses.
func (l Level) Refuses() bool {
	return l.of.Level == api.LevelBaseline || l.of.Level == api.LevelRestricted
}

// privileged is the level of a namespace without labels, unless the API server was configured otherwise.
var privileged = api.Policy{Enforce: api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}}

// Parse reads LEVEL or LEVEL:VERSION.
func Parse(text string) (Level, error) {
	name, version, found := strings.Cut(text, ":")
	if !found {
		version = "latest"
	}
	level, err := api.ParseLevel(name)
	if err != nil {
		return Level{}, fmt.Errorf("%q is not a level of Pod Security: it %w", name, err)
	}
	v, err := api.ParseVersion(version)
	if err != nil {
		return Level{}, fmt.Errorf("%q is not a version of Pod Security: it %w", version, err)
	}
	return Level{api.LevelVersion{Level: level, Version: v}}, nil
}

// OfLabels is the level that a namespace's labels enforce. As the API server has it, a level that is none is restricted, and a version that is
// none the latest; wrong names such labels, with which the API server makes no namespace.
func OfLabels(labels map[string]string) (level Level, wrong []Wrong) {
	for _, label := range []string{
		api.EnforceLevelLabel, api.EnforceVersionLabel, api.WarnLevelLabel, api.WarnVersionLabel, api.AuditLevelLabel, api.AuditVersionLabel,
	} {
		value, ok := labels[label]
		if !ok {
			continue
		}
		if _, errs := api.PolicyToEvaluate(map[string]string{label: value}, privileged); len(errs) > 0 {
			wrong = append(wrong, Wrong{label, value, errs[0].Detail})
		}
	}
	all, _ := api.PolicyToEvaluate(labels, privileged)
	return Level{all.Enforce}, wrong
}

// Wrong is a label that the API server does not read.
type Wrong struct{ Label, Value, Why string }

var evaluator = sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })

// Refusal is why the level refuses a pod, in the API server's words; "": it lets the pod in. An error says that the pod is not one by its types.
func (l Level) Refusal(metadata, spec map[string]any) (string, error) {
	if !l.Refuses() {
		return "", nil
	}
	var meta metav1.ObjectMeta
	if err := decode(metadata, &meta); err != nil {
		return "", err
	}
	var pod v1.PodSpec
	if err := decode(spec, &pod); err != nil {
		return "", err
	}
	defaults(&pod)
	e, err := evaluator()
	if err != nil {
		return "", err
	}
	result := policy.AggregateCheckResults(e.EvaluatePod(l.of, &meta, &pod))
	if result.Allowed {
		return "", nil
	}
	return fmt.Sprintf("violates PodSecurity %q: %s", l.of.String(), result.ForbiddenDetail()), nil
}

// decode reads a value as the API server does, for which names in other letters are other names.
func decode(value map[string]any, into any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return strict.UnmarshalCaseSensitivePreserveInts(text, into)
}

// defaults fills in what the API server does before it judges, as far as the levels look at it: a volume without a source is an emptyDir, and
// with the host's network the ports of a container are the host's.
func defaults(pod *v1.PodSpec) {
	for i := range pod.Volumes {
		if v := &pod.Volumes[i]; v.VolumeSource == (v1.VolumeSource{}) {
			v.EmptyDir = &v1.EmptyDirVolumeSource{}
		}
	}
	if !pod.HostNetwork {
		return
	}
	for _, containers := range [][]v1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			for n := range containers[i].Ports {
				if p := &containers[i].Ports[n]; p.HostPort == 0 {
					p.HostPort = p.ContainerPort
				}
			}
		}
	}
}
