// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// hostile lists names that an image or a container's author may choose.
var hostile = []string{
	"a\u009b31mRED\u202e\u2066\r\n\x1b[2J\a", strings.Repeat("n", 9000), strings.Repeat("\u202e", 3000), "\xff\xfe", "a\u2028b", "\u212aey",
}

// documents returns config.json files with a name wherever a message may quote it.
func documents(name string) []string {
	n, _ := json.Marshal(name)
	q := string(n)
	whole := func(members string) string {
		return `{"root":{"path":"r"},"process":{"user":{"uid":0,"gid":0},"cwd":"/"},` + members + `}`
	}
	docs := []string{
		`{` + q + `:1,` + q + `:2}`, `{"root":{` + q + `:[}}`, q, `{"process":{` + q + `:1},"Process":{}}`,
		whole(`"annotations":{` + q + `:5}`), whole(`"annotations":{` + q + `:"a",` + q + `:"b"}`),
		whole(`"annotations":{"` + RequestAnnotation + `":` + q + `}`),
		whole(`"annotations":{"` + RequestAnnotation + `":"1000:` + q[1:] + `}`),
		whole(`"mounts":[{"destination":` + q + `,"type":` + q + `,"source":` + q + `,"options":["idmap",` + q + `]}]`),
		whole(`"mounts":[{"destination":` + q + `,"options":["suid",{}]}]`),
		whole(`"mounts":[{"destination":` + q + `,"uidMappings":[{"containerID":0,"hostID":1,"size":1}],"options":["idmap"]}]`),
		whole(`"linux":{"namespaces":[{"type":` + q + `},{"type":` + q + `}]}`),
		whole(`"linux":{"namespaces":[{"type":"mount","path":` + q + `}]}`),
		whole(`"linux":{"seccomp":{"defaultAction":` + q + `,"listenerPath":` + q + `}}`),
		whole(`"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":` + q + `}}`),
		whole(`"linux":{"devices":[{"type":` + q + `,"path":` + q + `}]}`),
		whole(`"linux":{"resources":{"devices":[{"type":` + q + `,"access":` + q + `}]}}`),
		whole(`"linux":{` + q + `:{` + q + `:"\u0000"}}`),
		whole(`"hooks":{"prestart":[{"path":` + q + `}]}`),
		`{"root":{"path":` + q + `},"process":{"user":{"uid":0,"gid":0},"cwd":"/proc/` + q[1:] + `}`,
		`{"root":{"path":"r"},"process":{"user":{"uid":` + strings.Repeat("9", len(name)+1) + `},"cwd":` + q + `}}`,
	}
	return docs
}

// messages calls a function with every message about a container with a name in it.
func messages(name string, each func(where, text string)) {
	image := &accounts.Files{Passwd: []byte(name + ":x:1000:1001::/home/app:/bin/sh\n"), Group: []byte(name + ":x:5000:app\n")}
	for _, text := range documents(name) {
		doc, err := spec.ParseConfig([]byte(text))
		if err != nil {
			each(text, err.Error())
			continue
		}
		for _, mode := range []Mode{Rewrite, Refuse, Audit} {
			p := Default()
			p.Mode, p.Annotation, p.Variable = mode, true, true
			container, err := doc.Container()
			if err != nil {
				each(text, err.Error())
				container = &spec.Container{}
			}
			user, err := doc.User()
			if err != nil {
				each(text, err.Error())
			}
			cwd, _ := doc.Cwd()
			f := facts(user)
			f.Cwd, f.Container, f.Accounts = cwd, container, image
			f.BuiltFor = func() accounts.Intended {
				return accounts.Intended{Users: []accounts.User{{Name: name, UID: 1000, GID: 1001, Home: name, Shell: name}}}
			}
			f.Memberships = func(string) []uint32 { return []uint32{5000} }
			for _, h := range container.Hooks {
				f.Hooks = append(f.Hooks, Hook{Stage: h.Stage, Path: h.Path, Real: h.Path})
			}
			d := p.decideIn(f)
			each(text, d.Reason)
			for _, note := range d.Notes {
				each(text, note)
			}
			if _, err := doc.Rewrite(spec.Change{Process: spec.ProcessChange{UID: 1, GID: 1, Name: "a", Home: "/"}}); err != nil {
				each(text, err.Error())
			}
		}
	}
}

// harmlessText fails if a terminal or a page would interpret a text, or if it is too long.
func harmlessText(t *testing.T, where, text string) {
	t.Helper()
	text = strings.Replace(text, hint.Mark, hint.Flat, 1) // the only allowed line break
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		t.Errorf("%.200q gives %.300q", where, text)
	}
	// An escape takes up to a dozen bytes for one of the name, and a message has a few values.
	if len(text) > 8<<10 {
		t.Errorf("%.200q gives a message of %d bytes", where, len(text))
	}
	if long := strings.Repeat("n", 300); strings.Contains(text, long) {
		t.Errorf("%.200q gives all of a long name: %.300q", where, text)
	}
}

// TestMessagesAreHarmless, whatever names an image or a container's author chooses.
func TestMessagesAreHarmless(t *testing.T) {
	said := map[string]bool{}
	for _, name := range hostile {
		messages(name, func(where, text string) {
			harmlessText(t, where, text)
			said[text] = true
		})
	}
	if len(said) < 60 {
		t.Errorf("only %d messages were made", len(said))
	}
}

func FuzzMessages(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		messages(name, func(where, text string) { harmlessText(t, where, text) })
	})
}
