// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func TestRecord(t *testing.T) {
	directory := t.TempDir()
	d, err := bundle.Open(directory, trusted.CallersOwners(idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	config := []byte(`{"a":1}`)
	want := &decision.Decision{
		ID: "c", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Mode: decision.Rewrite, Rule: "default", Source: decision.Fixed,
		Asked: &decision.Identity{}, Identity: &decision.Identity{UID: 65532, GID: 65532, Groups: []uint32{2000}}, Dropped: []uint32{6},
		Reason: "a \"reason\"\n", Policy: "/etc/x", Profile: "builds", Digest: Digest([]byte("mode")), Version: "1.2.3", Notes: []string{"one", "é"}, Name: "nonroot", Home: "/home/nonroot", Mounted: true, Bounding: []string{"CAP_CHOWN"}, Runtime: "/usr/sbin/runc", Config: Digest(config), Start: 4711,
	}
	if err := Write(d, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(d)
	if err != nil || !reflect.DeepEqual(got, want) || !got.Enforced() || !Matches(got, "c", config) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if Matches(got, "c", []byte(`{"a":2}`)) {
		t.Error("it matches another config.json")
	}
	if Matches(got, "d", config) {
		t.Error("it matches another container")
	}
	if !Precedes(got, 4711) || Precedes(got, 4710) || !Precedes(got, 0) || !Precedes(&decision.Decision{}, 1) {
		t.Error("it is of a container that was there before it, or of none that came after it")
	}
	if written, err := os.ReadFile(directory + "/" + File); err != nil || !bytes.Contains(written, []byte(`"profile":"builds","policy_sha256":"`+want.Digest+`","version":"1.2.3"`)) {
		t.Errorf("%s, %v", written, err)
	}
	var none *decision.Decision
	if Matches(none, "c", config) || none.Enforced() {
		t.Error("no record matches")
	}
	if st, err := os.Stat(directory + "/" + File); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the record's mode is %v, %v", st.Mode(), err)
	}
	for _, text := range []string{
		"", "{", "[]", `{"mode":1}`, `{"asked":[]}`, `{"identity":{"uid":-1}}`, `{"time":"now"}`,
		`{"id":"c","mode":"rewrite","config_sha256":"` + Digest(config) + `"}`,
		`{"id":"c","mode":"rewrite","identity":{"uid":0,"gid":5},"config_sha256":"` + Digest(config) + `"}`,
	} {
		if err := os.WriteFile(directory+"/"+File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, _ := Read(d); Matches(r, "c", config) {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
}

// TestRecordFromBefore: one of a version that did not yet write who decided is read as well, and is as binding.
func TestRecordFromBefore(t *testing.T) {
	directory := t.TempDir()
	d, err := bundle.Open(directory, trusted.CallersOwners(idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	config := []byte(`{"a":1}`)
	text := `{"id":"c","time":"2026-01-02T03:04:05Z","mode":"rewrite","rule":"default","source":"fixed","policy":"/etc/x",` +
		`"asked":{"uid":0,"gid":0},"identity":{"uid":65532,"gid":65532},"runtime":"/usr/sbin/runc","config_sha256":"` + Digest(config) + `"}`
	if err := os.WriteFile(d.Join(File), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Read(d)
	if err != nil || !Matches(r, "c", config) || !r.Enforced() || r.Policy != "/etc/x" {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Profile != "" || r.Digest != "" || r.Version != "" {
		t.Errorf("it says %q, %q, %q, which nobody wrote", r.Profile, r.Digest, r.Version)
	}
}
