// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding/json"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// checkDevices reads the devices as a runtime does: every block device must belong to root, and none can be opened.
func checkDevices(t *testing.T, name string, l *specs.Linux) {
	t.Helper()
	owned := false
	for _, d := range l.Devices {
		if d.Type != "b" {
			continue
		}
		owned = owned || d.GID != nil && *d.GID == 4242
		if d.UID == nil || *d.UID != 0 || d.GID == nil || *d.GID != 0 && *d.GID != 4242 || d.FileMode == nil || *d.FileMode&0o7 != 0 {
			t.Errorf("%s: the disk %q is somebody's: %s", name, d.Path, asJSON(d))
		}
	}
	if owned {
		return
	}
	if l.Resources == nil {
		t.Errorf("%s: there is no rule for devices", name)
		return
	}
	isOpen := true
	for _, r := range l.Resources.Devices {
		reads := strings.ContainsAny(r.Access, "rw")
		switch {
		case r.Type == "" || r.Type == "a":
			isOpen = r.Allow
		case r.Type == "b" && r.Allow && reads:
			t.Errorf("%s: a rule opens disks: %s", name, asJSON(r))
		case r.Type == "b" && !r.Allow && r.Major == nil && r.Minor == nil && r.Access == "rw":
			isOpen = false
		}
	}
	if isOpen {
		t.Errorf("%s: disks can be opened: %s", name, asJSON(l.Resources.Devices))
	}
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// document returns a config.json with these devices and rules for them.
func document(devices, rules string) []byte {
	return []byte(`{"process":{},"root":{"path":"r"},"linux":{"devices":[` + devices + `],"resources":{"devices":[` + rules + `],"pids":{"limit":5}}}}`)
}

func TestDevices(t *testing.T) {
	const closed = `{"allow":false,"access":"rwm"}`
	for name, c := range map[string]struct{ devices, rules, wantDevices, wantRules string }{
		"what is not a disk stays": {
			`{"path":"/d","type":"c","major":10,"minor":1e1,"uid":7}`, closed, "", "refused",
		},
		"spelling survives": {
			`{"path":"/d","type":"c","major":10,"minor":2,"uid":7, "fileMode":438}`, closed,
			`{"path":"/d","type":"c","major":10,"minor":2,"uid":7, "fileMode":438}`, closed,
		},
		"a FIFO has no numbers": {
			`{"path":"/d","type":"p"}`, closed, `{"path":"/d","type":"p"}`, closed,
		},
		"a disk by default": {
			`{"path":"/d","type":"b","major":8,"minor":0}`, closed,
			`{"path":"/d","type":"b","major":8,"minor":0,"gid":0,"uid":0,"fileMode":432}`, closed,
		},
		"a disk's mode keeps what says that it is one": {
			`{"path":"/d","type":"b","major":8,"minor":0,"fileMode":25014,"uid":1,"gid":2}`, closed,
			`{"path":"/d","type":"b","major":8,"minor":0,"fileMode":25008,"uid":0,"gid":0}`, closed,
		},
		"a disk by way of a character device": {
			`{"path":"/d","type":"u","major":21,"minor":0,"fileMode":384,"uid":1,"gid":0}`, closed + `,{"allow":true,"type":"c","major":21,"access":"rwm"}`,
			`{"path":"/d","type":"u","major":21,"minor":0,"fileMode":384,"uid":0,"gid":0}`, closed + `,{"allow":true,"type":"c","major":21,"access":"m"}`,
		},
		"a rule that only opens goes": {
			``, closed + `,{"allow":true,"type":"b","major":-1,"minor":-1,"access":"rw"},{"allow":true,"type":"c","major":10,"access":"rw"}`,
			``, closed + `,{"allow":true,"type":"c","major":10,"access":"rw"}`,
		},
		"what is open is closed": {
			``, `{"allow":true,"type":"a","access":"rwm"}`,
			``, `{"allow":true,"type":"a","access":"rwm"},{"allow":false,"type":"b","access":"rw"},{"allow":false,"type":"c","major":21,"access":"rw"}`,
		},
		"an allowed group": {
			`{"path":"/d","type":"b","major":8,"minor":0,"fileMode":432,"uid":0,"gid":4242}`, `{"allow":true,"access":"rwm"}`,
			`{"path":"/d","type":"b","major":8,"minor":0,"fileMode":432,"uid":0,"gid":4242}`, `{"allow":true,"access":"rwm"}`,
		},
		"another mode than type":    {`{"path":"/d","type":"c","major":8,"minor":0,"fileMode":25014}`, closed, "", "refused"},
		"a directory's mode":        {`{"path":"/d","type":"c","major":8,"minor":0,"fileMode":16822}`, closed, "", "refused"},
		"a type of two letters":     {`{"path":"/d","type":"bc","major":8,"minor":0}`, closed, "", "refused"},
		"no type":                   {`{"path":"/d","major":8,"minor":0}`, closed, "", "refused"},
		"a number beyond 32 bits":   {`{"path":"/d","type":"c","major":4294967304,"minor":0}`, closed, "", "refused"},
		"a rule's type":             {``, `{"allow":true,"type":"block","access":"rwm"}`, "", "refused"},
		"every character device":    {``, closed + `,{"allow":true,"type":"c","access":"r"}`, "", "refused"},
		"to make nodes is harmless": {``, closed + `,{"allow":true,"type":"c","access":"m"}`, ``, closed + `,{"allow":true,"type":"c","access":"m"}`},
	} {
		out, err := rewriteConfig(document(c.devices, c.rules), change())
		if c.wantRules == "refused" {
			if err == nil {
				t.Errorf("%s: it is not refused: %s", name, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := string(document(c.wantDevices, c.wantRules))
		want = want[strings.Index(want, `"linux":{`) : len(want)-2]
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: got %s\nwant %s", name, out, want)
		}
		if again, err := rewriteConfig(out, change()); err != nil || string(again) != string(out) {
			t.Errorf("%s: twice is not once (%v): %s", name, err, again)
		}
	}
}

// TestCharacterDevices: their paths and owners, and which of them give access to a disk or memory.
func TestCharacterDevices(t *testing.T) {
	for text, want := range map[string]string{
		`[]`: `null`,
		`[{"path":"/dev/a","type":"c","major":188,"minor":0,"fileMode":432,"uid":0,"gid":20},{"path":"/dev/b","type":"b","major":8,"minor":0,"gid":6},
			{"path":"/dev/p","type":"p","gid":7}]`: `[{"Path":"/dev/a","GID":20,"Raw":false}]`,
		`[{"path":"/dev/u","type":"u","major":188,"minor":1},{"path":"/dev/mem","type":"c","major":1,"minor":1,"gid":9},{"path":"/dev/sg0","type":"c","major":21,"minor":0,"gid":24}]`: `[{"Path":"/dev/u","GID":0,"Raw":false},{"Path":"/dev/mem","GID":9,"Raw":true},{"Path":"/dev/sg0","GID":24,"Raw":true}]`,
		`[1]`:                     `linux.devices.0 is`,
		`{}`:                      `linux.devices is`,
		`[{"type":1}]`:            `linux.devices.0.type`,
		`[{"type":"c","path":1}]`: `linux.devices.0.path`,
		`[{"type":"c","path":"/dev/a","major":"x"}]`: `linux.devices.0.major`,
		`[{"type":"c","path":"/dev/a","gid":-1}]`:    `linux.devices.0.gid`,
	} {
		doc, err := ParseConfig([]byte(`{"ociVersion":"1.0.2","process":{"cwd":"/","args":["a"]},"root":{"path":"r"},"linux":{"devices":` + text + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if all, err := doc.CharacterDevices([]int64{21}); err != nil {
			got = err.Error()
		} else {
			got = asJSON(all)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
