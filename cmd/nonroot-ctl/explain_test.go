// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/ps"
)

// TestCalled: an exact name counts before the beginning of an id, and both of two are found.
func TestCalled(t *testing.T) {
	all := []*ps.Container{
		{Engine: "docker", ID: "abcd1", Name: "web"},
		{Engine: "docker", ID: "abcd2", Name: "abcd"},
		{Engine: "podman", ID: "f0001", Name: "web"},
		{Engine: "kubernetes", ID: "e0001", Namespace: "team", Pod: "db-0", Container: "db"},
		{Engine: "containerd", ID: "box", Namespace: "default"},
		{ID: ""},
	}
	for name, want := range map[string]int{
		"web": 2, "abcd": 1, "abcd1": 1, "abc": 0, "f000": 1, "e000": 1, "db": 1, "db-0": 1, "team/db-0/db": 1, "default/box": 1, "none": 0,
	} {
		if got := called(all, name); len(got) != want {
			t.Errorf("%q: %d, not %d", name, len(got), want)
		}
	}
	if got := called(all, "abcd"); len(got) == 1 && got[0].Name != "abcd" {
		t.Errorf("%+v", got[0])
	}
}
