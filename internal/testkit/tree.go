// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"golang.org/x/sys/unix"
)

// Root is root's entry of passwd.
const Root = "root:x:0:0:root:/root:/bin/bash\n"

// Debian is the part of an image that most tests share.
var Debian = []string{
	"etc/passwd = " + Root + "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\napp:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"etc/group = root:x:0:\nwww-data:x:33:\napp:x:1000:\n",
	"bin/sh = #!", "bin/bash = #!", "usr/sbin/nologin = #!", "home/", "tmp/", "root/secret = x", "var/www/html/index.html = x",
}

// Tree makes a rootfs of lines: "dir/", "dir/ @UID", "file = text", "link ->
// target", "pipe |", "null !". Programs are those in a bin or sbin.
func Tree(t testing.TB, parts ...[]string) string {
	t.Helper()
	NeedRoot(t)
	dir := t.TempDir()
	Must(t, os.Chmod(dir, 0o755))
	for _, part := range parts {
		for _, line := range part {
			Plant(t, dir, line)
		}
	}
	return dir
}

// Plant makes what one line of Tree says.
func Plant(t testing.TB, dir, line string) {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	p := filepath.Join(dir, name)
	Must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	switch {
	case strings.HasSuffix(name, "/"):
		Must(t, os.MkdirAll(p, 0o755))
		if id, owned := strings.CutPrefix(rest, "@"); owned {
			uid, err := strconv.Atoi(id)
			Must(t, err, os.Chown(p, uid, uid))
		} else if rest == "closed" {
			Must(t, os.Chmod(p, 0o700))
		}
	case strings.HasPrefix(rest, "-> "):
		Must(t, os.Symlink(rest[3:], p))
	case rest == "|":
		Must(t, unix.Mkfifo(p, 0o644))
	case rest == "!":
		Must(t, unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	case strings.HasPrefix(rest, "= "):
		mode := os.FileMode(0o644)
		if strings.HasSuffix(filepath.Dir(p), "bin") {
			mode = 0o755
		}
		_ = os.Remove(p)
		Must(t, os.WriteFile(p, []byte(rest[2:]), mode))
	default:
		t.Fatalf("what is %q?", line)
	}
}

// Engine is what Docker mounts into every container.
func Engine() []rootfs.Mount {
	return []rootfs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts"},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue"},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"},
		{Destination: "/etc/resolv.conf", Type: "bind", Source: "/etc/resolv.conf", Options: []string{"rbind"}},
		{Destination: "/etc/hostname", Type: "bind", Source: "/etc/hostname", Options: []string{"rbind"}},
		{Destination: "/etc/hosts", Type: "bind", Source: "/etc/hosts", Options: []string{"rbind"}},
	}
}

// Bind is a bind mount by its option alone, as crun and runc accept it.
func Bind(source, dest string) rootfs.Mount {
	return rootfs.Mount{Destination: dest, Type: "none", Source: source, Options: []string{"rbind", "rw"}}
}
