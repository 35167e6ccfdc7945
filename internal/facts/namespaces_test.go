// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// sleeper starts a process that ends with the test.
func sleeper(t *testing.T, attr *syscall.SysProcAttr) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Pdeathsig = unix.SIGKILL
	cmd.SysProcAttr = attr
	Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it does not end by itself
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// mapped starts one in a user namespace of its own, in which inside is the id of the user who runs the tests.
func mapped(t *testing.T, inside int) (pid int) {
	t.Helper()
	return sleeper(t, &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Getegid(), Size: 1}},
	})
}

// TestUserNamespace: the container's id maps come from config.json, or from the namespace that is joined.
func TestUserNamespace(t *testing.T) {
	NeedPrivate(t)
	pid := mapped(t, 7)
	joined := fmt.Sprintf("/proc/%d/ns/user", pid)
	file := filepath.Join(t.TempDir(), "file")
	Must(t, os.WriteFile(file, nil, 0o600))
	one := func(inside, outside, size int) []spec.IDMap {
		return []spec.IDMap{{ContainerID: uint32(inside), HostID: uint32(outside), Size: uint32(size)}}
	}
	real := one(7, os.Geteuid(), 1)
	kept := -1
	keep := func(fd int) (int, error) { kept = fd; return fd, nil }
	for _, test := range []struct {
		name   string
		spaces []spec.Namespace
		uids   []spec.IDMap
		gids   []spec.IDMap
		want   *idmap.Pair
		joins  bool
		fails  string
	}{
		{"none", nil, nil, nil, nil, false, ""},
		{"maps without one", nil, one(0, 1000, 10), nil, nil, false, "linux.namespaces has no user namespace"},
		{"group maps without one", nil, nil, one(0, 1000, 10), nil, false, "linux.namespaces has no user namespace"},
		{"a new one", []spec.Namespace{{Type: "user"}}, one(0, 1000, 10), one(0, 2000, 20), &idmap.Pair{
			UID: idmap.Map{{Inside: 0, Outside: 1000, Size: 10}}, GID: idmap.Map{{Inside: 0, Outside: 2000, Size: 20}},
		}, false, ""},
		{"joined", []spec.Namespace{{Type: "user", Path: joined}}, nil, nil, &idmap.Pair{
			UID: idmap.Map{{Inside: 7, Outside: uint32(os.Geteuid()), Size: 1}}, GID: idmap.Map{{Inside: 7, Outside: uint32(os.Getegid()), Size: 1}},
		}, true, ""},
		{"joined, and the maps agree", []spec.Namespace{{Type: "user", Path: joined}}, real, real, &idmap.Pair{
			UID: idmap.Map{{Inside: 7, Outside: uint32(os.Geteuid()), Size: 1}}, GID: idmap.Map{{Inside: 7, Outside: uint32(os.Getegid()), Size: 1}},
		}, true, ""},
		{"B9: the maps disagree", []spec.Namespace{{Type: "user", Path: joined}}, one(7, 100000, 1), real, nil, false, "are not those of the user namespace"},
		{"B9: the group maps disagree", []spec.Namespace{{Type: "user", Path: joined}}, real, one(7, 100000, 1), nil, false, "are not those of the user namespace"},
		{"B9: a file", []spec.Namespace{{Type: "user", Path: file}}, nil, nil, nil, false, "it is not a namespace"},
		{"B9: a device", []spec.Namespace{{Type: "user", Path: "/dev/null"}}, nil, nil, nil, false, "it is not a namespace"},
		{"B9: another kind", []spec.Namespace{{Type: "user", Path: "/proc/self/ns/mnt"}}, nil, nil, nil, false, "it is not a user namespace"},
		{"not there", []spec.Namespace{{Type: "user", Path: "/run/none"}}, nil, nil, nil, false, "no such file"},
	} {
		kept = -1
		got, join, err := userNamespace(&spec.Container{Namespaces: test.spaces, UIDMap: test.uids, GIDMap: test.gids}, keep)
		if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v, want %q", test.name, err, test.fails)
			continue
		}
		if (got == nil) != (test.want == nil) || got != nil && (!slices.Equal(got.UID, test.want.UID) || !slices.Equal(got.GID, test.want.GID)) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		if test.joins != (kept >= 0) || test.joins && join != fmt.Sprintf("/proc/./%d/fd/%d", os.Getpid(), kept) || !test.joins && join != "" {
			t.Errorf("%s: descriptor %d is joined by %q", test.name, kept, join)
		}
		if kept >= 0 {
			Must(t, unix.Close(kept))
		}
	}
	_, _, err := userNamespace(&spec.Container{Namespaces: []spec.Namespace{{Type: "user", Path: joined}}}, func(fd int) (int, error) {
		_ = unix.Close(fd) // as a caller that can't keep it does
		return -1, unix.EMFILE
	})
	if err != unix.EMFILE {
		t.Errorf("a descriptor that can't be kept: %v", err)
	}
}

// ownNetwork creates a network namespace under a name, separate from the tests' own.
func ownNetwork(t *testing.T, name string, change func()) {
	t.Helper()
	write(t, name, "")
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			if change != nil {
				change()
			}
			err = unix.Mount("/proc/thread-self/ns/net", name, "", unix.MS_BIND, "")
		}
		done <- err
	}()
	Must(t, <-done)
	t.Cleanup(func() { _ = unix.Unmount(name, unix.MNT_DETACH); _ = os.Remove(name) })
}

// TestNetwork: whose network the container uses, and what is set in it.
func TestNetwork(t *testing.T) {
	NeedPrivate(t)
	const (
		podmans = "/run/netns/netns-1"
		crios   = "/run/netns/01234567-89ab-cdef-0123-456789abcdef"
		mine    = "/run/netns/mine"
		hosts   = "/run/netns/netns-host"
		touched = "/run/netns/11234567-89ab-cdef-0123-456789abcdef"
	)
	for _, name := range []string{podmans, crios, mine, "/run/other/netns-1"} {
		ownNetwork(t, name, nil)
	}
	ownNetwork(t, touched, func() { _ = os.WriteFile(procSys(portStart), []byte("80"), 0o600) }) // without it, the test fails
	write(t, hosts, "")
	Must(t, unix.Mount("/proc/thread-self/ns/net", hosts, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(hosts, unix.MNT_DETACH) })
	both := []string{portStart + "=0", pingRange + "=0 2147483647"}
	pods := slices.Clone(both)
	if !IsRoot() {
		pods = pods[:1] // a user namespace without the kernel's initial gids shows other values, so the setting looks changed
	}
	network := func(path string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.Namespaces[3].Path = path
		}
	}
	for _, test := range []struct {
		name   string
		edit   func(*specs.Spec)
		change func(*Gathered)
		want   []string
	}{
		{"its own", func(*specs.Spec) {}, nil, both},
		{"the host's", func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:3] }, nil, nil},
		{"joined, an engine's", network(podmans), nil, both},
		{"joined, nobody's", network(mine), nil, nil},
		{"joined, elsewhere", network("/run/other/netns-1"), nil, nil},
		{"joined, the host's by an engine's name", network(hosts), nil, nil},
		{"joined, not there", network("/run/netns/netns-none"), nil, nil},
		{"joined, a process's", network("/proc/1/ns/net"), nil, nil},
		{"a pod's", network(crios), func(g *Gathered) { g.call.Root, g.Bundle = "/run/crio", "/x/overlay-containers/c/userdata" }, pods},
		{"a pod's, which has set one", network(touched), func(g *Gathered) { g.call.Root, g.Bundle = "/run/crio", "/x/overlay-containers/c/userdata" }, pods[1:]},
		{"a pod's name, by another engine", network(crios), nil, nil},
		{"by a policy that doesn't", func(*specs.Spec) {}, func(g *Gathered) { g.rule.Adapt.LowPorts = false }, nil},
		{"a rootless engine's", func(*specs.Spec) {}, func(g *Gathered) { g.Own.GID = idmap.Map{{Inside: 0, Outside: 1000, Size: 1}} }, both[:1]},
		{"in a user namespace", func(*specs.Spec) {}, func(g *Gathered) { g.UserNamespace = &whole }, both[:1]},
		{"in a user namespace, joined as the host's root has made it", network(podmans), func(g *Gathered) { g.UserNamespace = &whole }, nil},
		{"in a user namespace, and it is joined", network(podmans), func(g *Gathered) { g.UserNamespace, g.join = &whole, "/proc/self/ns/user" }, both[:1]},
		{"in another user namespace than the network", network(podmans), func(g *Gathered) {
			g.UserNamespace, g.join = &whole, fmt.Sprintf("/proc/%d/ns/user", mapped(t, 0))
		}, nil},
		{"without /proc", func(s *specs.Spec) { s.Mounts = nil }, nil, nil},
		{"/proc is read-only", func(s *specs.Spec) { s.Mounts[0].Options = []string{"ro"} }, nil, nil},
		{"/proc is the host's", func(s *specs.Spec) {
			s.Mounts[0] = specs.Mount{Destination: "/proc", Type: "bind", Source: "/proc", Options: []string{"rbind"}}
		}, nil, both},
		{"/proc is something else", func(s *specs.Spec) { s.Mounts[0].Type = "tmpfs" }, nil, nil},
		{"/proc/sys is covered", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/proc/sys", Type: "tmpfs"})
		}, nil, nil},
	} {
		g := gathered(t, test.edit)
		if test.change != nil {
			test.change(g)
		}
		var got []string
		for _, s := range g.sysctls() {
			got = append(got, s.Name+"="+s.Value)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if !isCallers("/proc/thread-self/ns/net") || !isCallers("/run/none") || isCallers(podmans) {
		t.Error("which network is the caller's can't be told")
	}
}

// TestIsolated tries each kind of mount, device and namespace that can give a gid of the container a meaning on the
// host.
func TestIsolated(t *testing.T) {
	NeedPrivate(t)
	owners := trusted.CallersOwners(nil)
	const docker, podman = "/var/lib/docker", "/run/storage"
	for _, name := range []string{
		docker + "/containers/0a/hosts", docker + "/containers/0a/hostname", docker + "/volumes/metadata.db", docker + "/volumes/data/_data/x",
		podman + "/overlay-containers/0a/userdata/hosts", "/run/open/containers/0a/hosts", "/run/open/volumes/metadata.db", "/run/open/volumes/data/_data/x",
	} {
		write(t, name, "")
	}
	Must(t, os.Symlink("/etc/group", docker+"/containers/0a/resolv.conf"), os.Symlink("0a", docker+"/containers/0b"),
		os.Chmod("/run/open/containers/0a", 0o777), os.Chmod("/run/open/volumes/data", 0o777))
	for _, test := range []struct {
		name  string
		mount spec.Mount
		want  bool
	}{
		{"proc", spec.Mount{Type: "proc"}, true},
		{"sysfs", spec.Mount{Type: "sysfs"}, true},
		{"tmpfs", spec.Mount{Type: "tmpfs"}, true},
		{"ramfs", spec.Mount{Type: "ramfs"}, true},
		{"devpts", spec.Mount{Type: "devpts"}, true},
		{"mqueue", spec.Mount{Type: "mqueue"}, true},
		{"cgroup", spec.Mount{Type: "cgroup"}, true},
		{"cgroup2", spec.Mount{Type: "cgroup2"}, true},
		{"a disk", spec.Mount{Type: "ext4", Source: "/dev/sda1"}, false},
		{"the kernel's files", spec.Mount{Type: "debugfs"}, false},
		{"nobody says", spec.Mount{}, false},
		{"tmpfs that binds", spec.Mount{Type: "tmpfs", Source: "/etc", Options: []string{"bind"}}, false},
		{"the host's", spec.Mount{Type: "bind", Source: "/etc"}, false},
		{"an engine's file", spec.Mount{Type: "bind", Source: docker + "/containers/0a/hosts"}, true},
		{"another engine's", spec.Mount{Type: "bind", Source: podman + "/overlay-containers/0a/userdata/hosts"}, true},
		{"an engine's file that is not there", spec.Mount{Type: "bind", Source: docker + "/containers/0c/hosts"}, false},
		{"an engine's file that is a link", spec.Mount{Type: "bind", Source: docker + "/containers/0a/resolv.conf"}, false},
		{"an engine's file by a link", spec.Mount{Type: "bind", Source: docker + "/containers/0b/hosts"}, false},
		{"an engine's file that others can exchange", spec.Mount{Type: "bind", Source: "/run/open/containers/0a/hosts"}, false},
		{"a volume", spec.Mount{Type: "bind", Source: docker + "/volumes/data/_data"}, true},
		{"within a volume", spec.Mount{Type: "bind", Source: docker + "/volumes/data/_data/x"}, false},
		{"a volume that is not there", spec.Mount{Type: "bind", Source: docker + "/volumes/none/_data"}, false},
		{"like a volume, in a directory of others", spec.Mount{Type: "bind", Source: "/run/open/volumes/data/_data"}, false},
	} {
		if got := enginesOwn(&test.mount, owners); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	ipc := []spec.Namespace{{Type: "mount"}, {Type: "ipc"}}
	proc, etc := spec.Mount{Type: "proc"}, spec.Mount{Type: "bind", Source: "/etc"}
	for _, test := range []struct {
		name    string
		c       spec.Container
		devices bool
		want    bool
	}{
		{"nothing of the host's", spec.Container{Namespaces: ipc, Mounts: []spec.Mount{proc}}, false, true},
		{"devices", spec.Container{Namespaces: ipc, Mounts: []spec.Mount{proc}}, true, false},
		{"the host's IPC", spec.Container{Namespaces: ipc[:1], Mounts: []spec.Mount{proc}}, false, false},
		{"one mount of the host's", spec.Container{Namespaces: ipc, Mounts: []spec.Mount{proc, etc}}, false, false},
	} {
		if got := isolated(&test.c, test.devices, owners); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestDevices: a node's group on the host counts if it is a character device below /dev.
func TestDevices(t *testing.T) {
	var st unix.Stat_t
	Must(t, unix.Stat("/dev/null", &st))
	got := devices([]spec.CharacterDevice{{Path: "/dev/null"}, {Path: "/dev/none", GID: 20}, {Path: "/etc/passwd"}, {Path: "/dev/fd", Raw: true}})
	if len(got) != 4 || !got[0].Known || got[0].GID != st.Gid || got[0].Path != "/dev/null" || got[1].Known || got[2].Known || got[3].Known {
		t.Errorf("%+v (%s)", got, strconv.Itoa(int(st.Gid)))
	}
	if got[0].NodeGID != 0 || got[1].NodeGID != 20 || got[2].Closed || !got[3].Closed {
		t.Errorf("%+v", got)
	}
}
