// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// noPolicy returns a file with the built-in policy's settings.
func noPolicy(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	testkit.Must(t, os.WriteFile(file, nil, 0o600))
	return file
}

// TestRecorded explains the requests of real engines. Each difference has a name, and none is in "the rest".
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("../spec/testdata/recorded/*.config.json")
	testkit.Must(t, err)
	explained := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		testkit.Must(t, err)
		var config map[string]any
		testkit.Must(t, json.Unmarshal(data, &config))
		config["root"].(map[string]any)["path"] = "rootfs"
		data, err = json.Marshal(config)
		testkit.Must(t, err)
		r, err := Bundle(testkit.Bundle(t, data), Options{Policy: noPolicy(t)})
		testkit.Must(t, err)
		if r.Decided.Mode == "refuse" { // it joins a user namespace of another host
			if r.Decided.Reason == "" || len(r.Changes) > 0 {
				t.Errorf("%s: refused for %q, with changes %v", file, r.Decided.Reason, r.Changes)
			}
			continue
		}
		explained++
		what := map[string]Change{}
		for _, c := range r.Changes {
			what[c.What] = c
			if c.What == "the rest of config.json" || c.Asked == c.Decided {
				t.Errorf("%s: %+v", file, c)
			}
		}
		if u, changed := what["user"]; changed != (r.Asked.UID == 0 || r.Asked.GID == 0) || changed && strings.HasPrefix(u.Decided, "0:") {
			t.Errorf("%s: asked for %d:%d, user %+v", file, r.Asked.UID, r.Asked.GID, u)
		}
	}
	if explained < 30 {
		t.Errorf("only %d of %d were explained", explained, len(files))
	}
}

func specOf(edit func(*specs.Spec)) *specs.Spec {
	s := &specs.Spec{
		Process: &specs.Process{User: specs.User{UID: 5}, Env: []string{"A=1", "B=2"}, Capabilities: &specs.LinuxCapabilities{}},
		Linux:   &specs.Linux{},
	}
	edit(s)
	return s
}

func TestChanges(t *testing.T) {
	profile := func(names ...string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActAllow}}}
	}
	for _, c := range []struct {
		name     string
		was, now func(*specs.Spec)
		want     []Change
	}{
		{"nothing", func(*specs.Spec) {}, func(*specs.Spec) {}, []Change{}},
		{
			"groups", func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{0, 7} },
			func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{7} },
			[]Change{{"additional groups", "0, 7", "7"}},
		},
		{
			"capabilities", func(s *specs.Spec) {
				s.Process.Capabilities = &specs.LinuxCapabilities{Ambient: []string{"CAP_X", "CAP_Y"}}
			},
			func(s *specs.Spec) { s.Process.Capabilities = &specs.LinuxCapabilities{Ambient: []string{}} },
			[]Change{{"ambient capabilities", "CAP_X, CAP_Y", ""}},
		},
		{
			"a variable twice becomes one", func(s *specs.Spec) { s.Process.Env = []string{"HOME=/a", "HOME=/b"} },
			func(s *specs.Spec) { s.Process.Env = []string{"HOME=/c"} },
			[]Change{{`environment "HOME"`, `"/a"`, `"/c"`}, {`environment "HOME"`, `"/b"`, ""}},
		},
		{
			"a mount goes, one comes", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/a", Type: "tmpfs"}} },
			func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/b", Type: "tmpfs"}} },
			[]Change{{"mount", `"/a": "tmpfs" of "", ""`, ""}, {"mount", "", `"/b": "tmpfs" of "", ""`}},
		},
		{
			"one system call of a profile", func(s *specs.Spec) { s.Linux.Seccomp = profile("read", "setns") },
			func(s *specs.Spec) { s.Linux.Seccomp = profile("read") },
			[]Change{{`seccomp "setns"`, `"ALLOW"`, "the default"}},
		},
		{
			"the default of a profile", func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActErrno} },
			func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow} },
			[]Change{{"seccomp profile", `{"defaultAction":"SCMP_ACT_ERRNO"}`, `{"defaultAction":"SCMP_ACT_ALLOW"}`}},
		},
		{
			"an annotation", func(s *specs.Spec) { s.Annotations = map[string]string{"a": "1", "b": "\x1b"} },
			func(s *specs.Spec) { s.Annotations = map[string]string{"a": "1"} },
			[]Change{{`annotation "b"`, `"\x1b"`, ""}},
		},
		{
			"something that has no name here", func(*specs.Spec) {}, func(s *specs.Spec) { s.Linux.CgroupsPath = "/x" },
			[]Change{{"the rest of config.json", "as it was", "something else"}},
		},
		{
			"a part of the process that has no name here", func(*specs.Spec) {}, func(s *specs.Spec) { s.Process.Cwd = "/x" },
			[]Change{{"the rest of config.json", "as it was", "something else"}},
		},
	} {
		if got := changes(specOf(c.was), specOf(c.now)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestPrivileged(t *testing.T) {
	all := strings.Join(privileged(specOf(func(s *specs.Spec) {
		s.Process.Capabilities.Bounding = []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}}
		s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8}}
		s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
		s.Mounts = []specs.Mount{
			{Destination: "/s", Source: "/run/docker.sock", Options: []string{"rbind"}},
			{Destination: "/h", Source: "/etc/", Type: "bind"},
			{Destination: "/d", Source: "/srv/data", Type: "bind"},
		}
	})), "\n")
	for _, want := range []string{"CAP_SYS_ADMIN", "no seccomp", "host's network", "host's ipc", "/dev/sda", "every device", "docker.sock", `"/etc/"`, "/proc is masked"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
	for _, not := range []string{"CAP_CHOWN", "host's pid", "host's mount", "/srv/data"} {
		if strings.Contains(all, not) {
			t.Errorf("%q is in %s", not, all)
		}
	}
}

func TestMay(t *testing.T) {
	who := person{1000, []uint32{1000, 2000}}
	for _, c := range []struct {
		uid, gid, mode uint32
		right          uint32
		want           bool
	}{
		{1000, 0, 0o700, 7, true},
		{1000, 0, 0o077, 1, false}, // only the owner's bits count
		{0, 2000, 0o070, 2, true},
		{0, 2000, 0o707, 2, false}, // likewise the group's
		{0, 0, 0o770, 1, false},
		{0, 0, 0o005, 5, true},
		{0, 0, 0o004, 5, false},
	} {
		st := &unix.Stat_t{Uid: c.uid, Gid: c.gid, Mode: c.mode}
		if got := who.may(c.right, st); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct {
		env, args []string
		want      []uint16
	}{
		{[]string{"PORT=80", "HTTP_PORT=81", "PORTAL=82", "PORT=x", "PORT=0", "PORT=65536"}, nil, []uint16{80, 81}},
		{nil, []string{"80", "--port=81", "--port", "82", "-p", "83", "--http-port=84", "-p85", "--parents", "86"}, []uint16{81, 82, 83, 84}},
		{nil, []string{"x", ":80", "0.0.0.0:81", "--listen=[::]:82", "*:83", "example.org:84", "a:b:85"}, []uint16{80, 81, 82, 83}},
	} {
		var got []uint16
		for _, p := range hints(&specs.Process{Env: c.env, Args: c.args}) {
			got = append(got, p.Number)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q %q: %d, want %d", c.env, c.args, got, c.want)
		}
	}
}

func TestDeclaredPorts(t *testing.T) {
	for sysctl, want := range map[string]int{"": 1, "80": 0, "81": 1, "1024": 1, "0": 0} {
		s := specOf(func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}
			if sysctl != "" {
				s.Linux.Sysctl = map[string]string{sysctlPorts: sysctl}
			}
		})
		v := &view{spec: s}
		v.ports([]Port{{80, "the image"}, {8080, "the image"}})
		if len(v.problems) != want {
			t.Errorf("sysctl %q: %v", sysctl, v.problems)
		}
	}
	// A namespace that is joined has a value of its own: this thread's. The process's first thread stays in the last
	// network that it joined, as Go can't end it (runtime, mexit), and /proc/self shows that network.
	own, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	testkit.Must(t, err)
	v := &view{spec: specOf(func(s *specs.Spec) {
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/proc/thread-self/ns/net"}}
	})}
	if os.Geteuid() == 0 {
		if n, from := v.firstPort(); strings.TrimSpace(string(own)) != strings.TrimSpace(numbers([]uint32{uint32(n)})) || !strings.Contains(from, "joins") {
			t.Errorf("%d from %s, not %s", n, from, own)
		}
	}
}

// TestRefusals: the report says what the runtime would refuse, and why; the caller's own mistakes are errors.
func TestRefusals(t *testing.T) {
	for _, config := range []string{`{}`, `{"process":{"user":{"uid":0,"uid":1}},"root":{"path":"rootfs"}}`, `x`} {
		r, err := Bundle(testkit.Bundle(t, []byte(config)), Options{Policy: noPolicy(t)})
		testkit.Must(t, err)
		if r.Decided.Mode != "refuse" || r.Decided.Reason == "" || r.Asked != nil {
			t.Errorf("%s: %+v", config, r)
		}
	}
	if _, err := Bundle(t.TempDir()+"/none", Options{}); err == nil {
		t.Error("a bundle that isn't there is explained")
	}
	if _, err := Bundle(t.TempDir(), Options{Policy: noPolicy(t)}); err == nil {
		t.Error("a bundle without a config.json is explained")
	}
	if _, err := Bundle(testkit.Bundle(t, []byte(`{}`)), Options{Policy: "/nonexistent/policy.toml"}); err == nil {
		t.Error("a policy that isn't there is passed over")
	}
}

// TestWalkEnds: the report says so if an image is larger than the limit of the search.
func TestWalkEnds(t *testing.T) {
	dir := testkit.Bundle(t, []byte(`{"process":{"cwd":"/"},"root":{"path":"rootfs"},"linux":{}}`))
	for _, name := range []string{"a", "b", "c"} {
		testkit.Must(t, os.WriteFile(dir+"/rootfs/"+name, nil, 0o755))
		testkit.Must(t, os.Chmod(dir+"/rootfs/"+name, 0o755|os.ModeSetuid))
	}
	image, err := rootfs.Open(dir, "rootfs", false, nil)
	testkit.Must(t, err)
	defer image.Close()
	for most, want := range map[int]int{2: 2, 100: 3} {
		found := 0
		complete := image.Walk(most, func(string, string, *unix.Stat_t) { found++ })
		if found != want || complete != (most > 3) {
			t.Errorf("at most %d: %d found, complete %v", most, found, complete)
		}
	}
}
