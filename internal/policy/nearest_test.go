// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

// TestNearestKey: for a key that is misspelled, or in the wrong table, the right one is suggested.
func TestNearestKey(t *testing.T) {
	for text, want := range map[string]string{
		"[identity]\nallowed_uid = [1000]": `unknown key "identity.allowed_uid"` + "\nhint: did you mean identity.allowed_uids? see docs/policy.md",
		"[identity]\nallowed-uids = [1]":   "did you mean identity.allowed_uids?",
		"[identity]\nudi = 5":              "did you mean identity.uid?",
		"[home]\nsiez = \"1m\"":            "did you mean home.size?",
		"moed = \"audit\"":                 "did you mean mode?",
		"Mode = \"audit\"":                 "did you mean mode?",
		"allowed_uids = [1000]":            "did you mean identity.allowed_uids?",
		"[hme]\nsize = \"1m\"":             "did you mean home?",
		"colour = 1":                       "hint: see docs/policy.md",
		"[identity]\nx = 1":                "hint: see docs/policy.md",
	} {
		_, err := Parse("p", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
