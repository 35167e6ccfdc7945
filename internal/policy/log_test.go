// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

func TestLog(t *testing.T) {
	p := parsed(t, "[log]\nfile = \"/var/log/x\"\nsyslog = true\njournald = true\nrequired = true")
	if want := (Log{"/var/log/x", true, true, true}); p.Log != want {
		t.Errorf("%+v", p.Log)
	}
	if p := Default(); p.Log.Anywhere() {
		t.Error("the default logs")
	}
	for text, want := range map[string]string{
		"[log]\nfile = \"log\"":                  `p:2:1: log.file: "log" is not a clean absolute path`,
		"[log]\nfile = \"/var/../log\"":          "log.file: ",
		"[log]\nfile = \"/var/log/\"":            "log.file: ",
		"[log]\nfile = \"\"":                     "log.file: ",
		"[log]\nrequired = true":                 "p:2:1: log.required: there is no log\nhint: add ",
		"[log]\nrequired = true\nsyslog = false": "log.required: ",
		"[log]\nsyslog = \"yes\"":                "p:2:",
		"[log]\nfiles = [\"/a\"]":                `unknown key "log.files"`,
	} {
		if _, err := Parse("p", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
