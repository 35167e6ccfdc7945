// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

var ours = Runtime{Name: "nonroot", Path: "/usr/local/sbin/nonroot-runc"}

// formats lists the formats to fuzz, each with a strict reader, and with what Add adds.
var formats = []struct {
	name   string
	format Format
	read   func([]byte) (map[string]any, error)
	added  func(tree map[string]any) // removes what Add adds, and the default's name, from a parsed file
}{
	{"docker", Docker{}, readJSON, func(t map[string]any) {
		forget(t, "runtimes", "nonroot")
		forget(t, "default-runtime")
	}},
	{"podman", Podman{}, parseTOML, func(t map[string]any) {
		forget(t, "engine", "runtimes", "nonroot")
		forget(t, "engine", "runtime")
	}},
	{"crio", CRIO{}, parseTOML, func(t map[string]any) {
		forget(t, "crio", "runtime", "runtimes", "nonroot")
		forget(t, "crio", "runtime", "default_runtime")
	}},
	{"containerd", Containerd{Version: 2}, parseTOML, containerdAdded},
	{"containerd 1", Containerd{Version: 2, Replaces: true}, parseTOML, func(t map[string]any) {
		for version := 1; version <= 3; version++ {
			if all, _ := tableAt(t, append(engines.CRITable(version), "runtimes")...); reflect.DeepEqual(all["runc"], map[string]any{"runtime_type": engines.RuncShim}) {
				delete(all, "runc")
			}
		}
		containerdAdded(t)
	}},
	{"imports", Imports{Main: "/etc/containerd/config.toml", DropIn: "/etc/containerd/conf.d/zz-nonroot.toml"}, parseTOML, func(t map[string]any) {
		if list, ok := t["imports"].([]any); ok {
			t["imports"] = slices.DeleteFunc(list, func(v any) bool { return v == "/etc/containerd/conf.d/zz-nonroot.toml" })
			if len(t["imports"].([]any)) == 0 {
				delete(t, "imports")
			}
		}
		forget(t, "version")
	}},
	{"build", Build{Off: true, Bundles: []string{"/var/lib/docker/buildkit/executor"}}, parseTOML, func(t map[string]any) { delete(t, "build") }},
}

func containerdAdded(t map[string]any) {
	for version := 1; version <= 3; version++ {
		forget(t, append(engines.CRITable(version), "runtimes", "nonroot")...)
		forget(t, append(engines.CRITable(version), defaultName)...)
	}
	forget(t, "version")
}

// forget removes a path.
func forget(tree map[string]any, path ...string) {
	last := len(path) - 1
	if table, err := tableAt(tree, path[:last]...); err == nil {
		delete(table, path[last])
	}
}

// text returns a tree's meaning for an engine: an empty table means nothing.
func text(tree map[string]any) string {
	for key, value := range tree {
		if table, ok := value.(map[string]any); ok && text(table) == text(nil) {
			delete(tree, key)
		}
	}
	if len(tree) == 0 {
		tree = map[string]any{}
	}
	return fmt.Sprintf("%#v", tree)
}

func readJSON(data []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return map[string]any{}, nil
	}
	if !jsontext.Value(data).IsValid() {
		return nil, fmt.Errorf("not strict JSON: %s", data)
	}
	tree := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return tree, d.Decode(&tree)
}

// examples returns the files below testdata, which look like those that engines or distributions write.
func examples(t testing.TB, pattern string) map[string][]byte {
	names, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no examples match %q (%v)", pattern, err)
	}
	all := map[string][]byte{}
	for _, n := range names {
		if all[n], err = os.ReadFile(n); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// invariants checks each format and file: registering twice is the same as once; the result parses; other entries
// survive; and unregistering restores the file, byte for byte with the receipt, in meaning without it.
func invariants(t *testing.T, f Format, read func([]byte) (map[string]any, error), added func(map[string]any), old []byte, isDefault bool) {
	t.Helper()
	r := ours
	r.Default = isDefault
	before := Content{Data: old}
	after, err := before.Register(f, r)
	if err != nil {
		return
	}
	tree, err := read(after.Data)
	if err != nil {
		t.Fatalf("the result does not parse: %v\n%s\nfrom\n%s", err, after.Data, old)
	}
	again, err := after.Register(f, r)
	if err != nil || !bytes.Equal(again.Data, after.Data) || !reflect.DeepEqual(again.Receipt, after.Receipt) {
		t.Fatalf("twice (%v):\n%s\nonce:\n%s", err, again.Data, after.Data)
	}
	was, err := read(old)
	if err != nil {
		t.Fatalf("accepted what does not parse: %v\n%s", err, old)
	}
	added(tree)
	added(was)
	if a, b := text(tree), text(was); a != b {
		t.Fatalf("what is others' was changed:\n%s\n%s\n%s\nfrom\n%s", a, b, after.Data, old)
	}
	back, err := after.Unregister(f, r.Name)
	if err != nil {
		t.Fatalf("unregister: %v\n%s", err, after.Data)
	}
	if !bytes.Equal(after.Data, old) && (!bytes.Equal(back.Data, old) || (back.Data == nil) != (old == nil) || back.Receipt != nil) {
		t.Fatalf("unregistered:\n%q\nbefore:\n%q", back.Data, old)
	}
	if after.Receipt == nil {
		return // it was there before
	}
	yields(t, f, read, before, after)
	without, err := f.Remove(after.Data, r.Name, after.Receipt.Notes[r.Name])
	if err != nil {
		t.Fatalf("remove: %v\n%s", err, after.Data)
	}
	remains, err := read(without)
	if err != nil {
		t.Fatalf("what remains does not parse: %v\n%s", err, without)
	}
	added(remains)
	if a, b := text(remains), text(was); a != b {
		t.Fatalf("removal took what is others':\n%s\n%s\n%s\nfrom\n%s", a, b, without, old)
	}
}

// yields checks each format in which a runtime can be the default: giving the default back has the same result as never
// having taken it, once and twice, and can be undone like a registration.
func yields(t *testing.T, f Format, read func([]byte) (map[string]any, error), before, after Content) {
	t.Helper()
	y, ok := f.(Yielder)
	if !ok {
		return
	}
	if was, err := before.Yield(y, ours.Name); err != nil || !bytes.Equal(was.Data, before.Data) {
		return // the default had that name before such a runtime existed
	}
	yielded, err := after.Yield(y, ours.Name)
	if err != nil {
		t.Fatalf("yield: %v\n%s", err, after.Data)
	}
	if again, err := yielded.Yield(y, ours.Name); err != nil || !bytes.Equal(again.Data, yielded.Data) {
		t.Fatalf("yielded twice (%v):\n%s\nonce:\n%s", err, again.Data, yielded.Data)
	}
	plain, err := before.Register(f, ours)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(yielded.Data)
	if err != nil {
		t.Fatalf("what is yielded does not parse: %v\n%s", err, yielded.Data)
	}
	want, err := read(plain.Data)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := text(got), text(want); a != b {
		t.Fatalf("yielded:\n%s\nnever the default:\n%s\n%s", a, b, yielded.Data)
	}
	if back, err := yielded.Unregister(f, ours.Name); err != nil || !bytes.Equal(back.Data, before.Data) || back.Receipt != nil {
		t.Fatalf("yielded, and unregistered (%v):\n%q\nbefore:\n%q", err, back.Data, before.Data)
	}
}

func TestInvariants(t *testing.T) {
	for _, f := range formats {
		pattern := "*.toml"
		if f.name == "docker" {
			pattern = "*.json"
		}
		all := examples(t, pattern)
		all["none"], all["empty"] = nil, []byte{}
		for name, data := range all {
			for variant, old := range variants(data) {
				for _, isDefault := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/%v", f.name, filepath.Base(name), variant, isDefault), func(t *testing.T) {
						invariants(t, f.format, f.read, f.added, old, isDefault)
						r := ours
						r.Default = isDefault
						if _, _, err := f.format.Add(old, r, Note{}); err != nil {
							t.Error(err)
						}
					})
				}
			}
		}
	}
}

// variants returns different spellings of a file.
func variants(data []byte) map[string][]byte {
	return map[string][]byte{
		"as it is":         data,
		"CRLF":             asIfNil(data, bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))),
		"tabs":             asIfNil(data, bytes.ReplaceAll(data, []byte("  "), []byte("\t"))),
		"no final newline": asIfNil(data, bytes.TrimRight(data, "\n")),
	}
}

func asIfNil(old, data []byte) []byte {
	if old == nil {
		return nil
	}
	return data
}

// TestTwentyRounds: other runtimes survive, even if the file is edited in between.
func TestTwentyRounds(t *testing.T) {
	for file, f := range map[string]int{"testdata/nvidia.json": 0, "testdata/podman-kata.toml": 1, "testdata/crio-kata.toml": 2, "testdata/containerd-nvidia.toml": 4} {
		format := formats[f]
		first, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		comment := "\n"
		if f > 0 {
			comment = "# somebody else was here\n"
		}
		for _, edited := range []bool{false, true} {
			c := Content{Data: first}
			for round := range 20 {
				r := ours
				r.Default = round%2 == 0
				if c, err = c.Register(format.format, r); err != nil {
					t.Fatal(file, err)
				}
				if edited {
					c.Data = append(c.Data, comment...)
				}
				if c, err = c.Unregister(format.format, r.Name); err != nil {
					t.Fatal(file, err)
				}
				c = Content{Data: c.Data}
				want := string(first)
				if edited {
					want += strings.Repeat(comment, round+1)
				}
				a, _ := format.read(c.Data)
				b, _ := format.read(first)
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("%s, round %d (edited: %v):\n%s\nwas\n%s", file, round, edited, c.Data, first)
				}
				if got := string(c.Data); got != want {
					t.Fatalf("%s, round %d (edited: %v):\n%q\nis not\n%q", file, round, edited, got, want)
				}
			}
		}
	}
}

// TestTwoNames: two registrations are undone in either order, and the default before the first one comes back.
func TestTwoNames(t *testing.T) {
	old := []byte(`{"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "/n"}}}`)
	a := Runtime{Name: "one", Path: "/usr/bin/nonroot-runc", Default: true}
	b := Runtime{Name: "two", Path: "/usr/bin/nonroot-runc.two", Default: true}
	for _, order := range [][]string{{"one", "two"}, {"two", "one"}} {
		c := Content{Data: old}
		var err error
		for _, r := range []Runtime{a, b} {
			if c, err = c.Register(Docker{}, r); err != nil {
				t.Fatal(err)
			}
		}
		c.Data = append(c.Data, '\n') // a change by another program: nothing is restored from the backup
		for _, name := range order {
			if c, err = c.Unregister(Docker{}, name); err != nil {
				t.Fatal(err)
			}
		}
		if want := string(old) + "\n"; string(c.Data) != want {
			t.Errorf("%v: %s, not %s", order, c.Data, want)
		}
	}
}

// TestKilled: a change may be killed at any moment; the next call has the same result.
func TestKilled(t *testing.T) {
	old := []byte("{\n  \"debug\": true\n}\n")
	after, err := Content{Data: old}.Register(Docker{}, ours)
	if err != nil {
		t.Fatal(err)
	}
	// Backup and receipt were written, the file was not yet.
	half := Content{Data: old, Receipt: after.Receipt, Backup: after.Backup}
	if again, err := half.Register(Docker{}, ours); err != nil || !bytes.Equal(again.Data, after.Data) {
		t.Errorf("register again: %q, %v", again.Data, err)
	} else if back, err := again.Unregister(Docker{}, ours.Name); err != nil || !bytes.Equal(back.Data, old) || back.Receipt != nil {
		t.Errorf("and unregister: %q, %v", back.Data, err)
	}
	if back, err := half.Unregister(Docker{}, ours.Name); err != nil || !bytes.Equal(back.Data, old) || back.Receipt != nil {
		t.Errorf("unregister: %q, %v", back.Data, err)
	}
	// Unregistered, but backup and receipt still exist: they describe a registration that is gone.
	if back, err := (Content{Data: old, Receipt: after.Receipt, Backup: after.Backup}).Unregister(Docker{}, ours.Name); err != nil || !bytes.Equal(back.Data, old) {
		t.Errorf("unregister again: %q, %v", back.Data, err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		format Format
		old    string
		want   string
	}{
		{Docker{}, `{"runtimes": []}`, `"runtimes" is not an object`},
		{Docker{}, `{"runtimes": null}`, `"runtimes" is not an object`},
		{Docker{}, `{"runtimes": {"kata": "x"}}`, `"kata" is not an object`},
		{Docker{}, `{"runtimes": {"kata": {"path": 1}}}`, `"kata" has a path that is not a string`},
		{Docker{}, `{"default-runtime": 1}`, `"default-runtime" is not a string`},
		{Docker{}, `{"default-runtime": "a", "default-runtime": "b"}`, "duplicate"},
		{Docker{}, `{"Runtimes": {}}`, `"Runtimes"`},
		{Docker{}, "{\"debug\": true, // yes\n}", "not the JSON that Docker reads"},
		{Docker{}, `{"debug": true,}`, "not the JSON that Docker reads"},
		{Docker{}, `{"debug": true} {}`, "something follows"},
		{Docker{}, `{"debug": tru`, "not the JSON that Docker reads"},
		{Docker{}, "\xef\xbb\xbf{}", "byte order mark"},
		{Docker{}, "[]", "not an object"},
		{Docker{}, `{"runtimes": {"nonroot": {"path": "/usr/bin/kata"}}}`, "--runtime-name"},
		{Podman{}, "[engine]\nruntime = 1\n", "engine.runtime is not a string"},
		{Podman{}, "[engine]\nruntimes = []\n", "engine.runtimes is not a table"},
		{Podman{}, "[engine.runtimes]\nnonroot = []\n", "not a list of paths"},
		{Podman{}, "[engine.runtimes]\nnonroot = [\"/usr/bin/kata\"]\n", "--runtime-name"},
		{Podman{}, "[engine]\nruntimes = { kata = [\"/k\"] }\n", "inline table"},
		{Podman{}, "[engine]\n[engine]\n", "line 2"},
		{CRIO{}, "[crio.runtime]\nruntimes = 1\n", "is not a table"},
		{CRIO{}, "[crio.runtime]\ndefault_runtime = 1\n", "is not a string"},
		{CRIO{}, "[crio.runtime.runtimes.nonroot]\nruntime_path = \"/usr/bin/kata\"\n", "--runtime-name"},
		{Containerd{}, "version = 2\n[plugins]\n\"io.containerd.grpc.v1.cri\" = 1\n", "is not a table"},
		{Containerd{}, "version = 5\n", "version 5"},
		{Containerd{}, "version = \"2\"\n", "version 2"},
		{Containerd{}, "version = 2\nversion = 2\n", "line 2"},
		{Containerd{}, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.nonroot]\nruntime_type = \"io.containerd.kata.v2\"\n", "--runtime-name"},
		{Imports{}, "imports = \"x\"\n", "not a list"},
		{Build{}, "build = 1\n", "build is not a table"},
	} {
		_, _, err := c.format.Add([]byte(c.old), Runtime{Name: "nonroot", Path: "/nonroot-runc", Default: true}, Note{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T of %s: %v, not %q", c.format, c.old, err, c.want)
		}
	}
}

// TestText shows the exact bytes.
func TestText(t *testing.T) {
	dockerDefault := Runtime{Name: "nonroot", Path: "/nonroot-runc", Default: true}
	for _, c := range []struct {
		format    Format
		old, want string
	}{
		{Docker{}, "", "{\n    \"runtimes\": {\n        \"nonroot\": {\n            \"path\": \"/nonroot-runc\"\n        }\n    },\n    \"default-runtime\": \"nonroot\"\n}\n"},
		{Docker{}, `{"debug":true}`, `{"debug":true,"runtimes":{"nonroot":{"path":"/nonroot-runc"}},"default-runtime":"nonroot"}`},
		{Docker{}, `{"mtu": 1e3}`, `{"mtu": 1e3, "runtimes": {"nonroot": {"path": "/nonroot-runc"}}, "default-runtime": "nonroot"}`},
		{Docker{}, "{\r\n\t\"default-runtime\": \"runc\"\r\n}", "{\r\n\t\"default-runtime\": \"nonroot\",\r\n\t\"runtimes\": {\r\n\t\t\"nonroot\": {\r\n\t\t\t\"path\": \"/nonroot-runc\"\r\n\t\t}\r\n\t}\r\n}"},
		{Podman{}, "", "[engine.runtimes]\nnonroot = [\"/nonroot-runc\"]\n\n[engine]\nruntime = \"nonroot\"\n"},
		{
			Podman{},
			"[engine]\n  # which\n  runtime = \"crun\" # this\n\n[engine.runtimes]\n  kata = [\"/k\"]",
			"[engine]\n  # which\n  runtime = \"nonroot\" # this\n\n[engine.runtimes]\n  kata = [\"/k\"]\n  nonroot = [\"/nonroot-runc\"]\n",
		},
		{CRIO{}, "", "[crio.runtime]\ndefault_runtime = \"nonroot\"\n\n[crio.runtime.runtimes.nonroot]\nruntime_path = \"/nonroot-runc\"\nruntime_type = \"oci\"\nruntime_root = \"/run/nonroot\"\n"},
		{Imports{DropIn: "/d/zz.toml"}, "imports = [\"/a\"] # more\nversion = 2\n", "imports = [\"/a\", \"/d/zz.toml\"] # more\nversion = 2\n"},
		{Imports{DropIn: "/d/zz.toml"}, "# mine\n[grpc]\n", "imports = [\"/d/zz.toml\"]\n# mine\n[grpc]\n"},
		{Imports{DropIn: "/d/zz.toml"}, "imports = [\"/d/*.toml\"]\n", "imports = [\"/d/*.toml\"]\n"},
		{Imports{Main: "/e/config.toml", DropIn: "/e/d/zz.toml"}, "imports = [\"d/*.toml\"]\n", "imports = [\"d/*.toml\"]\n"},
		{Build{Off: true, Bundles: []string{"/b"}}, "mode = \"audit\"\n\n[build] # theirs\nmode = \"rewrite\"\n", "mode = \"audit\"\n\n[build] # theirs\nmode = \"off\"\nreason = \"" + buildReason + "\"\nbundles = [\"/b\"]\n"},
		{Build{Bundles: []string{"/b"}}, "[build]\nmode = \"off\"\nreason = \"x\"\nbundles = [\"/b\"]\n\n[home]\n", "[build]\nmode = \"rewrite\"\nbundles = [\"/b\"]\n\n[home]\n"},
	} {
		got, _, err := c.format.Add([]byte(c.old), dockerDefault, Note{})
		if err != nil || string(got) != c.want {
			t.Errorf("%T: %v\n%s\nis not\n%s", c.format, err, got, c.want)
		}
	}
}

// TestRemovedText: what was added around a registration is removed with it; what existed before stays, even if it is
// empty.
func TestRemovedText(t *testing.T) {
	for _, c := range []struct {
		format Format
		old    string
	}{
		{Docker{}, `{"debug": true}`},
		{Docker{}, `{"runtimes": {}}`},
		{Docker{}, "{\n  \"debug\": true,\n  \"default-runtime\": \"runc\"\n}\n"},
		{Podman{}, "[containers]\n"},
		{Podman{}, "[engine]\n[engine.runtimes]\n"},
		{CRIO{}, "[crio.runtime]\n"},
		{Containerd{Replaces: true}, "version = 2\n"},
		{Imports{DropIn: "/d"}, "version = 3\n"},
		{Build{}, "mode = \"audit\"\n"},
	} {
		added, n, err := c.format.Add([]byte(c.old), Runtime{Name: "nonroot", Path: "/nonroot-runc", Default: true}, Note{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.format.Remove(added, "nonroot", n)
		if err != nil || string(got) != c.old {
			t.Errorf("%T: %v\n%q\nis not\n%q", c.format, err, got, c.old)
		}
	}
	// A previous default that no longer exists does not come back: Docker would not start.
	gone := "nvidia"
	got, err := Docker{}.Remove([]byte(`{"default-runtime": "nonroot", "runtimes": {"nonroot": {"path": "/nonroot-runc"}}}`), "nonroot", Note{Replaced: &gone})
	if want := `{ "runtimes": {}}`; err != nil || string(got) != want {
		t.Errorf("%v: %s, not %s", err, got, want)
	}
}

// TestCopiedOptions: the new handler has the options of the default runtime if that is a runc, else of runc.
func TestCopiedOptions(t *testing.T) {
	effective, err := parseTOML(examples(t, "containerd-nvidia.toml")["testdata/containerd-nvidia.toml"])
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []int{1, 2, 3} {
		got, _, err := Containerd{Version: version, Effective: effective}.Add(nil, ours, Note{})
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parseTOML(got)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := tableAt(tree, append(engines.CRITable(version), "runtimes", "nonroot")...)
		want := map[string]any{
			"runtime_type": engines.RuncShim, "pod_annotations": []any{"nvidia.com/*"}, "container_annotations": []any{"cdi.k8s.io/*"},
			"privileged_without_host_devices": true, "cni_conf_dir": "/etc/cni/special",
			"options": map[string]any{"BinaryName": ours.Path, "SystemdCgroup": true},
		}
		if err != nil || !reflect.DeepEqual(entry, want) {
			t.Errorf("version %d: %v, %v", version, entry, err)
		}
	}
	cri := effective["plugins"].(map[string]any)["io.containerd.grpc.v1.cri"].(map[string]any)["containerd"].(map[string]any)
	cri[defaultName] = "kata"
	if name, _ := (Containerd{Effective: effective}).StandsFor("nonroot"); name != "runc" {
		t.Errorf("kata's options would be copied: %q", name)
	}
}

// TestBuiltinRuntimes: runtimes that containerd 1 would forget are written, and removed with ours.
func TestBuiltinRuntimes(t *testing.T) {
	old := []byte("version = 2\n")
	f := Containerd{Version: 2, Replaces: true}
	got, n, err := f.Add(old, ours, Note{})
	if err != nil || !slices.Equal(n.Made, []string{"runc"}) {
		t.Fatal(n, err)
	}
	binaries := func(data []byte) []string {
		tree, err := parseTOML(data)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := Containerd{Effective: tree}.Runtimes()
		return slices.Sorted(maps.Keys(all))
	}
	if names := binaries(got); !slices.Equal(names, []string{"nonroot", "runc"}) {
		t.Errorf("after Add: %v", names)
	}
	back, err := f.Remove(got, "nonroot", n)
	if err != nil || len(binaries(back)) > 0 {
		t.Errorf("after Remove: %s, %v", back, err)
	}
	kata := append(slices.Clone(got), "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.kata]\nruntime_type = \"k\"\n"...)
	back, err = f.Remove(kata, "nonroot", n)
	if names := binaries(back); err != nil || !slices.Equal(names, []string{"kata", "runc"}) {
		t.Errorf("after Remove beside kata: %v, %v", names, err)
	}
}

func TestReloadEnough(t *testing.T) {
	for _, c := range []struct {
		before, after string
		want          bool
	}{
		{"", `{"runtimes": {}}`, true},
		{`{"runtimes": {"a": {}}}`, `{"runtimes": {}}`, true},
		{`{"runtimes": {}}`, ``, false},
		{`{"default-runtime": "a"}`, `{"default-runtime": "b"}`, true},
		{`{"default-runtime": "a"}`, `{}`, false},
	} {
		if got := ReloadEnough([]byte(c.before), []byte(c.after)); got != c.want {
			t.Errorf("%s -> %s: %v", c.before, c.after, got)
		}
	}
}

func TestDataRoot(t *testing.T) {
	for text, want := range map[string]string{"": "/var/lib/docker", `{"data-root": "/srv/docker/"}`: "/srv/docker", `{"graph": "/g"}`: "/g", `{"data-root": 1}`: "", `{"data-root": "d"}`: ""} {
		if got, err := DataRoot([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for text, want := range map[string]Release{
		"containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3": {1, 6},
		"containerd containerd.io v2.2.0 1c4457e00facac03ce1d75f7b6777a7a851e5c41":    {2, 2},
		"containerd github.com/containerd/containerd/v2 2.4.2+unknown ":               {2, 4},
	} {
		if got, err := ParseRelease(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if r, err := ParseRelease("containerd unknown"); err == nil {
		t.Error(r)
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{"nonroot": true, "nonroot-2": true, "": false, "runc": false, "Nonroot": false, "a.b": false, "-a": false, "a/b": false, strings.Repeat("a", 64): false} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, data := range examples(f, "*.json") {
		f.Add(data, true)
	}
	f.Add([]byte(`{"default-runtime":"nonroot","runtimes":{}}`), true)
	f.Fuzz(func(t *testing.T, old []byte, isDefault bool) {
		invariants(t, formats[0].format, formats[0].read, formats[0].added, old, isDefault)
	})
}

func FuzzTOML(f *testing.F) {
	for _, data := range examples(f, "*.toml") {
		for i := range formats[1:] {
			f.Add(data, uint8(i), i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, old []byte, which uint8, isDefault bool) {
		c := formats[1+int(which)%(len(formats)-1)]
		invariants(t, c.format, c.read, c.added, old, isDefault)
	})
}

// TestCarry: a policy with a table [build] in any form keeps it; one without gets the guard's.
func TestCarry(t *testing.T) {
	b := Build{Off: true, Reason: "ours", Bundles: []string{"/b", "/c"}}
	table := "[build]\nmode = \"off\"\nreason = \"ours\"\nbundles = [\"/b\", \"/c\"]\n"
	for text, want := range map[string]string{
		"":                               table,
		"mode = \"audit\"\n":             "mode = \"audit\"\n\n" + table,
		"[build]\nmode = \"rewrite\"\n":  "[build]\nmode = \"rewrite\"\n",
		"build.mode = \"rewrite\"\n":     "build.mode = \"rewrite\"\n",
		"build = {mode = \"rewrite\"}\n": "build = {mode = \"rewrite\"}\n",
	} {
		got, added, err := b.Carry([]byte(text))
		if err != nil || string(got) != want || added != (got != nil && string(got) != text) {
			t.Errorf("%q: %q, %t, %v", text, got, added, err)
		}
	}
	if _, _, err := b.Carry([]byte("[")); err == nil {
		t.Error("what is no TOML is carried over")
	}
}
