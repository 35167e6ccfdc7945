// SPDX-License-Identifier: Apache-2.0

package main

// least is how many percent of the mutants of each package its tests have to kill.
const least = 95

// scope is what is mutated: what decides, plans, or looks for what a decision is about. Each package stands on its own
// tests.
var scope = []struct {
	dir   string
	files []string
}{
	{"internal/policy", []string{
		"chosen.go", "checks.go", "decide.go", "exec.go", "facts.go", "gate.go", "groups.go", "image.go", "people.go", "rule.go", "share.go",
		"surroundings.go",
	}},
	{"internal/plan", []string{"give.go", "mounts.go", "plan.go", "process.go"}},
	{"internal/facts", []string{
		"existing.go", "isolated.go", "layer.go", "ownfiles.go", "spread.go", "surroundings.go", "userns.go",
	}},
}
