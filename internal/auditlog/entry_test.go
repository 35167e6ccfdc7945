// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
)

// whole returns an entry without empty members.
func whole() *decision.Decision {
	return &decision.Decision{
		Time: time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.FixedZone("", 3600)), Event: "create", ID: "c1",
		Engine: "docker", Namespace: "team-a", Pod: "web-0", Container: "web", Image: "nginx:1", Called: "shop",
		Asked: &decision.Identity{}, Identity: &decision.Identity{UID: 1, GID: 2, Groups: []uint32{3, 4}},
		Mode: decision.Rewrite, Rule: "default", Source: decision.Fixed, Changed: []string{"user", "env"},
		Notes: []string{"a hook"}, Reason: "because", Audited: "would refuse",
		Profile: "builds", Digest: "0af1", Version: "1.2.3", Duration: 1234567 * time.Nanosecond,
	}
}

func TestLine(t *testing.T) {
	want := `{"time":"2026-02-03T03:05:06.007Z","event":"create","mode":"rewrite","rule":"default","id":"c1","engine":"docker",` +
		`"namespace":"team-a","pod":"web-0","container":"web","image":"nginx:1","name":"shop",` +
		`"from":{"uid":0,"gid":0},"to":{"uid":1,"gid":2,"groups":[3,4]},"source":"fixed","changed":["user","env"],` +
		`"notes":["a hook"],"reason":"because","audited":"would refuse","profile":"builds","policy_sha256":"0af1","version":"1.2.3","duration_us":1234}` + "\n"
	if got := string(Line(whole())); got != want {
		t.Errorf("%s", got)
	}
	empty := &decision.Decision{Time: whole().Time, Event: "start", Mode: decision.Off}
	if got := string(Line(empty)); got != `{"time":"2026-02-03T03:05:06.007Z","event":"start","mode":"off","duration_us":0}`+"\n" {
		t.Errorf("%s", got)
	}
}

// fill sets each text of an entry, and makes lists longer than the limits.
func fill(s string) *decision.Decision {
	e := &decision.Decision{Duration: 1<<63 - 1}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			f.SetString(s)
		}
	}
	groups := make([]uint32, 70000)
	for i := range groups {
		groups[i] = 4294967295
	}
	id := &decision.Identity{UID: 4294967295, GID: 4294967295, Groups: groups}
	e.Asked, e.Identity = id, id
	for range 1000 {
		e.Changed, e.Notes = append(e.Changed, s), append(e.Notes, s)
		e.RootVolumes = append(e.RootVolumes, s)
	}
	return e
}

func TestLineIsBoundedAndPlain(t *testing.T) {
	for _, s := range []string{
		strings.Repeat("x", 100000), strings.Repeat("\x00", 100000), strings.Repeat("\U0001F600", 100000),
		strings.Repeat("\xff", 100000), strings.Repeat(`"\`, 100000), "\n{\"time\":\"\x1b[31m\u009b\u2028\u202e\x7f</script>", "",
	} {
		check(t, Line(fill(s)))
	}
}

// check checks a line against what is promised of every line.
func check(t *testing.T, line []byte) {
	t.Helper()
	if len(line) > MaxLine {
		t.Errorf("a line has %d bytes", len(line))
	}
	for _, c := range line[:len(line)-1] {
		if c < ' ' || c > '~' {
			t.Errorf("%q has %#x", line, c)
			break
		}
	}
	if bytes.Count(line, []byte(`{"time":"`)) != 1 {
		t.Errorf("%q has another beginning in it", line)
	}
	var v map[string]any
	if err := json.Unmarshal(line, &v); err != nil || line[len(line)-1] != '\n' {
		t.Errorf("%q is not a line of JSON: %v", line, err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("x")
	f.Add("\n\"\xff\u2028\U0001F600")
	f.Fuzz(func(t *testing.T, s string) {
		e := fill(s)
		line := Line(e)
		check(t, line)
		var back struct{ Pod string }
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); len(s) < 40 && strings.ToValidUTF8(s, "") == s && back.Pod != want {
			t.Errorf("%q comes back as %q", s, back.Pod)
		}
	})
}

// TestNotesTakeTheRoomThatIsLeft: advice comes first, and whole if it fits; what does not fit is counted, and a line is
// never too long.
func TestNotesTakeTheRoomThatIsLeft(t *testing.T) {
	long := "what is mounted at \"/data\" " + strings.Repeat("x", 200) + "; hint: run it as the owner"
	var line struct {
		Notes []string
		More  int `json:"notes_more"`
	}
	read := func(notes ...string) {
		d := whole()
		d.Notes = notes
		text := Line(d)
		check(t, text)
		line.Notes, line.More = nil, 0
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
	}
	if read("a", "b", "c", "d", long); !reflect.DeepEqual(line.Notes, []string{long, "a", "b", "c", "d"}) || line.More != 0 {
		t.Errorf("%q and %d", line.Notes, line.More)
	}
	many := make([]string, 40)
	for i := range many {
		many[i] = long
	}
	if read(append([]string{"first"}, many...)...); len(line.Notes) < 8 || line.Notes[0] != long || len(line.Notes)+line.More != 41 {
		t.Errorf("%q and %d", line.Notes, line.More)
	}
	if read(strings.Repeat("y", 5000), "z"); len(line.Notes) != 2 || len(line.Notes[0]) > 500 || !strings.HasSuffix(line.Notes[0], "...") {
		t.Errorf("%q", line.Notes)
	}
	for n := range 400 { // wherever the room ends
		d := whole()
		d.Reason, d.Notes = strings.Repeat("r", n), many
		check(t, Line(d))
	}
}
