// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// bound makes a file or directory on the host.
func bound(t *testing.T, kind string, uid, gid int, mode os.FileMode) string {
	t.Helper()
	name := t.TempDir() + "/bound"
	switch kind {
	case "file":
		write(t, name, "x")
	case "directory":
		write(t, name+"/x", "x")
	case "empty":
		Must(t, os.Mkdir(name, 0o755))
	case "socket":
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		Must(t, err, unix.Bind(fd, &unix.SockaddrUnix{Name: name}), unix.Close(fd))
	}
	if !IsRoot() && uid+gid > 0 {
		t.Skip("in a user namespace there may be no such owner")
	}
	Must(t, os.Chown(name, uid, gid), os.Chmod(name, mode))
	return name
}

// TestClosedBinds checks what is reported of a closed mount, with the advice, and that an accessible one is not
// reported.
func TestClosedBinds(t *testing.T) {
	NeedPrivate(t)
	for _, test := range []struct {
		kind     string
		uid, gid int
		mode     os.FileMode
		options  string
		want     string // "": nothing; else words of it, separated by "|"; those after "!" must be absent
	}{
		{"empty", 0, 0, 0o755, "rw", "is empty and root's|run chown 65532:65532"},
		{"empty", 0, 0, 0o700, "rw", "can't be read|!is empty|!run chown"},
		{"empty", 0, 0, 0o1730, "rw", "can't be read|!is empty|!run chown"},
		{"directory", 0, 0, 0o755, "rw", "can't be written by the identity (0:0 0755)|chgrp 65532 and chmod g+rwx, or as a last resort chown 65532:65532|!--user"},
		{"directory", 1000, 1000, 0o755, "rw", "can't be written|run it as the owner (--user 1000:1000), or chgrp 65532|!chown"},
		{"directory", 1000, 1000, 0o755, "ro", ""},
		{"directory", 1000, 1000, 0o700, "ro", "can't be read|--user 1000:1000|chmod o+rx|!chown|!g+rwx"},
		{"directory", 1000, 1000, 0o700, "rw", "can't be read|--user 1000:1000|g+rwx|!chown"},
		{"directory", 1000, 2000, 0o070, "ro", "--group-add 2000|!--user|!chgrp"},
		{"directory", 1000, 65532, 0o770, "rw", ""},
		{"directory", 0, 0, 0o777, "rw", ""},
		{"directory", 65532, 0, 0o700, "rw", ""},
		{"file", 0, 0, 0o400, "ro", "can't be read by the identity (0:0 0400)|chgrp 65532 and chmod g+r, or as a last resort chown|!o+r|!--user"},
		{"file", 0, 0, 0o600, "rw", "can't be read|g+rw"},
		{"file", 0, 0, 0o644, "ro", ""},
		{"file", 1000, 1000, 0o644, "rw", "can't be written|--user 1000:1000"},
		{"file", 0, 65532, 0o640, "ro", ""},
		{"file", 0, 4000, 0o640, "ro", "--group-add 4000, where identity.allowed_gids lets it|!chgrp"},
		{"socket", 1000, 1000, 0o600, "rw", "can't be used|--user 1000:1000"},
		{"socket", 1000, 1000, 0o666, "ro", ""},
	} {
		if !IsRoot() && test.uid+test.gid > 0 {
			continue // bound made it
		}
		source := bound(t, test.kind, test.uid, test.gid, test.mode)
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(source, "/data", test.options)) })
		got := strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n")
		said(t, fmt.Sprintf("%+v", test), got, test.want)
	}
}

// TestAdviceIsPlain: a shell that runs the advice does what it says, and the advice never gives away files that system
// programs read.
func TestAdviceIsPlain(t *testing.T) {
	NeedPrivate(t)
	dir := t.TempDir()
	for _, name := range []string{"$(id)", "`id`", "a b", "a;b", "a'b", `a"b`, "a\nb", "~"} {
		source := dir + "/" + name
		Must(t, os.Mkdir(source, 0o755))
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(source, "/data", "rw")) })
		if got := strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n"); got == "" || strings.Contains(got, source) || strings.Contains(got, "is empty") {
			t.Errorf("%q: %q", source, got)
		}
	}
	// The same goes for root's home, where files may be run as root.
	g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf("/root", "/data", "rw")) })
	if got := strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n"); strings.Contains(got, "chown") || strings.Contains(got, "chgrp") || !strings.Contains(got, "a copy") {
		t.Errorf("root's home: %q", got)
	}
	// And through a link.
	Must(t, os.WriteFile("/etc/closed", nil, 0o600))
	for _, target := range []string{"/root", "/etc/closed"} {
		link := dir + "/link-to" + strings.ReplaceAll(target, "/", "-")
		Must(t, os.Symlink(target, link))
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(link, "/data", "rw")) })
		if got := strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n"); strings.Contains(got, "chown") || strings.Contains(got, "chgrp") || !strings.Contains(got, "a copy") {
			t.Errorf("%s: %q", target, got)
		}
	}
	// The owner of its parent directory could put a link to /etc in its place before chown runs, which follows links.
	if IsRoot() {
		persons := dir + "/persons"
		Must(t, os.MkdirAll(persons+"/made", 0o755), os.Chown(persons, 1000, 1000))
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(persons+"/made", "/data", "rw")) })
		said(t, "in a person's directory", strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n"), "is empty|use a volume|!chown|!chgrp")
	}
	for p, want := range map[string]bool{"/srv/a.b-c_d/e+f@g:1": true, "relative": false, "/a\x00": false, "/é": false} {
		if quote.IsPlainPath(p) != want {
			t.Errorf("%q", p)
		}
	}
}

// said checks that a text contains some words and lacks others.
func said(t *testing.T, what, got, want string) {
	t.Helper()
	if want == "" && got != "" {
		t.Errorf("%s: %q", what, got)
	}
	for word := range strings.SplitSeq(want, "|") {
		if unwanted, not := strings.CutPrefix(word, "!"); strings.Contains(got, unwanted) == not || want != "" && strings.Contains(got, "\n") {
			t.Errorf("%s: %q lacks or has %q", what, got, word)
		}
	}
}

// TestMountsThatAreNoPersons leaves out the engine's own mounts, those that change owner, those that another mount
// covers or that change owners themselves, and files that an access control list opens.
func TestMountsThatAreNoPersons(t *testing.T) {
	NeedPrivate(t)
	closed := bound(t, "file", 0, 0, 0o400)
	form := func(name string) string { // of a file that exists and is closed
		name = t.TempDir() + name
		write(t, name, "x")
		Must(t, os.Chmod(name, 0o600))
		return name
	}
	for name, mounts := range map[string][]specs.Mount{
		"a tmpfs":              {{Destination: "/data", Type: "tmpfs", Source: closed}},
		"the engine's file":    {bindOf(form("/containers/0a/hosts"), "/etc/hosts")},
		"a pod's secret":       {bindOf(form("/pods/0a/volumes/kubernetes.io~secret/s"), "/data", "ro")},
		"an engine's secret":   {bindOf(form("/s/containers/c/mounts/secrets/x"), "/run/secrets/x", "ro")},
		"of its own directory": {bindOf(form("/vfs-containers/c/userdata/hosts"), "/etc/hosts")},
		"idmapped":             {bindOf(closed, "/data", "ro", "idmap")},
		"a device":             {bindOf("/dev/null", "/data")},
		"nothing is there":     {bindOf("/none", "/data")},
		"the host's system":    {bindOf("/etc", "/data", "rw"), bindOf("/usr", "/srv", "rw")},
		"it is covered":        {bindOf(closed, "/data", "ro"), bindOf("/etc/hostname", "/data", "ro")},
		"covered with a tmpfs": {bindOf(closed, "/data/x", "ro"), {Destination: "/data", Type: "tmpfs", Source: "tmpfs"}},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, mounts...) })
		if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	// The list lets uid 65532 read: version 2; the owner, the user 65532, the group, the mask and others (acl(5), in
	// the form of linux/posix_acl_xattr.h).
	list := []byte("\x02\x00\x00\x00" +
		"\x01\x00\x04\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xfc\xff\x00\x00" + "\x04\x00\x00\x00\xff\xff\xff\xff" +
		"\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")
	if err := unix.Setxattr(closed, "system.posix_acl_access", list, 0); err != nil {
		t.Skip("the file system has no access control lists: ", err)
	}
	g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(closed, "/data", "ro")) })
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); got != nil {
		t.Errorf("with a list: %q", got)
	}
}

// TestAlike: mounts with the same fault share one note, which counts those that it doesn't name.
func TestAlike(t *testing.T) {
	NeedPrivate(t)
	closed, persons := bound(t, "file", 0, 0, 0o400), bound(t, "file", 1000, 1000, 0o400)
	g := gathered(t, func(s *specs.Spec) {
		for i := range 5 {
			s.Mounts = append(s.Mounts, bindOf(closed, fmt.Sprintf("/run/s%d", i), "ro"))
		}
		s.Mounts = append(s.Mounts, bindOf(persons, "/run/mine", "ro"))
	})
	got := g.closedBinds(decidedAs(65532, policy.Fixed), nil)
	if len(got) != 2 || !strings.HasPrefix(got[0], `what is mounted at "/run/s0", "/run/s1", "/run/s2" and 2 more can't be read`) || !strings.Contains(got[1], "/run/mine") {
		t.Errorf("%q", got)
	}
}

// TestClosedBindsAreBounded: many mounts cause neither a long examination nor a long record.
func TestClosedBindsAreBounded(t *testing.T) {
	NeedPrivate(t)
	open := bound(t, "file", 0, 0, 0o444)
	g := gathered(t, func(s *specs.Spec) {
		for i := range mostBinds {
			s.Mounts = append(s.Mounts, bindOf(open, fmt.Sprintf("/srv/%d", i), "ro"))
		}
		s.Mounts = append(s.Mounts, bindOf(bound(t, "file", 0, 0, 0o400), "/run/s", "ro"))
	})
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); got != nil {
		t.Errorf("behind many: %q", got)
	}
	g = gathered(t, func(s *specs.Spec) {
		for i := range mostKinds + 2 {
			s.Mounts = append(s.Mounts, bindOf(bound(t, "file", 1000+i, 1000, 0o400), fmt.Sprintf("/run/s%d", i), "ro"))
		}
	})
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); len(got) != mostKinds {
		t.Errorf("%d notes: %q", len(got), got)
	}
}

// TestDeepMounts: mounts at paths of thousands of directories, or behind links to such paths, don't take long to
// examine.
func TestDeepMounts(t *testing.T) {
	NeedPrivate(t)
	closed := bound(t, "file", 0, 0, 0o400)
	g := gathered(t, func(s *specs.Spec) {
		for i := range mostBinds {
			s.Mounts = append(s.Mounts, bindOf(closed, fmt.Sprintf("/srv/%d%s", i, strings.Repeat("/a", 2000)), "ro"))
		}
	})
	start := spent(t)
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); got != nil {
		t.Errorf("%q", got)
	}
	if took := spent(t) - start; took > time.Second {
		t.Errorf("it took %v", took)
	}
	deep := "srv" + strings.Repeat("/a", mostDeep)
	g = gathered(t, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, bindOf(closed, "/link/x", "ro"), bindOf(closed, "/srv/x", "ro"))
	}, with(deep+"/", "link -> "+deep)...)
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); len(got) != 1 || !strings.Contains(got[0], `at "/srv/x" can't be read`) {
		t.Errorf("%q", got)
	}
}

// spent returns the processor time that this program has used.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	Must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSilentFileSystem: a FUSE file system whose program describes a directory and then stops answering does not hang a
// create.
func TestSilentFileSystem(t *testing.T) {
	NeedPrivate(t)
	dir := t.TempDir()
	silent(t, dir)
	g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(dir, "/data", "rw")) })
	said := make(chan []string, 1)
	go func() { said <- g.closedBinds(decidedAs(65532, policy.Fixed), nil) }()
	select {
	case got := <-said:
		if len(got) != 1 || !strings.Contains(got[0], `at "/data" can't be written`) {
			t.Errorf("%q", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the file system")
	}
}

// TestSilentFileSystemOfAScript: nor do paths on it that a script names, whether the script itself is there or in a
// directory mounted with it.
func TestSilentFileSystemOfAScript(t *testing.T) {
	NeedPrivate(t)
	host := t.TempDir()
	Must(t, os.Mkdir(host+"/silent", 0o755))
	silent(t, host+"/silent")
	for what, script := range map[string]string{
		"a program": "/data/tool\n", "a program in PATH": "tool\n", "what it writes": "touch /data/x\n", "by a link": "touch /link/x\n",
		"in a further directory": "touch /host/silent/x\n", "an application's": "cp /x /home/silent/x\n",
	} {
		g := gathered(t, func(s *specs.Spec) {
			s.Process.Args = []string{"/bin/start"}
			s.Process.Env = []string{"PATH=/bin:/data"}
			s.Mounts = append(s.Mounts, bindOf(host+"/silent", "/data", "rw"), bindOf(host, "/host", "rbind"), bindOf(host, "/home", "rbind"))
		}, with("bin/start = #!/bin/sh\n"+script, "link -> /data")...)
		done, d := make(chan error, 1), decidedAs(65532, policy.Fixed)
		go func() {
			_, err := g.ForPlan(*d)
			done <- err
		}()
		select {
		case err := <-done:
			Must(t, err)
		case <-time.After(5 * time.Second):
			t.Errorf("%s: it waits for the file system", what)
		}
	}
}

// silent mounts a file system whose program describes its top directory, which belongs to root, and answers no other
// request (Linux, include/uapi/linux/fuse.h).
func silent(t *testing.T, dir string) {
	t.Helper()
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("there is no FUSE: %v", err)
	}
	Must(t, unix.Mount("silent", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev)))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH); _ = unix.Close(dev) })
	const getattr, initialize = 3, 26
	go func() {
		buf := make([]byte, 1<<17)
		for {
			n, err := unix.Read(dev, buf)
			if err != nil || n < 40 {
				return
			}
			var out []byte
			switch binary.NativeEndian.Uint32(buf[4:]) {
			case initialize:
				out = binary.NativeEndian.AppendUint32(nil, 7)
				out = binary.NativeEndian.AppendUint32(out, 31)
				out = append(out, make([]byte, 56)...)
				binary.NativeEndian.PutUint32(out[20:], 4096) // max_write
			case getattr:
				out = make([]byte, 104) // attr_valid, its nanoseconds and dummy, and the attributes
				binary.NativeEndian.PutUint64(out[16:], 1)
				binary.NativeEndian.PutUint32(out[76:], unix.S_IFDIR|0o755)
				binary.NativeEndian.PutUint32(out[80:], 2)
			default:
				continue
			}
			head := binary.NativeEndian.AppendUint32(nil, uint32(16+len(out)))
			head = binary.NativeEndian.AppendUint32(head, 0)
			head = append(head, buf[8:16]...) // the request's number
			if _, err := unix.Write(dev, append(head, out...)); err != nil {
				return
			}
		}
	}()
}

// TestClosedOnTheWay: a directory above a mount that the identity may not search is named, unless it changes owner.
func TestClosedOnTheWay(t *testing.T) {
	NeedPrivate(t)
	open, closed := bound(t, "file", 0, 0, 0o444), bound(t, "directory", 1000, 1000, 0o700)
	for _, test := range []struct {
		at   string
		give *plan.Give
		want string
	}{
		{"/usr/private/x", nil, `can't be reached: the directory "/usr/private" on the way`},
		{"/usr/private/in/x", nil, `can't be reached: the directory "/usr/private" on the way`},
		{"/root/x", nil, `"/root"`},
		{"/root/x", &plan.Give{Paths: []string{"/root"}}, ""},
		{"/site/x", &plan.Give{Applications: true}, ""},
		{"/x", nil, ""},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(open, test.at, "ro")) }, with("usr/private/in/", "root/", "site/")...)
		for _, dir := range []string{"/usr/private", "/root", "/site"} {
			Must(t, os.Chmod(g.Bundle+"/rootfs"+dir, 0o700))
		}
		said(t, test.at, strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), test.give), "\n"), test.want)
	}
	g := gathered(t, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, bindOf(closed, "/mine", "ro"), bindOf(open, "/mine/x", "ro"))
	})
	if got := g.closedBinds(decidedAs(65532, policy.Fixed), nil); len(got) != 2 || !strings.Contains(got[1], `the directory "/mine" on the way`) {
		t.Errorf("%q", got)
	}
}

// TestClosedBindsElsewhere: the advice differs under a rootless engine, in a pod, and in a user namespace.
func TestClosedBindsElsewhere(t *testing.T) {
	NeedPrivate(t)
	mine := bound(t, "directory", 0, 0, 0o700)
	theirs := bound(t, "directory", 1000, 1000, 0o700)
	shifted := bound(t, "directory", 101000, 101000, 0o700)
	for _, test := range []struct {
		name, source string
		change       func(g *Gathered)
		want         string
	}{
		{"Podman's", mine, func(g *Gathered) {
			g.call.Caller.Own = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 1000, Size: 1}}}
			g.Origin.Engine = "podman"
		}, "hint: --userns=keep-id, or chmod o+rwx, or as a last resort podman unshare chown 65532:65532"},
		{"Podman's, by what it says", mine, func(g *Gathered) {
			g.call.Caller.Own = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 1000, Size: 1}}}
			g.Container.Annotations = map[string]string{"io.container.manager": "libpod"}
		}, "hint: --userns=keep-id"},
		{"Docker's", mine, func(g *Gathered) {
			g.call.Caller.Own = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 1000, Size: 1}}}
		}, "hint: chmod o+rwx|!keep-id|!chown"},
		{"a pod's", theirs, func(g *Gathered) { g.Origin.Pod = "p" }, "runAsUser: 1000 and runAsGroup: 1000|!--user"},
		{"mapped", shifted, func(g *Gathered) { g.UserNamespace = shiftedBy(100000) }, "--user 1000:1000|chgrp 165532"},
		{"not mapped", theirs, func(g *Gathered) { g.UserNamespace = shiftedBy(100000) }, "hint: chmod o+rwx|!--user|!chown|!chgrp"},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(test.source, "/data", "rw")) })
		test.change(g)
		said(t, test.name, strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed), nil), "\n"), test.want)
	}
}

func shiftedBy(n uint32) *idmap.Pair {
	m := idmap.Map{{Inside: 0, Outside: n, Size: 65536}}
	return &idmap.Pair{UID: m, GID: m}
}

// TestTakenCapabilities names the capabilities beyond those that every container has.
func TestTakenCapabilities(t *testing.T) {
	many := []string{}
	for i := range 25 {
		many = append(many, fmt.Sprintf("CAP_%d", i))
	}
	for _, test := range []struct {
		bounding []string
		want     string
	}{
		{nil, ""},
		{[]string{"CAP_CHOWN", "CAP_NET_RAW"}, ""},
		{[]string{"CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_NET_ADMIN", "CAP_NET_ADMIN"}, "CAP_NET_ADMIN, CAP_SYS_ADMIN: asked for (--cap-add)|mode \"off\""},
		{many, "all capabilities were asked for|!CAP_1"},
	} {
		g := gathered(t, func(s *specs.Spec) { s.Process.Capabilities.Bounding = test.bounding })
		said(t, fmt.Sprint(test.bounding), strings.Join(g.takenCapabilities(), "\n"), test.want)
	}
}

// TestScarceMemory: a home that may grow larger than the container's memory limit is reported.
func TestScarceMemory(t *testing.T) {
	home := []rootfs.Mount{{Destination: "/home/nonroot", Type: "tmpfs"}}
	for _, test := range []struct {
		size   string
		limit  int64
		mounts []rootfs.Mount
		want   string
	}{
		{"256m", 64 << 20, home, `home.size = "256m"|64 MiB`},
		{"256m", 256 << 20, home, ""},
		{"256m", 0, home, ""},
		{"256m", -1, home, ""},
		{"256m", 64 << 20, nil, ""},
		{"50%", 64 << 20, home, ""},
		{"1g", 1<<30 - 1, home, "1g"},
		{"65537k", 64 << 20, home, "65537k"},
		{"67108864", 64 << 20, home, ""},
	} {
		g := gathered(t, func(s *specs.Spec) {
			if test.limit != 0 {
				s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &test.limit}}
			}
		})
		g.rule.HomeSize = test.size
		said(t, fmt.Sprintf("%+v", test), strings.Join(g.scarceMemory(test.mounts), "\n"), test.want)
	}
}
