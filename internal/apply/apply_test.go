// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func TestMain(m *testing.M) { os.Exit(testkit.Private(m)) }

var owners = trusted.CallersOwners(nil)

// made is a bundle, its original content, and the plan for it.
type made struct {
	*testing.T
	dir  *bundle.Dir
	plan *plan.Plan
	old  []byte // config.json as it was
}

// kinds lists all kinds of plans by what they do to a bundle.
var kinds = map[string]func(*made){
	"rewrite": func(m *made) {
		m.plan.Parts, m.plan.Passwd, m.plan.Group = [][]byte{[]byte("n"), []byte("ew")}, []byte("p"), []byte("g")
	},
	"rewrite, without names, where an earlier start left some": func(m *made) {
		m.plan.Parts = [][]byte{[]byte("n"), []byte("ew")}
		for _, name := range []string{record.Passwd, record.Group, record.Before} {
			m.put(name, "stale")
		}
		m.seal("other", policy.Rewrite, "of an earlier start")
	},
	"rewrite, where a record of the same config.json exempts it": func(m *made) {
		m.plan.Parts = [][]byte{[]byte("n"), []byte("ew")}
		m.seal("c", policy.Off, "old")
	},
	"again": func(m *made) {
		m.plan.Again, m.plan.Parts, m.plan.Passwd = true, [][]byte{[]byte("n"), []byte("ew")}, []byte("p")
		m.put(record.Before, "asked")
		m.seal("c", policy.Rewrite, "old")
	},
	"audit":                        func(m *made) { m.plan.Decision.Mode = policy.Audit },
	"off":                          func(m *made) { m.plan.Decision.Mode = policy.Off },
	"audit, in a given bundle":     func(m *made) { m.plan.Decision.Mode, m.plan.Reclaim = policy.Audit, &plan.Root{UID: 5} },
	"off, with an earlier rewrite": func(m *made) { m.plan.Decision.Mode = policy.Off; m.seal("c", policy.Rewrite, "another") },
}

func newMade(t *testing.T, kind func(*made)) *made {
	t.Helper()
	path, err := filepath.EvalSymlinks(t.TempDir())
	testkit.Must(t, err)
	m := &made{T: t, old: []byte("old")}
	m.dir, err = bundle.Open(path, owners)
	testkit.Must(t, err)
	t.Cleanup(m.dir.Close)
	m.put(bundle.Config, "old")
	m.plan = &plan.Plan{Config: m.old, Decision: decision.Decision{Mode: policy.Rewrite, ID: "c", Identity: &decision.Identity{UID: 1000, GID: 1000}}}
	kind(m)
	return m
}

func (m *made) put(name, text string) {
	m.Helper()
	testkit.Must(m.T, os.WriteFile(m.dir.Join(name), []byte(text), 0o600))
}

// seal writes a record of an earlier call.
func (m *made) seal(id string, mode policy.Mode, config string) {
	m.Helper()
	d := decision.Decision{Mode: mode, ID: id, Identity: &decision.Identity{UID: 7, GID: 7}, Rule: "earlier", Config: record.Digest([]byte(config)), Start: 1}
	testkit.Must(m.T, record.Write(m.dir, &d))
}

func (m *made) read(name string) string {
	m.Helper()
	data, err := os.ReadFile(m.dir.Join(name))
	if err != nil && !os.IsNotExist(err) {
		m.Fatal(err)
	}
	return string(data)
}

// safe fails if a call that ended at this point would have left a bundle that misleads a later one. Either config.json
// is the old one, and no record of this call matches it, or everything that belongs to the new one is there.
func (m *made) safe(at string) {
	m.Helper()
	config := []byte(m.read(bundle.Config))
	r, err := record.Read(m.dir)
	if err != nil {
		r = nil
	}
	matches := record.Matches(r, "c", config)
	switch {
	case m.plan.Decision.Mode != policy.Rewrite:
		if !bytes.Equal(config, m.old) {
			m.Errorf("%s: config.json is %q", at, config)
		}
		if matches && r.Enforced() {
			m.Errorf("%s: a config.json that was not rewritten has a record that says so: %+v", at, r)
		}
	case bytes.Equal(config, m.old):
		if matches && r.Rule != "earlier" {
			m.Errorf("%s: the record vouches for the old config.json: %+v", at, r)
		}
	case string(config) == "new":
		want := map[string]string{record.Passwd: string(m.plan.Passwd), record.Group: string(m.plan.Group), record.Before: "old"}
		if m.plan.Again {
			want[record.Before] = "asked"
		}
		for name, text := range want {
			if got := m.read(name); got != text {
				m.Errorf("%s: config.json is the new one, and %s is %q, not %q", at, name, got, text)
			}
		}
		if !matches || !r.Enforced() || r.Identity.UID != 1000 {
			m.Errorf("%s: config.json is the new one, and the record is %+v", at, r)
		}
	default:
		m.Errorf("%s: config.json is %q", at, config)
	}
}

// TestCutOff: a call that ends before any step, or in which any step fails, leaves the bundle safe, and the next call
// has the same result as if it had not run.
func TestCutOff(t *testing.T) {
	for name, kind := range kinds {
		count := len(steps(newMade(t, kind).plan, newMade(t, kind).dir, owners, new([]string)))
		for i := range count + 1 {
			m := newMade(t, kind)
			all := steps(m.plan, m.dir, owners, new([]string))
			at := "the end"
			for _, s := range all[:i] {
				if err := s.do(); err != nil {
					t.Fatalf("%s, %s: %v", name, s.name, err)
				}
			}
			if i < count {
				at = all[i].name
			}
			m.safe(name + ", in front of " + at)
			again := *m.plan
			if _, err := Container(&again, m.dir, owners); i < count && err != nil {
				t.Errorf("%s, after an end in front of %s: %v", name, at, err)
			}
			if i < count {
				m.safe(name + ", once more after " + at)
			}
		}
	}
}

// TestOrder: config.json is written last, after its record, and the record never before the files that it describes.
func TestOrder(t *testing.T) {
	for name, want := range map[string][]string{
		"rewrite":                  {"owners", record.Passwd, record.Group, "kept", "record", "sweep", "config"},
		"again":                    {"owners", record.Passwd, record.Group, "record", "sweep", "config"},
		"audit":                    {"record"},
		"off":                      {"record"},
		"audit, in a given bundle": nil,
	} {
		m := newMade(t, kinds[name])
		var got []string
		for _, s := range steps(m.plan, m.dir, owners, new([]string)) {
			got = append(got, s.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestStepsFail: after a file that can't be written, nothing further is done.
func TestStepsFail(t *testing.T) {
	for _, name := range []string{record.Passwd, record.Group, record.File, record.Before} {
		m := newMade(t, kinds["rewrite"])
		testkit.Must(t, os.MkdirAll(m.dir.Join(name)+"/full", 0o700)) // a directory is not replaced by a file
		_, err := Container(m.plan, m.dir, owners)
		if err == nil {
			t.Errorf("%s: it is done in spite of a directory in its place", name)
		}
		m.safe(name)
		if m.read(bundle.Config) != "old" {
			t.Errorf("%s: config.json is the new one", name)
		}
	}
}

// TestContainer: what is in the bundle at the end.
func TestContainer(t *testing.T) {
	m := newMade(t, kinds["rewrite"])
	m.put(".nonroot-left", "of a call that was killed")
	_, err := Container(m.plan, m.dir, owners)
	testkit.Must(t, err)
	m.safe("the end")
	if m.read(bundle.Config) != "new" {
		t.Error("config.json is the old one")
	}
	start, err := proc.StartTime("self")
	testkit.Must(t, err)
	if r, err := record.Read(m.dir); err != nil || r.Start != start || r.Config != record.Digest([]byte("new")) {
		t.Errorf("%+v, %v", r, err)
	}
	for name, mode := range map[string]os.FileMode{record.Passwd: 0o644, record.Group: 0o644, record.File: 0o600, bundle.Config: 0o600} {
		if st, err := os.Stat(m.dir.Join(name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	// A bundle that was given to another user is not written.
	m = newMade(t, kinds["rewrite"])
	m.plan.Reclaim = &plan.Root{UID: 5, GID: 5}
	if _, err := Container(m.plan, m.dir, owners); err == nil || !strings.Contains(err.Error(), "changed again") || m.read(bundle.Config) != "old" || m.read(record.File) != "" {
		t.Errorf("%v", err)
	}
}

// TestReclaim: a bundle of the container's root becomes root's again; a bundle of any other user does not.
func TestReclaim(t *testing.T) {
	if !testkit.IsRoot() {
		testkit.NeedRoot(t)
		t.Skip("nobody else is there")
	}
	for _, test := range []struct {
		owner int
		fails bool
	}{{100000, false}, {100001, true}, {0, true}} {
		m := newMade(t, kinds["rewrite"])
		m.plan.Reclaim = &plan.Root{UID: 100000, GID: 100000}
		testkit.Must(t, os.Chown(m.dir.Path, test.owner, test.owner))
		err := Reclaim(m.plan, m.dir)
		var st unix.Stat_t
		testkit.Must(t, unix.Stat(m.dir.Path, &st))
		if (err != nil) != test.fails || !test.fails && (st.Uid != 0 || st.Gid != 100000 || st.Mode&0o777 != 0o710) {
			t.Errorf("%d: %v, %d:%d %04o", test.owner, err, st.Uid, st.Gid, st.Mode)
		}
	}
}

// TestOwnersAreGivenOnce: the identity becomes the owner of what the image keeps for root, but not a second time for a
// config.json that was rewritten before.
func TestOwnersAreGivenOnce(t *testing.T) {
	if !testkit.IsRoot() {
		testkit.NeedRoot(t)
		t.Skip("nobody else is there")
	}
	for _, again := range []bool{false, true} {
		m := newMade(t, kinds["rewrite"])
		layers := t.TempDir()
		testkit.Must(t, unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=755"), os.Mkdir(layers+"/upper", 0o755), os.Mkdir(layers+"/work", 0o755))
		t.Cleanup(func() { _ = unix.Unmount(layers, unix.MNT_DETACH) })
		testkit.Plant(t, layers, "lower/data/file = x")
		testkit.Must(t, os.Mkdir(m.dir.Join("rootfs"), 0o755))
		testkit.Must(t, unix.Mount("overlay", m.dir.Join("rootfs"), "overlay", 0, "lowerdir="+layers+"/lower,upperdir="+layers+"/upper,workdir="+layers+"/work"))
		t.Cleanup(func() { _ = unix.Unmount(m.dir.Join("rootfs"), unix.MNT_DETACH) })
		m.plan.Again = again
		m.plan.Give = &plan.Give{Rootfs: m.dir.Join("rootfs"), UID: 1000, GID: 1000, Paths: []string{"/data"}, Covered: func(string) bool { return false }}
		paths, _ := DryRun(m.plan.Give, m.dir.Path, "c", owners)
		if len(paths) == 0 {
			t.Error("nothing would be given")
		}
		_, err := Container(m.plan, m.dir, owners)
		testkit.Must(t, err)
		var st unix.Stat_t
		testkit.Must(t, unix.Stat(m.dir.Join("rootfs/data/file"), &st))
		noted := strings.Contains(strings.Join(m.plan.Decision.Notes, "; "), "now belong to the identity, in /data")
		if (st.Uid == 1000) == again || noted == again {
			t.Errorf("again %v: it belongs to %d, %q", again, st.Uid, m.plan.Decision.Notes)
		}
	}
	if paths, volumes := DryRun(nil, "/b", "c", owners); paths != nil || volumes != nil {
		t.Error("nothing is to be given, and something would")
	}
}

// TestTake: ids are taken once, as decided; if another call was faster, the decision has to be made again.
func TestTake(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	numbers := lease.Numbers{First: 100000, Last: 100009, Step: 1}
	store := lease.Containers(state, 1, owners)
	start, err := proc.StartTime("self")
	testkit.Must(t, err)
	member := lease.Member{Bundle: "/rival", ID: "r", Pid: os.Getpid(), Start: start}
	_, err = store.Take(lease.Numbers{First: 200000, Last: 200000, Step: 1}, "whoever makes the key", member)
	testkit.Must(t, err)
	foreseen, err := store.Preview(numbers, "me")
	testkit.Must(t, err)
	l := decision.Lease{First: 100000, Last: 100009, Step: 1, Owner: "me", ID: foreseen}
	d := &decision.Decision{ID: "c", Leases: []decision.Lease{l}}

	rival := ""
	for i := 0; rival == ""; i++ {
		if id, err := store.Preview(numbers, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		} else if id == foreseen {
			rival = strconv.Itoa(i)
		}
	}
	got, err := store.Take(numbers, rival, member)
	if err != nil || got != foreseen {
		t.Fatalf("the rival has %d, %v", got, err)
	}
	now, all, err := Take(d, state, "/b", nil, owners)
	if err != nil || all || len(now) != 1 || now[0].ID == foreseen || now[0].ID < 100000 || now[0].ID > 100009 {
		t.Fatalf("%+v, %v, %v", now, all, err)
	}
	// Decide again with the ids that were taken: no further ones are.
	d.Leases = now
	again, all, err := Take(d, state, "/b", now, owners)
	if err != nil || !all || !slices.Equal(again, now) {
		t.Errorf("%+v, %v, %v", again, all, err)
	}
	if id, err := store.Preview(numbers, "me"); err != nil || id != now[0].ID {
		t.Errorf("mine is %d, %v", id, err)
	}
	// A full range.
	full := &decision.Decision{ID: "d", Leases: []decision.Lease{{First: 200000, Last: 200000, Step: 1, Owner: "another", ID: 200000}}}
	if now, all, err := Take(full, state, "/b", nil, owners); err == nil || all || now != nil {
		t.Errorf("%+v, %v, %v", now, all, err)
	}
	// A decision without ids takes none.
	empty := filepath.Join(t.TempDir(), "state")
	if now, all, err := Take(&decision.Decision{ID: "c"}, empty, "/b", nil, owners); err != nil || !all || now != nil {
		t.Errorf("%+v, %v, %v", now, all, err)
	}
	if _, err := os.Stat(empty); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a store: %v", err)
	}
}

// TestKeepGood: a copy is kept of a policy in one of the usual directories.
func TestKeepGood(t *testing.T) {
	testkit.NeedPrivate(t)
	p := policy.Default()
	p.Text = []byte("x")
	testkit.Must(t, KeepGood(p, owners))
	if _, err := os.Stat("/var/lib/nonroot-runc"); err == nil {
		t.Error("the built-in policy has a copy")
	}
	p.File = policy.DefaultFile
	for _, text := range []string{"x", "y", "y"} {
		p.Text = []byte(text)
		testkit.Must(t, KeepGood(p, owners))
		if got, err := os.ReadFile(policy.GoodFile(p.File)); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	testkit.Must(t, os.Chmod("/var/lib/nonroot-runc", 0o777))
	p.Text = []byte("z")
	if err := KeepGood(p, owners); err == nil {
		t.Error("a copy is kept where others can exchange it")
	}
}

// TestLog: a line that can't be written is counted.
func TestLog(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	testkit.Must(t, err)
	began := time.Now().Add(-time.Second)
	d := decision.Decision{Mode: policy.Rewrite, ID: "c"}
	testkit.Must(t, Log(&policy.Log{File: dir + "/log"}, dir+"/state", d, began, owners))
	line, err := os.ReadFile(dir + "/log")
	testkit.Must(t, err)
	if !strings.Contains(string(line), `"id":"c"`) || !strings.Contains(string(line), `"duration_us":1`) {
		t.Errorf("%s", line)
	}
	if err := Log(&policy.Log{File: dir + "/none/log"}, dir+"/state", d, began, owners); err == nil {
		t.Error("a line is written where no directory is")
	}
	if entries, err := os.ReadDir(dir + "/state"); err != nil || len(entries) == 0 {
		t.Errorf("what was lost is not counted: %v, %v", entries, err)
	}
}
