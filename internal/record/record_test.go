// SPDX-License-Identifier: Apache-2.0

package record

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

func TestRecord(t *testing.T) {
	folder := t.TempDir()
	d, err := bundle.Open(folder, bundle.CallersOwners(idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	config := []byte(`{"a":1}`)
	want := &Record{
		ID: "c", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Mode: policy.Rewrite, Rule: "default", Source: policy.Fixed,
		Asked: policy.Identity{}, Identity: &policy.Identity{UID: 65532, GID: 65532, Groups: []uint32{2000}}, Dropped: []uint32{6},
		Name: "nonroot", Home: "/home/nonroot", Mounted: true, Bounding: []string{"CAP_CHOWN"}, Runtime: "/usr/sbin/runc", Config: Digest(config),
	}
	if err := Write(d, want); err != nil {
		t.Fatal(err)
	}
	got := ReadMatching(d, "c", config)
	if !reflect.DeepEqual(got, want) || !got.Enforced() {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if r := ReadMatching(d, "c", []byte(`{"a":2}`)); r != nil || r.Enforced() {
		t.Errorf("the record of another config.json: %+v", r)
	}
	if r := ReadMatching(d, "d", config); r != nil {
		t.Errorf("the record of another container: %+v", r)
	}
	if st, err := os.Stat(folder + "/" + File); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the record's mode is %v, %v", st.Mode(), err)
	}
	for _, text := range []string{"", "{", "[]", `{"mode":1}`} {
		if err := os.WriteFile(folder+"/"+File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := ReadMatching(d, "c", config); r != nil {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
}
