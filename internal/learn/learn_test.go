// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

func TestCallName(t *testing.T) {
	for _, test := range []struct {
		arch uint32
		nr   uint64
		want string
	}{
		{unix.AUDIT_ARCH_X86_64, 257, "openat"},
		{unix.AUDIT_ARCH_X86_64, x32 | 257, "openat"},
		{unix.AUDIT_ARCH_I386, 295, "openat"},
		{unix.AUDIT_ARCH_AARCH64, 56, "openat"},
		{unix.AUDIT_ARCH_X86_64, 1 << 40, "call 1099511627776"},
		{7, 257, "call 257"},
	} {
		if got := callName(test.arch, test.nr); got != test.want {
			t.Errorf("%#x, %d: %q, want %q", test.arch, test.nr, got, test.want)
		}
	}
}

func TestIdentities(t *testing.T) {
	all := uint64(1<<32 - 1)
	for _, test := range []struct {
		call      string
		args      [6]uint64
		what, key string
	}{
		{"setuid", [6]uint64{1000, 7}, "uid 1000", "identity.uid"},
		{"setresuid", [6]uint64{1000, 1000, all}, "uid 1000", "identity.uid"},
		{"setresuid", [6]uint64{1000, 1001, all}, "uid 1000, 1001", ""},
		{"setresgid", [6]uint64{^uint64(0), 1000, 1000}, "gid 1000", "identity.gid"},
		{"setreuid", [6]uint64{0, 0}, "uid 0", ""},
		{"setgroups", [6]uint64{1}, "groups", ""},
	} {
		f, ok := identities(&Denied{Name: test.call, Args: test.args})
		if !ok || f.What != test.what || f.Policy != test.key || f.Why == "" {
			t.Errorf("%s%v: %+v, %v", test.call, test.args, f, ok)
		}
	}
	if _, ok := identities(&Denied{Name: "open"}); ok {
		t.Error("open changes an identity")
	}
}

func TestBecome(t *testing.T) {
	fixed, image := &decision.Decision{Source: policy.Fixed}, &decision.Decision{Source: policy.Image}
	for _, test := range []struct {
		call string
		id   uint64
		of   *decision.Decision
		line string
	}{
		{"setuid", 2000, fixed, "identity.uid = 2000"},
		{"setgid", 2000, fixed, "identity.gid = 2000"},
		{"setuid", 2000, image, ""},
		{"setuid", 4294967294, fixed, ""},
		{"setuid", 1000, fixed, ""},
		{"setgid", 6, fixed, ""},
		{"setgid", 100, fixed, ""},
		{"setuid", 300005, fixed, ""},
		{"setgid", 300005, fixed, ""},
		{"setuid", 200005, fixed, ""},
		{"setgid", 200005, fixed, ""},
	} {
		ofRule := *policy.Default()
		ofRule.Reserved = policy.Ranges{{First: 200000, Last: 200999}}
		a := &Advisor{
			Policy: &ofRule, Record: test.of, Groups: &policy.HostGroups{Groups: []policy.HostGroup{{Name: "disk", GID: 6}, {Name: "users", GID: 100}}},
			Account:     func(uid uint32) string { return map[uint32]string{1000: "alice"}[uid] },
			Subordinate: func(_ string, id uint32) string { return map[uint32]string{300005: "alice"}[id] },
		}
		a.Denied(&Denied{Name: test.call, Args: [6]uint64{test.id}, Errno: unix.EPERM})
		if got := strings.Join(a.Lines(), "\n"); got != test.line || len(a.Findings()) != 1 {
			t.Errorf("%s %d, %s: %q, want %q; %+v", test.call, test.id, test.of.Source, got, test.line, a.Findings()[0])
		}
	}
}

// TestWithheld: there is no line for a directory that adapt.own does not change.
func TestWithheld(t *testing.T) {
	rootfs := t.TempDir()
	for _, dir := range []string{"etc", "opt/app", "opt/fixed", "opt/foreign", "opt/known", "usr/lib/app", "var/lib/dpkg", "var/log/x"} {
		if err := os.MkdirAll(path.Join(rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path.Join(rootfs, "etc/passwd"), []byte("app:x:4001:4001::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root) // nothing was written
	standIn := &decision.Decision{Source: policy.Fixed, Identity: &policy.Identity{UID: 65532, GID: 65532}}
	kept := &decision.Decision{Source: policy.Kept, Identity: &policy.Identity{UID: 1000}, Asked: &policy.Identity{UID: 1000}}
	plain := *standIn
	plain.Notes = []string{"root's files in the image did not become the container user's: " + layer.ErrNotOwn.Error()}
	for _, test := range []struct {
		dir  string
		st   unix.Stat_t
		of   *decision.Decision
		line bool
	}{
		{"/export/app", unix.Stat_t{Mode: 0o755}, standIn, true},
		{"/export/known", unix.Stat_t{Uid: 4001, Mode: 0o755}, standIn, true},
		{"/export/foreign", unix.Stat_t{Uid: 4000, Mode: 0o755}, standIn, false},
		{"/export/fixed", unix.Stat_t{Mode: 0o555}, standIn, false},
		{"/var/lib/dpkg", unix.Stat_t{Mode: 0o755}, standIn, false},
		{"/var/log/x", unix.Stat_t{Mode: 0o755}, standIn, false},
		{"/export/app", unix.Stat_t{Mode: 0o755}, kept, false},
		{"/export/app", unix.Stat_t{Mode: 0o755}, &plain, false},
	} {
		a := &Advisor{Policy: policy.Default(), Record: test.of}
		if without := a.withheld(&place{root, os.Getpid(), &credentials{uid: 65532}}, test.dir, &test.st, 3); (without == "") != test.line {
			t.Errorf("%s of %s: %q", test.dir, test.of.Source, without)
		}
	}
}

// TestWithheldAsTheCoreHasIt: learn predicts what the core changes, even for an unusual owner, mode or policy.
func TestWithheldAsTheCoreHasIt(t *testing.T) {
	root, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root) // nothing was written
	asks := func(uid uint32) *decision.Decision {
		return &decision.Decision{Source: policy.Fixed, Identity: &policy.Identity{UID: 65532, GID: 65532}, Asked: &policy.Identity{UID: uid}}
	}
	dir, file := uint32(unix.S_IFDIR), uint32(unix.S_IFREG)
	noGroup, anothers := policy.Default(), policy.Default()
	noGroup.Adapt.GroupRoot, anothers.UID = false, 3000
	for name, test := range map[string]struct {
		p     *policy.Policy
		of    *decision.Decision
		st    unix.Stat_t
		right uint32
		line  bool
	}{
		"an owner of a directory gets its rights":        {policy.Default(), asks(0), unix.Stat_t{Mode: dir | 0o555}, 3, true},
		"the mode of a file stays":                       {policy.Default(), asks(0), unix.Stat_t{Mode: file | 0o444}, 2, false},
		"root's, who was not asked for":                  {policy.Default(), asks(5000), unix.Stat_t{Mode: dir | 0o755}, 3, false},
		"theirs who were asked for":                      {policy.Default(), asks(5000), unix.Stat_t{Uid: 5000, Mode: dir | 0o755}, 3, true},
		"of who the policy makes of others":              {anothers, asks(0), unix.Stat_t{Uid: 3000, Mode: dir | 0o755}, 3, true},
		"a person's":                                     {policy.Default(), asks(0), unix.Stat_t{Uid: 3000, Mode: dir | 0o755}, 3, false},
		"a person's that root's group may write":         {policy.Default(), asks(0), unix.Stat_t{Uid: 3000, Mode: dir | 0o770}, 3, true},
		"a person's that root's group may only read":     {policy.Default(), asks(0), unix.Stat_t{Uid: 3000, Mode: dir | 0o750}, 3, false},
		"a person's, and the policy leaves root's group": {noGroup, asks(0), unix.Stat_t{Uid: 3000, Mode: dir | 0o770}, 3, false},
	} {
		a := &Advisor{Policy: test.p, Record: test.of}
		in := &place{root, os.Getpid(), &credentials{uid: 65532, gid: 65532}}
		if without := a.withheld(in, "/export/app", &test.st, test.right); (without == "") != test.line {
			t.Errorf("%s: %q", name, without)
		}
	}
}

// TestDroppedGroup: if the container lost a group that has the right, the line is the one that keeps the group; on a
// device, and on a mount.
func TestDroppedGroup(t *testing.T) {
	groups := &policy.HostGroups{Groups: []policy.HostGroup{{Name: "disk", GID: 6}, {Name: "team", GID: 5000}}}
	for _, test := range []struct {
		name    string
		st      unix.Stat_t
		dropped []uint32
		line    string
	}{
		{"the group's", unix.Stat_t{Gid: 5000, Mode: unix.S_IFDIR | 0o770}, []uint32{4, 5000}, "identity.allowed_gids = [7, 5000]"},
		{"not dropped", unix.Stat_t{Gid: 5000, Mode: unix.S_IFDIR | 0o770}, []uint32{4}, ""},
		{"the group may not either", unix.Stat_t{Gid: 5000, Mode: unix.S_IFDIR | 0o740}, []uint32{5000}, ""},
		{"root's group", unix.Stat_t{Mode: unix.S_IFDIR | 0o770}, []uint32{0}, ""},
	} {
		p := policy.Default()
		p.AllowedGIDs = policy.Ranges{{First: 7, Last: 7}}
		a := &Advisor{
			Policy: p, Groups: groups, Mounts: []Mount{{"/data", "/srv", "bind"}},
			Record: &decision.Decision{Dropped: test.dropped, Identity: &policy.Identity{UID: 1004}, Asked: &policy.Identity{UID: 1004}},
		}
		f := a.about(&place{root: -1, tid: os.Getpid(), who: &credentials{uid: 1004}}, "/data", &test.st, 3, "may not")
		a.found = []*Finding{&f}
		if lines := strings.Join(a.Lines(), "\n"); lines != test.line || f.Kind != Mounted {
			t.Errorf("%s: %q, %+v", test.name, lines, f)
		}
		if kept := strings.Contains(f.Why, "chown"); kept != (test.line == "") {
			t.Errorf("%s: %s", test.name, f.Why)
		}
	}
	a := &Advisor{Policy: policy.Default(), Groups: groups, Record: &decision.Decision{Dropped: []uint32{6}}}
	f := a.device("/dev/disk0", &unix.Stat_t{Gid: 6, Mode: unix.S_IFBLK | 0o660}, false)
	if f.Policy != "identity.allowed_gids" || f.Value != "6" || !strings.Contains(f.Why, "privileged on the host") {
		t.Errorf("%+v", f)
	}
}

// TestOurMounts: for a full home, the finding names its size; for a read-only passwd, whose file it is. Other file
// systems that are full or read-only have denied nothing.
func TestOurMounts(t *testing.T) {
	home := t.TempDir()
	mounted := &decision.Decision{Mode: decision.Rewrite, Home: home, Mounted: true}
	for _, test := range []struct {
		errno unix.Errno
		path  string
		of    *decision.Decision
		size  string
		kind  string
		line  string
	}{
		{unix.ENOSPC, home + "/x", mounted, "256m", Home, `home.size = "1g"`},
		{unix.ENOSPC, home, mounted, "1g", Home, `home.size = "4g"`},
		{unix.ENOSPC, home, mounted, "50%", Home, ""},
		{unix.ENOSPC, home + "x", mounted, "1g", "", ""},
		{unix.ENOSPC, home, &decision.Decision{Mode: decision.Rewrite, Home: home}, "1g", "", ""},
		{unix.ENOSPC, home, &decision.Decision{Mode: decision.Off, Home: home, Mounted: true}, "1g", "", ""},
		{unix.ENOSPC, home, nil, "1g", "", ""},
		{unix.EROFS, "/etc/passwd", mounted, "1g", Mounted, ""},
		{unix.EROFS, "/etc/group", mounted, "1g", Mounted, ""},
		{unix.EROFS, "/etc/hosts", mounted, "1g", "", ""},
		{unix.EROFS, home, mounted, "1g", "", ""},
		{unix.ENOSPC, "/etc/passwd", mounted, "1g", "", ""},
	} {
		p := policy.Default()
		p.HomeSize = test.size
		a := &Advisor{Policy: p, Record: test.of}
		a.Denied(&Denied{Name: "openat", Errno: test.errno, Paths: []string{test.path}, TID: os.Getpid()})
		kind := ""
		if len(a.Findings()) > 0 {
			kind = a.Findings()[0].Kind
		}
		if lines := strings.Join(a.Lines(), ";"); kind != test.kind || lines != test.line {
			t.Errorf("%v at %s: %q, %q", test.errno, test.path, kind, lines)
		}
	}
	for size, want := range map[string]string{"1k": "4k", "512k": "2m", "300m": "1200m", "": "", "g": "", "0m": "", "9": ""} {
		if got := larger(size); got != want {
			t.Errorf("larger than %q: %q, want %q", size, got, want)
		}
	}
}

// TestNoDenial: an EPERM that is no refusal is not reported.
func TestNoDenial(t *testing.T) {
	a := &Advisor{Policy: policy.Default()}
	a.Denied(&Denied{Name: "epoll_ctl", Errno: unix.EPERM})
	a.Denied(&Denied{Name: "rt_sigreturn", Errno: unix.EPERM})
	if len(a.Findings()) != 0 {
		t.Errorf("%+v", a.Findings()[0])
	}
	a.Denied(&Denied{Name: "ptrace", Errno: unix.EPERM})
	a.Denied(&Denied{Name: "unshare", Errno: unix.EPERM, Args: [6]uint64{unix.CLONE_NEWUSER}})
	for _, f := range a.Findings() {
		if strings.Contains(f.Why, "exemption") {
			t.Errorf("%s: advised to exempt: %s", f.What, f.Why)
		}
	}
}

// TestLines: what is printed is a valid policy.
func TestLines(t *testing.T) {
	a := &Advisor{Policy: policy.Default()}
	for _, f := range []Finding{
		{Policy: "adapt.own", Value: "/export/app/logs"},
		{Policy: "adapt.own", Value: "/export/app"},
		{Policy: "adapt.own", Value: "/export/apps"},
		{Policy: "adapt.own", Value: "/export/\n[identity]"},
		{Policy: "adapt.own", Value: `/export/a"b`},
		{Policy: "adapt.own", Value: "/export/a\xffb"},
		{Policy: "adapt.own", Value: "/"},
		{Policy: "adapt.low_ports", Value: "true"},
		{Policy: "identity.device_groups", Value: "/dev/dri/renderD128"},
		{Policy: "identity.uid", Value: "1000"},
		{Policy: "identity.gid", Value: "1000"},
		{Policy: "identity.gid", Value: "1001"},
		{Kind: Privileged, What: "chroot"},
	} {
		a.found = append(a.found, &f)
	}
	lines := a.Lines()
	p, err := policy.Parse("learned", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(lines, "\n"))
	}
	if want := append(slices.Clone(a.Policy.Adapt.Own), `/export/a"b`, "/export/app", "/export/apps"); !slices.Equal(p.Adapt.Own, want) {
		t.Errorf("own is %q, want %q", p.Adapt.Own, want)
	}
	if p.UID != 1000 || p.GID == 1000 || p.GID == 1001 || !slices.Equal(p.DeviceGroups, []string{"/dev/dri/renderD128"}) {
		t.Errorf("%+v", p)
	}
	if len(lines) != 3 {
		t.Errorf("ports are open by default, and of two gids none is the one: %q", lines)
	}
}

func TestMountOf(t *testing.T) {
	a := &Advisor{Policy: policy.Default(), Mounts: []Mount{{"/proc", "proc", "proc"}, {"/data", "/srv", "bind"}, {"/data/tmp/", "tmpfs", "tmpfs"}}}
	st := &unix.Stat_t{Mode: unix.S_IFDIR | 0o755}
	for dir, kind := range map[string]string{
		"/data": Mounted, "/data/x": Mounted, "/data/tmp/x": Mounted, "/database": Directory, "/proc/sys": Kernel, "/etc/ssh": Image, "/etc/x": Directory, "/": Image,
		"/usr/share/x": Image, "/export": Directory,
	} {
		in := &place{root: -1, tid: os.Getpid(), who: &credentials{uid: 65532, gid: 65532}}
		f := a.about(in, dir, st, 3, "may not")
		if f.Kind != kind || (f.Policy != "") != (kind == Directory) {
			t.Errorf("%s: %+v, want %s", dir, f, kind)
		}
	}
}

func TestParseEngine(t *testing.T) {
	for line, ok := range map[string]bool{
		"docker run bb": true, "/usr/bin/podman --log-level debug run -d bb": true, "docker container run bb": true,
		"docker ps": false, "docker exec x run y": false, "docker compose run x": false, "nerdctl run bb": false, "run bb": false, "docker run --cidfile=x bb": false, "docker run --cidfile x bb": false,
	} {
		if e, err := ParseEngine(strings.Fields(line)); (err == nil) != ok {
			t.Errorf("%s: %+v, %v", line, e, err)
		}
	}
}

// field returns what follows a key in a text of lines.
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// TestDevice: a node's group on the host is looked up by the node's path there; a node elsewhere, in a volume, is not
// the host's.
func TestDevice(t *testing.T) {
	for _, test := range []struct {
		path string
		st   unix.Stat_t
		line bool
	}{
		{"/dev/dri/card0", unix.Stat_t{Mode: unix.S_IFCHR | 0o660, Gid: 44}, true},
		{"/data/card0", unix.Stat_t{Mode: unix.S_IFCHR | 0o660, Gid: 44}, false},
		{"/dev/kmem", unix.Stat_t{Mode: unix.S_IFCHR | 0o660, Gid: 6}, false},
		{"/dev/sda", unix.Stat_t{Mode: unix.S_IFBLK | 0o660, Gid: 44}, false},
		{"/dev/mine", unix.Stat_t{Mode: unix.S_IFCHR | 0o600, Gid: 44}, false},
		{"/dev/dri/*", unix.Stat_t{Mode: unix.S_IFCHR | 0o660, Gid: 44}, false},
	} {
		a := &Advisor{Policy: policy.Default(), Groups: &policy.HostGroups{Groups: []policy.HostGroup{{Name: "disk", GID: 6}, {Name: "video", GID: 44}}}}
		if f := a.device(test.path, &test.st, false); (f.Policy != "") != test.line || f.Why == "" {
			t.Errorf("%s: %+v", test.path, f)
		}
	}
}

// TestWaitIsBounded: a command line whose container ignores the signal, as a first process without a handler does, is
// not waited for without limit.
func TestWaitIsBounded(t *testing.T) {
	for script, ends := range map[string]bool{"echo ready; exec sleep 60": true, "trap '' TERM; echo ready; sleep 60": false} {
		e := &Engine{run: exec.Command("sh", "-c", script), ended: make(chan error, 1)}
		out, err := e.run.StdoutPipe()
		if err != nil || e.run.Start() != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatal(line, err)
		}
		go func() { e.ended <- e.run.Wait() }()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if got := e.Wait(ctx); got != ends {
			t.Errorf("%s: it ended: %v", script, got)
		}
		_ = e.run.Process.Kill() // it may have ended
	}
}
