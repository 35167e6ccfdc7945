// SPDX-License-Identifier: Apache-2.0

package spec

import "testing"

func TestWithoutDevices(t *testing.T) {
	for in, want := range map[string]string{
		`{"devices":[{"allow":true,"access":"rwm"}],"cpu":{"shares": 5}}`: `{"cpu":{"shares": 5}}`,
		`{"devices":null}`:                  `{}`,
		`{"dev\u0069ces":[{"allow":true}]}`: `{}`,
		` {"pids":{"limit":1}} `:            `{"pids":{"limit":1}}`,
		// Refused, as runtimes read these differently.
		`{"Devices":[]}`:              "",
		`{"devices":[],"devices":[]}`: "",
		`{"devices\u0000":[]}`:        "",
		`{/**/"devices":[]}`:          "",
		`{"cpu":{}}{"devices":[]}`:    "",
		`[{"devices":[]}]`:            "",
		``:                            "",
	} {
		got, err := WithoutDevices([]byte(in))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s, %v, want %q", in, got, err, want)
		}
	}
}
