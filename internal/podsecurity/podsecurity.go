// SPDX-License-Identifier: Apache-2.0

// Package podsecurity reports whether a level of Pod Security refuses a pod. It uses the API server's own library
// (k8s.io/pod-security-admission), and returns its words. Which level applies to a pod is up to internal/check.
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

// Level is a level with its version. The zero value refuses nothing.
type Level struct{ of api.LevelVersion }

// String returns the level like the API server writes it: restricted:v1.37.
func (l Level) String() string { return l.of.String() }

// Refuses reports whether the level refuses any pods.
func (l Level) Refuses() bool {
	return l.of.Level == api.LevelBaseline || l.of.Level == api.LevelRestricted
}

// privileged is the default of a namespace without labels. API servers can be configured otherwise.
var privileged = api.Policy{Enforce: api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}}

// Parse parses LEVEL or LEVEL:VERSION.
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

// OfLabels returns the level that a namespace's labels enforce. Like in the API server, an invalid level counts as restricted, and an
// invalid version as latest. wrong lists invalid labels, because the API server refuses to create a namespace with them.
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

// Wrong is an invalid label.
type Wrong struct{ Label, Value, Why string }

var evaluator = sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })

// Refusal returns the reason why the level refuses a pod, in the API server's words; "": it admits the pod. An error means that the pod's
// fields have wrong types.
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

// decode decodes a value like the API server, which is case-sensitive.
func decode(value map[string]any, into any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return strict.UnmarshalCaseSensitivePreserveInts(text, into)
}

// defaults sets the API server's defaults that the levels look at: a volume without a source is an emptyDir, and in the host's network a
// container's ports are the host's.
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
