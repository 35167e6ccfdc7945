// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

const (
	people = `root:x:0:0::/root:/bin/sh
alice:*:20001:20000:Alice,,,:/shared/alice:/bin/bash
app:x:20002:20000::/shared/app:/bin/sh
bob:x:20003:999::/shared/bob:/bin/sh
toor:x:0:5::/:/bin/sh
typo:x:2O004:20000::/:/bin/sh
short:x:20005:20000
max:x:2147483648:20000::/:/bin/sh
`
	teams = `staff2:*:20000:alice
project:*:30000:bob,alice
docker:x:999:alice
wheel0:x:0:alice
typo:x:3x:typo,bad
`
)

func TestListed(t *testing.T) {
	list := func() (*accounts.Files, error) {
		return &accounts.Files{Passwd: []byte(people), Group: []byte(teams + "bad:x:31000:" + strings.Repeat("somebody,", 20000) + "alice\n")}, nil
	}
	request := func(text string, allowed Ranges) func(*Policy, *world) {
		return func(p *Policy, f *world) {
			p.Annotation, p.AllowedUIDs = true, allowed
			f.Container.Annotations = map[string]string{RequestAnnotation: text}
		}
	}
	all := Ranges{{1, MaxID}}
	none := func(*Policy, *world) {}
	for name, test := range map[string]struct {
		namespace string
		user      spec.User
		change    func(*Policy, *world)
		source    Source
		want      Identity
		person    string
		refused   string
		notes     int
	}{
		"a namespace":          {"alice", spec.User{}, none, Listed, Identity{UID: 20001, GID: 20000, Groups: []uint32{30000, 31000}}, "alice", "", 2},
		"before what it asks":  {"alice", spec.User{UID: 20003, GID: 20003}, none, Listed, Identity{UID: 20001, GID: 20000, Groups: []uint32{30000, 31000}}, "alice", "", 2},
		"behind what it asks":  {"alice", spec.User{UID: 7, GID: 7}, func(p *Policy, _ *world) { p.Sources = []Source{Kept, Listed, Fixed} }, Kept, Identity{UID: 7, GID: 7, Groups: nil}, "", "", 0},
		"a privileged primary": {"bob", spec.User{}, none, Listed, Identity{UID: 20003, GID: 65532, Groups: []uint32{30000}}, "bob", "", 0},
		"one that is allowed":  {"bob", spec.User{}, func(p *Policy, _ *world) { p.AllowedGroups = []string{"docker"} }, Listed, Identity{UID: 20003, GID: 999, Groups: []uint32{30000}}, "bob", "", 0},
		"not on the list":      {"carol", spec.User{}, none, Fixed, Identity{UID: 65532, GID: 65532, Groups: nil}, "", "", 0},
		"no namespace":         {"", spec.User{}, none, Fixed, Identity{UID: 65532, GID: 65532, Groups: nil}, "", "", 0},
		"root":                 {"root", spec.User{}, none, "", Identity{}, "", "as uid 0", 0},
		"root by another name": {"toor", spec.User{}, none, "", Identity{}, "", "as uid 0", 0},
		"an uid above all":     {"max", spec.User{}, none, "", Identity{}, "", "2147483648", 0},
		"a typing mistake":     {"typo", spec.User{}, none, "", Identity{}, "", "not in the format of passwd(5)", 0},
		"a short line":         {"short", spec.User{}, none, "", Identity{}, "", "not in the format of passwd(5)", 0},
		"a request by name":    {"x", spec.User{}, request("alice", all), Requested, Identity{UID: 20001, GID: 20000, Groups: []uint32{30000, 31000}}, "alice", "", 2},
		"the list comes first": {"x", spec.User{}, request("app", all), Requested, Identity{UID: 20002, GID: 20000, Groups: nil}, "app", "", 0},
		"nobody is allowed":    {"x", spec.User{}, request("alice", nil), "", Identity{}, "", "asks for \"alice\", uid 20001", 0},
		"others are allowed":   {"x", spec.User{}, request("alice", Ranges{{1000, 1999}}), "", Identity{}, "", "allows 1000-1999", 0},
		"with a group":         {"x", spec.User{}, request("alice:999", all), "", Identity{}, "", "gid 999", 0},
		"with its own group":   {"x", spec.User{}, request("alice:20000", all), Requested, Identity{UID: 20001, GID: 20000, Groups: []uint32{30000, 31000}}, "alice", "", 2},
		"a request for root":   {"x", spec.User{}, request("root", all), "", Identity{}, "", "as uid 0", 0},
		"an exec": {"", spec.User{UID: 7, GID: 7}, func(_ *Policy, f *world) {
			f.Exec, f.By, f.Created = true, Listed, &Identity{UID: 20001, GID: 20000, Groups: []uint32{30000}}
		}, Listed, Identity{UID: 20001, GID: 20000, Groups: []uint32{30000}}, "", "", 0},
		"an exec of another one": {"", spec.User{UID: 7, GID: 7}, func(_ *Policy, f *world) {
			f.Exec, f.By, f.Created = true, Kept, &Identity{UID: 1, GID: 2, Groups: []uint32{3}}
		}, Kept, Identity{UID: 7, GID: 7, Groups: nil}, "", "", 0},
		"no file": {"alice", spec.User{}, func(_ *Policy, f *world) { f.People = nil }, Fixed, Identity{UID: 65532, GID: 65532, Groups: nil}, "", "", 0},
		"a file that can't be read": {"alice", spec.User{}, func(_ *Policy, f *world) {
			f.People = func() (*accounts.Files, error) { return nil, errors.New("others can write it") }
		}, "", Identity{}, "", "others can write it", 0},
	} {
		p, f := Default(), facts(test.user)
		f.Origin, f.People = pod(test.namespace, "p"), list
		test.change(p, f)
		d := p.decideIn(f)
		if test.refused != "" {
			if d.Mode != Refuse || !strings.Contains(d.Reason, test.refused) {
				t.Errorf("%s: %+v, want a refusal with %q", name, d, test.refused)
			}
			continue
		}
		if d.Mode != Rewrite || d.Source != test.source || d.Identity.UID != test.want.UID || d.Identity.GID != test.want.GID ||
			!slices.Equal(d.Identity.Groups, test.want.Groups) || d.Person != test.person || len(d.Notes) != test.notes {
			t.Errorf("%s: %+v, want %+v by %s, called %q", name, d, test.want, test.source, test.person)
		}
	}
}

// TestRefuseNamesTheImagesUser: the message says what to add to the image.
func TestRefuseNamesTheImagesUser(t *testing.T) {
	p, f := Default(), facts(spec.User{})
	p.Mode = Refuse
	f.BuiltFor = func() accounts.Intended {
		return accounts.Intended{Users: []accounts.User{{Name: "redis", UID: 999, GID: 1000}}}
	}
	if d := p.decideIn(f); d.Mode != Refuse || !strings.Contains(d.Reason, `built for the user "redis" (uid 999); hint: set USER redis in the image, or start it with the user 999:1000`) {
		t.Errorf("%+v", d)
	}
}

// TestLists: the list is this policy's, else that of the stricter one beside it.
func TestLists(t *testing.T) {
	own, beside, none := &Policy{UsersFile: "a"}, &Policy{UsersFile: "b"}, &Policy{}
	for _, test := range []struct{ p, want *Policy }{
		{own, own}, {none, nil}, {&Policy{Audit: beside}, beside}, {&Policy{Audit: none}, nil},
	} {
		if got := test.p.Lists(); got != test.want {
			t.Errorf("%+v: %+v", test.p, got)
		}
	}
	own.Audit = beside
	if own.Lists() != own {
		t.Error("its own list comes first")
	}
}
