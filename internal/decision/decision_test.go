// SPDX-License-Identifier: Apache-2.0

package decision

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// whole is a decision in which nothing is empty: texts are their members' names.
func whole(t *testing.T) *Decision {
	t.Helper()
	d := &Decision{}
	v := reflect.ValueOf(d).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i).Addr().Interface().(type) {
		case *string:
			*f = name
		case *Mode:
			*f = Rewrite
		case *Source:
			*f = Fixed
		case *time.Time:
			*f = time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
		case *time.Duration:
			*f = 1234567
		case *uint64:
			*f = 4711
		case *bool:
			*f = true
		case **Identity:
			*f = &Identity{UID: uint32(i), GID: 2, Groups: []uint32{3}}
		case *[]uint32:
			*f = []uint32{6}
		case *[]string:
			*f = []string{name, "é\n"}
		case *[]Lease:
			*f = []Lease{{ID: 1}}
		case *Missing:
			*f = Missing{People: true}
		default:
			t.Fatalf("the member %s has a type that nobody writes", name)
		}
	}
	return d
}

// TestEachMemberIsInTheTable: once, under its own name, and in each view, or with a reason why not.
func TestEachMemberIsInTheTable(t *testing.T) {
	typ := reflect.TypeFor[Decision]()
	if len(Members) != typ.NumField() {
		t.Errorf("a Decision has %d members, and Members has %d", typ.NumField(), len(Members))
	}
	d := &Decision{}
	at := map[any]string{}
	for i := range typ.NumField() {
		at[reflect.ValueOf(d).Elem().Field(i).Addr().Interface()] = typ.Field(i).Name
	}
	for i := range Members {
		m := &Members[i]
		if name := at[m.to(d)]; name != m.Field {
			t.Errorf("Members has %q, which leads to %q or once more", m.Field, name)
		}
		delete(at, m.to(d))
		missing := false
		for v := range views {
			missing = missing || m.Name(v) == ""
		}
		if missing != (m.Not != "") {
			t.Errorf("%s: a view lacks it: %v; why: %q", m.Field, missing, m.Not)
		}
	}
	for _, name := range at {
		t.Errorf("Members lacks %s", name)
	}
}

// TestNamesAreUnique: no view has two members of one name, and none that a list's count could be taken for.
func TestNamesAreUnique(t *testing.T) {
	for v := range views {
		seen := map[string]bool{}
		for i := range Members {
			if name := Members[i].Name(v); name != "" {
				if seen[name] || strings.HasSuffix(name, "_more") {
					t.Errorf("view %d has %q twice, or as a count", v, name)
				}
				seen[name] = true
			}
		}
	}
}

// TestEachMemberIsWritten, and nothing else, in each view.
func TestEachMemberIsWritten(t *testing.T) {
	for v := range views {
		var got map[string]any
		text := whole(t).Append(nil, v)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("view %d: %s: %v", v, text, err)
		}
		for i := range Members {
			name := Members[i].Name(v)
			if _, ok := got[name]; name != "" && !ok {
				t.Errorf("view %d lacks %q", v, name)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("view %d has %v, too", v, got)
		}
	}
}

// TestTheRecordIsReadAgain: each of its members, in any order, with others between.
func TestTheRecordIsReadAgain(t *testing.T) {
	d := whole(t)
	want := &Decision{}
	for i := range Members {
		if m := &Members[i]; m.Name(Record) != "" {
			reflect.ValueOf(m.to(want)).Elem().Set(reflect.ValueOf(m.to(d)).Elem())
		}
	}
	text := d.Append(nil, Record)
	if got, err := Parse(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ngot  %+v, %v\nwant %+v", text, got, err, want)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	members["later"] = []any{map[string]any{"id": "x"}}
	sorted, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(sorted); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ngot  %+v, %v\nwant %+v", sorted, got, err, want)
	}
}

func TestWrongTypesAreNoRecord(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", `{"mode":1}`, `{"source":[]}`, `{"id":1}`, `{"time":"now"}`, `{"time":1}`, `{"asked":[]}`, `{"start":-1}`,
		`{"identity":{"uid":-1}}`, `{"identity":{"gid":4294967296}}`, `{"identity":{"groups":["x"]}}`, `{"dropped_groups":6}`, `{"notes":"x"}`, `{"notes":[1]}`,
	} {
		if d, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, d)
		}
	}
}

// TestExplainHasAll: also what is empty, so that nobody has to guess.
func TestExplainHasAll(t *testing.T) {
	want := `{"mode":"","rule":"","identity":null,"source":"","dropped_groups":[],"name":"","home":"","home_mounted":false,` +
		`"reason":"","policy":"","runtime":""}`
	if got := string((&Decision{}).Append(nil, Explain)); got != want {
		t.Errorf("%s", got)
	}
	if got := string((&Decision{}).Append(nil, Record)); got != `{"time":"0001-01-01T00:00:00Z"}` {
		t.Errorf("%s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":"c","mode":"rewrite","identity":{"uid":1,"gid":2,"groups":[3]},"notes":["x"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		d.Time = d.Time.UTC().Truncate(time.Second)
		if y := d.Time.Year(); y < 0 || y > 9999 {
			return
		}
		again, err := Parse(d.Append(nil, Record))
		if err != nil || string(again.Append(nil, Record)) != string(d.Append(nil, Record)) {
			t.Errorf("%q: %+v, then %+v, %v", text, d, again, err)
		}
	})
}

func TestStandsIn(t *testing.T) {
	root, app := &Identity{}, &Identity{UID: 1000}
	for _, test := range []struct {
		asked, is *Identity
		want      bool
	}{
		{root, app, true}, {app, root, true}, {app, &Identity{UID: 1000, GID: 7}, false}, {root, root, false}, {nil, app, false}, {root, nil, false},
	} {
		if got := (&Decision{Asked: test.asked, Identity: test.is}).StandsIn(); got != test.want {
			t.Errorf("%+v for %+v: %t", test.is, test.asked, got)
		}
	}
}
