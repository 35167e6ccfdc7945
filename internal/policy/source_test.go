// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

// TestEverySourceHasItsSentence: every new source needs a description.
func TestEverySourceHasItsSentence(t *testing.T) {
	unknown := Source("nonsense").Sentence()
	for _, s := range append(Default().Sources, Created) {
		if got := s.Sentence(); got == "" || got == unknown || strings.HasSuffix(got, ".") {
			t.Errorf("%s: %q", s, got)
		}
	}
}
