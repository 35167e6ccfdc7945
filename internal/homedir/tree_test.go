// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needRoot skips where trees with other owners and devices can't be made,
// unless skips are failures.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
		t.Fatal("root is needed")
	}
	t.Skip("root is needed")
}

// must fails a test on the first failure among several.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// debian is the part of an image that most tests share.
var debian = []string{
	"etc/passwd = " + root + "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\napp:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"etc/group = root:x:0:\nwww-data:x:33:\napp:x:1000:\n",
	"bin/sh = #!", "bin/bash = #!", "usr/sbin/nologin = #!", "home/", "tmp/", "root/secret = x", "var/www/html/index.html = x",
}

// tree makes a rootfs of lines: "dir/", "dir/ @UID", "file = text", "link ->
// target", "pipe |", "null !". Programs are those in a bin or sbin.
func tree(t testing.TB, parts ...[]string) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, part := range parts {
		for _, line := range part {
			plant(t, dir, line)
		}
	}
	return dir
}

func plant(t testing.TB, dir, line string) {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	p := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	switch {
	case strings.HasSuffix(name, "/"):
		must(t, os.MkdirAll(p, 0o755))
		if id, owned := strings.CutPrefix(rest, "@"); owned {
			uid, err := strconv.Atoi(id)
			must(t, err, os.Chown(p, uid, uid))
		} else if rest == "closed" {
			must(t, os.Chmod(p, 0o700))
		}
	case strings.HasPrefix(rest, "-> "):
		must(t, os.Symlink(rest[3:], p))
	case rest == "|":
		must(t, unix.Mkfifo(p, 0o644))
	case rest == "!":
		must(t, unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	case strings.HasPrefix(rest, "= "):
		mode := os.FileMode(0o644)
		if strings.HasSuffix(filepath.Dir(p), "bin") {
			mode = 0o755
		}
		_ = os.Remove(p)
		must(t, os.WriteFile(p, []byte(rest[2:]), mode))
	default:
		t.Fatalf("what is %q?", line)
	}
}

// engine is what Docker mounts into every container.
func engine() []Mount {
	return []Mount{
		{"/proc", "proc", "proc", nil},
		{"/dev", "tmpfs", "tmpfs", []string{"nosuid"}},
		{"/dev/pts", "devpts", "devpts", nil},
		{"/sys", "sysfs", "sysfs", []string{"ro"}},
		{"/sys/fs/cgroup", "cgroup", "cgroup", []string{"ro"}},
		{"/dev/mqueue", "mqueue", "mqueue", nil},
		{"/dev/shm", "tmpfs", "shm", nil},
		{"/etc/resolv.conf", "bind", "/etc/resolv.conf", []string{"rbind"}},
		{"/etc/hostname", "bind", "/etc/hostname", []string{"rbind"}},
		{"/etc/hosts", "bind", "/etc/hosts", []string{"rbind"}},
	}
}

// bind is a bind mount by its option alone, as crun and runc accept it.
func bind(source, dest string) Mount {
	return Mount{dest, "none", source, []string{"rbind", "rw"}}
}

// wish is the fixed identity.
func wish() Wish {
	return Wish{UID: 65532, GID: 65532, Name: "nonroot", Size: "64m"}
}

// kept is an image's own user.
func kept(uid uint32, env string) Wish {
	return Wish{UID: uid, GID: uid, Name: "nonroot", Size: "64m", Kept: true, EnvHome: env}
}

func planOf(t testing.TB, rootfs string, readonly bool, mounts []Mount, w Wish) (*Plan, error) {
	t.Helper()
	im, err := Open("/", rootfs, readonly, mounts)
	must(t, err)
	defer func() { must(t, im.Close()) }()
	return im.Plan(w)
}
