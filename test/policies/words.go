// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// asked are the levels and versions of Pod Security that the words are for: the oldest, those from which on a check is another one, and the latest.
var asked = []string{"baseline:v1.0", "baseline:latest", "restricted:v1.0", "restricted:v1.8", "restricted:v1.22", "restricted:v1.25", "restricted:v1.34", "restricted:latest"}

// words are what the levels say of each pod of a table, in its order, each text with the levels that say it. Manifests that no pod can be read of
// have none.
func words(rows []row) (map[string][]map[string][]string, error) {
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	all := map[string][]map[string][]string{}
	for _, r := range rows {
		for _, o := range r.objects {
			for i := range o.pods {
				pod := map[string][]string{}
				for _, text := range asked {
					level, err := levelOf(text)
					if err != nil {
						return nil, err
					}
					if result := policy.AggregateCheckResults(e.EvaluatePod(level, &metav1.ObjectMeta{}, &o.pods[i].Spec)); !result.Allowed {
						pod[result.ForbiddenDetail()] = append(pod[result.ForbiddenDetail()], text)
					}
				}
				all[r.name] = append(all[r.name], pod)
			}
		}
	}
	return all, nil
}

func levelOf(text string) (level api.LevelVersion, err error) {
	name, version, _ := strings.Cut(text, ":")
	policies, errs := api.PolicyToEvaluate(map[string]string{api.EnforceLevelLabel: name, api.EnforceVersionLabel: version}, api.Policy{})
	if len(errs) > 0 {
		return level, fmt.Errorf("%s: %w", text, errs.ToAggregate())
	}
	return policies.Enforce, nil
}
