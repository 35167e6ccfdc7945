// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"golang.org/x/sys/unix"
)

// TestHome: where the home goes, and when there is none (docs/policy.md, "Home and name"; SECURITY.md C10).
func TestHome(t *testing.T) {
	vol := testkit.Tree(t, []string{"l -> /etc", "d/", "f = x"})
	long := "/" + strings.Repeat("a", 255)
	always := func(w Options) Options { w.Mode = Always; return w }
	at := func(p string) Options { w := wish(); w.Path = p; return w }
	user := func(home string) []string {
		return []string{"etc/passwd = " + testkit.Root + "app:x:65532:65532::" + home + ":/bin/sh\n"}
	}
	for name, c := range map[string]struct {
		parts    []string
		mounts   []rootfs.Mount
		wish     Options
		readonly bool
		home     string // where a home is mounted, or "HOME none"
		note     string // part of the notes
	}{
		"by name":              {nil, nil, wish(), false, "/home/nonroot", ""},
		"scratch, no /home":    {[]string{"home -> /tmp"}, nil, wish(), false, "/nonroot-home", `"/home/nonroot" can't be used: a symbolic link`},
		"the policy's":         {nil, nil, at("/work/home"), false, "/work/home", ""},
		"the policy's, tidied": {nil, nil, at("/work//home/"), false, "/work/home", ""},
		"the policy's is bad":  {nil, nil, at("/etc/x"), false, "/home/nonroot", `"/etc/x" is in a system directory`},
		"of the entry":         {user("/data/app"), nil, wish(), false, "/data/app", ""},
		"empty directory":      {append(user("/data"), "data/"), nil, wish(), false, "/data", ""},
		"www-data's":           {nil, nil, Options{UID: 33, GID: 33, Size: "1m"}, false, "/home/www-data", `"/var/www" is a system directory`},
		"nobody's":             {nil, nil, Options{UID: 65534, GID: 65534, Size: "1m"}, false, "/home/nobody", `"/nonexistent" is a system directory`},

		// Links.
		"home is a link":      {append(user("/home/x"), "home/x -> /etc"), nil, wish(), false, "/home/app", "symbolic link"},
		"homes are a link":    {append(user("/home/x"), "srv/h/x/", "home -> srv/h"), nil, wish(), false, "/nonroot-home", "symbolic link"},
		"homes are /etc":      {append(user("/home/x"), "home -> /etc"), nil, wish(), false, "/nonroot-home", "symbolic link"},
		"dangling link":       {append(user("/home/x"), "home/x -> /nowhere"), nil, wish(), false, "/home/app", "symbolic link"},
		"link to itself":      {append(user("/home/x"), "home/x -> x"), nil, wish(), false, "/home/app", "symbolic link"},
		"link out of it":      {append(user("/home/x"), "home/x -> ../../../../../../../tmp"), nil, wish(), false, "/home/app", "symbolic link"},
		"link in the middle":  {append(user("/a/b/c"), "a/b -> /usr"), nil, wish(), false, "/home/app", "symbolic link"},
		"last resort, a link": {[]string{"home -> /etc", "nonroot-home -> /etc"}, nil, wish(), false, "/ none", "symbolic link"},

		// Not a free directory.
		"file":              {append(user("/data"), "data = x"), nil, wish(), false, "/home/app", "other than a directory"},
		"below a file":      {append(user("/data/x"), "data = x"), nil, wish(), false, "/home/app", "other than a directory"},
		"pipe":              {append(user("/data"), "data |"), nil, wish(), false, "/home/app", "other than a directory"},
		"not empty":         {append(user("/data"), "data/x = x"), nil, wish(), false, "/home/app", "not empty"},
		"hidden file":       {append(user("/data"), "data/.x = x"), nil, wish(), false, "/home/app", "not empty"},
		"closed above":      {append(user("/shut/x"), "shut/ closed"), nil, wish(), false, "/home/app", `"/shut" is closed`},
		"a service's":       {append(user("/var/lib/db"), "var/lib/db/"), nil, wish(), false, "/home/app", "a service's directory"},
		"a service's to be": {user("/var/lib/db"), nil, wish(), false, "/var/lib/db", ""},

		// Not a path for a home.
		"comma":         {user("/a,exec"), nil, wish(), false, "/home/app", "can't be a home's path"},
		"goes up":       {user("/home/../etc"), nil, wish(), false, "/home/app", "can't be a home's path"},
		"relative":      {user("home"), nil, wish(), false, "/home/app", "can't be a home's path"},
		"too long":      {user(long), nil, wish(), false, "/home/app", "can't be a home's path"},
		"not UTF-8":     {user("/a\xff"), nil, wish(), false, "/home/app", "can't be a home's path"},
		"the root":      {user("/"), nil, wish(), false, "/home/app", "the rootfs"},
		"/root":         {user("/root"), nil, wish(), false, "/home/app", "root's home"},
		"/proc":         {user("/proc/x"), nil, wish(), false, "/home/app", "/proc"},
		"/lib64":        {user("/lib64/x"), nil, wish(), false, "/home/app", "libraries"},
		"/dev/shm":      {user("/dev/shm"), nil, wish(), false, "/home/app", "devices"},
		"slashes":       {user("/data//x/"), nil, wish(), false, "/data/x", ""},
		"/etc, doubled": {user("//etc/"), nil, wish(), false, "/home/app", "system directory"},

		// Mounts.
		"mount at it":           {user("/data"), []rootfs.Mount{testkit.Bind(vol, "/data")}, wish(), false, "/home/app", "meets the mount"},
		"mount above":           {user("/data/x"), []rootfs.Mount{testkit.Bind(vol, "/data")}, wish(), false, "/home/app", "meets the mount"},
		"mount below":           {append(user("/data"), "data/"), []rootfs.Mount{testkit.Bind(vol, "/data/x/y")}, wish(), false, "/home/app", "meets the mount"},
		"only a like name":      {user("/data"), []rootfs.Mount{testkit.Bind(vol, "/dat"), testkit.Bind(vol, "/data2")}, wish(), false, "/data", ""},
		"mount through a link":  {append(user("/data"), "m -> /data"), []rootfs.Mount{testkit.Bind(vol, "/m/x")}, wish(), false, "/home/app", "meets the mount"},
		"mount through links":   {append(user("/data"), "m -> n/k", "n -> ../o", "o/k -> ../../data"), []rootfs.Mount{testkit.Bind(vol, "/m")}, wish(), false, "/home/app", "meets the mount"},
		"dangling mount":        {append(user("/data"), "m -> /data/new"), []rootfs.Mount{testkit.Bind(vol, "/m/x/y")}, wish(), false, "/home/app", "meets the mount"},
		"relative destination":  {user("/data"), []rootfs.Mount{testkit.Bind(vol, "data")}, wish(), false, "/home/app", "meets the mount"},
		"destination goes up":   {user("/data"), []rootfs.Mount{testkit.Bind(vol, "/x/../data")}, wish(), false, "/home/app", "meets the mount"},
		"up from a link":        {append(user("/data"), "x -> /data/deep", "data/"), []rootfs.Mount{testkit.Bind(vol, "/x/../y")}, wish(), false, "/home/app", "meets the mount"},
		"up, as text":           {append(user("/y"), "x -> /data/deep"), []rootfs.Mount{testkit.Bind(vol, "/x/../y")}, wish(), false, "/home/app", "meets the mount"},
		"mount of everything":   {nil, []rootfs.Mount{testkit.Bind(vol, "/")}, wish(), false, "/ none", "meets the mount"},
		"destination in a loop": {[]string{"l -> l"}, []rootfs.Mount{testkit.Bind(vol, "/l")}, wish(), false, "/ none", `the mount at "/l" lies`},
		"link in a volume":      {user("/data"), []rootfs.Mount{testkit.Bind(vol, "/v"), testkit.Bind(vol, "/v/l/x")}, wish(), false, "/ none", `the mount at "/v/l/x" lies`},
		"over nothing, up":      {append(user("/data"), "m -> /absent/../l", "l -> /data"), []rootfs.Mount{testkit.Bind(vol, "/m/x")}, wish(), false, "/home/app", "meets the mount"},
		"made, then a volume":   {append(user("/data"), "m -> /absent/v/l"), []rootfs.Mount{testkit.Bind(vol, "/absent/v"), testkit.Bind(vol, "/m/x")}, wish(), false, "/ none", `the mount at "/m/x" lies`},
		"volume and out of it":  {append(user("/data"), "w -> /v/d/../../data"), []rootfs.Mount{testkit.Bind(vol, "/v"), testkit.Bind(vol, "/w")}, wish(), false, "/ none", `the mount at "/w" lies`},
		"directory in a volume": {user("/data"), []rootfs.Mount{testkit.Bind(vol, "/v"), testkit.Bind(vol, "/v/d/x")}, wish(), false, "/data", ""},
		"link under a tmpfs":    {append(user("/data"), "v/l -> /data"), []rootfs.Mount{{Destination: "/v", Type: "tmpfs", Source: "tmpfs"}, testkit.Bind(vol, "/v/l/x")}, wish(), false, "/data", ""},
		"link copied to it":     {append(user("/data"), "v/l -> /data"), []rootfs.Mount{{Destination: "/v", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}, testkit.Bind(vol, "/v/l/x")}, wish(), false, "/ none", `"/v/l/x" lies`},
		"our own mount":         {nil, []rootfs.Mount{{Destination: "/home/nonroot", Type: "tmpfs", Source: TmpfsSource}}, wish(), false, "/home/nonroot", ""},

		// Read-only.
		"read-only":              {nil, nil, wish(), true, "/ none", "does not exist, and the rootfs is read-only"},
		"read-only, has it":      {[]string{"home/nonroot/"}, nil, wish(), true, "/home/nonroot", ""},
		"read-only, last resort": {[]string{"nonroot-home/"}, nil, wish(), true, "/nonroot-home", "read-only"},

		// An image's own user.
		"kept, files":           {[]string{"home/app/ @1000", "home/app/.bashrc = x"}, nil, kept(1000, ""), false, "/home/app none", "the image has files"},
		"kept, through links":   {[]string{"home -> /var/home", "var/home/app/ @1000", "var/home/app/.bashrc = x"}, nil, kept(1000, ""), false, "/home/app none", "the image has files"},
		"kept, empty":           {[]string{"home/app/ @1000"}, nil, kept(1000, ""), false, "/home/app", ""},
		"kept, root's files":    {[]string{"home/app/.bashrc = x"}, nil, kept(1000, ""), false, "/nonroot-home", "not empty"},
		"kept, none":            {nil, nil, kept(1000, "/"), false, "/home/app", ""},
		"kept, by environment":  {[]string{"opt/e/ @1000", "opt/e/f = x", "home/app/ @1000", "home/app/f = x"}, nil, kept(1000, "/opt/e"), false, "/opt/e none", "the image has files"},
		"kept, passwd's serves": {[]string{"home/app/ @1000", "home/app/f = x"}, nil, kept(1000, "/tmp"), false, "/home/app none", "the image has files"},
		"JupyterHub's volume":   {nil, []rootfs.Mount{testkit.Bind(vol, "/home/app")}, kept(1000, ""), false, "/home/app none", "config.json mounts"},
		"volume for all homes":  {nil, []rootfs.Mount{testkit.Bind(vol, "/home")}, kept(1000, ""), false, "/home/app none", "config.json mounts"},
		"a tmpfs at /tmp":       {nil, []rootfs.Mount{{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"}}, kept(1000, "/tmp"), false, "/tmp none", "config.json mounts"},
		"home in /dev":          {nil, []rootfs.Mount{{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"}}, kept(1000, "/dev/shm"), false, "/home/app", ""},
		"home is a mounted file": {
			nil,
			[]rootfs.Mount{testkit.Bind(vol+"/f", "/data")},
			kept(1000, "/data"),
			false, "/home/app", "",
		},
		"not kept, files":      {[]string{"home/app/ @1000", "home/app/f = x"}, nil, Options{UID: 1000, GID: 1000, Size: "1m"}, false, "/nonroot-home", "not empty"},
		"kept, but always":     {[]string{"home/app/ @1000", "home/app/f = x"}, nil, always(kept(1000, "")), false, "/nonroot-home", "not empty"},
		"kept, nothing safe":   {[]string{"home -> /etc", "nonroot-home/x = x"}, nil, kept(7, "/srv/e"), false, "/srv/e none", "not empty"},
		"kept, shifted uid":    {[]string{"home/app/ @1000", "home/app/f = x"}, nil, Options{UID: 65534, OwnerUID: 1000, GID: 7, Size: "1m", Kept: true, EnvHome: "/home/app"}, false, "/home/app none", "the image has files"},
		"never":                {nil, nil, Options{UID: 1000, GID: 7, Size: "1m", Mode: Never}, false, "/home/app none", "never"},
		"never, without entry": {nil, nil, Options{UID: 999, GID: 7, Size: "1m", Mode: Never}, false, "/ none", "never"},
	} {
		t.Run(name, func(t *testing.T) {
			var base []string
			for _, line := range testkit.Debian {
				if line != "home/" { // some tests make it a link
					base = append(base, line)
				}
			}
			p, err := planOf(t, testkit.Tree(t, base, c.parts), c.readonly, append(testkit.Engine(), c.mounts...), c.wish)
			testkit.Must(t, err)
			got := p.Home + " none"
			if n := len(p.Mounts); n > 0 {
				own := p.Mounts[n-1]
				if under := p.Mounts[0]; n != 2 || under.Type != underlay || !Ours(under) || under.Destination != own.Destination {
					t.Errorf("beneath the home is %+v", p.Mounts)
				}
				got = own.Destination
				want := []string{"nosuid", "nodev", "mode=0700", fmt.Sprint("uid=", c.wish.UID), fmt.Sprint("gid=", c.wish.GID), "size=" + c.wish.Size}
				if got != p.Home || !Ours(own) || !reflect.DeepEqual(own.Options, want) {
					t.Errorf("HOME is %q, the mounts %+v", p.Home, p.Mounts)
				}
			}
			notes := strings.Join(p.Notes, "\n")
			if got != c.home || !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "home") {
				t.Errorf("home is %q, want %q\nnotes: %s\nwant: %s", got, c.home, notes, c.note)
			}
			clean(t, notes)
			if p.Passwd != nil && !bytes.Contains(p.Passwd, []byte(":"+p.Home+":"+p.Shell+"\n")) {
				t.Errorf("passwd does not agree with %q: %q", p.Home, p.Passwd)
			}
		})
	}
}

// clean checks that a text has none of the words that engines turn into exit codes of their own
// (cmd/nonroot-runc/message.go).
func clean(t *testing.T, text string) {
	t.Helper()
	for _, words := range []string{"no such file or directory", "executable file not found", "permission denied", "operation not permitted", "not a directory"} {
		if strings.Contains(text, words) {
			t.Errorf("%q has %q in it", text, words)
		}
	}
}

func TestAlwaysFails(t *testing.T) {
	w := wish()
	w.Mode = Always
	_, err := planOf(t, testkit.Tree(t, testkit.Debian), true, testkit.Engine(), w)
	const want = `no home for 65532:65532: no place is safe: "/home/nonroot" does not exist, and the rootfs is read-only; "/nonroot-home" does not exist, and the rootfs is read-only`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestOptions(t *testing.T) {
	dir := testkit.Tree(t, testkit.Debian)
	for name, change := range map[string]func(*Options){
		"uid 0":       func(w *Options) { w.UID = 0 },
		"gid 0":       func(w *Options) { w.GID = 0 },
		"uid -1":      func(w *Options) { w.UID = 1<<32 - 1 },
		"gid 2^31":    func(w *Options) { w.GID = 1 << 31 },
		"no size":     func(w *Options) { w.Size = "" },
		"size, mode":  func(w *Options) { w.Size = "1m,mode=0777" },
		"what a mode": func(w *Options) { w.Mode = 7 },
	} {
		w := wish()
		change(&w)
		if p, err := planOf(t, dir, false, nil, w); err == nil {
			t.Errorf("%s: planned %+v", name, p)
		}
	}
}

// TestDatabases: what is mounted over passwd and group, and when nothing is (SECURITY.md C13).
func TestDatabases(t *testing.T) {
	const foreign = "app:x:1000:1000:An App:/home/app:/bin/sh\n"
	vol := testkit.Tree(t, testkit.Debian, []string{
		"podman = " + testkit.Root + foreign, "shadow = root:$y$x:19000:0:99999:7:::\n", "secret = " + testkit.Root,
		"null !", "pipe |", "dir/", "linked/passwd -> /podman", "empty/", "shadowed/passwd = root:$y$x:1:0:9:7:::\n", "hash = root:$y$x:0:0:r:/root:/bin/sh\n",
		"big = " + strings.Repeat("a", rootfs.MaxFile+1),
	})
	testkit.Must(t, os.Chmod(filepath.Join(vol, "secret"), 0o640), os.Chmod(filepath.Join(vol, "shadowed/passwd"), 0o640))
	entry := "nonroot:x:65532:65532:nonroot:/home/nonroot:/bin/bash\n"
	shEntry := "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
	text := strings.TrimPrefix(testkit.Debian[0], "etc/passwd = ")
	for name, c := range map[string]struct {
		parts    []string
		mounts   []rootfs.Mount
		readonly bool
		passwd   string // "": none
		note     string
	}{
		"debian":              {testkit.Debian, nil, false, text + entry, ""},
		"debian, read-only":   {testkit.Debian, nil, true, text + strings.Replace(entry, "/home/nonroot", "/", 1), ""},
		"scratch":             {nil, nil, false, shEntry, ""},
		"scratch, read-only":  {nil, nil, true, "", "the image has none, and the rootfs is read-only"},
		"empty file":          {[]string{"etc/passwd = "}, nil, false, shEntry, ""},
		"pipe":                {[]string{"etc/passwd |"}, nil, false, "", `"/etc/passwd" is a pipe`},
		"device":              {[]string{"etc/passwd !"}, nil, false, "", `"/etc/passwd" is a device`},
		"directory":           {[]string{"etc/passwd/"}, nil, false, "", `"/etc/passwd" is a directory`},
		"etc is a file":       {[]string{"etc = x"}, nil, false, shEntry, ""},
		"huge":                {[]string{"etc/passwd = " + strings.Repeat("a", rootfs.MaxFile+1)}, nil, false, "", "larger than"},
		"link":                {[]string{"etc/passwd -> /store/passwd", "store/passwd = " + testkit.Root}, nil, false, testkit.Root + shEntry, ""},
		"links":               {[]string{"etc -> e/../f", "f/passwd -> ../store/passwd", "e/", "store/passwd = " + testkit.Root}, nil, false, testkit.Root + shEntry, ""},
		"link out of it":      {[]string{"etc/passwd -> ../../../../../../../../../../etc/passwd2", "etc/passwd2 = " + testkit.Root}, nil, false, testkit.Root + shEntry, ""},
		"link to the host's":  {[]string{"etc/passwd -> " + vol + "/podman"}, nil, false, "", "where nothing is"},
		"link to itself":      {[]string{"etc/passwd -> passwd"}, nil, false, "", "too many symbolic links"},
		"links in a ring":     {[]string{"etc/passwd -> ../a", "a -> b", "b -> a"}, nil, false, "", "too many symbolic links"},
		"link to a pipe":      {[]string{"etc/passwd -> ../p", "p |"}, nil, false, "", `"/p" is a pipe`},
		"magic link":          {[]string{"etc/passwd -> /proc/self/root/etc/passwd"}, nil, false, "", "a link into the mount"},
		"link into a volume":  {[]string{"etc/passwd -> /v/podman"}, []rootfs.Mount{testkit.Bind(vol, "/v")}, false, "", "a link into the mount"},
		"link to shadow":      {[]string{"etc/passwd -> shadow", "etc/shadow = root:$y$x:1:0:9:7:::\n"}, nil, false, "root:$y$x:1:0:9:7:::\n" + shEntry, ""},
		"podman's":            {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/podman", "/etc/passwd")}, false, testkit.Root + foreign + entry, ""},
		"podman's, relative":  {testkit.Debian, []rootfs.Mount{testkit.Bind(strings.TrimPrefix(vol, "/")+"/podman", "/etc/passwd")}, false, testkit.Root + foreign + entry, ""},
		"podman's, by a link": {append([]string{"e -> /etc"}, testkit.Debian...), []rootfs.Mount{testkit.Bind(vol+"/podman", "/e/passwd")}, false, testkit.Root + foreign + entry, ""},
		"podman's, read-only": {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/podman", "/etc/passwd")}, true, testkit.Root + foreign + strings.Replace(entry, "/home/nonroot", "/", 1), ""},
		"C13 shadow":          {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/shadow", "/etc/passwd")}, false, entry, ""},
		"C13 host's shadow":   {testkit.Debian, []rootfs.Mount{testkit.Bind("/etc/shadow", "/etc/passwd")}, false, entry, "not everyone may read"},
		"C13 not for all":     {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/secret", "/etc/passwd")}, false, entry, "not everyone may read"},
		"C13 hash":            {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/hash", "/etc/passwd")}, false, "root:x:0:0:r:/root:/bin/sh\n" + strings.Replace(shEntry, "/sbin/nologin", "/bin/sh", 1), ""},
		"mounted null":        {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/null", "/etc/passwd")}, false, entry, "is a device"},
		"mounted pipe":        {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/pipe", "/etc/passwd")}, false, entry, "is a pipe"},
		"mounted directory":   {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/dir", "/etc/passwd")}, false, "", "a directory is mounted there"},
		"mounted nothing":     {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/absent", "/etc/passwd")}, false, "", "has none"},
		"mounted huge":        {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/big", "/etc/passwd")}, false, "", "larger than"},
		"mounted proc":        {testkit.Debian, []rootfs.Mount{testkit.Bind("/proc/self/status", "/etc/passwd")}, false, entry, ""},
		"volume at /etc":      {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/etc", "/etc")}, false, text + entry, ""},
		"volume at /":         {nil, []rootfs.Mount{testkit.Bind(vol, "/")}, false, text + "nonroot:x:65532:65532:nonroot:/:/bin/bash\n", ""},
		"empty volume":        {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/empty", "/etc")}, false, "", "nothing is created there"},
		"link in a volume":    {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/linked", "/etc")}, false, "", "through a symbolic link in it"},
		"shadow in a volume":  {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/shadowed", "/etc")}, false, entry, "not everyone may read"},
		"tmpfs at /etc":       {testkit.Debian, []rootfs.Mount{{Destination: "/etc", Type: "tmpfs", Source: "tmpfs"}}, false, "", `a "tmpfs" is mounted at "/etc"`},
		"volume, then passwd": {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/empty", "/etc"), testkit.Bind(vol+"/podman", "/etc/passwd")}, false, testkit.Root + foreign + entry, ""},
		"passwd, then volume": {testkit.Debian, []rootfs.Mount{testkit.Bind(vol+"/podman", "/etc/passwd"), testkit.Bind(vol+"/empty", "/etc")}, false, "", "nothing is created there"},
		"lost mount":          {append([]string{"l -> l"}, testkit.Debian...), []rootfs.Mount{testkit.Bind(vol, "/l")}, false, "", `the mount at "/l" lies`},
		"two readings":        {append([]string{"x -> /y/z", "y/z/"}, testkit.Debian...), []rootfs.Mount{testkit.Bind(vol+"/podman", "/x/../etc/passwd"), testkit.Bind(vol, "/x/../etc")}, false, "", "is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			var mounts []rootfs.Mount
			for _, m := range testkit.Engine() {
				if !strings.HasPrefix(m.Destination, "/etc") { // a file in some tests
					mounts = append(mounts, m)
				}
			}
			p, err := planOf(t, testkit.Tree(t, c.parts), c.readonly, append(mounts, c.mounts...), wish())
			testkit.Must(t, err)
			notes := strings.Join(p.Notes, "\n")
			if string(p.Passwd) != c.passwd || !strings.Contains(notes, c.note) {
				t.Errorf("got %q\nwant %q\nnotes: %s\nwant: %s", p.Passwd, c.passwd, notes, c.note)
			}
			if c.note == "" && strings.Contains(notes, "passwd") {
				t.Errorf("notes: %s", notes)
			}
			clean(t, notes)
			if bytes.Contains(p.Passwd, []byte("$y$")) && len(c.mounts) > 0 {
				t.Errorf("a hash of the host's: %q", p.Passwd)
			}
		})
	}
}

// TestReadOnlyFileSystem: nothing is created in a rootfs on a read-only file system, though config.json doesn't mark it
// read-only.
func TestReadOnlyFileSystem(t *testing.T) {
	testkit.NeedRoot(t)
	const private = "HOMEDIR_TEST_PRIVATE_MOUNTS"
	if os.Getenv(private) == "" {
		cmd := exec.Command("unshare", "--mount", os.Args[0], "-test.run=^TestReadOnlyFileSystem$", "-test.v")
		cmd.Env = append(os.Environ(), private+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Fatalf("in a mount namespace of its own: %v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	testkit.Must(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("x", dir, "tmpfs", 0, "mode=0755"))
	testkit.Plant(t, dir, "home/app/ @1000")
	testkit.Must(t, unix.Mount("x", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	p, err := planOf(t, dir, false, testkit.Engine(), wish())
	testkit.Must(t, err)
	if p.Mounts != nil || p.Passwd != nil || p.Group != nil || !strings.Contains(strings.Join(p.Notes, "\n"), "file system is read-only") {
		t.Errorf("got %+v", p)
	}
	testkit.Must(t, unix.Unmount(dir, 0))
}

// TestHostRootfs: nothing is created in the host's own root (podman --rootfs /).
func TestHostRootfs(t *testing.T) {
	testkit.NeedRoot(t)
	w := wish()
	w.Path = "/absent-for-homedir-test"
	p, err := planOf(t, "/", false, testkit.Engine(), w)
	testkit.Must(t, err)
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, `"/absent-for-homedir-test" does not exist, and the rootfs is the host's own`) {
		t.Errorf("got %+v", p)
	}
}

// TestGroups: group is handled like passwd; these are the differences.
func TestGroups(t *testing.T) {
	dir := testkit.Tree(t, testkit.Debian)
	p, err := planOf(t, dir, false, testkit.Engine(), wish())
	testkit.Must(t, err)
	if want := "root:x:0:\nwww-data:x:33:\napp:x:1000:\nnonroot:x:65532:\n"; string(p.Group) != want {
		t.Errorf("got %q, want %q", p.Group, want)
	}
	p, err = planOf(t, dir, false, append(testkit.Engine(), testkit.Bind("/etc/gshadow", "/etc/group")), wish())
	testkit.Must(t, err)
	if string(p.Group) != "nonroot:x:65532:\n" {
		t.Errorf("with the host's gshadow there: %q", p.Group)
	}
	p, err = planOf(t, testkit.Tree(t, []string{"etc/group = root:x:0:\n1000:x:0:\n"}), false, testkit.Engine(), wish())
	testkit.Must(t, err)
	if string(p.Group) != "root:x:0:\nnonroot:x:65532:\n" || !p.Numbers {
		t.Errorf("with root's group by a number: %q, %v", p.Group, p.Numbers)
	}
	for name, c := range map[string]struct {
		parts    []string
		readonly bool
		want     bool
	}{
		"none, and none can be made": {[]string{"etc/"}, true, true},
		"a link to nothing":          {[]string{"etc/group -> /tmp/none", "tmp/"}, false, false},
		"a directory":                {[]string{"etc/group/"}, false, false},
		"a pipe":                     {[]string{"etc/group |"}, false, false},
	} {
		p, err := planOf(t, testkit.Tree(t, c.parts), c.readonly, testkit.Engine(), wish())
		testkit.Must(t, err)
		if p.Group != nil || p.Numbers != c.want {
			t.Errorf("%s: %q, %v", name, p.Group, p.Numbers)
		}
	}
	p, err = planOf(t, testkit.Tree(t, []string{"etc/passwd -> group", "etc/group = "}), false, testkit.Engine(), wish())
	testkit.Must(t, err)
	if p.Passwd == nil || p.Group != nil {
		t.Errorf("one file for both: %+v", p)
	}
}

// TestShell: the shell is one that exists.
func TestShell(t *testing.T) {
	user := func(shell string) string {
		return "etc/passwd = root:x:0:0::/root:/bin/zsh\napp:x:65532:1::/home/app:" + shell + "\n"
	}
	for name, c := range map[string]struct {
		parts []string
		want  string
	}{
		"the entry's":   {[]string{user("/bin/fish"), "bin/fish = x", "bin/zsh = x"}, "/bin/fish"},
		"none":          {[]string{user("")}, "/sbin/nologin"},
		"nobody's":      {[]string{"etc/passwd = nobody:x:65534:65534:Nobody:/:\n"}, "/sbin/nologin"},
		"ash alone":     {[]string{user("/sbin/nologin"), "bin/ash = x"}, "/bin/ash"},
		"a usual one":   {[]string{user(""), "bin/sh = x"}, "/bin/sh"},
		"none but":      {[]string{user("/bin/sh"), "usr/sbin/nologin = x"}, "/usr/sbin/nologin"},
		"distroless":    {[]string{user("/bin/sh"), "bin/busybox = x", "busybox/sh -> /bin/busybox"}, "/busybox/sh"},
		"nologin":       {[]string{user("/usr/sbin/nologin"), "usr/sbin/nologin = x", "bin/zsh = x"}, "/bin/zsh"},
		"false":         {[]string{user("/bin/false"), "bin/false = x", "bin/bash = x"}, "/bin/bash"},
		"not there":     {[]string{user("/bin/fish"), "bin/sh = x"}, "/bin/sh"},
		"not a program": {[]string{user("/etc/passwd"), "bin/bash = x"}, "/bin/bash"},
		"a directory":   {[]string{user("/bin"), "bin/bash = x"}, "/bin/bash"},
		"a pipe":        {[]string{user("/bin/p"), "bin/p |"}, "/sbin/nologin"},
		"by links":      {[]string{user("/bin/ash"), "bin -> usr/bin", "usr/bin/ash -> /usr/bin/busybox", "usr/bin/busybox = x"}, "/bin/ash"},
		"out of it":     {[]string{user("/bin/ash"), "bin/ash -> ../../../../../../../bin/sh"}, "/sbin/nologin"},
		"with words":    {[]string{user("/bin/sh -c x"), "bin/bash = x"}, "/bin/bash"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := planOf(t, testkit.Tree(t, c.parts), false, testkit.Engine(), wish())
			testkit.Must(t, err)
			if p.Shell != c.want || !bytes.Contains(p.Passwd, []byte(":"+c.want+"\n")) {
				t.Errorf("got %q in %q, want %q", p.Shell, p.Passwd, c.want)
			}
		})
	}
}

// TestTwice: rewriting again, with the first rewrite's mounts in the spec, changes nothing.
func TestTwice(t *testing.T) {
	dir, copies := testkit.Tree(t, testkit.Debian), t.TempDir()
	for _, uid := range []uint32{33, 1000, 65532, 65534} {
		w := Options{UID: uid, GID: 65532, Name: "nonroot", Size: "1m"}
		first, err := planOf(t, dir, false, testkit.Engine(), w)
		testkit.Must(t, err)
		testkit.Must(t, os.WriteFile(copies+"/passwd", first.Passwd, 0o644), os.WriteFile(copies+"/group", first.Group, 0o644))
		mounts := append(append(testkit.Engine(), first.Mounts...), testkit.Bind(copies+"/passwd", "/etc/passwd"), testkit.Bind(copies+"/group", "/etc/group"))
		second, err := planOf(t, dir, false, mounts, w)
		testkit.Must(t, err)
		first.Notes, second.Notes = nil, nil
		if !reflect.DeepEqual(first, second) {
			t.Errorf("first %+v\nthen %+v", first, second)
		}
	}
}

// TestSlowImages: no image delays a create.
func TestSlowImages(t *testing.T) {
	deep := strings.Repeat("a/../", 700)
	links := []string{"a/", "bin/sh = x"}
	for i := range 200 {
		links = append(links, fmt.Sprintf("l%d -> %sl%d", i, deep, i+1))
	}
	var names bytes.Buffer
	for i := range 40000 {
		fmt.Fprintf(&names, "nonroot-65532:x:%d:7::/:\n", i+70000)
	}
	for name, parts := range map[string][]string{
		"links":    append(links, "etc/passwd -> /l0", "home/nonroot -> /l0"),
		"newlines": {"etc/passwd = " + strings.Repeat("\n", rootfs.MaxFile), "etc/group = " + strings.Repeat(":", rootfs.MaxFile)},
		"zeros":    {"etc/passwd = " + strings.Repeat("\x00", rootfs.MaxFile), "etc/group = " + strings.Repeat("\x00:\n", rootfs.MaxFile/3)},
		"names":    {"etc/passwd = " + names.String()[:rootfs.MaxFile]},
		"one line": {"etc/passwd = " + strings.Repeat("nonroot:x:", rootfs.MaxFile/10)},
	} {
		dir := testkit.Tree(t, parts)
		start := spent(t)
		p, err := planOf(t, dir, false, append(testkit.Engine(), testkit.Bind("/", "/l0/x")), wish())
		testkit.Must(t, err)
		if lost := strings.Contains(strings.Join(p.Notes, "\n"), `the mount at "/l0/x" lies`); lost != (name == "links") {
			t.Errorf("%s: %q", name, p.Notes)
		}
		if took := spent(t) - start; took > 2*time.Second {
			t.Errorf("%s: %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// spent returns the processor time that this program has used, which other load on the machine does not change.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	testkit.Must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestNoDescriptorStays: every descriptor is closed again.
func TestNoDescriptorStays(t *testing.T) {
	dir := testkit.Tree(t, testkit.Debian, []string{"x -> /home", "e -> /etc"})
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		testkit.Must(t, err)
		return len(fds)
	}
	before := count()
	for range 20 {
		_, err := planOf(t, dir, false, append(testkit.Engine(), testkit.Bind(dir, "/x/../y"), testkit.Bind(dir+"/etc", "/e"), testkit.Bind(dir, "/home/v"), testkit.Bind(dir, "/home/v/tmp")), kept(1000, "/x/v/tmp"))
		testkit.Must(t, err)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func BenchmarkPlan(b *testing.B) {
	var passwd strings.Builder
	passwd.WriteString(testkit.Root)
	for i := 1; i < 25; i++ {
		fmt.Fprintf(&passwd, "daemon%d:x:%d:%d:daemon:/usr/sbin:/usr/sbin/nologin\n", i, i, i)
	}
	dir := testkit.Tree(b, testkit.Debian, []string{"etc/passwd = " + passwd.String()})
	mounts := testkit.Engine()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := planOf(b, dir, false, mounts, wish()); err != nil {
			b.Fatal(err)
		}
	}
}

// wish returns the fixed identity.
func wish() Options {
	return Options{UID: 65532, GID: 65532, Name: "nonroot", Size: "64m"}
}

// kept returns an image's own user.
func kept(uid uint32, env string) Options {
	return Options{UID: uid, GID: uid, Name: "nonroot", Size: "64m", Kept: true, EnvHome: env}
}

func planOf(t testing.TB, dir string, readonly bool, mounts []rootfs.Mount, o Options) (*Plan, error) {
	t.Helper()
	mounts = slices.DeleteFunc(slices.Clone(mounts), Ours) // as the caller does
	view, err := rootfs.Open("/", dir, readonly, mounts)
	testkit.Must(t, err)
	im := accounts.In(view)
	defer func() { testkit.Must(t, im.Close()) }()
	return PlanFor(im, o)
}
