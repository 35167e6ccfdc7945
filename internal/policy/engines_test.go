// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// TestEnginesGroups: a group that can access an engine's socket makes its members root through the engine.
func TestEnginesGroups(t *testing.T) {
	for _, e := range engines.All {
		for _, group := range e.Groups {
			if !slices.Contains(privilegedGroups, group) {
				t.Errorf("the group %q of %s is not among the privileged ones", group, e.Name)
			}
		}
	}
}
