// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// overlay mounts an image's files as an engine does, in a mount namespace of the test's thread, which ends with it.
func overlay(t *testing.T, files map[string]string) (rootfs string) {
	t.Helper()
	testkit.OwnMounts(t)
	dir := t.TempDir()
	rootfs = filepath.Join(dir, "merged")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil { // overlayfs accepts no upper directory that is in another overlay
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, filepath.Join(dir, "lower"), files)
	if err := unix.Mount("overlay", rootfs, "overlay", 0, "lowerdir="+dir+"/lower,upperdir="+dir+"/upper,workdir="+dir+"/work"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(rootfs, unix.MNT_DETACH) })
	return rootfs
}

// fill creates files: "path/" with "UID:GID MODE" is a directory, "path" a file, "-> target" a link, "= path" a second
// name.
func fill(t *testing.T, root string, files map[string]string) {
	t.Helper()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		what := files[name]
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var uid, gid int
		var mode uint32
		var err error
		switch {
		case strings.HasPrefix(what, "-> "):
			err = os.Symlink(what[3:], p)
		case strings.HasPrefix(what, "= "):
			err = os.Link(filepath.Join(root, what[2:]), p)
		default:
			if _, err = fmt.Sscanf(what, "%d:%d %o", &uid, &gid, &mode); err == nil {
				if strings.HasSuffix(name, "/") {
					err = os.MkdirAll(p, 0o755)
				} else {
					err = os.WriteFile(p, []byte("x"), 0o600)
				}
				err = errors.Join(err, unix.Chown(p, uid, gid), unix.Chmod(p, mode))
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// owners lists the owners of files, "path UID:GID MODE".
func owners(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(root, func(p string, _ os.FileInfo, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(p, &st)
		}
		all[strings.TrimPrefix(p, root)] = fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode&0o7777)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wish(rootfs string, paths ...string) *Options {
	return &Options{
		Rootfs: rootfs, Made: func(string) bool { return true }, UID: 1000, GID: 1001, Paths: paths,
		From:      func(id uint32) bool { return id < 1000 },
		FromGroup: func(id uint32) bool { return id == 0 },
		Covered:   func(p string) bool { return p == "/var/lib/volume" || strings.HasPrefix(p, "/var/lib/volume/") },
	}
}

// hostile is an image that tries to have more change owner than its state.
var hostile = map[string]string{
	"etc/":                       "0:0 755",
	"etc/shadow":                 "0:42 640",
	"bin/su":                     "0:0 4755",
	"var/lib/":                   "0:0 755",
	"var/lib/nginx/":             "33:0 700",
	"var/lib/nginx/body/":        "33:33 700",
	"var/lib/nginx/state":        "33:4 640",
	"var/lib/person/":            "1500:1500 700",
	"var/lib/person/root/":       "0:0 755",
	"var/lib/mine/":              "1000:1001 700",
	"var/lib/mine/roots":         "0:0 600",
	"var/lib/everyones/":         "0:0 1777",
	"var/lib/everyones/closed/":  "0:0 700",
	"var/lib/setgid/":            "0:50 2775",
	"var/lib/dpkg/":              "0:0 755",
	"var/lib/dpkg/status":        "0:0 644",
	"var/lib/volume/":            "0:0 755",
	"var/lib/volume/x/":          "0:0 755",
	"var/lib/prog":               "0:0 755",
	"var/lib/su":                 "0:0 4644",
	"var/lib/sg":                 "0:0 2644",
	"var/lib/libx.so":            "0:0 644",
	"var/lib/libx.so.1":          "0:0 644",
	"var/lib/to-etc":             "-> /etc",
	"var/lib/to-shadow":          "-> ../../etc/shadow",
	"var/lib/up":                 "-> ../..",
	"var/lib/second-name":        "= etc/shadow",
	"var/log":                    "-> /etc",
	"var/lib/deep/a/b/c/d/e/f/g": "0:0 600",
}

func TestGive(t *testing.T) {
	rootfs := overlay(t, hostile)
	was := owners(t, rootfs)
	w := wish(rootfs, "/var/lib", "/var/log", "/run", "/var/lib/nginx")
	w.Keep = []string{"/var/lib/dpkg"}
	foreseen := *w
	foreseen.DryRun = true
	would, err := Give(&foreseen)
	if err != nil || !maps.Equal(owners(t, rootfs), was) {
		t.Fatal("what was only to be foreseen was done", err)
	}
	g, err := Give(w)
	if err != nil || g.Unfinished {
		t.Fatal(g, err)
	}
	want := map[string]string{
		"/var/lib": "1000:1001 755", "/var/lib/nginx": "1000:1001 700", "/var/lib/nginx/body": "1000:33 700", "/var/lib/nginx/state": "1000:4 640",
		"/var/lib/mine/roots": "1000:1001 600", "/var/lib/everyones/closed": "1000:1001 700", "/var/lib/setgid": "1000:50 2775",
	}
	for p := "/var/lib/deep/a/b/c/d/e/f"; p != "/var/lib"; p = filepath.Dir(p) {
		want[p] = "1000:1001 755"
	}
	want["/var/lib/deep/a/b/c/d/e/f/g"] = "1000:1001 600"
	now := owners(t, rootfs)
	for p, o := range now {
		expected, given := want[p]
		if !given {
			expected = was[p]
		}
		if o != expected {
			t.Errorf("%s is %s, want %s", p, o, expected)
		}
	}
	if files := 3; g.Files != files || g.Directories != len(want)-files || !slices.Equal(g.Tops, []string{"/var/lib", "/var/lib/nginx"}) {
		t.Errorf("%+v, of %d", g, len(want))
	}
	if slices.Sort(would.Would); !slices.Equal(slices.Compact(would.Would), slices.Sorted(maps.Keys(want))) {
		t.Errorf("it was foreseen that %q would be given", would.Would)
	}
	again, err := Give(w)
	if err != nil || again.Directories+again.Files != 0 || len(again.Tops) != 0 {
		t.Errorf("the second time it gave %+v, %v", again, err)
	}
}

// TestGiveIsBounded: an image that exceeds the limits costs no more than they allow, and what is near the top comes
// first.
func TestGiveIsBounded(t *testing.T) {
	files := map[string]string{"var/lib/": "0:0 755", "srv/app/": "0:0 755"}
	for i := range 30 {
		for j := range 60 {
			files[fmt.Sprintf("var/lib/many%d/d%d/", i, j)] = "0:0 755"
		}
	}
	rootfs := overlay(t, files)
	g, err := Give(wish(rootfs, "/var/lib", "/srv/app"))
	if err != nil || !g.Unfinished || g.Directories != maxGiven {
		t.Fatal(g, err)
	}
	now := owners(t, rootfs)
	for _, p := range []string{"/var/lib", "/srv/app", "/var/lib/many29"} {
		if now[p] != "1000:1001 755" {
			t.Errorf("%s is %s", p, now[p])
		}
	}
}

// TestGiveGoesOn: an entry that can't change owner does not stop the others, and is reported.
func TestGiveGoesOn(t *testing.T) {
	rootfs := overlay(t, map[string]string{"var/cache/fixed/below/": "0:0 755", "var/cache/service/": "0:0 700", "var/lib/service/": "0:0 700"})
	fixed, err := os.Open(filepath.Join(rootfs, "var/cache/fixed"))
	if err != nil {
		t.Fatal(err)
	}
	defer fixed.Close()
	if err := unix.IoctlSetPointerInt(int(fixed.Fd()), unix.FS_IOC_SETFLAGS, unix.STATX_ATTR_IMMUTABLE); err != nil {
		t.Skip("this kernel has no immutable files on a tmpfs: ", err)
	}
	defer unix.IoctlSetPointerInt(int(fixed.Fd()), unix.FS_IOC_SETFLAGS, 0) // it ends with the test's mount
	g, err := Give(wish(rootfs, "/var/cache", "/var/lib"))
	if !errors.Is(err, unix.EPERM) || g.Directories != 4 {
		t.Error(g, err)
	}
	now := owners(t, rootfs)
	for p, want := range map[string]string{"/var/cache/fixed": "0:0 755", "/var/cache/service": "1000:1001 700", "/var/lib/service": "1000:1001 700"} {
		if now[p] != want {
			t.Errorf("%s is %s, want %s", p, now[p], want)
		}
	}
}

// TestLargeFiles: a large file of the image stays, because it would be copied up whole; one that the container wrote
// before its last end changes, because it is in its own layer.
func TestLargeFiles(t *testing.T) {
	rootfs := overlay(t, map[string]string{"srv/app/small": "0:0 600"})
	image := filepath.Join(filepath.Dir(rootfs), "lower/srv/app/large")
	if err := os.WriteFile(image, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"of-root", "of-somebody"} {
		if err := os.WriteFile(filepath.Join(rootfs, "srv/app", name), make([]byte, maxBytes+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(rootfs, "srv/app/of-somebody"), 1500, 0); err != nil {
		t.Fatal(err)
	}
	if g, err := Give(wish(rootfs, "/srv/app")); err != nil || g.Files != 2 || g.Unfinished {
		t.Error(g, err)
	}
	want := map[string]string{
		"": "1000:1001 755", "/small": "1000:1001 600", "/large": "0:0 600", "/of-root": "1000:1001 600", "/of-somebody": "1500:0 600",
	}
	if now := owners(t, filepath.Join(rootfs, "srv/app")); !maps.Equal(now, want) {
		t.Errorf("is %v, want %v", now, want)
	}
}

// TestTakesFile: which files never change owner, whoever owns them.
func TestTakesFile(t *testing.T) {
	for _, test := range []struct {
		name       string
		st         unix.Stat_t
		take, asks bool
	}{
		{"table", unix.Stat_t{Nlink: 1, Mode: 0o600}, true, false},
		{"table", unix.Stat_t{Nlink: 1, Mode: 0o600, Size: maxFile}, true, false},
		{"table", unix.Stat_t{Nlink: 1, Mode: 0o600, Size: maxFile + 1}, false, true},
		{"table", unix.Stat_t{Nlink: 2, Mode: 0o600}, false, false},
		{"table", unix.Stat_t{Nlink: 1, Mode: 0o610}, false, false},
		{"table", unix.Stat_t{Nlink: 1, Mode: unix.S_ISUID | 0o600}, false, false},
		{"table", unix.Stat_t{Nlink: 1, Mode: unix.S_ISGID | 0o600}, false, false},
		{"app.so", unix.Stat_t{Nlink: 1, Mode: 0o644}, false, false},
		{"app.so.1", unix.Stat_t{Nlink: 1, Mode: 0o644, Size: maxFile + 1}, false, false},
		{"app.sock.1", unix.Stat_t{Nlink: 1, Mode: 0o644}, true, false},
	} {
		for _, its := range []bool{false, true} {
			asked := false
			got := TakesFile(test.name, &test.st, func() bool { asked = true; return its })
			if got != (test.take || test.asks && its) || asked != test.asks {
				t.Errorf("%s %+v, which the container has written %t: %t, asked %t", test.name, test.st, its, got, asked)
			}
		}
	}
}

// TestWritten: a file of the image was not written by the container, nor one whose name or size has changed since.
func TestWritten(t *testing.T) {
	rootfs := overlay(t, map[string]string{"srv/image": "0:0 600"})
	its := filepath.Join(rootfs, "srv/its")
	var st, other unix.Stat_t
	if err := errors.Join(os.WriteFile(its, []byte("x"), 0o600), unix.Stat(its, &st), unix.Stat(filepath.Join(rootfs, "srv/image"), &other)); err != nil {
		t.Fatal(err)
	}
	if !Written(rootfs, "/srv/its", &st) {
		t.Error("what the container has written is not its own")
	}
	if Written(rootfs, "/srv/image", &other) || Written(rootfs, "/srv/its", &other) || Written(rootfs, "/srv/none", &st) {
		t.Error("what it has not written is its own")
	}
	if Written(t.TempDir(), "/srv/its", &st) || Written(filepath.Join(rootfs, "none"), "/srv/its", &st) {
		t.Error("without an overlay it can't be told")
	}
}

// TestBecomes: which owner a file or directory gets, and with which mode.
func TestBecomes(t *testing.T) {
	dir, file := uint32(unix.S_IFDIR), uint32(unix.S_IFREG)
	st := func(uid, gid, mode uint32) unix.Stat_t { return unix.Stat_t{Uid: uid, Gid: gid, Mode: mode} }
	for _, test := range []struct {
		groupRoot  bool
		was, after unix.Stat_t
		ok         bool
	}{
		{false, st(0, 0, dir|0o755), st(1000, 1001, dir|0o755), true},
		{false, st(0, 0, dir|0o555), st(1000, 1001, dir|0o755), true},
		{false, st(0, 0, file|0o444), st(1000, 1001, file|0o444), true},
		{false, st(7, 7, file|0o600), st(1000, 7, file|0o600), true},
		{false, st(1000, 0, dir|0o500), st(1000, 0, dir|0o500), false},
		{false, st(0, 0, dir|unix.S_ISVTX|0o777), st(0, 0, dir|unix.S_ISVTX|0o777), false},
		{false, st(0, 0, file|unix.S_ISVTX|0o666), st(1000, 1001, file|unix.S_ISVTX|0o666), true},
		{false, st(1500, 0, dir|0o775), st(1500, 0, dir|0o775), false},
		{true, st(1500, 0, dir|0o775), st(1500, 1001, dir|0o775), true},
		{true, st(1500, 0, dir|0o070), st(1500, 1001, dir|0o070), true},
		{true, st(1500, 0, dir|0o755), st(1500, 0, dir|0o755), false},
		{true, st(1500, 50, dir|0o775), st(1500, 50, dir|0o775), false},
	} {
		w := wish("")
		w.GroupRoot = test.groupRoot
		if after, ok := w.Becomes(&test.was); ok != test.ok || after != test.after {
			t.Errorf("%d:%d %o: %t, %d:%d %o", test.was.Uid, test.was.Gid, test.was.Mode, ok, after.Uid, after.Gid, after.Mode)
		}
	}
}

func TestGroupRoot(t *testing.T) {
	rootfs := overlay(t, map[string]string{"data/": "1500:0 775", "data/f": "1500:0 664", "data/closed": "1500:0 644", "data/other": "1500:50 664"})
	w := wish(rootfs, "/data")
	w.GroupRoot = true
	if _, err := Give(w); err != nil {
		t.Fatal(err)
	}
	now := owners(t, rootfs)
	for p, want := range map[string]string{"/data": "1500:1001 775", "/data/f": "1500:1001 664", "/data/closed": "1500:0 644", "/data/other": "1500:50 664"} {
		if now[p] != want {
			t.Errorf("%s is %s, want %s", p, now[p], want)
		}
	}
}

// TestOnlyALayerOfItsOwn: a plain directory, a bind mount of one, the host's own file system, and one that is mounted
// in the layer stay unchanged (SECURITY.md C12).
func TestOnlyALayerOfItsOwn(t *testing.T) {
	rootfs := overlay(t, hostile)
	plain := t.TempDir()
	fill(t, plain, map[string]string{"var/lib/x/": "0:0 755"})
	bound := t.TempDir()
	if err := unix.Mount(plain, bound, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(bound, unix.MNT_DETACH) // it ends with the test's mount namespace
	for _, dir := range []string{plain, bound, "/", filepath.Join(rootfs, "var"), filepath.Join(plain, "nothing")} {
		if _, err := Give(wish(dir, "/var/lib/x", "/lib")); err == nil {
			t.Errorf("%s was taken for a layer of the container's", dir)
		}
		if opened, err := OpenTmp(wish(dir)); err == nil {
			t.Errorf("%s was taken for a layer of the container's: %v", dir, opened)
		}
	}
	// A link to an overlay does not count as one.
	link := filepath.Join(plain, "link")
	if err := os.Symlink(rootfs, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Give(wish(link, "/var/lib")); err == nil {
		t.Error("a link was followed")
	}
	elsewhere := wish(rootfs, "/var/lib")
	elsewhere.Made = func(p string) bool { return p != rootfs }
	if _, err := Give(elsewhere); !errors.Is(err, ErrNotOwn) {
		t.Error("an overlay that no engine made was given", err)
	}
	inside := filepath.Join(rootfs, "var/lib/nginx/body")
	if err := unix.Mount(plain, inside, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Give(wish(rootfs, "/var/lib")); err != nil || owners(t, plain)["/var/lib/x"] != "0:0 755" {
		t.Error("what is mounted in the layer was given", err)
	}
}

// TestOnlyTheLayersFiles: a single file that is mounted in the layer belongs to the host, too.
func TestOnlyTheLayersFiles(t *testing.T) {
	rootfs := overlay(t, map[string]string{"var/lib/state": "0:0 644"})
	hosts := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(hosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(rootfs, "var/lib/state")
	if err := unix.Mount(hosts, state, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(state, unix.MNT_DETACH) // it ends with the test's mount namespace
	g, err := Give(wish(rootfs, "/var/lib"))
	if now := owners(t, filepath.Dir(hosts))["/secret"]; err != nil || now != "0:0 600" || g.Files != 0 {
		t.Errorf("the host's file is %s: %+v, %v", now, g, err)
	}
}

// TestFilesDoNotUseUpDirectories: a cache of many or large files that comes early leaves room for later directories.
func TestFilesDoNotUseUpDirectories(t *testing.T) {
	files := map[string]string{"var/cache/fonts/": "0:0 755", "var/cache/many/": "0:0 755", "var/lib/service/db/": "0:0 700", "var/lib/service/db/table": "0:0 600"}
	for i := range maxGiven {
		files[fmt.Sprintf("var/cache/many/%03d", i)] = "0:0 644"
	}
	rootfs := overlay(t, files)
	for i := range maxBytes/maxFile + 4 {
		if err := os.WriteFile(filepath.Join(rootfs, "var/cache/fonts", fmt.Sprint(i)), make([]byte, maxFile), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Give(wish(rootfs, "/var/cache", "/var/lib"))
	if err != nil || !g.Unfinished || g.Files+g.Directories > maxGiven {
		t.Error(g, err)
	}
	now := owners(t, rootfs)
	for _, p := range []string{"/var/lib/service", "/var/lib/service/db"} {
		if !strings.HasPrefix(now[p], "1000:1001") {
			t.Errorf("%s is %s", p, now[p])
		}
	}
}

func TestOpenTmp(t *testing.T) {
	rootfs := overlay(t, map[string]string{"tmp/": "0:0 755", "var/tmp/": "1500:0 755"})
	opened, err := OpenTmp(wish(rootfs))
	now := owners(t, rootfs)
	if err != nil || !slices.Equal(opened, []string{"/tmp"}) || now["/tmp"] != "0:0 1777" || now["/var/tmp"] != "1500:0 755" {
		t.Error(opened, err, now)
	}
	if opened, err := OpenTmp(wish(rootfs)); err != nil || opened != nil {
		t.Error(opened, err)
	}
}

// TestGiveModes: root could write whatever a directory's mode was, and so must the identity.
func TestGiveModes(t *testing.T) {
	rootfs := overlay(t, map[string]string{
		"root/":             "0:0 550", // as Fedora has it
		"root/of-7/":        "7:7 000",
		"root/person/":      "1500:1500 500",
		"root/closed/":      "0:0 3000",
		"root/closed/state": "0:0 400",
	})
	w := wish(rootfs, "/root")
	g, err := Give(w)
	if err != nil || g.Directories != 3 {
		t.Fatal(g, err)
	}
	now := owners(t, rootfs)
	for p, want := range map[string]string{
		"/root": "1000:1001 750", "/root/of-7": "1000:7 700", "/root/person": "1500:1500 500", "/root/closed": "1000:1001 3700", "/root/closed/state": "1000:1001 400",
	} {
		if now[p] != want {
			t.Errorf("%s is %s, want %s", p, now[p], want)
		}
	}
}

func TestVolumes(t *testing.T) {
	root := t.TempDir()
	fill(t, root, map[string]string{
		"docker/":                       "0:0 711",
		"docker/volumes/":               "0:0 701",
		"docker/volumes/metadata.db":    "0:0 600",
		"docker/volumes/empty/_data/":   "0:0 755",
		"docker/volumes/full/_data/x":   "0:0 644",
		"docker/volumes/owned/_data/":   "1500:1500 755",
		"docker/volumes/bound/_data/":   "0:0 755",
		"docker/volumes/open/":          "0:0 777",
		"docker/volumes/open/_data/":    "0:0 755",
		"docker/volumes/link/_data":     "-> ../empty/_data",
		"docker/elsewhere/":             "0:0 755",
		"podman/overlay-containers/":    "0:0 700",
		"podman/volumes/empty/_data/":   "0:0 550",
		"somebodys/volumes/mine/_data/": "0:0 755",
		"docker/volumes/running/_data/": "100:0 700",
		"docker/volumes/copied/_data/":  "101:0 700",
		"rootfs/running/":               "0:0 755",
		"rootfs/srv/copied/":            "101:101 755",
		"rootfs/copied":                 "-> /srv/copied",
		"host/":                         "0:0 755",
	})
	testkit.OwnMounts(t)
	if err := unix.Mount(filepath.Join(root, "host"), filepath.Join(root, "docker/volumes/bound/_data"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(filepath.Join(root, "docker/volumes/bound/_data"), unix.MNT_DETACH) // it ends with the test's mount namespace
	trusted := trusted.CallersOwners(nil)
	for name, want := range map[string]struct{ volume, given bool }{
		"docker/volumes/empty/_data":     {true, true},
		"docker/volumes/full/_data":      {true, false},
		"docker/volumes/owned/_data":     {true, false},
		"docker/volumes/bound/_data":     {},
		"docker/volumes/open/_data":      {},
		"docker/volumes/link/_data":      {},
		"docker/volumes/none/_data":      {},
		"docker/volumes/empty":           {},
		"docker/volumes/../elsewhere":    {},
		"docker/elsewhere":               {},
		"podman/volumes/empty/_data":     {true, true},
		"somebodys/volumes/mine/_data":   {},
		"docker/volumes/full/../empty/_": {},
		"docker/volumes/running/_data":   {true, false}, // the identity of another container owns it
		"docker/volumes/copied/_data":    {true, true},  // the engine has copied the owner from the image
	} {
		source := root + "/" + name
		if got := IsVolume(source, trusted); got != want.volume {
			t.Errorf("%s is a volume: %v", name, got)
		}
		given, err := GiveVolume(Volume{Source: source, Destination: "/" + path.Base(path.Dir(name))}, wish(root+"/rootfs"), isRoot, isRoot, trusted)
		if given.Given != want.given || err != nil {
			t.Errorf("%s was given: %v, %v", name, given, err)
		}
	}
	if now := owners(t, root); now["/docker/volumes/empty/_data"] != "1000:1001 755" || now["/podman/volumes/empty/_data"] != "1000:1001 750" || now["/host"] != "0:0 755" || now["/docker/volumes/full/_data"] != "0:0 755" {
		t.Error(now)
	}
}

func isRoot(uid uint32) bool { return uid == 0 }

// TestVolumeOfUserNamespace: Podman makes the root of the user namespace the owner of a volume's directory, and only a
// container with the same root may trust it.
func TestVolumeOfUserNamespace(t *testing.T) {
	root := t.TempDir()
	fill(t, root, map[string]string{
		"podman/overlay-containers/": "0:0 700",
		"podman/volumes/v/":          "300000:300000 700",
		"podman/volumes/v/_data/":    "300000:300000 755",
	})
	if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	v := Volume{Source: root + "/podman/volumes/v/_data", Destination: "/v"}
	w := wish(root)
	w.UID, w.GID = 365532, 365533
	trusted := trusted.CallersOwners(nil)
	for _, test := range []struct {
		first uint32 // the first of the container's ids
		given bool
	}{{0, false}, {400000, false}, {300000, true}, {300000, false}} {
		w.From = func(uid uint32) bool { return uid == test.first || uid == 300000 }
		w.FromGroup = w.From
		given, err := GiveVolume(v, w, func(uid uint32) bool { return uid == test.first }, func(uid uint32) bool { return uid == test.first }, trusted)
		if given.Given != test.given || err != nil {
			t.Errorf("root is %d: given: %v, %v", test.first, given, err)
		}
	}
	if now := owners(t, root)["/podman/volumes/v/_data"]; now != "365532:365533 755" {
		t.Error(now)
	}
}

// TestGiveCopy: what an engine copied into a volume from the image changes owner as the image's own files do, and a
// difference of one byte makes it a user's data.
func TestGiveCopy(t *testing.T) {
	image := map[string]string{
		"var/log/nginx/":           "0:4 755",
		"var/log/nginx/error.log":  "33:4 640",
		"var/log/nginx/run":        "0:0 755",
		"var/log/nginx/old/":       "0:0 755",
		"var/log/nginx/old/a.log":  "0:0 644",
		"var/log/nginx/of-7/":      "1007:7 755",
		"var/log/nginx/of-7/state": "0:0 600",
	}
	rootfs := overlay(t, image)
	engine := t.TempDir()
	if err := errors.Join(os.Chmod(engine, 0o755), os.Chmod(filepath.Dir(engine), 0o755)); err != nil {
		t.Fatal(err)
	}
	fill(t, engine, map[string]string{"volumes/": "0:0 711", "volumes/metadata.db": "0:0 600"})
	log := filepath.Join(rootfs, "var/log/nginx")
	trusted := trusted.CallersOwners(nil)
	for name, test := range map[string]struct {
		change func(data string) error
		given  bool
	}{
		"as copied":  {func(string) error { return nil }, true},
		"written to": {func(d string) error { return os.WriteFile(filepath.Join(d, "error.log"), []byte("x"), 0) }, false},
		"touched": {func(d string) error {
			return os.Chtimes(filepath.Join(d, "old/a.log"), time.Unix(1, 0), time.Unix(1, 0))
		}, false},
		// The author of an image can give a file any size and time seen on a volume.
		"forged": {func(d string) error {
			p := filepath.Join(d, "old/a.log")
			was, err := os.Stat(p)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(p, []byte("s"), 0), os.Chtimes(p, was.ModTime(), was.ModTime()))
		}, false},
		"mode":          {func(d string) error { return os.Chmod(filepath.Join(d, "old"), 0o700) }, false},
		"one more":      {func(d string) error { return os.WriteFile(filepath.Join(d, "old/b.log"), nil, 0o644) }, false},
		"one less":      {func(d string) error { return os.Remove(filepath.Join(d, "old/a.log")) }, false},
		"another name":  {func(d string) error { return os.Rename(filepath.Join(d, "old/a.log"), filepath.Join(d, "old/b.log")) }, false},
		"another owner": {func(d string) error { return os.Chown(filepath.Join(d, "old/a.log"), 44, 44) }, false},
		"a link": {func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, "old/a.log")), os.Symlink("/etc/shadow", filepath.Join(d, "old/a.log")))
		}, false},
		"a pipe": {func(d string) error {
			return errors.Join(unix.Mkfifo(filepath.Join(d, "p"), 0o600), os.Remove(filepath.Join(d, "run")))
		}, false},
	} {
		source := filepath.Join(engine, "volumes", strings.ReplaceAll(name, " ", "-"), "_data")
		if out, err := exec.Command("sh", "-c", `mkdir -p "$(dirname "$2")" && cp -a "$1" "$2"`, "sh", log, source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := test.change(source); err != nil {
			t.Fatal(name, err)
		}
		before := owners(t, source)
		w := wish(rootfs)
		given, err := GiveVolume(Volume{source, "/var/log/nginx", true}, w, isRoot, isRoot, trusted)
		if given.Given != test.given || err != nil {
			t.Errorf("%s: given %v, %v", name, given, err)
		}
		want := before
		if test.given {
			want = map[string]string{
				"": "1000:4 755", "/error.log": "1000:4 640", "/run": "0:0 755", "/old": "1000:1001 755", "/old/a.log": "1000:1001 644",
				"/of-7": "1007:7 755", "/of-7/state": "0:0 600",
			}
		}
		if now := owners(t, source); !maps.Equal(now, want) {
			t.Errorf("%s: is %v, want %v", name, now, want)
		}
	}
	source := filepath.Join(engine, "volumes/no-destination/_data")
	if out, err := exec.Command("sh", "-c", `mkdir -p "$(dirname "$2")" && cp -a "$1" "$2"`, "sh", log, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, v := range []Volume{
		{source, "", true},
		{source, "/", true},
		{source, "relative", true},
		{source, "/var/log", true},
		{source, "/none", true},
		{source, "/var/log/nginx", false},
	} {
		if given, err := GiveVolume(v, wish(rootfs), isRoot, isRoot, trusted); given.Given || err != nil {
			t.Errorf("%+v: given %v, %v", v, given, err)
		}
	}
}

// TestGiveCopyBelowItsOwn: an image whose directory already belongs to the identity may keep files of root's in it, and
// so may the volume that an engine copied from it.
func TestGiveCopyBelowItsOwn(t *testing.T) {
	rootfs := overlay(t, map[string]string{"data/": "1000:1001 755", "data/log": "0:0 644", "data/run": "0:0 755"})
	engine := t.TempDir()
	fill(t, engine, map[string]string{"volumes/": "0:0 711", "volumes/metadata.db": "0:0 600"})
	if err := errors.Join(os.Chmod(engine, 0o755), os.Chmod(filepath.Dir(engine), 0o755)); err != nil {
		t.Fatal(err)
	}
	v := Volume{filepath.Join(engine, "volumes/v/_data"), "/data", true}
	if out, err := exec.Command("sh", "-c", `mkdir -p "$(dirname "$2")" && cp -a "$1" "$2"`, "sh", rootfs+"/data", v.Source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []bool{true, false} { // the second time, everything has changed owner
		given, err := GiveVolume(v, wish(rootfs), isRoot, isRoot, trusted.CallersOwners(nil))
		if now := owners(t, v.Source); given.Given != want || err != nil || now["/log"] != "1000:1001 644" || now["/run"] != "0:0 755" {
			t.Error(given, err, now)
		}
	}
	// A file that an exempt container has put there is not the image's.
	fill(t, v.Source, map[string]string{"backup": "0:0 600"})
	if given, err := GiveVolume(v, wish(rootfs), isRoot, isRoot, trusted.CallersOwners(nil)); given.Given || err != nil {
		t.Error(given, err)
	}
}

// TestGiveCopyKeeps: what is excluded in the image is excluded in its copy.
func TestGiveCopyKeeps(t *testing.T) {
	rootfs := overlay(t, map[string]string{"var/log/": "0:0 755", "var/log/apt/": "0:0 755", "var/log/apt/term.log": "0:0 640", "var/log/app/": "0:0 755"})
	engine := t.TempDir()
	fill(t, engine, map[string]string{"volumes/": "0:0 711", "volumes/metadata.db": "0:0 600"})
	if err := errors.Join(os.Chmod(engine, 0o755), os.Chmod(filepath.Dir(engine), 0o755)); err != nil {
		t.Fatal(err)
	}
	for destination, given := range map[string]bool{"/var/log": true, "/var/log/apt": false} {
		v := Volume{filepath.Join(engine, "volumes", path.Base(destination), "_data"), destination, true}
		if out, err := exec.Command("sh", "-c", `mkdir -p "$(dirname "$2")" && cp -a "$1" "$2"`, "sh", rootfs+destination, v.Source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := owners(t, v.Source)
		if given {
			want[""], want["/app"] = "1000:1001 755", "1000:1001 755"
		}
		w := wish(rootfs)
		w.Keep = []string{"/run/lock", "/var/log/apt", "/var/log/ap"}
		if got, err := GiveVolume(v, w, isRoot, isRoot, trusted.CallersOwners(nil)); got.Given != given || err != nil {
			t.Errorf("%s: given %v, %v", destination, got, err)
		}
		if now := owners(t, v.Source); !maps.Equal(now, want) {
			t.Errorf("%s is %v, want %v", destination, now, want)
		}
	}
}

// TestGiveCopyOfWhatWasCompared: entries that another container moves in between the comparison and the change of owner
// stay unchanged, and so does what is mounted there.
func TestGiveCopyOfWhatWasCompared(t *testing.T) {
	rootfs := overlay(t, map[string]string{"data/": "0:0 777", "data/f": "0:0 600", "data/d/": "0:0 755"})
	volume := t.TempDir()
	if out, err := exec.Command("cp", "-a", filepath.Join(rootfs, "data")+"/.", volume).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fd, err := unix.Open(volume, reading, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd) // nothing was written
	w := wish(rootfs)
	compared, _ := w.copied(fd, "/data")
	if compared == nil {
		t.Fatal("it was taken for another")
	}
	fill(t, volume, map[string]string{"secret": "0:0 600", "secrets/": "0:0 700", "secrets/s": "0:0 600"})
	if err := os.Rename(filepath.Join(volume, "secret"), filepath.Join(volume, "f")); err != nil {
		t.Fatal(err)
	}
	if given, err := w.giveCopy(fd, "/data", compared); !given || err != nil {
		t.Error(given, err)
	}
	want := map[string]string{"": "1000:1001 777", "/d": "1000:1001 755", "/f": "0:0 600", "/secrets": "0:0 700", "/secrets/s": "0:0 600"}
	if now := owners(t, volume); !maps.Equal(now, want) {
		t.Errorf("is %v, want %v", now, want)
	}
}

// BenchmarkGive measures the change of owners in an image like Debian's nginx, which has about thirty directories of
// services; "kernel", the same changes of owners alone, for each of which overlayfs copies a directory; and the most
// that changes in any image.
func BenchmarkGive(b *testing.B) {
	onFresh := func(b *testing.B, directories int, change func(merged string) error) {
		b.Helper()
		testkit.OwnMounts(b)
		dir := b.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil { // as in overlay
			b.Fatal(err)
		}
		defer unix.Unmount(dir, unix.MNT_DETACH) // it ends with the thread's mount namespace
		for i := range directories - 1 {
			if err := os.MkdirAll(fmt.Sprintf("%s/lower/var/lib/d%d", dir, i), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			b.StopTimer()
			_ = unix.Unmount(dir+"/merged", unix.MNT_DETACH) // not there the first time
			err := errors.Join(os.RemoveAll(dir+"/upper"), os.RemoveAll(dir+"/work"))
			for _, sub := range []string{"/upper", "/work", "/merged"} {
				err = errors.Join(err, os.MkdirAll(dir+sub, 0o755))
			}
			if err := errors.Join(err, unix.Mount("overlay", dir+"/merged", "overlay", 0, "lowerdir="+dir+"/lower,upperdir="+dir+"/upper,workdir="+dir+"/work")); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := change(dir + "/merged"); err != nil {
				b.Fatal(err)
			}
		}
		_ = unix.Unmount(dir+"/merged", unix.MNT_DETACH)
	}
	for what, directories := range map[string]int{"nginx": 31, "most": maxGiven} {
		b.Run(what+"/give", func(b *testing.B) {
			onFresh(b, directories, func(merged string) error {
				g, err := Give(wish(merged, "/var/lib"))
				if err == nil && g.Directories != directories {
					err = fmt.Errorf("%+v", g)
				}
				return err
			})
		})
		b.Run(what+"/kernel", func(b *testing.B) {
			onFresh(b, directories, func(merged string) error {
				err := unix.Lchown(merged+"/var/lib", 1000, 1001)
				for i := range directories - 1 {
					err = errors.Join(err, unix.Lchown(fmt.Sprintf("%s/var/lib/d%d", merged, i), 1000, 1001))
				}
				return err
			})
		})
	}
}
