// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/user"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

const (
	root  = testkit.Root
	ours  = "nonroot:x:65532:65532:nonroot:/h:/bin/sh\n"
	ours2 = "nonroot-65532:x:65532:65532:nonroot-65532:/h:/bin/sh\n"
)

// passwdFor changes the text of passwd as Plan does.
func passwdFor(text []byte, uid uint32, wish string) ([]byte, User, bool) {
	name, ok := userName(text, uid, wish)
	u := User{Name: name, UID: uid, GID: uid, Home: "/h", Shell: "/bin/sh"}
	return withUser(text, u), u, ok
}

func TestPasswdText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"scratch":             {"", ours},
		"appended":            {root, root + ours},
		"newline repaired":    {strings.TrimSuffix(root, "\n"), root + ours},
		"empty lines stay":    {root + "\n\n", root + "\n\n" + ours},
		"malformed stays":     {root + "junk\nx:y\n", root + "junk\nx:y\n" + ours},
		"corrected in place":  {root + "app:x:65532:0::/app:/sbin/nologin\nz:x:9:9::/:\n", root + "app:x:65532:65532:app:/h:/bin/sh\nz:x:9:9::/:\n"},
		"gecos stays":         {"app:*:65532:1:An App,,,:/app:/bin/zsh\n", "app:*:65532:65532:An App,,,:/h:/bin/sh\n"},
		"last without end":    {root + "app:x:65532:0:A:/app:", root + "app:x:65532:65532:A:/h:/bin/sh\n"},
		"duplicate uid":       {"a:x:65532:1:A:/:\nb:x:65532:2:B:/:\n", "a:x:65532:65532:A:/h:/bin/sh\nb:x:65532:2:B:/:\n"},
		"name taken":          {"nonroot:x:7:7::/:\n", "nonroot:x:7:7::/:\n" + ours2},
		"name taken later":    {"+x\nnonroot:x:7:7::/:\n", ours2 + "+x\nnonroot:x:7:7::/:\n"},
		"name is another's":   {"a:x:7:7::/:\na:x:65532:1:A:/:\n", "a:x:7:7::/:\nnonroot:x:65532:65532:A:/h:/bin/sh\n"},
		"another has it too":  {"a:x:65532:1:A:/:\na:x:7:7::/:\n", "a:x:65532:65532:A:/h:/bin/sh\na:x:7:7::/:\n"},
		"name is root":        {"root:x:65532:0:r:/root:\n", "nonroot:x:65532:65532:r:/h:/bin/sh\n"},
		"name is bad":         {"a b:x:65532:0:r:/:\n", "nonroot:x:65532:65532:r:/h:/bin/sh\n"},
		"name is a number":    {"0:x:65532:0:r:/:\n", "nonroot:x:65532:65532:r:/h:/bin/sh\n"},
		"name is its number":  {"65532:x:65532:0:r:/:\n", "65532:x:65532:65532:r:/h:/bin/sh\n"},
		"NIS":                 {root + "+::::::\n", root + ours + "+::::::\n"},
		"NIS without end":     {root + "+", root + ours + "+\n"},
		"NIS before the own":  {"-\nb:x:65532:2:B:/:\n", "b:x:65532:65532:B:/h:/bin/sh\n-\n"},
		"leading zeros":       {"e:x:065532:0::/e:/e\n", "e:x:65532:65532:e:/h:/bin/sh\ne:x:065532:0::/e:/e\n"},
		"plus sign":           {"e:x:+65532:0::/e:/e\n", ours + "e:x:+65532:0::/e:/e\n"},
		"musl wraps":          {"e:x:4295032828:0::/e:/e\n", ours + "e:x:4295032828:0::/e:/e\n"},
		"musl has no comment": {"#e:x:65532:0::/e:/e\n", ours + "#e:x:65532:0::/e:/e\n"},
		"musl's colon":        {":e:x:65532:0::/e:/e\n", ours + ":e:x:65532:0::/e:/e\n"},
		"busybox's blanks":    {"e:x: 65532 :0::/e:/e\n", ours + "e:x: 65532 :0::/e:/e\n"},
		"busybox's NUL":       {"a\x00e:x:65532:0::/e:/e\n", ours + "a\x00e:x:65532:0::/e:/e\n"},
		"NUL and name":        {"a\x00nonroot:x:0:0::/e:/e\n", "a\x00nonroot:x:0:0::/e:/e\n" + ours2},
		"four fields":         {"e:x:65532:0\n", "e:x:65532:65532:e:/h:/bin/sh\ne:x:65532:0\n"},
		"six fields":          {"e:x:65532:0:E:/e\nz:x:9:9\n", "e:x:65532:65532:E:/h:/bin/sh\ne:x:65532:0:E:/e\nz:x:9:9\n"},
		"too few fields":      {"e:x:65532\n", ours + "e:x:65532\n"},
		"carriage return":     {"e:x:65532:0::/e:/e\r\n", "e:x:65532:65532:e:/h:/bin/sh\ne:x:65532:0::/e:/e\r\n"},
		"blanks":              {" e:x: 65532: 0::/e:/e\n", "e:x:65532:65532:e:/h:/bin/sh\n e:x: 65532: 0::/e:/e\n"},
		"six fields, taken":   {"e:x:7:7\r\ne:x:65532:0:E:/e\n", "e:x:7:7\r\nnonroot:x:65532:65532:E:/h:/bin/sh\ne:x:65532:0:E:/e\n"},
		"too long for glibc":  {root + "e:x:5:5::/" + strings.Repeat("e", 2000) + ":\n", root + ours + "e:x:5:5::/" + strings.Repeat("e", 2000) + ":\n"},
		"too long for us":     {"e:x:65532:5::/" + strings.Repeat("e", 1<<17) + ":\n", ours + "e:x:65532:5::/" + strings.Repeat("e", 1<<17) + ":\n"},
		"endless gecos":       {"a:x:65532:1:" + strings.Repeat("e", 900) + ":/:\n", "a:x:65532:65532:a:/h:/bin/sh\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, ok := passwdFor([]byte(c.in), 65532, "nonroot")
			if !ok || string(got) != c.want {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
			}
			again, _, _ := passwdFor(got, 65532, "nonroot")
			if !bytes.Equal(again, got) {
				t.Errorf("twice is %q", again)
			}
		})
	}
}

func TestGroupText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"scratch":           {"", "app:x:65532:\n"},
		"appended":          {"root:x:0:", "root:x:0:\napp:x:65532:\n"},
		"stays as it is":    {"a b:!:65532:x,y\nz:x:1:\n", "a b:!:65532:x,y\nz:x:1:\n"},
		"name taken":        {"app:x:7:\n", "app:x:7:\napp-65532:x:65532:\n"},
		"name is another's": {"a:x:7:\na:x:65532:m\n", "a:x:7:\napp:x:65532:m\n"},
		"name is root":      {"root:x:65532:m\n", "app:x:65532:m\n"},
		"NIS":               {"+:::\n", "app:x:65532:\n+:::\n"},
		"plus sign":         {"e:x:+65532:\n", "app:x:65532:\ne:x:+65532:\n"},
		"malformed":         {"e:65532\ne:x:65532z\n", "e:65532\napp:x:65532:\ne:x:65532z\n"},
		"three fields":      {"e:x:65532\n", "e:x:65532:\ne:x:65532\n"},
		"carriage return":   {"e:x:65532:a,b\r\n", "e:x:65532:a,b\ne:x:65532:a,b\r\n"},
		"zeros":             {"e:x:0065532:\n", "e:x:65532:\ne:x:0065532:\n"},
		"moved up":          {"e:x:+65532:\nb:x:65532:m\n", "b:x:65532:m\ne:x:+65532:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := withGroup([]byte(c.in), "app", 65532)
			if string(got) != c.want {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
			}
			if again := withGroup(got, "app", 65532); !bytes.Equal(again, got) {
				t.Errorf("twice is %q", again)
			}
		})
	}
}

// TestWithoutNumbers: a line with a number as its name and another number as its gid is removed; every other byte
// stays.
func TestWithoutNumbers(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing":           {"", ""},
		"root by a number":  {"root:x:0:\n1000:x:0:\napp:x:1000:\n", "root:x:0:\napp:x:1000:\n"},
		"first and last":    {"1000:x:6:\na:x:1:\n2000:x:42:", "a:x:1:\n"},
		"its own":           {"1000:x:1000:a\n", "1000:x:1000:a\n"},
		"malformed":         {"1000:x:\n1000:x:-0:\n1000\n1000:x:1000\nx:x:1:\n", "x:x:1:\n"},
		"space around it":   {" \t1000:x:0:\n1000 :x:0:\nx 1:x:0:\n", "x 1:x:0:\n"},
		"carriage return":   {"1000:x:0:\r\n1000:x:1000:\r\n", ""},
		"NUL before it":     {"a:x:1:\x001000:x:0:\n", ""},
		"names with digits": {"a1:x:1:\n1a:x:2:\n-1:x:3:\n", "a1:x:1:\n1a:x:2:\n-1:x:3:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := withoutNumbers([]byte(c.in))
			if string(got) != c.want {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
			}
			gs, _ := user.ParseGroup(bytes.NewReader(got))
			for _, g := range gs { // in the way of runc before 1.3
				if n, err := strconv.Atoi(g.Name); err == nil && n > 0 && n != g.Gid {
					t.Errorf("%q is group %d", g.Name, g.Gid)
				}
			}
		})
	}
}

// TestNoNameFree: if an image has every name, none is free, and the search ends soon.
func TestNoNameFree(t *testing.T) {
	var text strings.Builder
	for _, n := range []string{"nonroot", "nonroot-65532", "nonroot-65532-a", "nonroot-65532-b", "nonroot-65532-c"} {
		text.WriteString(n + ":x:7:7::/:\n")
	}
	if name, ok := userName([]byte(text.String()), 65532, "nonroot"); name != "65532" || !ok {
		t.Errorf("got %q, %v; want the number", name, ok)
	}
	text.WriteString("65532:x:7:7::/:\n")
	if name, ok := userName([]byte(text.String()), 65532, "nonroot"); ok {
		t.Errorf("got %q, but all are taken", name)
	}
	if g := withGroup([]byte(regexp.MustCompile(`:7::/:`).ReplaceAllString(text.String(), ":")), "nonroot", 65532); g != nil {
		t.Errorf("got %q, but all are taken", g)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		wish string
		uid  uint32
		want string
	}{
		{"nonroot", 1, "nonroot"},
		{"", 1, "nonroot"},
		{"root", 1, "root-1"},
		{"-x", 1, "nonroot"},
		{"a:b", 1, "nonroot"},
		{"a\n", 1, "nonroot"},
		{"0", 1, "nonroot"},
		{"1", 1, "1"},
		{"..", 1, "nonroot"},
		{strings.Repeat("a", 32), 1, strings.Repeat("a", 32)},
		{strings.Repeat("a", 33), 1, "nonroot"},
	} {
		if got, _ := userName(nil, c.uid, c.wish); got != c.want {
			t.Errorf("%q: got %q, want %q", c.wish, got, c.want)
		}
	}
	long := strings.Repeat("a", 32)
	got, ok := userName([]byte(long+":x:7:7::/:\n"), math.MaxInt32, long)
	if !ok || len(got) != 32 || !strings.HasSuffix(got, "-2147483647") {
		t.Errorf("a long name that is taken: got %q", got)
	}
}

// TestPublicLines: the copy contains no line of the host's shadow, or of any other file that isn't passwd (SECURITY.md
// C13), and no hash of a passwd.
func TestPublicLines(t *testing.T) {
	shadow := "root:$y$j9T$abc$def:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n"
	gshadow := "root:*::\nadm:!::syslog\nx:hash:1,2:y\n"
	for name, c := range map[string]struct {
		in     string
		fields int
		want   string
	}{
		"shadow as passwd":  {shadow, passwdFields, ""},
		"shadow as group":   {shadow, groupFields, ""},
		"gshadow as group":  {gshadow, groupFields, ""},
		"group as passwd":   {"root:x:0:\n", passwdFields, ""},
		"a key":             {"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", passwdFields, ""},
		"passwd":            {root + "a:*:1:1:::\nb::2:2:::\nc:!:3:3:::", passwdFields, root + "a:*:1:1:::\nb::2:2:::\nc:!:3:3:::\n"},
		"passwd's hash":     {"a:$1$x:1:1:::\n!a:!$1$x:1:1:::\n", passwdFields, "a:x:1:1:::\n!a:x:1:1:::\n"},
		"group's hash":      {"a:$1$x:1:b,c\n", groupFields, "a:x:1:b,c\n"},
		"NIS and comments":  {"+:x:1:1:::\n#a:x:1:1:::\n", passwdFields, ""},
		"bad numbers":       {"a:x:+1:1:::\na:x:0x1:1:::\na:x:1::::\na:x:4294967295:1:::\na:x:99999999999:1:::\n", passwdFields, ""},
		"control character": {"a:x:1:1:\x00::\nb:x:1:1:\x1b::\nc\r:x:1:1:::\n", passwdFields, ""},
		"by hand":           {"a:x:01:1:::\nb:$1$x:2:2\r\n c:x:3: 3:C:/c\n", passwdFields, "a:x:1:1:::\nb:x:2:2:::\nc:x:3:3:C:/c:\n"},
		"group by hand":     {"a:x:01\r\nb:$1$x:2\n", groupFields, "a:x:1:\nb:x:2:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := publicLines([]byte(c.in), c.fields); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// seeds are texts that parsers read differently.
var seeds = []string{
	"", root, root + "+::::::\n", "nonroot:x:65532:65532:::\n", "e:x:065532:0:::\n#e:x:65532:0:::\n", ":e:x:65532:0:::",
	"a\x00nonroot:x:0:0:::\nb:x:65532:1:::", "e:x: 65532a :0:::\r\n", "e:x:4295032828:0:::\n\n\n", "e:x:-4294901764:0:::",
	" nonroot : x : 7 : 7 : : : \n", "nonroot:x:65532\nnonroot:x:65532:", "a:x:65532:m\n-a\n+@b", "\u00a0e:x:65532:0:::\u0085\n",
}

func FuzzPasswd(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint32(65532), "nonroot")
	}
	f.Fuzz(func(t *testing.T, text []byte, uid uint32, wish string) {
		checkPasswd(t, text, max(uid&math.MaxInt32, 1), wish)
	})
}

func FuzzGroup(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint32(65532), "nonroot")
	}
	f.Fuzz(func(t *testing.T, text []byte, gid uint32, wish string) {
		checkGroup(t, text, max(gid&math.MaxInt32, 1), wish)
	})
}

// TestMixtures runs the fuzz targets' checks on texts made of the pieces that parsers disagree about, which fuzzing
// with bytes rarely combines.
func TestMixtures(t *testing.T) {
	pieces := strings.Split("nonroot,nonroot-9,root,a,x,9,9,9,09,+9,-9,4294967305,-4294967287,9a,0,:,:,:,:,:,:,::,:::,+,-,#, ,\t,\r,\x00,\n,\n,\n,\u00a0,"+
		"a:x:9:9:::\n,nonroot:x:9:1:g:/:/bin/sh\n,nonroot:x:7:7:::\n,a:x:9:\n,nonroot:x:7:\n,"+strings.Repeat("l", longLine), ",")
	for seed := range uint64(20000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var text []byte
		for range rnd.IntN(30) {
			text = append(text, pieces[rnd.IntN(len(pieces))]...)
		}
		checkPasswd(t, text, 9, "nonroot")
		checkGroup(t, text, 9, "nonroot")
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// checkPasswd checks withUser's result against each parser.
func checkPasswd(t *testing.T, text []byte, uid uint32, wish string) {
	t.Helper()
	if slices.ContainsFunc(splitLines(text), func(l string) bool { return len(l) > 1<<14 }) {
		return // the model of the library stops at these lines
	}
	out, u, ok := passwdFor(text, uid, wish)
	if !ok {
		return
	}
	if again, _, _ := passwdFor(out, uid, wish); !bytes.Equal(again, out) {
		t.Errorf("twice: %q\n not %q", again, out)
	}
	for _, p := range parsers {
		r, ok := p.byID(out, passwdFields, uid)
		if want := (row{u.Name, uid, u.GID, u.Home, u.Shell}); !ok || r != want {
			t.Errorf("%s's getpwuid of %q: %+v, want %+v", p.name, out, r, want)
		}
		if r, ok = p.byName(out, passwdFields, u.Name); !ok || r.id != uid {
			t.Errorf("%s's getpwnam(%q) of %q: %+v", p.name, u.Name, out, r)
		}
		was, _ := p.byID(endLine(slices.Clone(text)), passwdFields, 0)
		if is, _ := p.byID(out, passwdFields, 0); is != was {
			t.Errorf("%s's root was %+v and is %+v in %q", p.name, was, is, out)
		}
	}
	survive(t, text, out, passwdFields, uid)
}

// checkGroup does so for withGroup.
func checkGroup(t *testing.T, text []byte, gid uint32, wish string) {
	t.Helper()
	out := withGroup(text, wish, gid)
	if out == nil {
		return
	}
	if again := withGroup(out, wish, gid); !bytes.Equal(again, out) {
		t.Errorf("twice: %q\n not %q", again, out)
	}
	for _, p := range parsers {
		r, ok := p.byID(out, groupFields, gid)
		if !ok || r.id != gid {
			t.Errorf("%s's getgrgid of %q: %+v", p.name, out, r)
		}
		if back, ok := p.byName(out, groupFields, r.name); !ok || back.id != gid {
			t.Errorf("%s's getgrnam(%q) of %q: %+v", p.name, r.name, out, back)
		}
	}
	survive(t, text, out, groupFields, gid)
}

// own matches a well-formed line, independently of wellFormed.
var own = map[int]*regexp.Regexp{
	passwdFields: regexp.MustCompile(`^[^:\x00-\x20\x7f][^:\x00-\x1f\x7f]*:[^:\x00-\x1f\x7f]*:(0|[1-9]\d{0,9}):(0|[1-9]\d{0,9}):[^:\x00-\x1f\x7f]*:[^:\x00-\x1f\x7f]*:[^:\x00-\x1f\x7f]*$`),
	groupFields:  regexp.MustCompile(`^[^:\x00-\x20\x7f][^:\x00-\x1f\x7f]*:[^:\x00-\x1f\x7f]*:(0|[1-9]\d{0,9}):()[^:\x00-\x1f\x7f]*$`),
}

// survive checks that only one line of the id was added, removed or replaced: without it, in and out are the same lines
// in the same order.
func survive(t *testing.T, in, out []byte, fields int, id uint32) {
	t.Helper()
	want, _ := without(in, fields, id)
	got, found := without(out, fields, id)
	if !found || !slices.Equal(got, want) {
		t.Errorf("a line is lost or changed:\n in  %q\n out %q", in, out)
	}
}

// without returns a text's lines except the id's first well-formed one.
func without(text []byte, fields int, id uint32) ([]string, bool) {
	all := splitLines(text)
	i := slices.IndexFunc(all, func(l string) bool {
		m := own[fields].FindStringSubmatch(l)
		return m != nil && m[1] == strconv.FormatUint(uint64(id), 10) && isGID(m[2]) && !strings.Contains("+-#", l[:1]) &&
			strings.TrimSpace(strings.Split(l, ":")[0]) == strings.Split(l, ":")[0]
	})
	if i < 0 {
		return all, false
	}
	return slices.Delete(all, i, i+1), true
}

// isGID reports whether a field is empty or a valid id. It checks the second id of passwd; groups have none.
func isGID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	return s == "" || err == nil && n != math.MaxUint32
}

func splitLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
