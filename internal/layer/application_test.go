// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func checkOwners(t *testing.T, rootfs string, want map[string]string) {
	t.Helper()
	now := owners(t, rootfs)
	for p, w := range want {
		if now[p] != w {
			t.Errorf("%s is %s, want %s", p, now[p], w)
		}
	}
}

// TestApplications: directories that no distribution has change owner; files that determine accounts, and programs,
// don't.
func TestApplications(t *testing.T) {
	rootfs := overlay(t, map[string]string{
		"etc/nginx/": "0:0 755", "etc/nginx/nginx.conf": "0:0 644", "etc/nginx/key": "0:0 600", "etc/nginx/run": "0:0 700", "etc/nginx/su": "0:0 4700",
		"etc/passwd": "0:0 644", "etc/pam.d/": "0:0 755", "etc/pam.d/su": "0:0 644", "etc/ssl/": "0:0 755", "etc/ssl/private/": "0:0 700", "etc/link": "-> /etc/pam.d",
		"usr/local/etc/php/conf.d/": "0:0 755", "usr/local/etc/": "0:0 755", "usr/bin/x": "0:0 700", "bin/sh": "0:0 755", "config/": "0:0 755", "config/c": "0:0 644",
		"home/person/": "1500:1500 700", "lib64/": "0:0 755", "persons/": "1500:1500 755", "persons/roots/": "0:0 755", "etc/": "0:0 755", "out": "-> /bin",
		"var/": "0:0 755", "var/www/html/": "0:0 755", "var/www/html/index.html": "0:0 644", "var/empty/": "0:0 755", "var/link": "-> /usr",
	})
	w := wish(rootfs, "/config")
	w.Application, w.Lend = policy.IsApplication, true
	given, err := Give(w)
	if err != nil || given.Unfinished || !slices.Equal(given.Tops, []string{"/config", "/etc/nginx", "/usr/local/etc/php", "/var/www"}) {
		t.Errorf("%+v, %v", given, err)
	}
	checkOwners(t, rootfs, map[string]string{
		"/etc/nginx": "1000:1001 755", "/etc/nginx/nginx.conf": "1000:1001 644", "/etc/nginx/key": "1000:1001 600",
		"/etc/nginx/run": "0:1001 750", "/etc/nginx/su": "0:0 4700",
		"/etc": "0:0 755", "/etc/passwd": "0:0 644", "/etc/pam.d": "0:0 755", "/etc/pam.d/su": "0:0 644", "/etc/ssl": "0:0 755", "/etc/ssl/private": "0:0 700",
		"/usr/local/etc": "0:0 755", "/usr/local/etc/php": "1000:1001 755", "/usr/local/etc/php/conf.d": "1000:1001 755", "/usr/bin/x": "0:0 700", "/bin/sh": "0:0 755",
		"/var": "0:0 755", "/var/www/html": "1000:1001 755", "/var/www/html/index.html": "1000:1001 644", "/var/empty": "0:0 755",
		"/config/c": "1000:1001 644", "/home/person": "1500:1500 700", "/lib64": "0:0 755", "/persons": "1500:1500 755", "/persons/roots": "0:0 755",
	})
}

// TestLends: the group and the mode of files that only root may read or run, and of no others.
func TestLends(t *testing.T) {
	for _, test := range []struct {
		name     string
		uid, gid uint32
		mode     uint32
		nlink    uint64
		want     uint32 // 0: unchanged
	}{
		{"run by root", 0, 0, 0o744, 1, 0o754},
		{"read and run by root", 0, 0, 0o700, 1, 0o750},
		{"read by root", 0, 0, 0o600, 1, 0o640},
		{"its group may write", 0, 0, 0o770, 1, 0o750},
		{"everybody may", 0, 0, 0o755, 1, 0},
		{"not even root may read it", 0, 0, 0o300, 1, 0},
		{"setuid", 0, 0, 0o4700, 1, 0},
		{"setgid", 0, 0, 0o2700, 1, 0},
		{"a second name", 0, 0, 0o700, 2, 0},
		{"somebody's", 1500, 0, 0o700, 1, 0},
		{"another group's", 0, 42, 0o640, 1, 0},
	} {
		w := wish("")
		w.Lend = true
		st := unix.Stat_t{Uid: test.uid, Gid: test.gid, Mode: unix.S_IFREG | test.mode, Nlink: test.nlink}
		after, ok := w.Lends(&st)
		if ok != (test.want != 0) || ok && (after.Mode != unix.S_IFREG|test.want || after.Uid != 0 || after.Gid != 1001) {
			t.Errorf("%s: %t, %d:%d %o", test.name, ok, after.Uid, after.Gid, after.Mode)
		}
		w.Lend = false
		if _, ok := w.Lends(&st); ok {
			t.Errorf("%s: it is lent by a policy that doesn't", test.name)
		}
	}
}

// TestProgram lends the program that is started, wherever it is, and no file that is not a program.
func TestProgram(t *testing.T) {
	files := map[string]string{
		"usr/bin/app": "0:0 744", "etc/shadow": "0:0 600", "usr/bin/su": "0:0 4700", "usr/bin/link": "-> app", "var/lib/volume/app": "0:0 700",
		"kept/app": "0:0 700",
	}
	for p, want := range map[string]string{
		"/usr/bin/app": "0:1001 754", "/etc/shadow": "0:0 600", "/usr/bin/su": "0:0 4700", "/usr/bin/link": "0:0 744", "/var/lib/volume/app": "0:0 700",
		"/kept/app": "0:0 700", "/nowhere/app": "",
	} {
		rootfs := overlay(t, files)
		w := wish(rootfs)
		w.Lend, w.Programs, w.Keep = true, []string{p}, []string{"/kept"}
		if _, err := Give(w); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		seen := p
		if p == "/usr/bin/link" {
			seen = "/usr/bin/app"
		}
		if got := owners(t, rootfs)[seen]; got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	rootfs := overlay(t, files)
	if err := os.WriteFile(filepath.Join(rootfs, "usr/bin/app"), []byte(strings.Repeat("x", MaxLent+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := wish(rootfs)
	w.Lend, w.Programs = true, []string{"/usr/bin/app"}
	if given, err := Give(w); err != nil || !given.Unfinished {
		t.Errorf("a large one: %+v, %v", given, err)
	}
}

// TestWay: a program below directories that only root may search is lent; other files there, and what is closed for a
// reason, stay.
func TestWay(t *testing.T) {
	files := map[string]string{
		"usr/local/own/": "0:0 700", "usr/local/own/bin/": "0:0 710", "usr/local/own/bin/app": "0:0 700", "usr/local/own/bin/key": "0:0 600", "usr/local/own/other/": "0:0 700",
		"etc/ssl/private/": "0:0 700", "etc/ssl/private/app": "0:0 755", "var/backups/x/": "0:0 700", "var/backups/x/app": "0:0 755", "usr/lib/setgid/": "0:0 2700", "usr/lib/setgid/app": "0:0 755",
		"srv/persons/": "1500:1500 700", "srv/persons/app": "0:0 755", "opt/kept/": "0:0 700", "opt/kept/app": "0:0 755", "usr/lib/search/": "0:0 711", "usr/lib/search/app": "0:0 755",
		"usr/lib/group/": "0:50 700", "usr/lib/group/app": "0:0 755",
	}
	rootfs := overlay(t, files)
	w := wish(rootfs)
	w.Lend, w.Keep = true, []string{"/opt/kept"}
	for p := range files {
		if strings.HasSuffix(p, "/app") {
			w.Programs = append(w.Programs, "/"+p)
		}
	}
	given, err := Give(w)
	if err != nil || given.Unfinished {
		t.Errorf("%+v, %v", given, err)
	}
	checkOwners(t, rootfs, map[string]string{
		"/usr/local/own": "0:1001 750", "/usr/local/own/bin": "0:1001 750", "/usr/local/own/bin/app": "0:1001 750", "/usr/local/own/bin/key": "0:0 600", "/usr/local/own/other": "0:0 700",
		"/etc/ssl/private": "0:0 700", "/var/backups/x": "0:0 700", "/usr/lib/setgid": "0:0 2700", "/srv/persons": "1500:1500 700", "/opt/kept": "0:0 700",
		"/usr/lib/search": "0:1001 751", "/usr/lib/group": "0:50 700",
	})
}

// TestHelpers: the image's own programs that only root may run are lent where images put them; other files, and
// programs elsewhere, stay.
func TestHelpers(t *testing.T) {
	files := map[string]string{
		"usr/local/bin/own": "0:0 744", "usr/local/sbin/own": "0:0 700", "own.sh": "0:0 744", "key": "0:0 600", "usr/local/bin/key": "0:0 400", "usr/local/bin/su": "0:0 4700",
		"usr/local/bin/persons": "1500:1500 700", "usr/local/bin/link": "-> /usr/bin/closed", "usr/bin/closed": "0:0 700", "usr/local/bin/kept": "0:0 700", "usr/local/bin/sub/x": "0:0 700",
	}
	for lend, want := range map[bool]map[string]string{
		false: {"/usr/local/bin/own": "0:0 744", "/usr/local/sbin/own": "0:0 700", "/own.sh": "0:0 744"},
		true: {
			"/usr/local/bin/own": "0:1001 754", "/usr/local/sbin/own": "0:1001 750", "/own.sh": "0:1001 754", "/key": "0:0 600", "/usr/local/bin/key": "0:0 400",
			"/usr/local/bin/su": "0:0 4700", "/usr/local/bin/persons": "1500:1500 700", "/usr/bin/closed": "0:0 700", "/usr/local/bin/kept": "0:0 700", "/usr/local/bin/sub/x": "0:0 700",
		},
	} {
		rootfs := overlay(t, files)
		w := wish(rootfs)
		w.Lend, w.Keep = lend, []string{"/usr/local/bin/kept"}
		given, err := Give(w)
		if err != nil || given.Unfinished {
			t.Errorf("%+v, %v", given, err)
		}
		if lend && !slices.Equal(given.Tops, []string{"/", "/usr/local/bin", "/usr/local/sbin"}) {
			t.Errorf("in %q", given.Tops)
		}
		checkOwners(t, rootfs, want)
	}
}

// TestGroupOnly changes what root's group may write, even below directories of root's, and nothing else.
func TestGroupOnly(t *testing.T) {
	rootfs := overlay(t, map[string]string{
		"opt/": "0:0 755", "opt/app/": "0:0 755", "opt/app/data/": "0:0 775", "opt/app/data/f": "0:0 664", "opt/app/conf": "0:0 644",
		"opt/app/run": "0:0 775", "opt/persons/": "1500:1500 755", "opt/persons/data/": "0:0 775", "opt/other/": "0:50 775", "opt/app/secret/": "0:0 700",
		"opt/app/entry": "0:0 770", "opt/app/readable": "0:0 640", "opt/app/roots": "0:0 700",
	})
	w := wish(rootfs, "/opt")
	w.GroupRoot, w.GroupOnly, w.Lend = true, true, true
	if _, err := Give(w); err != nil {
		t.Fatal(err)
	}
	checkOwners(t, rootfs, map[string]string{
		"/opt": "0:0 755", "/opt/app": "0:0 755", "/opt/app/data": "0:1001 775", "/opt/app/data/f": "0:1001 664", "/opt/app/conf": "0:0 644",
		"/opt/app/run": "0:0 775", "/opt/persons/data": "0:0 775", "/opt/other": "0:50 775", "/opt/app/secret": "0:0 700",
		"/opt/app/entry": "0:1001 750", "/opt/app/readable": "0:1001 640", "/opt/app/roots": "0:0 700",
	})
}

// TestLargeApplication: a large application leaves room for state, and the other way round.
func TestLargeApplication(t *testing.T) {
	files := map[string]string{"var/lib/svc/state": "0:0 600", "app/": "0:0 755", "var/lib/": "0:0 755", "var/lib/svc/": "0:0 755"}
	for i := range maxFiles + 50 {
		files[fmt.Sprintf("app/f%03d", i)] = "0:0 644"
	}
	rootfs := overlay(t, files)
	w := wish(rootfs, "/var/lib")
	w.Application, w.Lend = policy.IsApplication, true
	given, err := Give(w)
	if err != nil || !given.Unfinished || given.Files != maxFiles+1 {
		t.Errorf("%+v, %v", given, err)
	}
	checkOwners(t, rootfs, map[string]string{"/var/lib/svc/state": "1000:1001 600", "/app": "1000:1001 755"})
}

// TestVolumeOwner: the owner of an engine's volume is that of its top directory, unless root has written in it.
func TestVolumeOwner(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, map[string]string{
		"volumes/": "0:0 755", "volumes/metadata.db": "0:0 600", "volumes/v/": "0:0 755", "volumes/v/_data/": "7:8 755", "volumes/v/_data/x": "9:9 644",
		"volumes/empty/": "0:0 755", "volumes/empty/_data/": "7:8 755", "volumes/roots/": "0:0 755", "volumes/roots/_data/": "0:0 755", "srv/": "7:7 755", "host/v/_data/": "7:8 755", "host/v/_data/x": "7:8 644",
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{
		"volumes/v/_data": true, "volumes/empty/_data": true, "volumes/roots/_data": false, "host/v/_data": false, "volumes/v": false, "volumes/none/_data": false, "volumes/v/_data/x": false,
	} {
		owner, empty, ok := VolumeOwner(filepath.Join(dir, source), dir, "/none", trusted.Owners{})
		if ok != want || ok && (owner != (Owner{7, 8}) || empty != strings.Contains(source, "empty")) {
			t.Errorf("%s: %+v, %t, %t", source, owner, empty, ok)
		}
		if _, _, ok := VolumeOwner(filepath.Join(dir, source), dir, "/srv", trusted.Owners{}); ok {
			t.Errorf("%s: its owner is from the image", source)
		}
	}
}

// TestVolumeOwnerBelow: everything in a volume whose top is root's belongs to one user, unless the engine has copied
// it.
func TestVolumeOwnerBelow(t *testing.T) {
	root, one := Owner{}, Owner{7, 8}
	for name, test := range map[string]struct {
		volume, image map[string]string
		want          Owner
		ok            bool
	}{
		"one's":                   {map[string]string{"a/": "7:8 755", "b": "7:9 600", "lost+found/": "0:0 700"}, nil, Owner{7, 0}, true},
		"two's":                   {map[string]string{"a/": "7:8 755", "b": "9:8 600"}, nil, root, true},
		"one's, and root's":       {map[string]string{"a/": "7:8 755", "b": "0:0 600"}, nil, root, true},
		"root's":                  {map[string]string{"b": "0:0 600"}, nil, root, true},
		"nobody's":                {map[string]string{"lost+found/": "0:0 700"}, nil, root, true},
		"one's, as the image":     {map[string]string{"a/": "7:8 755"}, map[string]string{"srv/": "0:0 755", "srv/c/": "7:8 755"}, root, false},
		"one's, beside the image": {map[string]string{"a/": "7:8 755"}, map[string]string{"srv/": "0:0 755", "srv/c/": "0:0 755"}, one, true},
		"the image's, for itself": {map[string]string{"b": "0:0 600"}, map[string]string{"srv/": "0:0 755"}, root, false},
	} {
		dir := t.TempDir()
		files := map[string]string{"volumes/": "0:0 755", "volumes/metadata.db": "0:0 600", "volumes/v/": "0:0 755", "volumes/v/_data/": "0:0 755", "image/": "0:0 755"}
		for at, what := range test.volume {
			files["volumes/v/_data/"+at] = what
		}
		for at, what := range test.image {
			files["image/"+at] = what
		}
		fill(t, dir, files)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		owner, empty, ok := VolumeOwner(filepath.Join(dir, "volumes/v/_data"), filepath.Join(dir, "image"), "/srv", trusted.Owners{})
		if ok != test.ok || empty || ok && owner != test.want {
			t.Errorf("%s: %+v, %t, %t", name, owner, empty, ok)
		}
	}
}

// TestGroupsVolume: which volumes only the owner and root's group can write.
func TestGroupsVolume(t *testing.T) {
	for name, test := range map[string]struct {
		top    string
		volume map[string]string
		want   bool
	}{
		"empty":                    {"0:0 775", nil, false},
		"only mkfs was there":      {"0:0 775", map[string]string{"lost+found/": "0:0 700"}, false},
		"S2I's":                    {"0:0 775", map[string]string{"a": "7:0 644"}, true},
		"with a directory of it":   {"7:0 755", map[string]string{"a/": "0:0 770"}, true},
		"with a file of it":        {"7:8 755", map[string]string{"a": "9:0 664"}, true},
		"root's":                   {"0:0 755", map[string]string{"a": "0:0 644"}, false},
		"read by its group":        {"0:0 755", map[string]string{"a": "0:0 640"}, false},
		"everybody's":              {"0:0 777", map[string]string{"a": "0:0 666"}, false},
		"another group's":          {"0:8 775", map[string]string{"a": "0:8 660"}, false},
		"deeper than it is looked": {"0:0 755", map[string]string{"a/": "0:0 755", "a/b": "0:0 660"}, false},
	} {
		dir := t.TempDir()
		files := map[string]string{"volumes/": "0:0 755", "volumes/metadata.db": "0:0 600", "volumes/v/": "0:0 755", "volumes/v/_data/": test.top}
		for at, what := range test.volume {
			files["volumes/v/_data/"+at] = what
		}
		fill(t, dir, files)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := GroupsVolume(filepath.Join(dir, "volumes/v/_data"), trusted.Owners{}); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
		if GroupsVolume(filepath.Join(dir, "volumes/v"), trusted.Owners{}) {
			t.Errorf("%s: what is not a volume", name)
		}
	}
}

// TestClosedIn: files at the top that only root can read, and directories there that only root can write in.
func TestClosedIn(t *testing.T) {
	for what, want := range map[string]bool{
		"0:0 644": false, "0:0 640": true, "0:8 640": false, "0:8 600": true, "7:0 600": false, "9:9 600": false,
	} {
		dir := t.TempDir()
		fill(t, dir, map[string]string{"x": what, "lost+found/": "0:0 700"})
		if got := closedFor(t, dir); (got == "x") != want || !want && got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
	for what, want := range map[string]bool{
		"0:0 777": false, "0:0 755": true, "0:0 754": true, "0:0 700": true, "0:8 770": false, "0:8 750": true, "7:0 700": false, "9:9 700": false,
	} {
		dir := t.TempDir()
		fill(t, dir, map[string]string{"x/": what})
		if got := closedFor(t, dir); (got == "x") != want {
			t.Errorf("a directory, %s: %q", what, got)
		}
	}
}

func closedFor(t *testing.T, dir string) string {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd) // nothing was written
	w := Options{}
	w.UID, w.GID = 7, 8
	return w.closedIn(fd, func(uid uint32) bool { return uid == 0 })
}

// TestLeftIn: what root has created in another user's volume, at the top and one directory below.
func TestLeftIn(t *testing.T) {
	image := t.TempDir()
	fill(t, image, map[string]string{"data/": "0:0 755", "data/of-image": "0:0 644", "data/a/": "7:8 755", "data/a/of-image": "0:0 644"})
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":             {map[string]string{"x": "7:8 600"}, ""},
		"one's":               {map[string]string{"a/": "7:8 755", "a/x": "7:8 600"}, ""},
		"root's":              {map[string]string{"a/": "7:8 755", "a/x": "0:0 644"}, "a/x"},
		"root's, at the top":  {map[string]string{"x": "0:0 644"}, "x"},
		"another directory's": {map[string]string{"a/": "9:9 755", "a/x/": "0:0 755"}, "a/x"},
		"open":                {map[string]string{"x": "0:0 666", "a/": "7:8 755", "a/x": "0:8 664", "a/y/": "0:0 777"}, ""},
		"open for another":    {map[string]string{"x": "0:9 664"}, "x"},
		"to be read only":     {map[string]string{"x/": "0:0 776"}, "x"},
		"the image's":         {map[string]string{"of-image": "0:0 644", "a/": "7:8 755", "a/of-image": "0:0 644"}, ""},
		"in root's directory": {map[string]string{"a/": "0:0 777", "a/x": "0:0 644"}, ""},
		"deeper":              {map[string]string{"a/": "7:8 755", "a/b/": "7:8 755", "a/b/x": "0:0 644"}, ""},
		"what mkfs makes":     {map[string]string{"lost+found/": "0:0 700", "lost+found/x": "0:0 600"}, ""},
	} {
		dir := t.TempDir()
		fill(t, dir, test.files)
		if err := os.Symlink("/", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		w := Options{}
		w.UID, w.GID, w.Rootfs = 7, 8, image
		if got := w.leftIn(fd, imagesDirectory(w.Rootfs, "/data"), func(uid uint32) bool { return uid == 0 }); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
		_ = unix.Close(fd)
	}
}
