// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestPrivileged: what a call needs; exempting the container is not advised if root would have been refused, too.
func TestPrivileged(t *testing.T) {
	ordinary := []string{"CAP_CHOWN", "CAP_NET_RAW"}
	for _, test := range []struct {
		d     Denied
		asked []string
		want  string // words of it, separated by "|"; those after "!" must be absent
	}{
		{Denied{Name: "clock_settime", Errno: unix.EPERM}, ordinary, "CAP_SYS_TIME|root would not have had here either|!exemption"},
		{Denied{Name: "clock_settime", Errno: unix.EPERM}, []string{"CAP_SYS_TIME"}, "CAP_SYS_TIME|exemption|!either"},
		{Denied{Name: "clock_settime", Errno: unix.EPERM}, nil, "exemption|!either"},
		{Denied{Name: "socket", Errno: unix.EPERM}, ordinary, "CAP_NET_RAW|exemption"},
		{Denied{Name: "sethostname", Errno: unix.EPERM}, ordinary, "either|--hostname|!exemption"},
		{Denied{Name: "prlimit64", Errno: unix.EPERM}, ordinary, "--ulimit|!exemption"},
		{Denied{Name: "mlock", Errno: unix.ENOMEM}, ordinary, "CAP_IPC_LOCK|--ulimit memlock=-1"},
		{Denied{Name: "kill", Errno: unix.EPERM}, ordinary, "one identity|!exemption"},
		{Denied{Name: "ioctl", Args: [6]uint64{3, 0x400454ca}, Errno: unix.EPERM, Paths: []string{"/dev/net/tun"}}, ordinary, "ioctl TUNSETIFF /dev/net/tun|CAP_NET_ADMIN"},
		{Denied{Name: "ioctl", Args: [6]uint64{3, 0x1234}, Errno: unix.EPERM}, ordinary, "ioctl 0x1234|!exemption"},
	} {
		a := &Advisor{Policy: policy.Default(), Asked: test.asked}
		a.Denied(&test.d)
		if len(a.Findings()) != 1 || len(a.Lines()) != 0 {
			t.Errorf("%+v: %+v", test.d, a.Findings())
			continue
		}
		f := a.Findings()[0]
		for word := range strings.SplitSeq(test.want, "|") {
			if unwanted, not := strings.CutPrefix(word, "!"); strings.Contains(f.What+": "+f.Why, unwanted) == not {
				t.Errorf("%+v: %q: %q lacks or has %q", test.d, f.What, f.Why, word)
			}
		}
	}
}

// TestPrograms: programs that talk to the kernel by messages, and those with a setuid file.
func TestPrograms(t *testing.T) {
	a := &Advisor{Asked: []string{}}
	a.Failed("ip", 2)
	a.Failed("ip", 2)
	a.Failed("grep", 1)
	a.Setuid("/usr/bin/sudo")
	a.Setuid("/bin/ping")
	got := a.Findings()
	if len(got) != 2 || got[0].What != "ip (netlink)" || got[0].Count != 2 || !strings.Contains(got[0].Why, "CAP_NET_ADMIN") ||
		got[1].What != "/usr/bin/sudo" || !strings.Contains(got[1].Why, "setuid") {
		t.Errorf("%+v", got)
	}
}

// TestOnMount: no advice takes a file away from a user who writes it, or grants a right that nobody may have.
func TestOnMount(t *testing.T) {
	in := &place{tid: os.Getpid(), who: &credentials{uid: 65532, gid: 65532}}
	a := &Advisor{Policy: policy.Default(), Record: &decision.Decision{}}
	for _, test := range []struct {
		source   string
		st       unix.Stat_t
		rootless bool
		want     string
	}{
		{"/srv/a", unix.Stat_t{Mode: unix.S_IFDIR | 0o755, Uid: 1000, Gid: 1000}, false, "run it as the owner (--user 1000:1000)|!chown"},
		{"/srv/a", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, false, "chgrp 65532|as a last resort chown 65532:65532"},
		{"/srv/a", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, true, "--userns=keep-id|podman unshare chown|!as a last resort chown"},
		{"/var/lib/docker/volumes/v/_data", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, false, "volumes adopt --user 65532:65532|!chown"},
		{"/var/lib/docker/volumes/v/_data", unix.Stat_t{Mode: unix.S_IFDIR | 0o775}, false, "volumes adopt --group 65532|!--user"},
		{"/var/lib/docker/volumes/v/_data", unix.Stat_t{Mode: unix.S_IFDIR | 0o770, Uid: 1000}, false, "volumes adopt --group 65532|!--user"},
		{"/var/lib/docker/volumes/v/_data", unix.Stat_t{Mode: unix.S_IFDIR | 0o700, Uid: 1000, Gid: 1000}, false, "--user 1000:1000|!chown|!adopt"},
		{"/var/lib/docker/containers/0a/hosts", unix.Stat_t{Mode: unix.S_IFREG | 0o644}, false, "--add-host|!chown"},
		{"/etc", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, false, "a copy|!chown|!chgrp|!chmod"},
		{"/etc/shadow", unix.Stat_t{Mode: unix.S_IFREG | 0o640, Gid: 42}, false, "a copy|!chown|!chgrp|!chmod|!--group-add"},
		{"/root", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, false, "a copy|!chown|!chgrp|!chmod"},
		{"/", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, true, "a copy|!chown|!chgrp|!chmod"},
		{"/b/nonroot-passwd", unix.Stat_t{Mode: unix.S_IFREG | 0o644}, false, "nonroot-runc makes|when the image is built|!chown|!chgrp|!chmod"},
		{"/run/docker.sock", unix.Stat_t{Mode: unix.S_IFSOCK | 0o660}, false, "an engine's socket|!chown|!chmod"},
	} {
		a.Rootless, a.Podman = test.rootless, test.rootless
		got := a.onMount(in, &Mount{Destination: "/data", Source: test.source, Type: "bind"}, "/data", &test.st, 3)
		for word := range strings.SplitSeq(test.want, "|") {
			if unwanted, not := strings.CutPrefix(word, "!"); strings.Contains(got, unwanted) == not {
				t.Errorf("%s of %d: %q lacks or has %q", test.source, test.st.Uid, got, word)
			}
		}
	}
}

// TestOnMountOfAll: files below a mount count, not only the mount itself.
func TestOnMountOfAll(t *testing.T) {
	in := &place{tid: os.Getpid(), who: &credentials{uid: 65532, gid: 65532}}
	a := &Advisor{Policy: policy.Default(), Record: &decision.Decision{}}
	st := unix.Stat_t{Mode: unix.S_IFDIR | 0o755}
	for at, want := range map[string]bool{"/host/etc/x": false, "/host/srv/x": true} {
		if got := a.onMount(in, &Mount{Destination: "/host", Source: "/", Type: "bind"}, at, &st, 3); strings.Contains(got, "chown") != want {
			t.Errorf("%s: %s", at, got)
		}
	}
}

func TestSockaddrPath(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/run/x.sock": "/run/x.sock", "x.sock": filepath.Join(cwd, "x.sock"), "\x00abstract": "", "": ""} {
		var address unix.RawSockaddrUnix
		address.Family = unix.AF_UNIX
		for i := range len(name) {
			address.Path[i] = int8(name[i])
		}
		got, ok := sockaddrPath(os.Getpid(), uint64(uintptr(unsafe.Pointer(&address))), uint64(2+len(name)+1))
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", name, got, ok)
		}
	}
	internet := unix.RawSockaddrInet4{Family: unix.AF_INET}
	if got, ok := sockaddrPath(os.Getpid(), uint64(uintptr(unsafe.Pointer(&internet))), unix.SizeofSockaddrInet4); ok {
		t.Errorf("of the internet: %q", got)
	}
}

func TestHost(t *testing.T) {
	for args, want := range map[string]string{
		"docker run bb": "", "docker -H unix:///x run bb": "unix:///x", "docker --host=unix:///x run bb": "unix:///x", "docker run -H x bb": "",
	} {
		if got := (&Engine{Args: strings.Fields(args)}).Host(); got != want {
			t.Errorf("%s: %q", args, got)
		}
	}
}
