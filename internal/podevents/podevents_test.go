// SPDX-License-Identifier: Apache-2.0

package podevents

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	const of = `"namespace":"team","pod":"web-1",`
	for _, c := range []struct {
		line string
		want []string // reason and message
	}{
		{
			`{"event":"create","mode":"rewrite",` + of + `"container":"web","from":{"uid":0,"gid":0},"to":{"uid":1000,"gid":1001},"source":"image"}`,
			[]string{`RunsAsNonRoot container "web" asked for root and runs as 1000:1001: the image was built for it. The pod's status shows who it asked for; exec shows who it is`},
		},
		{`{"event":"create","mode":"rewrite",` + of + `"container":"web","from":{"uid":1000,"gid":0},"to":{"uid":1000,"gid":1000},"source":"kept"}`, nil},
		{`{"event":"create","mode":"rewrite",` + of + `"from":{"uid":0,"gid":0},"to":{"uid":65532,"gid":65532},"source":"fixed"}`, nil},
		{`{"event":"start","mode":"rewrite",` + of + `"container":"web","from":{"uid":0,"gid":0},"to":{"uid":1000,"gid":1001}}`, nil},
		{`{"event":"create","mode":"rewrite","namespace":"default","container":"web","from":{"uid":0,"gid":0},"to":{"uid":1,"gid":1}}`, nil},
		{`{"event":"create","mode":"off",` + of + `"container":"web","from":{"uid":0,"gid":0},"reason":"a backup"}`, nil},
		{
			`{"event":"create","mode":"refuse",` + of + `"container":"web","from":{"uid":0,"gid":0},"reason":"it asks for root"}`,
			[]string{`NonRootRefused container "web" is refused: it asks for root`},
		},
		{`{"event":"create","mode":"refuse",` + of + `"reason":"no"}`, []string{`NonRootRefused the pod's own container is refused: no`}},
		{`{"event":"exec","mode":"refuse",` + of + `"container":"web","reason":"no"}`, []string{`NonRootRefused a process in container "web" is refused: no`}},
		{
			`{"event":"create","mode":"audit",` + of + `"container":"web","from":{"uid":0,"gid":0},"to":{"uid":65532,"gid":65532},"source":"fixed"}`,
			[]string{`WouldRunAsNonRoot container "web" runs as root and would run as 65532:65532: it is the policy's default identity`},
		},
		{
			`{"event":"create","mode":"audit",` + of + `"container":"web","from":{"uid":0,"gid":0},"to":{"uid":33,"gid":33},"source":"image","notes":["a file is root's; hint: chown it"]}`,
			[]string{
				`WouldRunAsNonRoot container "web" runs as root and would run as 33:33: the image was built for it`,
				`NonRootMayFail container "web" may fail once it does not run as root: a file is root's; hint: chown it`,
			},
		},
		{
			`{"event":"create","mode":"audit",` + of + `"container":"web","from":{"uid":1000,"gid":1000},"to":{"uid":1000,"gid":1000},"source":"kept","notes":["CAP_NET_ADMIN: asked for; hint: a rule"]}`,
			[]string{`NonRootMayFail container "web" may fail once the policy is enforced: CAP_NET_ADMIN: asked for; hint: a rule`},
		},
		{
			`{"event":"create","mode":"audit",` + of + `"container":"web","from":{"uid":0,"gid":0},"to":{"uid":65532,"gid":65532},"source":"fixed","reason":"a hook"}`,
			[]string{`WouldBeRefused container "web" would be refused: a hook`},
		},
		{
			`{"event":"create","mode":"rewrite",` + of + `"container":"web","from":{"uid":33,"gid":33},"to":{"uid":33,"gid":33},"notes":["what is so","a file is root's\nhint: chown it"],"audited":"it would be refused"}`,
			[]string{`NonRootMayFail container "web" may fail: a file is root's; hint: chown it`, `NonRootAuditedRule container "web" would be another by the audited policy: it would be refused`},
		},
	} {
		line, err := Parse([]byte(c.line))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range Of(line) {
			got = append(got, e.Reason+" "+e.Message)
			if !slices.Contains(Reasons, e.Reason) {
				t.Errorf("%s is not among the reasons", e.Reason)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s\nis %q\nnot %q", c.line, got, c.want)
		}
	}
}

// TestKeys: pods of a workload with different identities share one event, and refusals with different reasons have one each.
func TestKeys(t *testing.T) {
	key := func(line string) string {
		l, err := Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		all := Of(l)
		if len(all) != 1 {
			t.Fatalf("%s has %d events", line, len(all))
		}
		return all[0].Reason + all[0].Key
	}
	runs := func(uid, container string) string {
		return key(`{"event":"create","mode":"rewrite","pod":"p` + uid + `","container":"` + container + `","from":{"uid":0},"to":{"uid":` + uid + `}}`)
	}
	if runs("200000", "a") != runs("200001", "a") {
		t.Error("each pod of a workload has an event of its own")
	}
	if runs("200000", "a") == runs("200000", "b") {
		t.Error("two containers share an event")
	}
	mayFail := func(mode string) string {
		l, err := Parse([]byte(`{"event":"create","mode":"` + mode + `","pod":"p","container":"a","notes":["hint: chown it"]}`))
		if err != nil {
			t.Fatal(err)
		}
		return Of(l)[0].Key
	}
	if mayFail("audit") == mayFail("rewrite") {
		t.Error("what was foretold is not told once it is so")
	}
	refused := func(reason string) string {
		return key(`{"event":"create","mode":"refuse","pod":"p","container":"a","reason":"` + reason + `"}`)
	}
	keys := map[string]int{}
	for _, reason := range []string{"one", "one", "two"} {
		keys[refused(reason)]++
	}
	if len(keys) != 2 || keys[refused("one")] != 2 {
		t.Errorf("the keys of refusals are %v", keys)
	}
}

// TestBounds: the events of any line have a form that the API server accepts.
func TestBounds(t *testing.T) {
	l := &Line{Event: "create", Mode: "refuse", Pod: "p", Container: "c", Reason: strings.Repeat("é", 4000)}
	for _, e := range Of(l) {
		if len(e.Message) > maxMessage || !utf8.ValidString(e.Message) || !strings.HasSuffix(e.Message, "...") {
			t.Errorf("a message of %d bytes ends in %q", len(e.Message), e.Message[len(e.Message)-5:])
		}
	}
	for _, reason := range Reasons {
		if !regexp.MustCompile(`^[A-Z][A-Za-z]{1,127}$`).MatchString(reason) {
			t.Errorf("%q is not a reason", reason)
		}
	}
	if _, err := Parse([]byte(`{"time":"2026`)); err == nil {
		t.Error("half a line is one")
	}
}
