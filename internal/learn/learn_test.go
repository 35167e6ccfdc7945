// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestPrivilegedGroup: a container that tries to become one of the host's group docker does not get that suggested for all.
func TestPrivilegedGroup(t *testing.T) {
	a := &Advisor{Policy: policy.Default(), Privileged: func(gid uint32) bool { return gid == 999 }}
	a.Denied(&Denied{Name: "setgid", Args: [6]uint64{999}, Errno: unix.EPERM})
	if lines := a.Lines(); len(lines) != 0 || !strings.Contains(a.Findings()[0].Why, "privileged on the host") {
		t.Errorf("%q, %+v", lines, a.Findings()[0])
	}
	b := &Advisor{Policy: policy.Default(), Privileged: a.Privileged}
	b.Denied(&Denied{Name: "setgid", Args: [6]uint64{1000}, Errno: unix.EPERM})
	if lines := b.Lines(); !slices.Equal(lines, []string{"identity.gid = 1000"}) {
		t.Errorf("%q", lines)
	}
}

// TestLines: what is printed is a policy.
func TestLines(t *testing.T) {
	a := &Advisor{Policy: policy.Default()}
	for _, f := range []Finding{
		{Policy: "adapt.own", Value: "/opt/app/logs"},
		{Policy: "adapt.own", Value: "/opt/app"},
		{Policy: "adapt.own", Value: "/opt/apps"},
		{Policy: "adapt.own", Value: "/opt/\n[identity]"},
		{Policy: "adapt.own", Value: `/opt/a"b`},
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
	if want := append(slices.Clone(a.Policy.Adapt.Own), `/opt/a"b`, "/opt/app", "/opt/apps"); !slices.Equal(p.Adapt.Own, want) {
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
		"/data": Mounted, "/data/x": Mounted, "/data/tmp/x": Mounted, "/database": Folder, "/proc/sys": Kernel, "/etc/x": Image, "/": Image,
		"/usr/share/x": Image, "/opt": Folder,
	} {
		f := a.about(&credentials{uid: 65532, gid: 65532}, dir, st, "may not")
		if f.Kind != kind || (f.Policy != "") != (kind == Folder) {
			t.Errorf("%s: %+v, want %s", dir, f, kind)
		}
	}
}

func TestParseEngine(t *testing.T) {
	for line, ok := range map[string]bool{
		"docker run bb": true, "/usr/bin/podman --log-level debug run -d bb": true, "docker container run bb": true,
		"docker ps": false, "nerdctl run bb": false, "run bb": false, "docker run --cidfile=x bb": false, "docker run --cidfile x bb": false,
	} {
		if e, err := ParseEngine(strings.Fields(line)); (err == nil) != ok {
			t.Errorf("%s: %+v, %v", line, e, err)
		}
	}
}

// field is what follows a key in a text of lines.
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
