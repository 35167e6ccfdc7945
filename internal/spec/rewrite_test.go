// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "write the golden files anew")

var amd64, _ = MachineOf("amd64")

// change is the change that the tests apply to every document.
func change() Change {
	return Change{
		Process: ProcessChange{UID: 65532, GID: 65532, Home: "/home/nonroot", Name: "nonroot"},
		Container: &ContainerChange{
			Ours: func(m Mount) bool { return m.Source == "nonroot-home" },
			Mounts: []Mount{{
				Destination: "/home/nonroot", Type: "tmpfs", Source: "nonroot-home",
				Options: []string{"nosuid", "nodev", "mode=0700", "uid=65532", "gid=65532", "size=64m"},
			}},
			Machine: amd64,
			Devices: &DeviceChange{
				MayOwn:    func(gid uint32) bool { return gid == 4242 },
				RawMajors: []int64{21},
			},
		},
	}
}

// recorded calls a function for each document that a real engine wrote. Finding none is a failure.
func recorded(t testing.TB, pattern string, each func(name string, data []byte)) {
	files, err := filepath.Glob("testdata/recorded/" + pattern)
	if err != nil || len(files) < 10 {
		t.Fatalf("only %d recorded files match %s (%v)", len(files), pattern, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		each(strings.TrimSuffix(filepath.Base(f), ".json"), data)
	}
}

func rewriteConfig(data []byte, c Change) ([]byte, error) {
	doc, err := ParseConfig(data)
	if err != nil {
		return nil, err
	}
	return doc.Rewrite(c)
}

func rewriteProcessFile(data []byte, c Change) ([]byte, error) {
	doc, err := ParseProcess(data)
	if err != nil {
		return nil, err
	}
	c.Container = nil
	return doc.Rewrite(c)
}

func TestGolden(t *testing.T) {
	both := func(rewrite func([]byte, Change) ([]byte, error)) func(string, []byte) {
		return func(name string, data []byte) {
			t.Run(name, func(t *testing.T) {
				got, err := rewrite(data, change())
				if err != nil {
					t.Fatal(err)
				}
				golden := "testdata/golden/" + name + ".json"
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("differs from %s; look at the difference, and run go test -update if it is meant", golden)
				}
				again, err := rewrite(got, change())
				if err != nil || !bytes.Equal(again, got) {
					t.Errorf("rewriting twice is not rewriting once (%v):\n%s\n%s", err, got, again)
				}
			})
		}
	}
	recorded(t, "*.config.json", both(rewriteConfig))
	recorded(t, "*.process.json", both(rewriteProcessFile))
}

// TestPromisesAsARuntimeReadsThem decodes the result the way runc does.
func TestPromisesAsARuntimeReadsThem(t *testing.T) {
	recorded(t, "*.config.json", func(name string, data []byte) {
		out, err := rewriteConfig(data, change())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkPromises(t, name, data, out)
	})
}

func checkPromises(t *testing.T, name string, in, out []byte) {
	t.Helper()
	var before, after specs.Spec
	if err := json.Unmarshal(in, &before); err != nil {
		return // not a document that a runtime would accept
	}
	if err := json.Unmarshal(out, &after); err != nil {
		t.Fatalf("%s: the result does not decode: %v", name, err)
	}
	p := after.Process
	if p.User.UID != 65532 || p.User.GID != 65532 || len(p.User.AdditionalGids) != 0 || !p.NoNewPrivileges {
		t.Errorf("%s: user %+v, noNewPrivileges %v", name, p.User, p.NoNewPrivileges)
	}
	c := p.Capabilities
	if c == nil || len(c.Effective)+len(c.Permitted)+len(c.Inheritable)+len(c.Ambient) != 0 ||
		c.Effective == nil || c.Permitted == nil || c.Inheritable == nil || c.Ambient == nil || c.Bounding == nil {
		t.Errorf("%s: capabilities %+v", name, c)
	}
	var bounding []string
	if b := before.Process.Capabilities; b != nil {
		bounding = b.Bounding
	}
	if c != nil && !slices.Equal(bounding, c.Bounding) {
		t.Errorf("%s: bounding %q became %q", name, bounding, c.Bounding)
	}
	for _, want := range []string{"HOME=/home/nonroot", "USER=nonroot", "LOGNAME=nonroot"} {
		key, _, _ := strings.Cut(want, "=")
		n := 0
		for _, e := range p.Env {
			if strings.HasPrefix(e, key+"=") {
				n++
			}
		}
		if n != 1 || !slices.Contains(p.Env, want) {
			t.Errorf("%s: %s is there %d times in %q", name, key, n, p.Env)
		}
	}
	if m := after.Mounts; len(m) == 0 || m[len(m)-1].Source != "nonroot-home" {
		t.Errorf("%s: the home is not the last mount", name)
	}
	for k := range after.Annotations {
		if Steers(k) {
			t.Errorf("%s: the annotation %q is still there", name, k)
		}
	}
	checkSeccomp(t, name, before.Linux, after.Linux)
	checkDevices(t, name, after.Linux)
}

// TestTheRestSurvives compares the documents without the parts that are meant to change: values, numbers as they were
// spelled, and the order of keys.
func TestTheRestSurvives(t *testing.T) {
	touched := []string{
		"process.user", "process.capabilities", "process.noNewPrivileges", "process.env", "mounts", "annotations",
		"linux.seccomp.syscalls", "linux.seccomp.defaultAction", "linux.seccomp.architectures", "linux.resources.devices",
	}
	check := func(name string, data []byte) {
		out, err := rewriteConfig(data, change())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, got := leaves(t, data, touched), leaves(t, out, touched)
		if !slices.Equal(want, got) {
			t.Errorf("%s: differs elsewhere:\n%q\n%q", name, want, got)
		}
	}
	recorded(t, "*.config.json", check)
	check("unknown and odd", []byte(`{"zz":{"Uid":1,"b":[1.50,1e3,-0,9223372036854771712,{"x":null}]},
		"process":{"new":"\u00e9é","args":["a"],"rlimits":[{"type":"RLIMIT_X","hard":18446744073709551615,"soft":1e0}]},
		"root":{"path":"r"},"linux":{"netDevices":{"e":{"name":"f"}},"memoryPolicy":{"mode":"x"},"future":[[]]},"aa":0.10}`))
}

// leaves lists every scalar of a document with its path, in order, in its own spelling.
func leaves(t *testing.T, data []byte, without []string) []string {
	t.Helper()
	var all []string
	var walk func(path string, raw json.RawMessage)
	walk = func(path string, raw json.RawMessage) {
		if slices.Contains(without, path) {
			return
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		first, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		delim, ok := first.(json.Delim)
		if !ok {
			all = append(all, path+" "+string(bytes.TrimSpace(raw)))
			return
		}
		for i := 0; d.More(); i++ {
			key := "#"
			if delim == '{' {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				key = name.(string)
			}
			var v json.RawMessage
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			walk(strings.TrimPrefix(path+"."+key, "."), v)
		}
	}
	walk("", data)
	return all
}

func TestRefusedDocuments(t *testing.T) {
	const proc = `"process":{"args":["a"]}`
	for _, test := range []struct{ name, doc, want string }{
		{"E1 duplicate at the top", `{` + proc + `,` + proc + `}`, "duplicate"},
		{"E1 duplicate in user", `{"process":{"user":{"uid":1,"uid":0}}}`, "duplicate"},
		{"E1 duplicate by escape", `{"process":{"user":{"uid":1,"\u0075id":0}}}`, "duplicate"},
		{"E1 duplicate in a map", `{` + proc + `,"annotations":{"a":"1","a":"2"}}`, "duplicate"},
		{"E1 duplicate in an unknown object", `{` + proc + `,"x":{"a":{"b":1,"b":2}}}`, "duplicate"},
		{"E2 case at the top", `{` + proc + `,"Process":{}}`, "differs from"},
		{"E2 case in user", `{"process":{"user":{"UID":0}}}`, "differs from"},
		{"E2 case deep", `{` + proc + `,"linux":{"seccomp":{"syscalls":[{"Names":["clone"]}]}}}`, "differs from"},
		{"E2 case without the known one", `{"process":{"NoNewPrivileges":false}}`, "differs from"},
		{"E3 long s", `{` + proc + `,"proceſs":{}}`, "not plain ASCII"},
		{"E3 long s escaped", `{` + proc + `,"proce\u017fs":{}}`, "not plain ASCII"},
		{"E3 Kelvin", `{` + proc + `,"hoo\u212as":{}}`, "not plain ASCII"},
		{"E3 in user", `{"process":{"user":{"additionalGidſ":[0]}}}`, "not plain ASCII"},
		{"E4 NUL in a key", `{` + proc + `,"process\u0000":{}}`, "NUL"},
		{"E4 NUL in a value", `{"process":{"args":["a\u0000b"]}}`, "NUL"},
		{"E4 NUL in an annotation's key", `{` + proc + `,"annotations":{"run.oci.keep_original_groups\u0000x":"1"}}`, "NUL"},
		{"E4 raw NUL", "{\"process\":{\"args\":[\"a\x00b\"]}}", "invalid"},
		{"E5 a second value", `{` + proc + `} {}`, "more data after"},
		{"E5 a NUL tail", "{" + proc + "}\x00", "more data after"},
		{"E5 a comment", `{` + proc + `}/* x */`, "more data after"},
		{"E5 nothing", ``, "EOF"},
		{"E5 cut off", `{` + proc, "EOF"},
		{"invalid UTF-8", "{\"process\":{\"args\":[\"\xff\"]}}", "UTF-8"},
		{"no object", `[]`, "an array"},
		{"no process", `{"root":{}}`, "no process"},
		{"null process", `{"process":null}`, "no process"},
		{"A5 process is an array", `{"process":[]}`, "process is an array"},
		{"A5 user is a string", `{"process":{"user":"root"}}`, "process.user is a string"},
		{"A5 uid is a string", `{"process":{"user":{"uid":"1000"}}}`, "process.user.uid is a string"},
		{"A5 uid is true", `{"process":{"user":{"uid":true}}}`, "process.user.uid is a boolean"},
		{"A5 uid is -0", `{"process":{"user":{"uid":-0}}}`, "process.user.uid is -0"},
		{"A5 uid is 1.0", `{"process":{"user":{"uid":1.0}}}`, "process.user.uid is 1.0"},
		{"A4 uid is 2^32", `{"process":{"user":{"uid":4294967296}}}`, "process.user.uid is 4294967296"},
		{"A4 uid is 2^32-1", `{"process":{"user":{"uid":4294967295}}}`, "leave unchanged"},
		{"A4 gid is 2^32-1", `{"process":{"user":{"gid":4294967295}}}`, "leave unchanged"},
		{"A4 group is 2^32-1", `{"process":{"user":{"additionalGids":[4294967295]}}}`, "leave unchanged"},
		{"A5 groups are a number", `{"process":{"user":{"additionalGids":0}}}`, "a number, not an array"},
		{"A5 a group is a string", `{"process":{"user":{"additionalGids":["6"]}}}`, "a string, not a number"},
		{"A5 groups are nested", `{"process":{"user":{"additionalGids":[[6]]}}}`, "holds an array"},
		{"A5 noNewPrivileges is a string", `{"process":{"noNewPrivileges":"true"}}`, "noNewPrivileges is a string"},
		{"A5 noNewPrivileges is a number", `{"process":{"noNewPrivileges":1}}`, "noNewPrivileges is a number"},
		{"env is an object", `{"process":{"env":{}}}`, "process.env is an object"},
		{"env holds null", `{"process":{"env":[null]}}`, "null"},
		{"capabilities are an array", `{"process":{"capabilities":[]}}`, "process.capabilities is an array"},
		{"bounding is a string", `{"process":{"capabilities":{"bounding":"CAP_X"}}}`, "bounding is a string"},
		{"mounts are an object", `{` + proc + `,"mounts":{}}`, "mounts is an object"},
		{"linux is a string", `{` + proc + `,"linux":"x"}`, "linux is a string"},
		{"seccomp is an array", `{` + proc + `,"linux":{"seccomp":[]}}`, "linux.seccomp is an array"},
		{"annotations are an array", `{` + proc + `,"annotations":[]}`, "annotations is an array"},
		{"B5 notify", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}}}`, "SCMP_ACT_NOTIFY"},
		{"two conditions that deny", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_NE"},{"index":1,"value":7,"op":"SCMP_CMP_EQ"}]}]}}}`, "narrowed safely"},
		{"a condition on the stack of clone", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":1,"op":"SCMP_CMP_NE"}]}]}}}`, "narrowed safely"},
		{"conditions that allow beside others that deny", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_NE"}]},{"names":["clone"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}}}`, "narrowed safely"},
		{"B5 listener", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent.sock"}}}`, "/run/agent.sock"},
		{"an unknown action", `{` + proc + `,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_HOPE"}}}`, "SCMP_ACT_HOPE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := rewriteAll([]byte(test.doc))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v and %s, want an error with %q", err, out, test.want)
			}
		})
	}
}

// rewriteAll reads every fact, as a call under a policy does, and rewrites.
func rewriteAll(data []byte) ([]byte, error) {
	doc, err := ParseConfig(data)
	if err != nil {
		return nil, err
	}
	if _, err := doc.User(); err != nil {
		return nil, err
	}
	return doc.Rewrite(change())
}

func TestListenersAreRefusedInAnyCase(t *testing.T) {
	c := change()
	c.Container.AllowUserNamespaces = true
	out, err := rewriteConfig([]byte(`{"process":{},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}}}`), c)
	if err == nil {
		t.Errorf("got %s", out)
	}
}

func TestAbsentIsWritten(t *testing.T) {
	for _, process := range []string{
		`{}`, `{"user":null}`, `{"user":{}}`, `{"user":{"uid":null}}`, `{"user":{"username":"root"}}`,
		`{"capabilities":null}`, `{"capabilities":{}}`, `{"capabilities":{"bounding":null}}`, `{"noNewPrivileges":null}`, `{"env":null}`,
	} {
		in := []byte(`{"process":` + process + `,"root":{"path":"r"}}`)
		out, err := rewriteConfig(in, change())
		if err != nil {
			t.Errorf("%s: %v", process, err)
			continue
		}
		checkPromises(t, process, in, out)
	}
}

func TestNoZeroIsEverWritten(t *testing.T) {
	for _, p := range []ProcessChange{{UID: 0, GID: 1}, {UID: 1, GID: 0}, {UID: 1, GID: 1, Groups: []uint32{7, 0}}} {
		out, err := rewriteConfig([]byte(`{"process":{"user":{"uid":5,"gid":5}}}`), Change{Process: p})
		if err == nil {
			t.Errorf("%+v gives %s", p, out)
		}
	}
}

func TestSteers(t *testing.T) {
	for key, want := range map[string]bool{
		"bundle": true, "bundle=/x": true, "a=b": true, "a\nb": true, "a\x7f": true, "a\u0085b": true,
		"run.oci.handler": true, "run.oci.": true, "org.criu.config": true,
		"org.systemd.property.ExecStartPre": true, "org.systemd.property.TimeoutStopUSec": false,
		"org.systemd.property.":        true,
		"io.kubernetes.cri.sandbox-id": false, "bundles": false, "run.ocix": false, "io.nonroot-runc.user": false, "é": false,
	} {
		if Steers(key) != want {
			t.Errorf("Steers(%q) is %v", key, !want)
		}
	}
}

// TestShapesAreTheSpecifications compares the generated shapes with the types they were made from.
func TestShapesAreTheSpecifications(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var check func(path string, typ reflect.Type, s *shape)
	check = func(path string, typ reflect.Type, s *shape) {
		switch typ.Kind() {
		case reflect.Pointer:
			check(path, typ.Elem(), s)
		case reflect.Struct:
			if s == nil || s.kind != structure {
				t.Fatalf("%s has no shape", path)
			}
			if seen[typ] {
				return
			}
			seen[typ] = true
			i := 0
			for _, f := range reflect.VisibleFields(typ) {
				if f.Anonymous {
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if i >= len(s.fields) || s.fields[i].name != name {
					t.Fatalf("%s: the shape does not have %q at %d; run go generate", path, name, i)
				}
				check(path+"."+name, f.Type, s.fields[i].shape)
				i++
			}
			if i != len(s.fields) {
				t.Errorf("%s: the shape has more than the type; run go generate", path)
			}
		case reflect.Map:
			if s == nil || s.kind != mapping {
				t.Fatalf("%s has no shape", path)
			}
			check(path+".*", typ.Elem(), s.elem)
		case reflect.Slice:
			if s != nil {
				check(path+".#", typ.Elem(), s.elem)
			}
		default:
			if s != nil {
				t.Errorf("%s has a shape, but is a leaf", path)
			}
		}
	}
	check("", reflect.TypeFor[specs.Spec](), &shapeSpec)
	if len(seen) < 50 {
		t.Errorf("only %d types were seen", len(seen))
	}
}

func TestApply(t *testing.T) {
	doc, err := ParseConfig([]byte(`{"process":{"terminal":true,"consoleSize":{"height":1,"width":2},"args":["old"],"env":["A=1"],"cwd":"/","x":7}}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := doc.Process()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(Flags{Args: []string{"sh", "-c", "\"é\""}, Env: []string{"B=2"}, Cwd: "/tmp", User: &User{UID: 5, GID: 6}}); err != nil {
		t.Fatal(err)
	}
	got := string(p.root.render(nil))
	want := `{"args":["sh","-c","\"é\""],"env":["A=1","B=2"],"cwd":"/tmp","x":7,"user":{"uid":5,"gid":6,"additionalGids":[]}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzConfig(f *testing.F) {
	recorded(f, "*.config.json", func(_ string, data []byte) { f.Add(data) })
	f.Add([]byte(`{"process":{"user":{"uid":0}},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["clone","read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_MASKED_EQ"}]}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := ParseConfig(data)
		if err != nil {
			return
		}
		_, _ = doc.Container()
		out, err := doc.Rewrite(change())
		if err != nil {
			return
		}
		again, err := rewriteConfig(out, change())
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("twice is not once (%v):\n%s\n%s\n%s", err, data, out, again)
		}
		checkPromises(t, "fuzz", data, out)
	})
}

func FuzzProcess(f *testing.F) {
	recorded(f, "*.process.json", func(_ string, data []byte) { f.Add(data) })
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := rewriteProcessFile(data, change())
		if err != nil {
			return
		}
		again, err := rewriteProcessFile(out, change())
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("twice is not once (%v):\n%s\n%s\n%s", err, data, out, again)
		}
		var p specs.Process
		if json.Unmarshal(data, &p) != nil {
			return
		}
		p = specs.Process{}
		if err := json.Unmarshal(out, &p); err != nil {
			t.Fatal(err)
		}
		if p.User.UID != 65532 || p.User.GID != 65532 || len(p.User.AdditionalGids) != 0 || !p.NoNewPrivileges || p.Capabilities == nil ||
			len(p.Capabilities.Effective)+len(p.Capabilities.Permitted)+len(p.Capabilities.Inheritable)+len(p.Capabilities.Ambient) != 0 {
			t.Fatalf("a promise is broken: %s", out)
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	data, err := os.ReadFile("testdata/recorded/docker-plain.config.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := rewriteConfig(data, change()); err != nil {
			b.Fatal(err)
		}
	}
}
