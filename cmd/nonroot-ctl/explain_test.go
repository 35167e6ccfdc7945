// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
)

// TestLogOf: the advice names the log, or the setting for one.
func TestLogOf(t *testing.T) {
	for _, test := range []struct {
		log              policy.Log
		unlogged, advice string
	}{
		{policy.Log{}, "nothing is logged", "set log.file = "},
		{policy.Log{File: "/var/log/x"}, "", `"/var/log/x"`},
		{policy.Log{Journald: true}, "", "journalctl -t nonroot-runc"},
		{policy.Log{Syslog: true}, "", "syslog has"},
	} {
		unlogged, advice := logOf(&policy.Policy{Log: test.log})
		if (unlogged == "") != (test.unlogged == "") || !strings.HasPrefix(unlogged, test.unlogged) || !strings.Contains(advice, test.advice) {
			t.Errorf("%+v: %q, %q", test.log, unlogged, advice)
		}
	}
}

// TestCalled: an exact name takes precedence over the beginning of an id, and an ambiguous one finds both.
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
