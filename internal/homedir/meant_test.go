// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestMeant: if the identity can write there, HOME stays where the container's programs look for it: where a user has
// set it, in root's home with what is mounted there, and in root's home if the image has more there than a
// distribution. Nothing is mounted for it, and a system directory is never a home (SECURITY.md C10).
func TestMeant(t *testing.T) {
	vol := testkit.Tree(t, []string{"f = x"})
	bind := func(dest string) []rootfs.Mount { return []rootfs.Mount{testkit.Bind(vol, dest)} }
	asRoot := func(env string) Options { w := wish(); w.Meant = Meant{Env: env, Root: "/root"}; return w }
	with := func(w Options, change func(*Options)) Options { change(&w); return w }
	lasting := func(w Options) Options { w.Meant.Lasts = func(string) bool { return true }; return w }
	redis := with(kept(999, ""), func(w *Options) { w.Meant.Root = "/root" })
	for name, c := range map[string]struct {
		parts  []string
		mounts []rootfs.Mount
		o      Options
		writes string // where the identity can write
		home   string // "HOME none": without a mount of ours
		note   string
	}{
		"nothing is there":               {[]string{"root/"}, nil, asRoot(""), "/root", "/home/nonroot", ""},
		"a mount below":                  {[]string{"root/"}, bind("/root/.cache"), asRoot(""), "/root", "/root none", `"/root" is kept, as config.json mounts "/root/.cache"`},
		"a mount at it":                  {[]string{"root/"}, bind("/root"), asRoot(""), "/root", "/root none", `is kept, as config.json mounts "/root"`},
		"a mount through a link":         {[]string{"root/", "r -> root"}, bind("/r/x"), asRoot(""), "/root", "/root none", `config.json mounts "/root/x"`},
		"a mount above":                  {[]string{"root/"}, bind("/"), asRoot(""), "/root", "/ none", "meets the mount"},
		"a like name":                    {[]string{"root/"}, bind("/root2"), asRoot(""), "/root /root2", "/home/nonroot", ""},
		"it can't be written":            {[]string{"root/"}, bind("/root/.cache"), asRoot(""), "", "/home/nonroot", `HOME is not "/root", though config.json mounts "/root/.cache": the identity can't write there`},
		"a link elsewhere":               {[]string{"root -> var/roothome", "var/roothome/"}, bind("/root/x"), asRoot(""), "/root", "/root none", `config.json mounts "/var/roothome/x"`},
		"a link to /etc":                 {[]string{"root -> etc", "etc/"}, bind("/root/x"), asRoot(""), "/root", "/home/nonroot", `it is in a system directory (/etc`},
		"elsewhere by passwd":            {[]string{"home/root/"}, bind("/home/root/x"), with(asRoot(""), func(w *Options) { w.Meant.Root = "/home/root" }), "/home/root", "/home/root none", "is kept"},
		"the rootfs by passwd":           {nil, bind("/x"), with(asRoot(""), func(w *Options) { w.Meant.Root = "/" }), "/", "/home/nonroot", "it is the rootfs"},
		"not asked for root":             {[]string{"root/"}, bind("/root/x"), with(asRoot(""), func(w *Options) { w.Meant.Root = "" }), "/root", "/home/nonroot", ""},
		"a home is wanted always":        {[]string{"root/"}, bind("/root/x"), with(asRoot(""), func(w *Options) { w.Mode = Always }), "/root", "/home/nonroot", ""},
		"none is wanted":                 {[]string{"root/"}, bind("/root/x"), with(asRoot(""), func(w *Options) { w.Mode = Never }), "/root", "/root none", "is kept"},
		"the policy has a place":         {[]string{"root/"}, bind("/root/x"), with(asRoot(""), func(w *Options) { w.Path = "/work" }), "/root", "/root none", "is kept"},
		"the skeleton":                   {[]string{"root/.bashrc = x", "root/.profile = x", "root/.ssh/", "root/.cache/"}, nil, asRoot(""), "/root", "/home/nonroot", ""},
		"more than that":                 {[]string{"root/.bashrc = x", "root/.netrc = x"}, nil, asRoot(""), "/root", "/root none", `the image has ".netrc" there`},
		"a directory with files":         {[]string{"root/.ssh/known_hosts = x"}, nil, asRoot(""), "/root", "/root none", `".ssh" there`},
		"a link there":                   {[]string{"root/.cargo -> /opt/cargo"}, nil, asRoot(""), "/root", "/root none", `".cargo" there`},
		"more, and not writable":         {[]string{"root/.netrc = x"}, nil, asRoot(""), "", "/home/nonroot", `HOME is not "/root", though the image has ".netrc" there`},
		"more, and a policy's":           {[]string{"root/.netrc = x"}, nil, with(asRoot(""), func(w *Options) { w.Path = "/work" }), "/root", "/work", ""},
		"root has none":                  {[]string{"root = x"}, nil, asRoot(""), "/root", "/home/nonroot", ""},
		"a service's, mounts":            {[]string{"root/", "home/redis/ @999", "home/redis/f = x"}, bind("/root/.cache"), redis, "/root", "/root none", "config.json mounts"},
		"a service's own home":           {[]string{"root/.netrc = x", "home/redis/ @999", "home/redis/f = x"}, nil, redis, "/root", "/home/redis none", "files of this user"},
		"a service's without one":        {[]string{"root/.netrc = x"}, nil, redis, "/root", "/root none", ".netrc"},
		"HOME is set":                    {nil, bind("/data"), asRoot("/data"), "/data", "/data none", `"/data" is kept, as it was asked for`},
		"HOME is set, twice":             {[]string{"root/"}, bind("/root/x"), asRoot("/data"), "/root /data", "/data none", ""},
		"HOME is below root's":           {[]string{"root/x/"}, nil, asRoot("/root/x"), "/root/x", "/root/x none", "asked for"},
		"HOME is set, and closed":        {[]string{"data/"}, nil, asRoot("/data"), "", "/home/nonroot", `HOME is not "/data", though it was asked for: the identity can't write there`},
		"HOME is root's":                 {[]string{"root/"}, nil, asRoot("/root"), "/root", "/home/nonroot", ""},
		"HOME is /":                      {nil, nil, asRoot("/"), "/", "/home/nonroot", ""},
		"HOME is /proc":                  {nil, nil, asRoot("/proc"), "/proc", "/home/nonroot", "it is in a system directory (/proc"},
		"HOME is /etc/x":                 {nil, nil, asRoot("/etc/x"), "/etc/x", "/home/nonroot", "it is in a system directory (/etc"},
		"HOME is a link to /usr":         {[]string{"h -> usr"}, nil, asRoot("/h"), "/h", "/home/nonroot", "it is in a system directory (/usr"},
		"HOME goes up":                   {nil, nil, asRoot("/data/../etc"), "/data", "/home/nonroot", ""},
		"HOME of a kept user":            {[]string{"tmp/"}, nil, with(kept(1000, "/tmp"), func(w *Options) { w.Meant.Env = "/tmp" }), "/tmp", "/tmp none", "asked for"},
		"HOME is passwd's":               {[]string{"home/app/ @1000"}, nil, with(kept(1000, "/home/app"), func(w *Options) { w.Meant.Env = "/home/app" }), "/home/app", "/home/app", ""},
		"a kept user's own":              {[]string{"home/app/ @1000"}, nil, lasting(kept(1000, "")), "", "/home/app none", "it is this user's"},
		"his by the environment":         {[]string{"opt/e/ @1000", "home/app/ @1000"}, nil, lasting(kept(1000, "/opt/e")), "", "/opt/e none", "it is this user's"},
		"his, but always a tmpfs":        {[]string{"home/app/ @1000"}, nil, with(lasting(kept(1000, "")), func(w *Options) { w.Mode = Always }), "", "/home/app", ""},
		"his, of a service":              {[]string{"srv/e/ @1000"}, nil, lasting(kept(1000, "/srv/e")), "", "/srv/e none", "it is this user's"},
		"open to his group":              {[]string{"home/app/ @999", "home/app/f = x"}, nil, lasting(kept(1000, "")), "", "/home/app none", "the image opens it to this user's group"},
		"another's":                      {[]string{"home/app/ @999"}, nil, kept(1000, ""), "", "/home/app", ""},
		"his by a link to the system's":  {[]string{"usr/e/ @1000", "home/app -> /usr/e"}, nil, lasting(kept(1000, "")), "", "/nonroot-home", "symbolic link"},
		"his in a system directory":      {[]string{"etc/e/ @1000"}, nil, lasting(kept(1000, "/etc/e")), "", "/home/app", ""},
		"his, but it would not last":     {[]string{"home/app/ @1000"}, nil, kept(1000, ""), "", "/home/app", ""},
		"HOME is root's, of a kept":      {[]string{"root/"}, nil, with(kept(1000, "/root"), func(w *Options) { w.Meant.Env = "/root" }), "/root", "/home/app", "it is in a system directory (/root"},
		"a volume where it would be":     {nil, bind("/home/nonroot"), wish(), "/home/nonroot", "/home/nonroot none", `no home of its own: config.json mounts "/home/nonroot"`},
		"one that is closed":             {nil, bind("/home/nonroot"), wish(), "", "/nonroot-home", "meets the mount"},
		"a volume above":                 {nil, bind("/home"), wish(), "/home/nonroot", "/nonroot-home", "meets the mount"},
		"no volume":                      {[]string{"home/nonroot/f = x"}, nil, wish(), "/home/nonroot", "/nonroot-home", "not empty"},
		"a volume in a system directory": {nil, bind("/usr/x"), with(wish(), func(w *Options) { w.Path = "/usr/x" }), "/usr/x", "/home/nonroot", "system directory"},
		"a volume where all homes are":   {nil, bind("/home"), with(wish(), func(w *Options) { w.Path = "/home" }), "/home", "/nonroot-home", "system directory"},
		"a volume at the policy's place": {nil, bind("/work"), with(wish(), func(w *Options) { w.Path, w.Mode = "/work", Always }), "/work", "/work none", `config.json mounts "/work"`},
	} {
		t.Run(name, func(t *testing.T) {
			base := []string{
				"etc/passwd = " + testkit.Root + "redis:x:999:999::/home/redis:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", "bin/sh = #!", "home/",
			}
			if strings.HasPrefix(name, "a link to /etc") {
				base = base[:1]
			}
			view, err := rootfs.Open("/", testkit.Tree(t, base, c.parts), false, append(testkit.Engine(), c.mounts...))
			testkit.Must(t, err)
			im := accounts.In(view)
			defer func() { testkit.Must(t, im.Close()) }()
			c.o.Meant.Image, c.o.Meant.Writes = im, func(dir string) bool { return slices.Contains(strings.Fields(c.writes), dir) }
			p, err := PlanFor(im, c.o)
			testkit.Must(t, err)
			got := p.Home
			if len(p.Mounts) == 0 {
				got += " none"
			} else if p.Mounts[len(p.Mounts)-1].Destination != p.Home {
				t.Errorf("HOME is %q, and the home is mounted at %+v", p.Home, p.Mounts)
			}
			notes := strings.Join(p.Notes, "\n")
			if got != c.home || !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "HOME") {
				t.Errorf("home is %q, want %q\nnotes: %s\nwant: %s", got, c.home, notes, c.note)
			}
			clean(t, notes)
			if p.Passwd != nil && !bytes.Contains(p.Passwd, []byte(":"+p.Home+":"+p.Shell+"\n")) {
				t.Errorf("passwd does not agree with %q: %q", p.Home, p.Passwd)
			}
		})
	}
}

// TestMeantNowhere: without Writes, or without an image to examine, a home is chosen as before.
func TestMeantNowhere(t *testing.T) {
	w := wish()
	w.Meant = Meant{Root: "/root", Env: "/data"}
	p, err := planOf(t, testkit.Tree(t, testkit.Debian), false, append(testkit.Engine(), testkit.Bind("/", "/root/x")), w)
	testkit.Must(t, err)
	if p.Home != "/home/nonroot" || len(p.Mounts) != 2 {
		t.Errorf("%+v", p)
	}
}

// TestManyFilesOfRoot: a home of root's with more names than the limit does not count as a skeleton.
func TestManyFilesOfRoot(t *testing.T) {
	var parts []string
	for i := range mostFiles * 2 {
		parts = append(parts, fmt.Sprintf("root/f%d = x", i))
	}
	view, err := rootfs.Open("/", testkit.Tree(t, parts), false, nil)
	testkit.Must(t, err)
	im := accounts.In(view)
	defer func() { testkit.Must(t, im.Close()) }()
	if m := (Meant{Root: "/root", Image: im}); m.More() == "" {
		t.Error("there is nothing")
	}
}
