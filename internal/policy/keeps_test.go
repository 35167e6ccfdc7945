// SPDX-License-Identifier: Apache-2.0

package policy

import "testing"

// TestKeeps: the advice agrees with the decision about a container that asks for the uid.
func TestKeeps(t *testing.T) {
	for _, test := range []struct {
		policy string
		uid    uint32
		want   bool
	}{
		{"", 1000, true},
		{"", 0, false},
		{"", MaxID, true},
		{"", MaxID + 1, false},
		{`identity.sources = ["fixed"]`, 1000, false},
		{"identity.allowed_uids = [2000]", 1000, false},
		{"identity.allowed_uids = [2000]", 2000, true},
		{`identity.range = "100000-100999"`, 100005, false},
		{`identity.range = "100000-100999"`, 1000, true},
	} {
		p, err := Parse("p", []byte(test.policy))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Keeps(test.uid); got != test.want {
			t.Errorf("%s: %d: %v", test.policy, test.uid, got)
		}
	}
}
