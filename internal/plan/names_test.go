// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// namesOf returns the variables of an environment that name the user, in order.
func namesOf(env []string) string {
	var all []string
	for _, name := range []string{"HOME=", "USER=", "LOGNAME="} {
		for _, e := range env {
			if strings.HasPrefix(e, name) {
				all = append(all, e)
			}
		}
	}
	return strings.Join(all, " ")
}

// TestSetNames: USER and LOGNAME stay if a user has set them; root's do not, nor those that an earlier rewrite wrote.
func TestSetNames(t *testing.T) {
	for _, test := range []struct {
		name, user, want string
		env              []string
		written          *decision.Decision
	}{
		{name: "none", want: "HOME=/home/nonroot USER=nonroot LOGNAME=nonroot"},
		{name: "root's", env: []string{"USER=root", "LOGNAME=root"}, want: "HOME=/home/nonroot USER=nonroot LOGNAME=nonroot"},
		{name: "empty", env: []string{"USER=", "LOGNAME="}, want: "HOME=/home/nonroot USER=nonroot LOGNAME=nonroot"},
		{name: "both", env: []string{"USER=alice", "LOGNAME=bob"}, want: "HOME=/home/nonroot USER=alice LOGNAME=bob"},
		{name: "one", env: []string{"LOGNAME=bob"}, want: "HOME=/home/nonroot USER=nonroot LOGNAME=bob"},
		{name: "twice", env: []string{"USER=alice", "USER=root"}, want: "HOME=/home/nonroot USER=alice LOGNAME=nonroot"},
		{
			name: "an earlier rewrite's", env: []string{"USER=redis", "LOGNAME=bob"}, written: &decision.Decision{Name: "redis"},
			want: "HOME=/home/nonroot USER=nonroot LOGNAME=bob",
		},
	} {
		in := input(t, func(s *specs.Spec) { s.Process.Env = test.env })
		in.Written = test.written
		p, err := Make(in)
		testkit.Must(t, err)
		if got := namesOf(read(t, p.Rewritten()).Process.Env); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	in := input(t, func(s *specs.Spec) { s.Process.Env = []string{"USER=x"} })
	text := strings.Replace(string(in.Config), `"USER=x"`, `"USER=x",7`, 1)
	var err error
	in.Document, err = spec.ParseConfig([]byte(text))
	testkit.Must(t, err)
	if p, err := Make(in); err == nil || p.Parts != nil {
		t.Errorf("an environment with a number: %+v", p)
	}
}

// TestAskedHome: the record keeps the requested HOME if it differs.
func TestAskedHome(t *testing.T) {
	for asked, want := range map[string]string{"": "", "/home/nonroot": "", "/site": "/site"} {
		in := input(t, nil)
		in.AskedHome = asked
		p, err := Make(in)
		testkit.Must(t, err)
		if p.Decision.AskedHome != want {
			t.Errorf("%q: %q", asked, p.Decision.AskedHome)
		}
	}
}

// TestNamesOfAnExec: names that a user has set for a further process stay; those that engines pass on from the image,
// root's, and the container's own do not.
func TestNamesOfAnExec(t *testing.T) {
	names := &accounts.Files{Passwd: []byte("root:x:0:0::/home/root:/bin/sh\napp:x:7:7::/srv/app:/bin/sh\n")}
	record := &decision.Decision{Mode: decision.Rewrite, Identity: &decision.Identity{UID: 5, GID: 5}, Name: "nonroot", Home: "/home/nonroot", AskedHome: "/site"}
	const its = "HOME=/home/nonroot USER=nonroot LOGNAME=nonroot"
	for _, test := range []struct {
		name, want string
		uid        uint32
		env        []string
		names      *accounts.Files
		record     *decision.Decision
	}{
		{name: "nothing", uid: 5, want: its},
		{name: "set", uid: 5, env: []string{"HOME=/tmp/h", "USER=joe", "LOGNAME=jim"}, want: "HOME=/tmp/h USER=joe LOGNAME=jim"},
		{name: "set for another", uid: 7, env: []string{"HOME=/tmp/h", "USER=joe"}, want: "HOME=/tmp/h USER=joe LOGNAME=app"},
		{name: "empty", uid: 5, env: []string{"HOME=", "USER="}, want: its},
		{name: "the rootfs", uid: 5, env: []string{"HOME=/"}, want: its},
		{name: "root's by passwd", uid: 5, env: []string{"HOME=/home/root", "USER=root"}, want: its},
		{name: "root's elsewhere", uid: 5, env: []string{"HOME=/root"}, want: "HOME=/root USER=nonroot LOGNAME=nonroot"},
		{name: "root's without a passwd", uid: 5, env: []string{"HOME=/root"}, names: &accounts.Files{}, want: its},
		{name: "root's without a home", uid: 5, env: []string{"HOME=/root"}, names: &accounts.Files{Passwd: []byte("root:x:0:0:::/bin/sh\n")}, want: its},
		{name: "the image's, which has moved", uid: 5, env: []string{"HOME=/site"}, want: its},
		{name: "the container's, of another", uid: 7, env: []string{"HOME=/home/nonroot", "USER=nonroot"}, want: "HOME=/srv/app USER=app LOGNAME=app"},
		{
			name: "of an exempt container", uid: 7, env: []string{"HOME=/tmp/h", "USER=joe"}, want: "HOME=/srv/app USER=app LOGNAME=app",
			record: &decision.Decision{Mode: decision.Off, Identity: record.Identity},
		},
	} {
		env, err := json.Marshal(append([]string{"A=1"}, test.env...))
		testkit.Must(t, err)
		doc, err := spec.ParseProcess([]byte(`{"user":{"uid":0,"gid":0},"args":["id"],"cwd":"/","env":` + string(env) + `}`))
		testkit.Must(t, err)
		f := &policy.Facts{Accounts: names}
		f.Record = record
		if test.names != nil {
			f.Accounts = test.names
		}
		if test.record != nil {
			f.Record = test.record
		}
		out, err := Process(policy.Default(), f, &decision.Decision{Identity: &decision.Identity{UID: test.uid, GID: 8}}, doc)
		testkit.Must(t, err)
		var p specs.Process
		testkit.Must(t, json.Unmarshal(out, &p))
		if got := namesOf(p.Env); got != test.want || !slices.Contains(p.Env, "A=1") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	f := &policy.Facts{} // the container's passwd is unknown
	f.Record = record
	for home, want := range map[string]bool{"/root": false, "/tmp/h": true} {
		if got := setHome(f, home); got != want {
			t.Errorf("%s is set: %v", home, got)
		}
	}
	for _, env := range []string{`["USER=x",7]`, `7`} {
		doc, err := spec.ParseProcess([]byte(`{"user":{"uid":0,"gid":0},"args":["id"],"cwd":"/","env":` + env + `}`))
		testkit.Must(t, err)
		f := &policy.Facts{Accounts: names}
		f.Record = record
		if out, err := Process(policy.Default(), f, &decision.Decision{Identity: &decision.Identity{UID: 5, GID: 5}}, doc); err == nil {
			t.Errorf("%s: %s", env, out)
		}
	}
}
