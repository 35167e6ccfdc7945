// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/user"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/selftest"
)

func TestContainerdRuntimes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		standard   string
		want       map[string]string
	}{
		{"empty", "", "runc", map[string]string{}},
		{"version 1", `
[plugins.cri.containerd]
default_runtime_name = "nonroot"
[plugins.cri.containerd.runtimes.nonroot.options]
BinaryName = "/usr/bin/nonroot-runc"
`, "nonroot", map[string]string{"nonroot": "/usr/bin/nonroot-runc"}},
		{"version 2", `
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = ""
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nonroot.options]
BinaryName = "/usr/bin/nonroot-runc"
`, "runc", map[string]string{"runc": "runc", "nonroot": "/usr/bin/nonroot-runc"}},
		{"version 3", `
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'nonroot'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nonroot.options]
BinaryName = '/usr/bin/nonroot-runc'
SystemdCgroup = true
`, "nonroot", map[string]string{"nonroot": "/usr/bin/nonroot-runc"}},
	} {
		got, err := containerdRuntimes([]byte(c.text))
		if err != nil || got.standard != c.standard || !maps.Equal(got.runtimes, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	if _, err := containerdRuntimes([]byte("[plugins")); err == nil {
		t.Error("a malformed file is read")
	}
}

// TestContainerdTables compares the tags of containerdRuntimes with the tables of each version of the configuration.
func TestContainerdTables(t *testing.T) {
	for version := 1; version <= 4; version++ {
		table := `"` + strings.Join(engines.CRITable(version), `"."`) + `"`
		r, err := containerdRuntimes([]byte("[" + table + ".runtimes.nonroot.options]\nBinaryName = \"/x\"\n"))
		if err != nil || r.runtimes["nonroot"] != "/x" {
			t.Errorf("version %d: %+v, %v", version, r, err)
		}
	}
}

// TestEngineChecks: every engine with a configuration is checked.
func TestEngineChecks(t *testing.T) {
	for _, e := range engines.All {
		checked := false
		for _, c := range engineChecks {
			checked = checked || c.engine == e
		}
		if has := e.Config.Program != ""; has != checked {
			t.Errorf("%s: it has a configuration: %t, and doctor looks at it: %t", e.Name, has, checked)
		}
	}
}

func TestPodmanRuntimes(t *testing.T) {
	there := filepath.Join(t.TempDir(), "nonroot-runc")
	if err := os.WriteFile(there, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	texts := [][]byte{
		[]byte("[engine]\nruntime = \"crun\"\n[engine.runtimes]\ncrun = [\"/nonexistent/crun\"]\n"),
		[]byte("[engine]\nruntime = \"nonroot\"\n[engine.runtimes]\nnonroot = [\"/nonexistent/x\", \"" + there + "\"]\n"),
	}
	got, err := podmanRuntimes(texts)
	if err != nil || got.standard != "nonroot" || !maps.Equal(got.runtimes, map[string]string{"crun": "", "nonroot": there}) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = podmanRuntimes([][]byte{[]byte("[engine]\nruntime = \"/opt/runtime\"\n")})
	if err != nil || got.standard != "/opt/runtime" || got.runtimes["/opt/runtime"] != "/opt/runtime" {
		t.Errorf("a runtime by its path: %+v, %v", got, err)
	}
}

func TestCrioRuntimes(t *testing.T) {
	got, err := crioRuntimes([][]byte{
		[]byte("[crio.runtime]\ndefault_runtime = \"runc\"\n[crio.runtime.runtimes.runc]\nruntime_path = \"\"\n"),
		[]byte("[crio.runtime]\ndefault_runtime = \"nonroot\"\n[crio.runtime.runtimes.nonroot]\nruntime_path = \"/usr/bin/nonroot-runc\"\n"),
	})
	if err != nil || got.standard != "nonroot" || !maps.Equal(got.runtimes, map[string]string{"runc": "runc", "nonroot": "/usr/bin/nonroot-runc"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// statuses returns those of the checks with this name.
func statuses(d *doctor, name string) []Status {
	var all []Status
	for _, c := range d.checks {
		if c.Name == name {
			all = append(all, c.Status)
		}
	}
	return all
}

func TestRegistration(t *testing.T) {
	known := map[string]string{"runc": "/nonexistent/runc", "nonroot": "/nonexistent/nonroot-runc"}
	for _, c := range []struct {
		name                 string
		r                    registered
		registered, default_ []Status
	}{
		{"default", registered{known, "nonroot"}, []Status{OK}, []Status{OK}},
		{"another is the default", registered{known, "runc"}, []Status{OK}, []Status{Warn}},
		{"unknown", registered{map[string]string{"runc": "/nonexistent/runc"}, "runc"}, []Status{Warn}, nil},
	} {
		d := &doctor{}
		d.registration("docker", &c.r)
		if got := statuses(d, "docker: registered"); !slices.Equal(got, c.registered) {
			t.Errorf("%s: registered %v", c.name, got)
		}
		if got := statuses(d, "docker: default"); !slices.Equal(got, c.default_) {
			t.Errorf("%s: default %v", c.name, got)
		}
		d.oneGoverned()
		want := OK
		if c.registered[0] != OK {
			want = Fail
		}
		if got := statuses(d, "engines"); !slices.Equal(got, []Status{want}) {
			t.Errorf("%s: engines %v", c.name, got)
		}
	}
	// An engine that the options name must exist.
	d := &doctor{o: Options{Engine: &engines.Docker}}
	d.registration("docker", &registered{})
	if got := statuses(d, "docker: registered"); !slices.Equal(got, []Status{Fail}) {
		t.Errorf("--engine docker: %v", got)
	}
}

func TestDockerInfo(t *testing.T) {
	var info dockerInfo
	text := `{"DefaultRuntime":"a","Runtimes":{"a":{"path":"/usr/bin/nonroot-runc"},"b":{"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":"/opt/x"}},"runc":{"path":"runc","status":{"k":"v"}}}}`
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		t.Fatal(err)
	}
	r := info.Runtimes.registered(info.DefaultRuntime)
	if want := map[string]string{"a": "/usr/bin/nonroot-runc", "b": "/opt/x", "runc": "runc"}; r.standard != "a" || !maps.Equal(r.runtimes, want) {
		t.Errorf("%+v", r)
	}
}

// TestOlderContainers: SECURITY.md F9.
func TestOlderContainers(t *testing.T) {
	all, err := parseContainers([]byte("\"/a\" \"nonroot\" \"1\" 0\n\"/b\" \"runc\" \"2\" 0\n\"/c\" \"io.containerd.runc.v2\" \"3\" 7\n"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	if got, want := notOurs(all, []string{"nonroot"}), []string{`"b" ("runc")`, `"c" ("io.containerd.runc.v2")`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"\"/a\"", "x", "1 2", "\"/a\" \"nonroot\" \"1\"", "\"/a\" \"nonroot\" 1 0"} {
		if got, err := parseContainers([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

// TestDoors: SECURITY.md F7 and F8. Without a guard both are reported, never as ok.
func TestDoors(t *testing.T) {
	d := &doctor{}
	d.dockerDoors(policy.Default(), "/var/lib/docker")
	want := Warn
	if d.guarded() {
		want = OK
	}
	for _, name := range []string{"docker: --runtime runc", "docker: builds"} {
		if got := statuses(d, name); !slices.Equal(got, []Status{want}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAround: the advice for an engine is possible without Docker.
func TestAround(t *testing.T) {
	d := &doctor{}
	if d.guarded() {
		t.Skip("runc is nonroot-runc here")
	}
	d.around("podman", "there are")
	if got := d.checks[0].Hint; !strings.Contains(got, "nonroot-ctl configure runc --builds off") {
		t.Errorf("%q", got)
	}
}

// TestBuilds: SECURITY.md F8. If the policy leaves builds to root, or its rule is for another directory, nothing is ok.
func TestBuilds(t *testing.T) {
	root := t.TempDir()
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	rule := func(mode policy.Mode, directory string) *policy.Policy {
		p := policy.Default()
		p.Build = policy.Build{Mode: mode, Reason: "why", Bundles: []string{directory}}
		return p
	}
	for _, test := range []struct {
		name string
		p    *policy.Policy
		want Status
	}{
		{"no rule", policy.Default(), OK},
		{"rewritten", rule(policy.Rewrite, real+"/buildkit/executor"), OK},
		{"root's", rule(policy.Off, real+"/buildkit/executor"), Note},
		{"elsewhere", rule(policy.Off, "/var/lib/elsewhere/buildkit/executor"), Warn},
	} {
		d := &doctor{}
		d.builds(test.p, root)
		if got := statuses(d, "docker: builds"); !slices.Equal(got, []Status{test.want}) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestSources: a list older than some sources is reported; one without images' users, or with all sources, is not.
func TestSources(t *testing.T) {
	for _, test := range []struct {
		sources []policy.Source
		want    []Status
	}{
		{policy.Default().Sources, nil},
		{[]policy.Source{policy.Requested, policy.Kept, policy.Image, policy.Fixed}, []Status{OK}},
		{[]policy.Source{policy.Kept, policy.Joined, policy.Volume, policy.Image, policy.Fixed}, []Status{OK}},
		{[]policy.Source{policy.Kept, policy.Fixed}, nil},
		{[]policy.Source{policy.Fixed}, nil},
	} {
		d, p := &doctor{}, policy.Default()
		p.Sources = test.sources
		d.sources("policy", p)
		if got := statuses(d, "policy: identity.sources"); !slices.Equal(got, test.want) {
			t.Errorf("%q: %v", test.sources, got)
		}
	}
}

func TestTaken(t *testing.T) {
	a := &accounts{
		users:  []user.User{{Name: "a", Uid: 1000}},
		groups: []user.Group{{Name: "g", Gid: 2000}},
		subuid: []user.SubID{{Name: "s", SubID: 100000, Count: 10}},
		subgid: []user.SubID{{Name: "s", SubID: 200000, Count: 10}},
	}
	for _, c := range []struct {
		uid, gid int64
		want     int
	}{
		{1, 1, 0},
		{1000, 1, 1},
		{2000, 1000, 0},
		{1, 2000, 1},
		{100000, 200009, 2},
		{100010, 199999, 0},
		{200000, 100000, 0},
	} {
		if got := a.taken(c.uid, c.gid); len(got) != c.want {
			t.Errorf("%d:%d: %q", c.uid, c.gid, got)
		}
	}
}

func TestSameProgram(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "one", "copy": "one", "other": "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": true, "copy": true, "link": true, "other": false, "none": false} {
		if got := sameProgram(dir+"/a", filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestBothLists: containers of another runtime don't hide containers of ours that are root.
func TestBothLists(t *testing.T) {
	id := "0000000000000000000000000000000000000000000000000000000000000000"
	d := &doctor{}
	d.containersOf("c", "h", []container{{name: "/old", runtime: "runc", id: id}, {name: "/new", runtime: "nonroot", id: id}}, []string{"nonroot"})
	if len(d.checks) != 1 || d.checks[0].Status != Warn {
		t.Errorf("%+v", d.checks)
	}
	if got := ours([]container{{name: "a", runtime: "runc"}, {name: "b", runtime: "nonroot"}}, []string{"nonroot"}); len(got) != 1 || got[0].name != "b" {
		t.Errorf("%+v", got)
	}
}

func TestWithin(t *testing.T) {
	a := &accounts{
		users: []user.User{{Name: "daemon", Uid: 1}, {Name: "alice", Uid: 1001}}, groups: []user.Group{{Name: "staff", Gid: 50}},
		subuid: []user.SubID{{Name: "alice", SubID: 100000, Count: 65536}}, subgid: []user.SubID{{Name: "empty", SubID: 300000}},
	}
	for _, c := range []struct {
		first, last int64
		want        int
	}{{1, 2000, 3}, {2, 49, 0}, {165535, 165535, 1}, {165536, 299999, 0}, {99999, 400000, 1}, {1001, 1001, 1}} {
		if got := a.within(c.first, c.last); len(got) != c.want {
			t.Errorf("%d-%d: %q", c.first, c.last, got)
		}
	}
}

func TestRootGroup(t *testing.T) {
	a := &accounts{
		users:  []user.User{{Name: "root"}, {Name: "toor"}, {Name: "eve", Uid: 7}, {Name: "bob", Uid: 1001, Gid: 1001}},
		groups: []user.Group{{Name: "root", List: []string{"bob", "toor"}}, {Name: "x", Gid: 1, List: []string{"carol"}}},
	}
	if got := a.rootGroup(); !slices.Equal(got, []string{"bob", "eve"}) {
		t.Errorf("%q", got)
	}
}

func TestARuleForAWholeEngine(t *testing.T) {
	for text, want := range map[string]bool{
		"": false,
		"[[rule]]\nname = \"r\"\nmode = \"off\"\nreason = \"x\"\nmatch.engine = [\"docker\"]\nmatch.root = [\"/run/docker/*\"]\n":                    false, // not all of the engine's containers
		"[[rule]]\nname = \"s\"\nmatch.engine = [\"docker\"]\n[[rule]]\nname = \"r\"\nmode = \"off\"\nreason = \"x\"\nmatch.engine = [\"docker\"]\n": false, // the first one counts
		"[[rule]]\nname = \"r\"\nmode = \"off\"\nreason = \"x\"\nmatch.engine = [\"docker\"]\n":                                                      true,
		"[[rule]]\nname = \"r\"\nmode = \"off\"\nreason = \"x\"\nmatch.engine = [\"podman\"]\n":                                                      false,
		"[[rule]]\nname = \"r\"\nmode = \"off\"\nreason = \"x\"\nuntil = 2020-01-01\nmatch.engine = [\"docker\"]\n":                                  false,
	} {
		p, err := policy.Parse("p.toml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := wholly(p, "docker") != nil; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestDecided: a way that a policy leaves open explicitly is a note, which --strict accepts; mode audit is not such a
// decision. If audit is intended, enforcing nothing is a note, too, and nothing else becomes one.
func TestDecided(t *testing.T) {
	const rule = "[[rule]]\nname = \"r\"\nmatch.engine = [\"podman\"]\n"
	for _, c := range []struct {
		text  string
		audit bool
		want  map[string]Status
	}{
		{rule + "mode = \"off\"\nreason = \"needs it\"\n", false, map[string]Status{`p: rule "r"`: Note}},
		{rule + "mode = \"audit\"\n", false, map[string]Status{`p: rule "r"`: Warn}},
		{rule + "mode = \"audit\"\n", true, map[string]Status{`p: rule "r"`: Warn}},
		{"mode = \"audit\"\n", false, map[string]Status{"self-test": Fail}},
		{"mode = \"audit\"\n", true, map[string]Status{"self-test": Note}},
		{"mode = \"off\"\nreason = \"x\"\n", true, map[string]Status{"self-test": Fail}},
		{"", true, map[string]Status{"self-test: uid": Fail}},
	} {
		p, err := policy.Parse("p.toml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		d := &doctor{o: Options{Audit: c.audit}}
		d.exemptions("p", p)
		if len(p.Rules) == 0 {
			d.findings("self-test", "", p)([]selftest.Finding{{What: "uid", Broken: true}}, nil)
		}
		for name, want := range c.want {
			if got := statuses(d, name); !slices.Equal(got, []Status{want}) {
				t.Errorf("%q, audit %t: %s is %v", c.text, c.audit, name, got)
			}
		}
	}
}

// TestEmptyDaemonJSON: an empty file registers nothing, and is not unreadable.
func TestEmptyDaemonJSON(t *testing.T) {
	for text, readable := range map[string]bool{"": true, " \n": true, "{}": true, "{": false, "\x00": false} {
		file := filepath.Join(t.TempDir(), "daemon.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := readDaemonJSON(file)
		if (err == nil) != readable || readable && (len(r.runtimes) != 0 || r.standard != "runc") {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}
