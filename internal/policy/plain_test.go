// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// samePolicy compares the reader of plain files with the library's: both must read the same policy, whether the rules'
// policies are made at once or on demand. It reports whether the file is plain.
func samePolicy(t *testing.T, data []byte) (isPlain bool) {
	t.Helper()
	got, isPlain := parsePlain("p", data, false)
	want, err := parseAny("p", data)
	if isPlain && (err != nil || !reflect.DeepEqual(got, want)) {
		t.Fatalf("%s\ngives %+v\nand by the library %+v, %v", data, got, want, err)
	}
	later, alsoPlain := parsePlain("p", data, true)
	if alsoPlain != isPlain {
		t.Fatalf("%s\nis plain: %t, with rules that are read later %t", data, isPlain, alsoPlain)
	}
	if !isPlain {
		return false
	}
	for i := range later.Rules {
		if r := &later.Rules[i]; r.Policy == nil {
			r.Policy = later.unread.rule(i)
			if r.Policy.General != nil || r.Policy.ranged() {
				t.Fatalf("%s\nrule %d has to be read at once", data, i+1)
			}
		}
	}
	if later.unread = nil; !samePolicies(later, want) {
		t.Fatalf("%s\nread later gives %+v\nand at once %+v", data, later, want)
	}
	return true
}

// samePolicies compares everything except which policy the rules' General is: the general part itself, which is
// compared anyway.
func samePolicies(a, b *Policy) bool {
	general := func(p *Policy) (all []bool) {
		for i := range p.Rules {
			if g := p.Rules[i].Policy.General; g != nil {
				all = append(all, g == p)
				p.Rules[i].Policy.General = nil
			}
		}
		return all
	}
	return reflect.DeepEqual(general(a), general(b)) && reflect.DeepEqual(a, b)
}

// plainFiles contain everything that a plain file may have.
var plainFiles = []string{
	"", "# nothing\n", whole, "\ufeffmode = \"audit\"\n",
	"hooks.allowed = []\n[identity]\nallowed_uids = []\ngroups = [\"a\", 5]\n",
	"[[rule]]\nname = \"a\"\nuntil = 2027-01-31\nmatch.engine = [\"docker\"]\n[rule.match.annotations]\n\"a.b/c\" = [\"x\", \"!y\"]\n[[rule]]\nname = 'b'\n",
	"[[rule]]\nname = \"a\"\nidentity.uid = 5\nidentity.gid = 6\n[rule.home]\nsize = \"1g\"\n[rule.audit.home]\nsize = \"2g\"\n[rule.audit]\nmode = \"refuse\"\n",
	"[audit]\nmode = \"refuse\"\n[log]\nsyslog = true\n  [[ rule ]] # one\nname = \"a\"\nuntil = \"2027-01-31\"\n [[rule]]\nname=\"\\u0062\"\nmatch.namespace = [\n \"x\", # y\n \"z\",\n]\n",
	"identity.range = \"100000-165535\"\n[[rule]]\nname = \"a\"\nmatch.root = [\"/r\"]\nidentity.range = \"200000-200999\"\n",
	"[[rule]]\nname = \"a\"\nmatch.image = [\"good\"]\nhome.size = \"1g\"\n[[rule]]\nname = \"b\"\nmatch.namespace = [\"n\"]\n",
}

func TestPlainIsAsByTheLibrary(t *testing.T) {
	for _, text := range plainFiles {
		if !samePolicy(t, []byte(text)) && !strings.HasPrefix(text, "\ufeff") {
			t.Errorf("%s\nis not plain", text)
		}
	}
	for _, text := range []string{
		"mode = \"of\"", "mode = \"audit\"\nmode = \"audit\"", "identity.uid = 1\n[identity]\ngid = 2\n", "[identity]\n[identity]\n", "[home]\nhome.size = \"1g\"\n",
		"[audit.home]\nsize = \"1g\"\n[audit]\nhome.mode = \"never\"\n", "identity = {uid = 1}\nidentity.gid = 2\n", "identity = {uid = 1}\n[identity]\n", "identity.uid = 1\nidentity = {gid = 1}\n", "identity.uid = 007", "identity.uid = +7", "identity.uid = \"7\"",
		"Mode = \"audit\"", "[[rule]]\nname = \"a\"\n[log]\nsyslog = true\n", "[rule]\nname = \"a\"\n", "[[rule]]\nname = \"a\"\nmatch.x = 1\n",
		"[[rule]]\nname = \"a\"\n[[rule]]\nname = \"a\"\n", "[[rule]]\nname = \"a\"\nname.b = 1\n", "[[rule]]\nname = \"a\"\n[[rule.match]]\n",
		"[[rule]]\nname = \"a\"\nuntil = 2027-02-30\n", "[[rule]]\nname = \"a\"\nmatch.pod = \"x\"\n", "[[rule]]\nname = \"a\"\nmatch.annotations.a = 1\n",
	} {
		if samePolicy(t, []byte(text)) {
			t.Errorf("%s\nis plain", text)
		}
	}
}

// TestForOne: a rule's policy is made once, when its container is looked up, and equals the one from Parse.
func TestForOne(t *testing.T) {
	text := []byte("[[rule]]\nname = \"a\"\nmatch.engine = [\"podman\"]\n[[rule]]\nname = \"b\"\nmatch.engine = [\"docker\"]\nidentity.uid = 7\n")
	p, err := ParseForOne("p", text)
	if err != nil || p.Rules[0].Policy != nil || p.Rules[1].Policy != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	o := &Origin{Engine: "docker"}
	q := p.For(o, time.Time{})
	if want, err := Parse("p", text); err != nil || q.UID != 7 || q.Rule != "b" || !reflect.DeepEqual(q, want.For(o, time.Time{})) {
		t.Errorf("%+v, %v", q, err)
	}
	if p.Rules[0].Policy != nil || p.Rules[1].Policy != q || p.For(o, time.Time{}) != q {
		t.Errorf("%+v", p.Rules)
	}
	if _, err := ParseForOne("p", append(text, "[[rule]]\nname = \"c\"\nhome.size = \"x\"\n"...)); err == nil || !strings.HasPrefix(err.Error(), "p:10:1: rule[3].home.size: ") {
		t.Errorf("a broken rule that nobody asks for: %v", err)
	}
}

func FuzzPlain(f *testing.F) {
	for _, text := range plainFiles {
		f.Add([]byte(text))
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) == 0 {
		f.Fatal(docs, err)
	}
	for _, name := range docs {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i, block := range strings.Split(string(data), "```") {
			if _, text, _ := strings.Cut(block, "\n"); i%2 == 1 {
				f.Add([]byte(text))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { samePolicy(t, data) })
}

// FuzzPlainLines assembles files from related lines, which fuzzing with bytes rarely does: each byte is a line.
func FuzzPlainLines(f *testing.F) {
	lines := []string{
		"mode = \"audit\"", "reason = \"x\"", "identity.uid = 5", "identity.allowed_uids = []", "home.size = \"1g\"", "[identity]", "[home]", "uid = 6", "gid = 7",
		"size = \"2g\"", "mode = \"never\"", "[audit]", "[audit.home]", "[audit.identity]", "audit.home.size = \"3g\"", "mode = \"refuse\"", "[adapt]", "own = []",
		"[hooks]", "allowed = [\"/a\", '/b']", "allowed = []", "[log]", "syslog = true", "[build]", "bundles = [\"/b\"]",
		"[[rule]]\nname = \"a\"", "[[rule]]\nname = \"b\"", "[[rule]]\nname = \"c\"", "[[rule]]", "name = \"d\"", "until = 2027-01-31", "until = \"2027-01-31\"",
		"match.engine = [\"docker\"]", "match.image = [\"i\"]", "match.annotations.a = [\"b\"]", "[rule.match]", "pod = [\"p\"]", "namespace = [\"n\", \"m-*\"]",
		"[rule.match.annotations]", "\"a\" = [\"c\"]", "b = []", "[rule.identity]", "[rule.audit]", "[rule.audit.home]", "[rule.home]", "[rule]",
		"identity.range = \"100000-100999\"", "identity.range = \"200000-200999\"", "identity.block = 10", "range = \"100000-100999\"", "audit.identity.range = \"300000-300999\"",
		"audit.mode = \"refuse\"", "adapt.own = [\"/x\"]", "home = {size = \"1g\"}", "identity.groups = [5, \"g\"]", "groups = [5.0]", "runtimes = []", "state = \"/s\"",
		"hooks.allowed = []", "process.bounding = \"drop\"", "identity.uid = 0", "match = {engine = [\"docker\"]}", "match.annotations = {}", "match.annotations = {a = [\"x\"], \"b\" = []}", "audit = {home.size = \"5g\", identity = {uid = 9}}", "audit = {}",
		"[[rule.match]]", "home.size = \"\\u0031g\" # one",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		data := make([]byte, 1+r.IntN(9))
		for i := range data {
			data[i] = byte(r.IntN(len(lines)))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var text strings.Builder
		for _, b := range data[:min(len(data), 30)] {
			text.WriteString(lines[int(b)%len(lines)] + "\n")
		}
		samePolicy(t, []byte(text.String()))
	})
}
