// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

const nobody = `Name:	x
Umask:	0022
Uid:	65532	65532	65532	65532
Gid:	65532	65532	65532	65532
Groups:	 
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
`

func TestParseStatus(t *testing.T) {
	s, err := parseStatus(nobody)
	if err != nil || !slices.Equal(s.UID, []uint32{65532, 65532, 65532, 65532}) || !s.NoNewPrivs || len(s.Groups) != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	// A missing or malformed line is an error, and not an empty value.
	for line := range strings.Lines(nobody) {
		name, _, _ := strings.Cut(line, ":")
		if name == "Name" || name == "Umask" || name == "CapBnd" || name == "Seccomp" {
			continue
		}
		if s, err := parseStatus(strings.Replace(nobody, line, "", 1)); err == nil {
			t.Errorf("without %s: %+v", name, s)
		}
		if s, err := parseStatus(strings.Replace(nobody, line, name+":\tx\n", 1)); err == nil {
			t.Errorf("%s of x: %+v", name, s)
		}
	}
}

// broken lists the promises that a witness shows to be broken.
func broken(w *Witness) []string {
	all := []string{}
	for _, f := range judge(w) {
		if f.Broken {
			all = append(all, f.What)
		}
	}
	return all
}

// kernel is the text of a refusal by the kernel.
const kernel = "fork/exec /x: operation not permitted"

// TestUnsure: an attempt that failed without a refusal by the kernel tested nothing.
func TestUnsure(t *testing.T) {
	s, err := parseStatus(nobody)
	if err != nil {
		t.Fatal(err)
	}
	for failed, want := range map[string]bool{
		kernel: false, "fork/exec /suid: no such file or directory": true, "fork/exec /suid: permission denied": true,
		"signal: killed": true, "": true,
	} {
		w := &Witness{Status: *s, Attempts: map[string]Attempt{
			ids: {Failed: failed}, setuid: {Failed: failed}, caps: {Failed: failed}, clone: {Failed: failed}, unshare: {Failed: failed},
		}}
		for _, f := range judge(w)[5:] {
			if f.Broken || f.Unsure != want {
				t.Errorf("%s that failed with %q: %+v", f.What, failed, f)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	sound := func() *Witness {
		s, err := parseStatus(nobody)
		if err != nil {
			t.Fatal(err)
		}
		gained, err := parseStatus(nobody)
		if err != nil {
			t.Fatal(err)
		}
		return &Witness{Status: *s, Attempts: map[string]Attempt{
			ids: {Failed: kernel}, setuid: {Status: gained}, caps: {Failed: kernel}, clone: {Failed: kernel}, unshare: {Failed: kernel},
		}}
	}
	root := &Status{UID: []uint32{0, 0, 0, 0}, GID: []uint32{5, 5, 5, 5}, NoNewPrivs: true}
	for _, c := range []struct {
		name string
		edit func(*Witness)
		want []string
	}{
		{"sound", func(*Witness) {}, []string{}},
		{"effective uid", func(w *Witness) { w.Status.UID[1] = 0 }, []string{"uid"}},
		{"saved gid", func(w *Witness) { w.Status.GID[2] = 0 }, []string{"gid"}},
		{"group", func(w *Witness) { w.Status.Groups = []uint32{7, 0} }, []string{"groups"}},
		{"ambient", func(w *Witness) { w.Status.Ambient = 1 }, []string{"capabilities"}},
		{"inheritable", func(w *Witness) { w.Status.Inheritable = 1 << 21 }, []string{"capabilities"}},
		{"privileges", func(w *Witness) { w.Status.NoNewPrivs = false }, []string{"no new privileges"}},
		{"setuid file", func(w *Witness) { w.Attempts[setuid] = Attempt{Status: root} }, []string{setuid}},
		{"ids", func(w *Witness) { w.Attempts[ids] = Attempt{Status: root} }, []string{ids}},
		{"capability file", func(w *Witness) { w.Attempts[caps].statusOf(t, w).Permitted = 64 }, []string{caps}},
		{"a user namespace, without anything in it", func(w *Witness) { w.Attempts[clone] = Attempt{Status: &w.Status} }, []string{clone}},
		{"unshare", func(w *Witness) { w.Attempts[unshare] = Attempt{Status: root} }, []string{unshare}},
		{"silence", func(w *Witness) { w.Attempts = nil }, []string{ids, setuid, caps, clone, unshare}},
		{"nothing at all", func(w *Witness) { *w = Witness{} }, []string{"uid", "gid", "no new privileges", ids, setuid, caps, clone, unshare}},
	} {
		w := sound()
		c.edit(w)
		if got := broken(w); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// statusOf turns the capability file's attempt into one that succeeded.
func (a Attempt) statusOf(t *testing.T, w *Witness) *Status {
	t.Helper()
	s := w.Status
	w.Attempts[caps] = Attempt{Status: &s}
	return &s
}

// TestNotMade: only nonroot-runc's own refusal keeps the promise.
func TestNotMade(t *testing.T) {
	for said, unsure := range map[string]bool{
		`docker: OCI runtime create failed: nonroot-runc: container "x": the policy refuses root`: false,
		"docker: fork/exec /usr/bin/nonroot-runc: permission denied":                              true,
		"docker: no such image": true,
		"":                      true,
	} {
		if f := notMade("x", said); f.Unsure != unsure || f.Broken {
			t.Errorf("%q: %+v", said, f)
		}
	}
	for out, want := range map[string]Finding{
		"{}": {Unsure: true}, "x": {Unsure: true}, "": {Unsure: true},
		`{"uid":[0],"gid":[1],"no_new_privs":true}`: {Broken: true},
		`{"uid":[1],"gid":[1],"no_new_privs":true}`: {},
	} {
		if f := statusFinding("x", []byte(out)); f.Unsure != want.Unsure || f.Broken != want.Broken {
			t.Errorf("%q: %+v", out, f)
		}
	}
}

// TestCapability: the attribute is what setcap(8) writes for cap_setgid,cap_setuid=ep.
func TestCapability(t *testing.T) {
	if got := hex.EncodeToString(capability()); got != "01000002c0000000000000000000000000000000" {
		t.Error(got)
	}
}

func TestTar(t *testing.T) {
	var b bytes.Buffer
	if err := writeTar(&b); err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[h.Name] = h.Mode
		if has := h.PAXRecords["SCHILY.xattr.security.capability"] == string(capability()); has != (h.Name == "capability") || h.Uid != 0 {
			t.Errorf("%s: capability %v, uid %d", h.Name, has, h.Uid)
		}
	}
	if modes["setuid"] != 0o4755 || modes["nonroot-ctl"] != 0o755 || len(modes) != len(directories)+len(files) {
		t.Errorf("%v", modes)
	}
}

// TestEachOnce: a daemon that does not answer fails for the image, and again for everything to be removed.
func TestEachOnce(t *testing.T) {
	down, other := func() error { return errors.New("it is down") }, errors.New("other")
	if got := eachOnce(errors.Join(down(), other), nil, errors.Join(down(), down())); got == nil || got.Error() != "it is down\nother" || !errors.Is(got, other) {
		t.Errorf("%v", got)
	}
	if got := eachOnce(nil, errors.Join(nil)); got != nil {
		t.Errorf("%v", got)
	}
	// An error that adds context of its own is not split.
	if got := eachOnce(fmt.Errorf("read: %w", down()), down()); got.Error() != "read: it is down\nit is down" {
		t.Errorf("%v", got)
	}
}
