// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
)

func TestWording(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"identity.uid = \"65532\"", `p:1:1: identity.uid: "65532" is not a whole number` + hint.Mark + `write uid = 65532`},
		{"[identity]\n  uid = \"me\"", `p:2:3: identity.uid: "me" is not a whole number` + hint.Mark + `write a number without quotes, such as uid = 65532`},
		{"[identity]\nuid = 1.5", `p:2:1: identity.uid: 1.5 is not a whole number` + hint.Mark + `write a number without quotes, such as uid = 65532`},
		{"[identity]\nallowed_uids = \"1000-2000\"", `p:2:1: identity.allowed_uids: "1000-2000" is not a list of numbers and strings` + hint.Mark + `write allowed_uids = ["1000-2000"]`},
		{"identity.allowed_uids = 1000", `write allowed_uids = [1000]`},
		{"[process]\nuser_namespaces = true", `p:2:1: process.user_namespaces: true is not a string` + hint.Mark + `write user_namespaces = "deny" or user_namespaces = "allow"`},
		{"mode = rewrite", `p:1:8: mode: text stands in quotes` + hint.Mark + `write mode = "rewrite"`},
		{"[[rule]]\nname = \"a\"\nmode = off # for now", `p:3:8: rule.mode: text stands in quotes` + hint.Mark + `write mode = "off"`},
		{"[log]\nrequired = yes", `log.required: yes is not true or false` + hint.Mark + `write required = true or required = false`},
		{"[log]\nsyslog = \"true\"", `p:2:1: log.syslog: "true" is not true or false` + hint.Mark + `write syslog = true`},
		{"[log]\nfile = /var/log/x", `p:2:8: log.file: text stands in quotes` + hint.Mark + `write file = "/var/log/x"`},
		{"identity.sources = [kept, fixed]", `write identity.sources = ["kept", "fixed"]`},
		{"runtimes = [1, 2]", `p:1:1: runtimes: the list is not a list of strings` + hint.Mark + `write runtimes = ["1", "2"]`},
		{"runtimes = \"runc\"", `write runtimes = ["runc"]`},
		{"identity = 5", `p:1:1: identity: 5 is not a table` + hint.Mark + `write [identity], and its keys below`},
		{"[[identity]]\nuid = 1", `p:1:3: identity: this is one table, not a list` + hint.Mark + `write [identity]`},
		{"[mode]\nx = 1", `p:1:2: mode: this is not a table` + hint.Mark + `write mode = "rewrite" or `},
		{"[rule]\nname = \"x\"", `p:1:2: rule: rules are an array of tables` + hint.Mark + `write [[rule]]`},
		{"home.size = 256", `p:1:1: home.size: 256 is not a string` + hint.Mark + `write size = "256"`},
		{"[[rule]]\nname = \"a\"\nmatch.annotations = {x = \"y\"}", `rule.match.annotations.x: this is not a list of strings`},
		{"[[rule]]\nname = \"a\"\nmatch.pod = \"y\"", `write pod = ["y"]`},
		{"identity = {uid = \"7\"}", `p:1:13: identity.uid: "7" is not a whole number` + hint.Mark + `write uid = 7`},
		{"mode = \"audit\" x", "p:1:16: expected newline but got 'x'"},
		{"mode: audit", "p:1:"},
		{"coulour\u202e = 1", "p:1:"},
	} {
		_, err := Parse("p", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v\n want %s", c.text, err, c.want)
		}
		if err != nil {
			harmlessText(t, c.text, err.Error())
		}
	}
}

var golang = regexp.MustCompile(`struct|cannot decode|U\+00|toml|interface|\bint64\b|map\[|\[\]`)

// TestWrongTypes: for a value of any wrong type, the message names the key and contains none of Go's words. The keys
// are the file's own.
func TestWrongTypes(t *testing.T) {
	keys := keysOf(reflect.TypeFor[file](), "")
	if len(keys) < 50 {
		t.Fatal(keys)
	}
	values := []string{
		`"x"`, `5`, `1.5`, `true`, `2027-01-31`, `["x"]`, `[5]`, `[true]`, `[[1]]`, `[{a = 1}]`, `{a = 1}`, `{}`, `[]`, `word`, `[word, 2]`, `yes`, `0x`, `99999999999999999999`,
	}
	for _, key := range keys {
		last := key[strings.LastIndexByte(key, '.')+1:]
		refused := 0
		for _, value := range values {
			text := key + " = " + value
			if name, ok := strings.CutPrefix(key, "rule."); ok {
				text = "[[rule]]\n" + name + " = " + value
				if name != "name" {
					text += "\nname = \"x\""
				}
			}
			_, err := Parse("p", []byte(text))
			if err == nil {
				continue
			}
			refused++
			msg := err.Error()
			if golang.MatchString(strings.ReplaceAll(msg, "[[rule]]", "")) || !regexp.MustCompile(`^p:\d+:\d+: `).MatchString(msg) || len(msg) > 400 {
				t.Errorf("%s: %s", text, msg)
			}
			if slices.Contains([]string{`"x"`, `5`, `true`, `word`}, value) && !strings.Contains(msg, last) {
				t.Errorf("%s: it does not name the key: %s", text, msg)
			}
			harmlessText(t, text, msg)
		}
		if refused < 5 {
			t.Errorf("%s: only %d of %d values were refused", key, refused, len(values))
		}
	}
}
