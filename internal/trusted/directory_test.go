// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

var host = idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}

// directory creates a directory that only the caller can write.
func directory(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests change owners: run them as root")
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "config.json"), "{}")
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir, file string)
		want   string // part of the error; "": none
	}{
		{"as it should be", func(*testing.T, string, string) {}, ""},
		{"E7 a symbolic link", func(t *testing.T, dir, file string) {
			testkit.Must(t, os.Rename(file, dir+"/real"), os.Symlink("real", file))
		}, "symbolic link"},
		{"E7 a hard link", func(t *testing.T, dir, file string) { testkit.Must(t, os.Link(file, dir+"/other")) }, "2 hard links"},
		{"E7 a FIFO", func(t *testing.T, _, file string) { testkit.Must(t, os.Remove(file), unix.Mkfifo(file, 0o644)) }, "not a regular file"},
		{"E7 a directory", func(t *testing.T, _, file string) { testkit.Must(t, os.Remove(file), os.Mkdir(file, 0o755)) }, "not a regular file"},
		{"E7 a device", func(t *testing.T, _, file string) {
			testkit.Must(t, os.Remove(file), unix.Mknod(file, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))))
		}, "not a regular file"},
		{"E7 somebody else's", func(t *testing.T, _, file string) { testkit.Must(t, os.Chown(file, 1000, 0)) }, "belongs to uid 1000"},
		{"writable by all, in a directory that nobody else may pass", func(t *testing.T, dir, file string) { testkit.Must(t, os.Chmod(file, 0o666), os.Chmod(dir, 0o700)) }, ""},
		{"writable by all, below such a directory", func(t *testing.T, dir, file string) {
			testkit.Must(t, os.Chmod(file, 0o666), os.Chmod(filepath.Dir(dir), 0o710))
		}, ""},
		{"E7 writable by all, in a directory that a group may pass", func(t *testing.T, dir, file string) {
			testkit.Must(t, os.Chmod(file, 0o666), os.Chmod(dir, 0o710), os.Chown(dir, 0, 1000))
		}, "written by others"},
		{"E7 writable by all, in a directory that others may only pass", func(t *testing.T, dir, file string) { testkit.Must(t, os.Chmod(file, 0o666), os.Chmod(dir, 0o701)) }, "written by others"},
		{"E7 writable by all", func(t *testing.T, _, file string) { testkit.Must(t, os.Chmod(file, 0o666)) }, "written by others"},
		{"E7 writable by a group", func(t *testing.T, _, file string) { testkit.Must(t, os.Chown(file, 0, 1000), os.Chmod(file, 0o664)) }, "written by others"},
		{"writable by the caller's group", func(t *testing.T, _, file string) { testkit.Must(t, os.Chmod(file, 0o664)) }, ""},
		{"too large", func(t *testing.T, _, file string) { testkit.Must(t, os.Truncate(file, MaxSize+1)) }, "16 MiB"},
		{"gone", func(t *testing.T, _, file string) { testkit.Must(t, os.Remove(file)) }, "open"},
		{"E8 its directory is writable by all", func(t *testing.T, dir, _ string) { testkit.Must(t, os.Chmod(dir, 0o777)) }, "can be written by others"},
		{"E8 its directory is sticky, but somebody else's", func(t *testing.T, dir, _ string) {
			testkit.Must(t, os.Chmod(dir, 0o777|os.ModeSticky), os.Chown(dir, 1000, 0))
		}, "belongs to uid 1000"},
		{"E8 a directory above is somebody else's", func(t *testing.T, dir, _ string) { testkit.Must(t, os.Chown(filepath.Dir(dir), 1000, 1000)) }, "belongs to uid 1000"},
		{"E8 a directory above is writable by a group", func(t *testing.T, dir, _ string) {
			testkit.Must(t, os.Chown(filepath.Dir(dir), 0, 1000), os.Chmod(filepath.Dir(dir), 0o775))
		}, "can be written by others"},
		{"E8 a sticky directory above, root's", func(t *testing.T, dir, _ string) { testkit.Must(t, os.Chmod(filepath.Dir(dir), 0o777|os.ModeSticky)) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := directory(t)
			test.change(t, dir, filepath.Join(dir, "config.json"))
			d, err := Open(dir, CallersOwners(host))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			data, err := d.Read("config.json")
			err = errors.Join(err, d.CheckPath())
			if test.want == "" && (err != nil || string(data) != "{}") {
				t.Errorf("got %q, %v", data, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %q, %v, want an error with %q", data, err, test.want)
			}
			if _, err := ReadPath(filepath.Join(dir, "config.json"), CallersOwners(host)); (err == nil) != (test.want == "" && !strings.HasPrefix(test.name, "writable by all")) {
				t.Errorf("ReadPath gives %v", err)
			}
		})
	}
}

func TestReclaim(t *testing.T) {
	dir := directory(t)
	testkit.Must(t, os.Chown(dir, 100000, 100001), os.Chmod(dir, 0o777))
	d, err := Open(dir, CallersOwners(host))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Reclaim(100001, 100001); err == nil || !strings.Contains(err.Error(), "uid 100000") {
		t.Errorf("taken from somebody else: %v", err)
	}
	if err := d.CheckPath(); err == nil {
		t.Error("it is not the container's root's, and yet it passes the check")
	}
	testkit.Must(t, os.Chmod(filepath.Dir(dir), 0o777))
	if err := d.Reclaim(100000, 100001); err == nil || !strings.Contains(err.Error(), "written by others") {
		t.Errorf("taken back below a directory in which others can exchange it: %v", err)
	}
	testkit.Must(t, os.Chmod(filepath.Dir(dir), 0o755))
	testkit.Must(t, d.Reclaim(100000, 100001), d.CheckPath())
	var st unix.Stat_t
	testkit.Must(t, unix.Stat(dir, &st))
	if st.Uid != 0 || st.Gid != 100001 || st.Mode&0o7777 != 0o710 {
		t.Errorf("it belongs to %d:%d, mode %04o", st.Uid, st.Gid, st.Mode&0o7777)
	}
}

func TestReadLarge(t *testing.T) {
	dir := directory(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), MaxSize/16)
	testkit.Must(t, os.WriteFile(dir+"/large", want, 0o600))
	got, err := ReadFile(dir+"/large", CallersOwners(host))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestOverflowOwnerCountsAsRoot(t *testing.T) {
	dir := directory(t)
	testkit.Must(t, os.Chown(dir+"/"+"config.json", 65534, 65534))
	if _, err := ReadFile(dir+"/"+"config.json", CallersOwners(host)); err == nil {
		t.Error("on the host nobody's file is taken")
	}
	rootless := idmap.Map{{Inside: 0, Outside: 1000, Size: 1}}
	if _, err := ReadFile(dir+"/"+"config.json", CallersOwners(rootless)); err != nil {
		t.Errorf("in a rootless user namespace, the host root's file: %v", err)
	}
}

func TestOpenGivesTheRealPath(t *testing.T) {
	dir := directory(t)
	link := filepath.Join(filepath.Dir(dir), "link")
	testkit.Must(t, os.Symlink(dir, link))
	d, err := Open(link, CallersOwners(host))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Path != dir {
		t.Errorf("%q is opened as %q", link, d.Path)
	}
	// A later replacement of the link does not matter.
	other := filepath.Join(filepath.Dir(dir), "other")
	testkit.Must(t, os.Mkdir(other, 0o755), os.Remove(link), os.Symlink(other, link))
	if _, err := d.Read("config.json"); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(dir, "config.json"), CallersOwners(host)); err == nil {
		t.Error("a file is opened as a directory")
	}
	if _, err := Open(dir+"/none", CallersOwners(host)); err == nil {
		t.Error("nothing is opened as a directory")
	}
}

func TestReplaceKeepsModeAndOwner(t *testing.T) {
	dir := directory(t)
	file := filepath.Join(dir, "config.json")
	testkit.Must(t, os.Chown(file, 0, 1000), os.Chmod(file, 0o640))
	old, err := os.Open(file)
	testkit.Must(t, err)
	defer old.Close() // only read
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	testkit.Must(t, d.Replace("config.json", []byte("new"), 0o600, ""), d.Replace("fresh", []byte("x"), 0o644, ""), d.Replace("fresh", []byte("y"), 0o644, ""))
	var st unix.Stat_t
	testkit.Must(t, unix.Stat(file, &st))
	if st.Mode&0o7777 != 0o640 || st.Uid != 0 || st.Gid != 1000 {
		t.Errorf("mode %o, owner %d:%d", st.Mode, st.Uid, st.Gid)
	}
	if data, _ := os.ReadFile(file); string(data) != "new" {
		t.Errorf("it holds %q", data)
	}
	buf := make([]byte, 10)
	if n, _ := old.Read(buf); string(buf[:n]) != "{}" {
		t.Errorf("who had the old file open reads %q", buf[:n])
	}
	if data, _ := os.ReadFile(dir + "/fresh"); string(data) != "y" {
		t.Errorf("fresh holds %q", data)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("there is something left: %v", names)
	}
	testkit.Must(t, d.Remove("fresh"), d.Remove("fresh"))
}

// TestReplaceDoesNotFollow: a link that was put in the place of the file, or of the temporary one, is not written
// through.
func TestReplaceDoesNotFollow(t *testing.T) {
	dir := directory(t)
	victim := filepath.Join(filepath.Dir(dir), "victim")
	write(t, victim, "mine")
	file := filepath.Join(dir, "config.json")
	testkit.Must(t, os.Remove(file), os.Symlink(victim, file))
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	testkit.Must(t, d.Replace("config.json", []byte("new"), 0o600, ""))
	testkit.Must(t, os.Symlink(victim, dir+"/made"), d.Replace("made", []byte("new"), 0o600, ""))
	if data, _ := os.ReadFile(victim); string(data) != "mine" {
		t.Errorf("the link's target holds %q", data)
	}
	for _, f := range []string{file, dir + "/made"} {
		if st, err := os.Lstat(f); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s is %v, %v", f, st, err)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := directory(t)
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	// No process has an id beyond the kernel's limit (proc(5), pid_max).
	for _, name := range []string{".nonroot-config.json.4194305", ".nonroot-config.json.1", ".nonroot-x", ".nonroot-y.-1", "kept.4194305"} {
		write(t, dir+"/"+name, "")
	}
	d.Sweep()
	names, err := os.ReadDir(dir)
	testkit.Must(t, err)
	if len(names) != 5 {
		t.Errorf("there are %v", names)
	}
	if _, err := os.Stat(dir + "/.nonroot-config.json.4194305"); err == nil {
		t.Error("what a process that is gone left is still there")
	}
}

func TestReplaceSyncedSweeps(t *testing.T) {
	dir := directory(t)
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	write(t, dir+"/.nonroot-other.toml.4194305", "")
	testkit.Must(t, d.ReplaceSynced("config.toml", []byte("x"), 0o600))
	names, err := os.ReadDir(dir)
	testkit.Must(t, err)
	if len(names) != 2 { // config.json exists from the beginning
		t.Errorf("there are %v", names)
	}
}

func TestReplaceFailsWhole(t *testing.T) {
	dir := directory(t)
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	testkit.Must(t, os.Mkdir(dir+"/taken", 0o755))
	if err := d.Replace("taken", []byte("x"), 0o600, ""); err == nil {
		t.Error("a directory was replaced")
	}
	names, _ := os.ReadDir(dir)
	if len(names) != 2 {
		t.Errorf("there is something left: %v", names)
	}
}

// TestLabel needs no SELinux: the attribute can be set all the same.
func TestLabel(t *testing.T) {
	dir := directory(t)
	d, err := Open(dir, CallersOwners(host))
	testkit.Must(t, err)
	defer d.Close()
	const label = "system_u:object_r:container_file_t:s0:c1,c2"
	testkit.Must(t, d.Replace("made", []byte("x"), 0o644, label), d.Replace("plain", []byte("x"), 0o644, ""))
	buf := make([]byte, 100)
	n, err := unix.Getxattr(dir+"/made", "security.selinux", buf)
	if err != nil || string(buf[:n]) != label+"\x00" {
		t.Errorf("the label is %q, %v", buf[:max(n, 0)], err)
	}
	if n, err := unix.Getxattr(dir+"/plain", "security.selinux", buf); err == nil {
		t.Errorf("without a label there is %q", buf[:n])
	}
}

// TestReplaceKeeping: the new file has the old one's mode, and the old one stays under its other name, replacing
// whatever was there; nothing else is left.
func TestReplaceKeeping(t *testing.T) {
	for _, kept := range []string{"", "something older"} {
		directory := t.TempDir()
		d, err := Open(directory, CallersOwners(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := os.WriteFile(directory+"/config.json", []byte("old"), 0o640); err != nil {
			t.Fatal(err)
		}
		if kept != "" {
			if err := os.WriteFile(directory+"/kept", []byte(kept), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.ReplaceKeeping("config.json", [][]byte{[]byte("n"), []byte("ew")}, 0o600, "kept"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"config.json": "new", "kept": "old"} {
			got, err := os.ReadFile(directory + "/" + name)
			st, _ := os.Stat(directory + "/" + name)
			if err != nil || string(got) != want || st.Mode().Perm() != 0o640 {
				t.Errorf("%s: %q, %v, %v", name, got, st.Mode(), err)
			}
		}
		if all, err := os.ReadDir(directory); err != nil || len(all) != 2 {
			t.Errorf("%v, %v", all, err)
		}
	}
	// A missing file is not exchanged, and none is created.
	directory := t.TempDir()
	d, err := Open(directory, CallersOwners(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.ReplaceKeeping("config.json", [][]byte{[]byte("n"), []byte("ew")}, 0o600, "kept")
	if all, _ := os.ReadDir(directory); err == nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}
