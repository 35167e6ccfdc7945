// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEffectiveHasEachKey: every key is listed.
func TestEffectiveHasEachKey(t *testing.T) {
	p := Default()
	p.Rules = []Rule{{Name: "x", Policy: Default()}}
	var named []string
	for _, s := range p.Effective().Settings {
		named = append(named, s.Key)
	}
	for _, s := range p.Rules[0].settings() {
		named = append(named, "rule."+s.Key)
	}
	for _, key := range keysOf(reflect.TypeFor[file](), "") {
		if key == "audit" || key == "rule.audit" { // sections of their own
			continue
		}
		if count(named, key) != 1 {
			t.Errorf("%q is printed %d times", key, count(named, key))
		}
	}
}

// TestEffectiveDefaults: the listed values are the defaults in docs/policy.md.
func TestEffectiveDefaults(t *testing.T) {
	for _, d := range parts(readDocs(t, docsFile)) {
		all := Default().Effective().Settings
		i := slices.IndexFunc(all, func(s Setting) bool { return s.Key == d.key })
		if i < 0 {
			continue
		}
		got := fmt.Sprint(all[i].Value)
		want := "<nil>"
		if d.fallback != "none" {
			var v any
			if err := json.Unmarshal([]byte(strings.Trim(d.fallback, "`")), &v); err != nil {
				t.Fatal(d.key, err)
			}
			want = fmt.Sprint(v)
		}
		if got != want {
			t.Errorf("%s: %s, documented as %s", d.key, got, want)
		}
		if all[i].Line != 0 {
			t.Errorf("%s is set in line %d of no file", d.key, all[i].Line)
		}
	}
}

// TestEffectiveLines: each value has the line on which it was set.
func TestEffectiveLines(t *testing.T) {
	text := `mode = "refuse"
identity = {uid = 5, "gid" = 6}

[log]
syslog = true

[audit]
process.bounding = "drop"

[[rule]]
name = "a"
match.annotations = {"example.com/x" = ["y"]}
home.size = "2g"

[[rule]]
name = "b"
audit = {mode = "refuse"}
[rule.match]
engine = ["docker"]
[rule.identity]
uid = 7
`
	p := parsed(t, text)
	p.Text = []byte(text)
	e := p.Effective()
	var got []string
	add := func(part string, all []Setting) {
		for _, s := range all {
			if s.Line > 0 {
				got = append(got, fmt.Sprintf("%s%s=%v:%d", part, s.Key, s.Value, s.Line))
			}
		}
	}
	add("", e.Settings)
	add("audit.", e.Audit)
	for _, r := range e.Rules {
		add(fmt.Sprintf("%s@%d ", r.Name, r.Line), r.Settings)
		add(r.Name+" audit.", r.Audit)
	}
	want := []string{
		"log.syslog=true:5", "mode=refuse:1", "identity.uid=5:2", "identity.gid=6:2", "audit.process.bounding=drop:8",
		"a@10 name=a:11", "a@10 match.annotations=map[example.com/x:[y]]:12", "a@10 home.size=2g:13",
		"b@15 name=b:16", "b@15 match.engine=[docker]:19", "b@15 identity.uid=7:21", "b audit.mode=refuse:17",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	got = nil
	add("", p.ForRule("b"))
	if want := []string{"log.syslog=true:5", "mode=refuse:1", "identity.uid=7:21", "identity.gid=6:2"}; !slices.Equal(got, want) {
		t.Errorf("for the rule b: %q, want %q", got, want)
	}
	if p.ForRule("c") != nil {
		t.Error("a rule that is not there has settings")
	}
}
