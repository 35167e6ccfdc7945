// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestConfigShowIsAPolicy: the output is a policy file with the same meaning.
func TestConfigShowIsAPolicy(t *testing.T) {
	texts := map[string]string{
		"nothing": "",
		"odd texts": "mode = \"off\"\nreason = \"\\u001b[1m \\\"a\\\", \\\"b\\\" \\\\ <&> \\u2028 ä\"\nhooks.allowed = []\n[[rule]]\nname = \"r\"\n" +
			"match.annotations = {\"a.b/c \\\"d\\\"\" = [\"x\", \"!y\"], e = [\"z\"]}\naudit = {mode = \"refuse\", identity = {uid = 5}}\nmode = \"rewrite\"\n",
		"beside the default": "[audit]\nmode = \"refuse\"\nhome.path = \"/work\"\n[[rule]]\nname = \"a\"\nmatch.engine = [\"docker\"]\n",
	}
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(page), "```toml\n")[1:] {
		texts["docs/policy.md, block "+string(rune('0'+i))], _, _ = strings.Cut(block, "```")
	}
	samples, err := filepath.Glob("../../docs/policies/*[a-z].toml")
	if err != nil || len(samples) == 0 {
		t.Fatal(samples, err)
	}
	for _, name := range samples {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.toml") {
			texts[name] = string(text)
		}
	}
	for name, text := range texts {
		before, err := policy.Parse("p", []byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		before.Text = []byte(text)
		f := inForce{File: "p", Effective: before.Effective()}
		var b strings.Builder
		if err := f.print(&b); err != nil {
			t.Fatal(err)
		}
		after, err := policy.Parse("p", []byte(b.String()))
		if err != nil {
			t.Errorf("%s: %v in\n%s", name, err, b.String())
			continue
		}
		before.Text, before.OwnLog, after.OwnLog = nil, false, false
		for _, p := range []*policy.Policy{before, after} { // an empty list
			p.ExtraGIDs, p.Sources = append([]policy.ID{}, p.ExtraGIDs...), append([]policy.Source{}, p.Sources...)
		}
		if !reflect.DeepEqual(meaningOf(t, before), meaningOf(t, after)) {
			t.Errorf("%s: printed\n%s\nmeans\n%s\ninstead of\n%s", name, b.String(), meaningOf(t, after), meaningOf(t, before))
		}
	}
}

// meaningOf returns all settings of a policy, and the effective ones of each of its rules.
func meaningOf(t *testing.T, p *policy.Policy) string {
	t.Helper()
	var b strings.Builder
	all := p.Effective().Settings
	for _, s := range all {
		b.WriteString(s.Key + "=" + value(s.Value) + "\n")
	}
	parts := []*policy.Policy{p.Audit}
	for i := range p.Rules {
		r := &p.Rules[i]
		rule := *r
		rule.Policy = nil
		b.WriteString(r.Name + " " + r.LastDay() + " " + value(rule.Match) + "\n")
		parts = append(parts, r.Policy, r.Policy.Audit)
	}
	for _, q := range parts {
		if q == nil {
			b.WriteString("none\n")
			continue
		}
		q := *q
		q.Rules, q.Audit = nil, nil
		for _, s := range q.Effective().Settings {
			b.WriteString(s.Key + "=" + value(s.Value) + "\n")
		}
	}
	return b.String()
}
