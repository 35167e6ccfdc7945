// SPDX-License-Identifier: Apache-2.0

package learn

import "testing"

// TestWithArgs: the command is another one, and every other byte of config.json stays.
func TestWithArgs(t *testing.T) {
	for config, want := range map[string]string{
		`{"process": {"user": {"args": 1}, "args" : [ "a", "b" ] , "cwd": "/"}, "more": [1e2]}`: `{"process": {"user": {"args": 1}, "args" : ["sh","-c","x \"y\""] , "cwd": "/"}, "more": [1e2]}`,
		`{"args": ["z"], "process":{"args":null}}`:                                              `{"args": ["z"], "process":{"args":["sh","-c","x \"y\""]}}`,
		`{"process": {"cwd": "/"}}`:                                                             "",
		`{"process": {"args": ["a"], "args": ["b"]}}`:                                           "",
		`{}`: "",
	} {
		got, err := withArgs([]byte(config), []string{"sh", "-c", `x "y"`})
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %s", config, got, err, want)
		}
	}
}
