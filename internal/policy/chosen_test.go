// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"reflect"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestChosenRules: a rule that depends on what others choose must not loosen the policy, neither by number nor by name.
func TestChosenRules(t *testing.T) {
	const rule = "\n[[rule]]\nname = \"a\"\n"
	matches := []string{
		"match.annotations = {x = [\"y\"]}", "match.image = [\"good\"]", "match.pod = [\"good\"]", "match.container = [\"c\"]",
		"match = {namespace = [\"team\"], image = [\"good\"]}", "match.namespace = [\"*\"]",
	}
	for _, test := range []struct{ general, set, fails string }{
		{"", "identity.gid = 6", "identity.gid"},
		{"", "identity.groups = [6]", "identity.groups"},
		{"", "identity.groups = [\"disk\"]", "identity.groups"},
		{"", "identity = {groups = [6], allowed_gids = [6]}", "identity."},
		{"", "identity.allowed_gids = [6]", "identity.allowed_gids"},
		{"", "identity.allowed_gids = [\"2-5000\"]", "identity.allowed_gids"},
		{"", "identity.allowed_gids = [\"disk\"]", "identity.allowed_gids"},
		{"", "identity.privileged_groups = [\"root\"]", "identity.privileged_groups"},
		{"", "identity.device_groups = [\"/dev/*\"]", "identity.device_groups"},
		{"", "identity.requests = [\"environment\"]", "identity.requests"},
		{"identity.requests = [\"annotation\"]", "identity.allowed_uids = [5000]", "identity.allowed_uids"}, // a request may then name any of them
		{"identity.range = \"5000-5999\"", "identity.allowed_uids = [5000]", "identity.allowed_uids"},       // and another user's id of the range could be kept
		{"", "identity.allowed_uids = [5000]", ""},
		{"identity.sources = [\"listed\", \"kept\", \"fixed\"]", "identity.sources = [\"kept\", \"fixed\"]", "identity.sources"},
		{"identity.sources = [\"image\", \"kept\", \"fixed\"]", "identity.sources = [\"kept\", \"image\", \"fixed\"]", "identity.sources"},
		{"identity.sources = [\"fixed\", \"kept\", \"fixed\"]", "identity.sources = [\"kept\", \"fixed\"]", "identity.sources"},
		{"", "identity.sources = [\"fixed\"]", "identity.sources"}, // "listed" is the administrator's choice
		{"", "identity.sources = [\"listed\", \"image\", \"fixed\"]", ""},
		{"hooks.allowed = [\"/usr/bin/*\"]", "hooks.allowed = [\"/usr/bin/a\"]", ""},
		{"hooks.allowed = [\"/usr/bin/*\"]", "hooks.allowed = [\"/usr/bin/a*\"]", "hooks.allowed"},
		{"", "identity = {users_file = \"/etc/x\"}", "identity.users_file"},
		{"", "identity.range = \"1-2000\"", "identity.range"},
		{"identity.range = \"5000-5999\"", "identity.range = \"\"", "identity.range"}, // a uid of its own is a promise to the neighbours, too
		{"identity = {range = \"5000-5999\", block = 100}", "identity.block = 0", "identity."},
		{"identity.sources = [\"fixed\"]", "identity.sources = [\"kept\", \"fixed\"]", "identity.sources"},
		{"identity.allowed_uids = [\"5000-6000\"]", "identity.allowed_uids = [\"5000-6001\"]", "identity.allowed_uids"},
		{"", "process.user_namespaces = \"allow\"", "process.user_namespaces"},
		{"process.bounding = \"drop\"", "process.bounding = \"keep\"", "process.bounding"},
		{"hooks.allowed = [\"/a\"]", "hooks.allowed = [\"/a\", \"/b\"]", "hooks.allowed"},
		{"hooks.allowed = []", "hooks.allowed = [\"/*\"]", "hooks.allowed"},
		{"mode = \"refuse\"", "mode = \"rewrite\"", "mode"},
		{"adapt.groups = false", "adapt.groups = true", "adapt.groups"},

		{"", "identity = {uid = 30000, gid = 30000, name = \"n\"}", ""},
		{"identity.gid = 6", "identity.gid = 6", ""},
		{"identity.groups = [6]", "identity.groups = [6]", ""},
		{"identity.groups = [6]", "identity.groups = []", ""},
		{"identity.allowed_gids = [\"1-100\"]", "identity.allowed_gids = [6, 5000, \"video\"]", ""},
		{"", "identity.groups = [\"video\", 5000]", ""},
		{"", "identity.requests = []", ""},
		{"identity.allowed_uids = [\"5000-6000\"]", "identity.allowed_uids = [5500]", ""},
		{"", "mode = \"refuse\"", ""},
		{"", "process.bounding = \"drop\"", ""},
		{"", "hooks.allowed = [\"/a\"]", ""},
		{"", "home.size = \"2g\"\nadapt.tmp = false\nidentity.range = \"70000-71000\"", ""},
	} {
		for _, match := range matches {
			text := test.general + rule + match + "\n" + test.set
			_, err := Parse("p", []byte(text))
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), "rule[1]."+test.fails) {
				t.Errorf("%s: %v", text, err)
			}
		}
		// A rule with a match that the administrator controls may set it, and so may the general part.
		for _, match := range []string{"match.namespace = [\"team\"]", "match.engine = [\"docker\"]", "match.root = [\"/run/x\"]", ""} {
			text := test.general + rule + match + "\n" + test.set
			if _, err := Parse("p", []byte(text)); err != nil && (test.fails == "" || strings.Contains(err.Error(), "it gives")) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// TestNobodyEvadesARule: the first rule counts, so one that others can choose must not come before a stricter one.
func TestNobodyEvadesARule(t *testing.T) {
	const mine = "[[rule]]\nname = \"mine\"\nmatch.annotations = {x = [\"y\"]}\nhome.size = \"1g\"\n"
	for _, test := range []struct{ text, fails string }{
		{mine + "[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nmode = \"refuse\"", "p:2:1: rule[1].name: it comes before the rule \"prod\", which is stricter (mode)"},
		{mine + "[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nidentity.sources = [\"listed\", \"fixed\"]", "(identity.sources)"},
		{mine + "[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nprocess.bounding = \"drop\"", "(process.bounding)"},
		{mine + "[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nidentity.users_file = \"/etc/people\"", "(identity.users_file)"},
		{"[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nmode = \"refuse\"\n" + mine, ""},
		{mine + "[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nhome.size = \"2g\"", ""},
		{mine + "[[rule]]\nname = \"agents\"\nmatch.namespace = [\"kube-system\"]\nmode = \"off\"\nreason = \"x\"", ""},
		{"[[rule]]\nname = \"mine\"\nmatch = {namespace = [\"dev\"], image = [\"x\"]}\n[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nmode = \"refuse\"", ""},
		{"[[rule]]\nname = \"mine\"\nmatch = {namespace = [\"d*\"], image = [\"x\"]}\n[[rule]]\nname = \"prod\"\nmatch.namespace = [\"prod\"]\nmode = \"refuse\"", "(mode)"},
		{mine + "[[rule]]\nname = \"images\"\nmatch.image = [\"x\"]\nmode = \"refuse\"", ""}, // just as much its author's choice
	} {
		_, err := Parse("p", []byte(test.text))
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// TestANewKeyIsClosed: each key that a rule may have is on the list by name, or is closed to rules that others can
// choose to be in. A new key fails here until it is added to either list.
func TestANewKeyIsClosed(t *testing.T) {
	closed := map[string]bool{"identity.users_file": true, "identity.groups_file": true}
	all := map[string]bool{}
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			name := of.Field(i).Tag.Get("toml")
			if name == "" {
				t.Fatalf("%s%s has no name in the file", prefix, of.Field(i).Name)
			}
			if of.Field(i).Type.Kind() == reflect.Struct {
				walk(prefix+name+".", of.Field(i).Type)
				continue
			}
			all[prefix+name] = true
			if open := choiceOf(prefix+name) != nil; open == closed[prefix+name] {
				t.Errorf("%s is on both lists, or on none: may a rule set it whose match rests on what others choose?", prefix+name)
			}
		}
	}
	walk("", reflect.TypeFor[settings]())
	for _, one := range mayChoose {
		key := one.key
		if !all[key] {
			t.Errorf("%s is not a key", key)
		}
	}
}

// TestChosenNumbersOnThisHost: only the host's group file tells what a number of 1000 and above means.
func TestChosenNumbersOnThisHost(t *testing.T) {
	for _, test := range []struct {
		set     string
		refused bool
	}{
		{"identity.gid = 1001", true},
		{"identity.gid = 1002", false},
		{"identity.groups = [1001]", true},
		{"identity.groups = [1002]", false},
		{"identity.allowed_gids = [1001]", true},
	} {
		for _, general := range []string{"", "identity.allowed_gids = [1001]\n"} {
			p, err := Parse("p", []byte(general+"[[rule]]\nname = \"a\"\nmatch.annotations = {x = [\"y\"]}\n"+test.set))
			if err != nil {
				t.Fatal(err)
			}
			f := facts(spec.User{Groups: []uint32{1001}})
			f.HostGroups = &HostGroups{Groups: []HostGroup{{"docker", 1001}}}
			f.Origin = &Origin{Annotations: map[string]string{"x": "y"}}
			d := p.decideIn(f)
			if refused := d.Mode == Refuse; refused != (test.refused && general == "") {
				t.Errorf("%s%s: %+v", general, test.set, d)
			}
		}
	}
}

// TestChosenGroupsOfEverybody: a rule that others can choose to be in may give what the general part gives to all.
func TestChosenGroupsOfEverybody(t *testing.T) {
	for general, refused := range map[string]bool{
		"identity.groups = [1001]\n":       false,
		"identity.groups = [\"docker\"]\n": false,
		"identity.groups = [1002]\n":       true,
	} {
		p, err := Parse("p", []byte(general+"[[rule]]\nname = \"a\"\nmatch.annotations = {x = [\"y\"]}\nidentity.groups = [1001]"))
		if err != nil {
			t.Fatal(err)
		}
		f := facts(spec.User{})
		f.HostGroups = &HostGroups{Groups: []HostGroup{{"docker", 1001}}}
		f.Origin = &Origin{Annotations: map[string]string{"x": "y"}}
		if d := p.decideIn(f); d.Refused() != refused || refused && !strings.Contains(d.Reason, "choose to match that rule") {
			t.Errorf("%s: %+v", general, d)
		}
	}
}
