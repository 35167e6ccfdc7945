// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// distro reads the accounts of a distribution's base image.
func distro(t testing.TB, name string) (passwd, group string) {
	t.Helper()
	var texts [2]string
	for i, kind := range []string{"passwd", "group"} {
		text, err := os.ReadFile(filepath.Join("testdata", "accounts", name+"."+kind))
		testkit.Must(t, err)
		texts[i] = string(text)
	}
	return texts[0], texts[1]
}

// names lists the users that an image was built for.
func names(b Intended) string {
	all := make([]string, 0, len(b.Users))
	for _, u := range b.Users {
		all = append(all, u.Name)
	}
	if b.More {
		all = append(all, "more")
	}
	if b.State {
		all = append(all, "by state")
	}
	return strings.Join(all, " ")
}

func TestDistributionsHaveNoAccountOfTheirOwn(t *testing.T) {
	files, err := filepath.Glob("testdata/accounts/*.passwd")
	testkit.Must(t, err)
	if len(files) < 9 {
		t.Fatalf("only %d distributions", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".passwd")
		passwd, group := distro(t, name)
		if got := names(ownAccounts([]byte(passwd), []byte(group))); got != "" {
			t.Errorf("%s is said to be built for %s", name, got)
		}
		redis := ownAccounts([]byte(passwd+"redis:x:970:1001::/home/redis:/bin/sh\n"), []byte(group+"redis:x:1001:\n"))
		if names(redis) != "redis" || redis.Users[0].UID != 970 || redis.Users[0].GID != 1001 {
			t.Errorf("%s with redis is said to be built for %q", name, names(redis))
		}
	}
}

func TestOwnAccounts(t *testing.T) {
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, test := range []struct{ name, distro, passwd, group, want string }{
		{"php of Alpine", "alpine", "www-data:x:82:82:Linux User,,,:/home/www-data:/sbin/nologin\n", "", "www-data"},
		{"postgres of Alpine", "alpine", "postgres:x:70:70:Linux User,,,:/var/lib/postgresql:/bin/sh\n", "postgres:x:70:\n", "postgres"},
		{"redis of Alpine", "alpine", "redis:x:999:1000:redis:/home/redis:/bin/sh\n", "redis:x:1000:redis\n", "redis"},
		{"node of Debian", "debian", "node:x:1000:1000::/home/node:/bin/bash\n", "node:x:1000:\n", "node"},
		{"mysql of RHEL", "rhel", "mysql:x:27:27:MySQL Server:/var/lib/mysql:/sbin/nologin\n", "mysql:x:27:\n", "mysql"},
		{"nginx of Ubuntu, beside its user", "ubuntu", "nginx:x:101:101::/:/bin/false\n", "nginx:x:101:\n", "nginx"},
		{"redis beside daemons of packages", "server", "redis:x:112:116::/var/lib/redis:/usr/sbin/nologin\n", "redis:x:116:\n", "redis"},
		{"unbound, a server's on Debian", "debian", "unbound:x:100:101::/var/lib/unbound:/usr/sbin/nologin\n", "unbound:x:101:\n", "unbound"},
		{"unbound, a library's on RHEL", "rhel", "unbound:x:997:994::/etc/unbound:/sbin/nologin\n", "unbound:x:994:\n", ""},
		{"grafana, of group root", "alpine", "grafana:x:472:0::/home/grafana:/sbin/nologin\n", "", ""},
		{"a group that is shipped for others", "debian", "app:x:1000:100::/:/bin/sh\n", "", ""},
		{"one that is, by another gid", "debian", "app:x:1000:1000::/:/bin/sh\n", "users:x:1000:\n", ""},
		{"a group without an entry", "debian", "app:x:1000:1000::/:/bin/sh\n", "", ""},
		{"a shipped name by another uid", "debian", "operator:x:1000:1000::/:/bin/sh\n", "operator:x:1000:\n", "operator"},
		{"a daemon's name above the system's uids", "debian", "syslog:x:5000:5000::/:/bin/sh\n", "syslog:x:5000:\n", "syslog"},
		{"two", "debian", "redis:x:999:999::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n", "redis:x:999:\napp:x:1000:\n", "redis app"},
		{"two, one without a group of its own", "debian", "redis:x:999:999::/:/bin/sh\napp:x:1000:0::/:/bin/sh\n", "redis:x:999:\n", "redis"},
		{"the same uid twice", "debian", "redis:x:999:999::/:/bin/sh\nvalkey:x:999:999::/:/bin/sh\n", "redis:x:999:\n", "redis"},
		{"the same name twice", "debian", "redis:x:999:999::/:/bin/sh\nredis:x:0:0::/:/bin/sh\n", "redis:x:999:\n", "redis"},
		{"a second name of www-data's", "debian", "app:x:33:33::/:/bin/sh\n", "app:x:33:\n", ""},
		{"a second root", "debian", "toor:x:0:0::/root:/bin/sh\ntoor2:x:00:0::/root:/bin/sh\n", "toor:x:0:\n", ""},
		{"numbers that are none", "debian", "a:x:4294967296:1::/:/bin/sh\nb:x:-1:1::/:/bin/sh\nc:x:1e3:1::/:/bin/sh\nd:x:4294967295:1::/:/bin/sh\ne:x: 7:7777::/:/bin/sh\nf:x:07:7777::/:/bin/sh\n", "a:x:1:\n", ""},
		{"a uid that runtimes don't agree on", "debian", "a:x:2147483648:7777::/:/bin/sh\n", "a:x:7777:\n", ""},
		{"nobody by another name", "debian", "none:x:65534:7777::/:/bin/sh\n", "a:x:7777:\n", ""},
		{"NIS, comments and control characters", "debian", "+a:x:7:7777::/:/bin/sh\n#b:x:8:7777::/:/bin/sh\nc\x00:x:9:7777::/:/bin/sh\n", "a:x:7777:\n", ""},
		{"many", "debian", many("u%[1]d:x:%[1]d1:7777::/:/bin/sh\n", 10000), "a:x:7777:\n", "more"},
		{"many of one uid", "debian", many("u%d:x:1234:7777::/:/bin/sh\n", 10000), "a:x:7777:\n", "u0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			passwd, group := distro(t, test.distro)
			if got := names(ownAccounts([]byte(passwd+test.passwd), []byte(group+test.group))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// debianState is the state of Debian's own packages, with man-db, dbus and polkitd.
var debianState = []string{
	"var/lib/apt/lists/partial/ @42", "var/lib/dpkg/info/", "var/lib/dpkg/alternatives/", "var/lib/dpkg/updates/",
	"var/lib/pam/", "var/lib/systemd/coredump/", "var/lib/misc/", "var/lib/polkit-1/ @996", "var/lib/private/",
	"var/cache/apt/archives/partial/ @42", "var/cache/debconf/", "var/cache/ldconfig/", "var/cache/man/ @6", "var/cache/man/de/ @6",
	"var/log/apt/", "var/log/journal/", "var/spool/mail/", "var/spool/cron/crontabs/", "run/dbus/ @100", "run/systemd/netif/ @998", "run/lock/",
}

func debianImage(t testing.TB, lines ...string) string {
	t.Helper()
	passwd, group := distro(t, "debian")
	passwd += "messagebus:x:100:101::/nonexistent:/usr/sbin/nologin\npolkitd:x:996:996::/:/usr/sbin/nologin\nsystemd-network:x:998:998::/:/usr/sbin/nologin\n"
	return testkit.Tree(t, []string{"etc/passwd = " + passwd, "etc/group = " + group}, debianState, lines)
}

func same(owner uint32) (uint32, bool) { return owner, true }

func TestBuiltFor(t *testing.T) {
	own := "etc/passwd = root:x:0:0::/root:/bin/sh\nredis:x:999:999::/home/redis:/bin/sh\n"
	many := func(format string, n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf(format, i))
		}
		return lines
	}
	elsewhere := testkit.Tree(t, []string{"passwd = root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n", "group = alice:x:1000:\n", "lib/x/ @33"})
	for name, test := range map[string]struct {
		lines  []string
		mounts []rootfs.Mount
		inside func(uint32) (uint32, bool)
		want   string
	}{
		"Debian":                        {},
		"an account of its own":         {lines: []string{own, "etc/group = redis:x:999:\n", "var/lib/x/ @33"}, want: "redis"},
		"one whose passwd is a link":    {lines: []string{"etc/p = " + own[len("etc/passwd = "):], "etc/group = redis:x:999:\n", "etc/passwd -> p"}, want: "Debian"},
		"one that owns":                 {lines: []string{"var/lib/php/sessions/ @33"}, want: "www-data by state"},
		"one that owns the upper level": {lines: []string{"var/spool/squid/ @13"}, want: "proxy by state"},
		"in /run":                       {lines: []string{"run/web/ @33"}, want: "www-data by state"},
		"one of group root":             {lines: []string{"etc/passwd = root:x:0:0::/root:/bin/sh\ngrafana:x:472:0::/:/bin/sh\n", "var/lib/grafana/ @472"}, want: "grafana by state"},
		"one of a group 0 by his name":  {lines: []string{"etc/passwd = root:x:0:0::/root:/bin/sh\napp:x:1000:0::/:/bin/sh\n", "etc/group = app:x:0:\n"}},
		"two that own":                  {lines: []string{"var/lib/a/ @33", "var/log/b/ @13"}, want: "proxy www-data by state"},
		"one without an entry":          {lines: []string{"var/lib/a/ @4711"}},
		"one without an entry, and one": {lines: []string{"var/lib/a/ @4711", "var/lib/b/ @33"}, want: "www-data by state"},
		"nobody":                        {lines: []string{"var/lib/a/ @65534"}},
		"too deep":                      {lines: []string{"var/lib/a/b/c/ @33"}},
		"elsewhere":                     {lines: []string{"srv/a/ @33", "var/www/ @33", "var/tmp/a/ @33", "opt/a/ @33"}},
		"the directories themselves":    {lines: []string{"var/lib/ @33", "var/log/ @33"}},
		"a link instead of a directory": {lines: []string{"elsewhere/a/ @33", "var/lib/a -> /elsewhere", "var/log/b -> ../../elsewhere/a"}},
		"a link out":                    {lines: []string{"var/lib/a -> " + elsewhere, "var/lib/b -> ../../../../../../../../.." + elsewhere + "/lib"}},
		"too many directories":          {lines: append(many("var/lib/f%d/x/", 120), "var/lib/a/ @33"), want: "more by state"},
		"too many entries":              {lines: append(many("var/lib/f/f%d = x", 600), "var/lib/f/x/", "var/lib/a/ @33"), want: "more by state"},
		"owners by the thousand":        {lines: many("var/lib/f/%[1]d/ @2%04[1]d", 400)},
		"a passwd that is mounted":      {mounts: []rootfs.Mount{testkit.Bind(elsewhere+"/passwd", "/etc/passwd"), testkit.Bind(elsewhere+"/group", "/etc/group")}},
		"an /etc that is mounted":       {mounts: []rootfs.Mount{testkit.Bind(elsewhere, "/etc")}, lines: []string{"var/lib/a/ @33"}},
		"a volume over its state":       {lines: []string{"var/lib/a/ @33"}, mounts: []rootfs.Mount{testkit.Bind(elsewhere, "/var/lib/a")}, want: "www-data by state"},
		"what a volume has":             {mounts: []rootfs.Mount{testkit.Bind(elsewhere+"/lib", "/var/lib")}},
		"in a user namespace": {
			lines:  []string{"var/lib/a/ @100033", "var/lib/b/ @13", "var/lib/c/ @100000"},
			inside: func(owner uint32) (uint32, bool) { return owner - 100000, owner >= 100000 },
			want:   "www-data by state",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.inside == nil {
				test.inside = same
			}
			dir := debianImage(t)
			if test.want == "Debian" { // a link in place of a file
				test.want = "redis"
				testkit.Must(t, os.Remove(filepath.Join(dir, "etc/passwd")))
			}
			for _, line := range test.lines {
				if _, isLink := strings.CutPrefix(line, "etc/group = "); isLink {
					testkit.Must(t, os.Remove(filepath.Join(dir, "etc/group")))
				}
				testkit.Plant(t, dir, line)
			}
			view, err := rootfs.Open("/", dir, false, append(testkit.Engine(), test.mounts...))
			testkit.Must(t, err)
			im := In(view)
			defer func() { testkit.Must(t, im.Close()) }()
			b := im.BuiltFor(test.inside)
			if got := names(b); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, u := range b.Users {
				if known, ok := im.UserByID(u.UID); !ok || known != u {
					t.Errorf("%+v is not the entry of its uid: %+v", u, known)
				}
			}
		})
	}
}

func TestBuiltForNobody(t *testing.T) {
	for name, lines := range map[string][]string{
		"scratch":               {"app = x"},
		"a pipe":                {"etc/passwd |", "etc/group |", "var/lib/a/ @33"},
		"directories":           {"etc/passwd/", "etc/group/"},
		"garbage":               {"etc/passwd = \xff\x00:::::::\n", "etc/group = :\n"},
		"links for directories": {"etc/passwd = " + testkit.Root + "www-data:x:33:33::/:/bin/sh\n", "elsewhere/a/ @33", "var/lib -> /elsewhere", "run -> ../elsewhere", "var/log -> log", "var/cache -> /"},
		"a pipe among state":    {"etc/passwd = " + testkit.Root, "var/lib |", "var/log/a |", "run !"},
	} {
		dir := testkit.Tree(t, lines)
		view, err := rootfs.Open("/", dir, false, testkit.Engine())
		testkit.Must(t, err)
		im := In(view)
		if got := names(im.BuiltFor(same)); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
		testkit.Must(t, im.Close())
	}
}

// FuzzBuiltFor: the user that an image was built for is never root or nobody, has an entry of its passwd that every
// lookup finds, is listed once, and has a group that exists.
func FuzzBuiltFor(f *testing.F) {
	files, _ := filepath.Glob("testdata/accounts/*.passwd")
	for _, file := range files {
		passwd, group := distro(f, strings.TrimSuffix(filepath.Base(file), ".passwd"))
		f.Add([]byte(passwd+"redis:x:999:999::/:/bin/sh\n"), []byte(group+"redis:x:999:\n"))
	}
	f.Add([]byte("a:x:0:1:::\na:x:1:0:::\nb:x:1:1:::\nb:x:2:1:::\n"), []byte("root:x:1:\nb:x:1:\n"))
	f.Fuzz(func(t *testing.T, passwd, group []byte) {
		b := ownAccounts(passwd, group)
		if len(b.Users) > maxOwn || b.More && len(b.Users) > 0 {
			t.Fatalf("%d users", len(b.Users))
		}
		all := Files{Passwd: passwd, Group: group}
		seen := map[uint32]bool{}
		for _, u := range b.Users {
			known, ok := all.UserByID(u.UID)
			_, _, isGroup := entryFor(group, groupFields, u.GID)
			if u.UID == 0 || u.UID > math.MaxInt32 || u.UID == nobody || u.GID == 0 || !ok || known != u || !isGroup || seen[u.UID] {
				t.Fatalf("%+v, %+v", u, known)
			}
			seen[u.UID] = true
		}
	})
}

func BenchmarkBuiltFor(b *testing.B) {
	passwd, group := distro(b, "debian")
	var people strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&people, "person%[1]d:x:%[1]d:100:A Person:/home/person%[1]d:/bin/bash\n", 2000+i)
	}
	var crowd []string
	for i := range 70 {
		crowd = append(crowd, fmt.Sprintf("var/lib/a%d/b/ @33", i))
	}
	var wide []string
	for i := range 400 {
		wide = append(wide, fmt.Sprintf("var/lib/w/b%d/ @33", i))
	}
	for _, image := range []struct{ name, dir string }{
		{"debian", debianImage(b)},
		{"most-directories", debianImage(b, crowd...)},
		{"most-entries", debianImage(b, wide...)},
		{"most-accounts", testkit.Tree(b, []string{"etc/passwd = " + passwd + people.String(), "etc/group = " + group})},
	} {
		b.Run(image.name, func(b *testing.B) {
			for b.Loop() {
				view, err := rootfs.Open("/", image.dir, false, testkit.Engine())
				testkit.Must(b, err)
				im := In(view)
				im.load()
				im.BuiltFor(same)
				testkit.Must(b, im.Close())
			}
		})
		b.Run(image.name+"/without", func(b *testing.B) {
			for b.Loop() {
				view, err := rootfs.Open("/", image.dir, false, testkit.Engine())
				testkit.Must(b, err)
				im := In(view)
				im.load()
				testkit.Must(b, im.Close())
			}
		})
	}
}
