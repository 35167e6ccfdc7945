// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
)

const whole = `# a policy that sets every key
mode = "refuse"
reason = "not needed here"
runtimes = ["/opt/runc/runc", "crun"]
existing = "leave"
restore = "allow"
state = "/srv/state"

[identity]
uid = 1000
gid = 1001
name = "worker"
sources = ["kept", "requested", "fixed"]
requests = ["annotation", "environment"]
allowed_uids = [7, "1000-1999"]
allowed_gids = ["44", "render"]
privileged_groups = ["docker"]
groups = ["data", 5000]
device_groups = ["/dev/dri/*"]
range = "100000-165535"
share = "namespace"
block = 1000
users_file = "/etc/users"
groups_file = "/etc/groups"

[adapt]
own = ["/data"]
keep = []
working_directory = false
tmp = true
volumes = false
low_ports = false
groups = false
group_root = false
applications = false
secrets = false
emulate_ownership = false

[home]
mode = "always"
size = "1g"
path = "/home/worker"

[process]
bounding = "drop"
user_namespaces = "allow"

[audit]
mode = "refuse"
home.size = "2g"

[build]
mode = "off"
reason = "images are built as root"
bundles = ["/var/lib/docker/buildkit/executor"]

[[rule]]
name = "agents"
mode = "off"
reason = "they need it"
until = 2027-06-30
[rule.match]
engine = ["kubernetes"]
namespace = ["kube-system", "calico-*"]
pod = ["!x"]

[[rule]]
name = "others"
match.annotations = {"Some.Key/x" = ["a*"]}
identity = {uid = 2000, requests = []}
audit.process.bounding = "keep"
`

func TestParseWhole(t *testing.T) {
	got, err := Parse("p.toml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &Policy{
		File: "p.toml", Rule: "default", Mode: Refuse, Reason: "not needed here", Runtimes: []string{"/opt/runc/runc", "crun"}, Existing: Off, Restore: true,
		UID: 1000, GID: 1001, Name: "worker", Sources: []Source{Kept, Requested, Fixed}, Annotation: true, Variable: true,
		AllowedUIDs: Ranges{{7, 7}, {1000, 1999}}, AllowedGIDs: Ranges{{44, 44}}, Privileged: []string{"docker"},
		AllowedGroups: []string{"render"}, ExtraGIDs: []ID{5000}, ExtraGroups: []string{"data"}, DeviceGroups: []string{"/dev/dri/*"},
		Range: Range{100000, 165535}, Share: ShareNamespace, Block: 1000, Reserved: Ranges{{100000, 165535}}, UsersFile: "/etc/users", GroupsFile: "/etc/groups", State: "/srv/state",
		Adapt:    Adapt{Own: []string{"/data"}, Keep: nil, Tmp: true},
		HomeMode: homedir.Always, HomeSize: "1g", HomePath: "/home/worker", DropBounding: true, AllowUserNamespaces: true,
		Build: Build{Off, "images are built as root", []string{"/var/lib/docker/buildkit/executor"}},
	}
	strict := *want
	strict.HomeSize = "2g"
	agents, others := *want, *want
	want.Audit = &strict
	agents.Rule, agents.Mode, agents.Reason = "agents", Off, "they need it"
	others.Rule, others.Reason, others.UID, others.Annotation, others.Variable = "others", "", 2000, false, false
	audited := others
	audited.DropBounding = false
	others.Audit, others.General = &audited, want
	want.Rules = []Rule{
		{
			"agents",
			Match{Engine: Patterns{"kubernetes"}, Namespace: Patterns{"kube-system", "calico-*"}, Pod: Patterns{"!x"}},
			time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC), &agents,
		},
		{"others", Match{Annotations: map[string]Patterns{"Some.Key/x": {"a*"}}}, time.Time{}, &others},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseEmptyIsDefault(t *testing.T) {
	got, err := Parse("", []byte("# nothing\n[identity]\n[home]\n"))
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"mode = \"of\"", `p:1:1: mode: "of" is not one of rewrite, refuse, audit, off`},
		{"\nmode = \"off\"", `p:2:1: mode: "off" exempts`},
		{"mode = 3", "p:1:"},
		{"mode = ", "p:1:"},
		{"mode = \"audit\"\nmode = \"off\"", "p:2:"},
		{"nonsense", "p:1:"},
		{"colour = 1", `p:1:1: unknown key "colour"`},
		{"[identity]\n  uuid = 1", `p:2:3: unknown key "identity.uuid"`},
		{"[[rules]]\nname = \"x\"", "p:1:"},
		{"[rule]\nname = \"x\"", "p:1:"},
		{"[[rule]]\nmode = \"audit\"", "p:1:1: rule[1].name: \"\" is not a name"},
		{"[[rule]]\nname = \"a\"\n[[rule]]\nname = \"a\"", "p:4:1: rule[2].name: \"a\" is another rule's, too"},
		{"[[rule]]\nname = \"default\"", "p:2:1: rule[1].name: \"default\" is not a name"},
		{"[[rule]]\nname = \"a\"\nname.x = 1", "p:3:"},
		{"[[rule]]\nname = \"a\"\nruntimes = [\"crun\"]", `unknown key "rule.runtimes"`},
		{"[[rule]]\nname = \"a\"\nMode = \"off\"", "p:3:1: rule[1].Mode: unknown key"},
		{"[[rule]]\nname = \"a\"\nmatch.pod = [\"[\"]", "p:3:1: rule[1].match.pod: \"[\" is not a pattern"},
		{"[[rule]]\nname = \"a\"\nmatch.pod = [\"!\"]", "is not a pattern"},
		{"[[rule]]\nname = \"a\"\nuntil = \"soon\"", "p:3:1: rule[1].until: soon is not a date"},
		{"[[rule]]\nname = \"a\"\nuntil = 2027-02-30", "p:3:"},
		{"[[rule]]\nname = \"a\"\nidentity.uid = 0", "p:3:1: rule[1].identity.uid: 0 is not"},
		{"[[rule]]\nname = \"a\"\n[[rule]]\nname = \"b\"\n[rule.home]\nsize = \"x\"", "p:6:1: rule[2].home.size"},
		// Exemptions that depend on what a container's author chooses (SECURITY.md F1-F4), or that have no reason.
		{"reason = \"x\"\n[[rule]]\nname = \"a\"\nmode = \"off\"\nmatch.namespace = [\"a\"]", "p:4:1: rule[1].mode: \"off\" exempts"},
		{"[[rule]]\nname = \"a\"\nmode = \"off\"\nreason = \"x\"", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.pod = [\"a\"]", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"*\"]", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"!team\"]", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"kube-system\", \"*\"]", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"[^x]*\", \"?[\\\\]a]\"]", "must match on namespace, engine or root"},
		{"[[rule]]\nname = \"a\"\nprocess.user_namespaces = \"allow\"\nmatch.image = [\"good\"]", "p:3:1: rule[1].process.user_namespaces: it grants"},
		{"[[rule]]\nname = \"a\"\nidentity.groups = [\"docker\"]\nmatch.pod = [\"good\"]", "rule[1].identity.groups: it grants"},
		{"[[rule]]\nname = \"a\"\nidentity.allowed_gids = [\"disk\"]\nmatch.annotations = {x = [\"y\"]}", "rule[1].identity.allowed_gids: it grants"},
		{"identity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"a\"\nidentity.block = 0", "rule[1].identity.range: it overlaps the general part's, 1000-1999"},
		{"identity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"a\"\nidentity.range = \"1050-2999\"", "p:4:1: rule[1].identity.range: it overlaps"},
		{"[[rule]]\nname = \"a\"\nidentity = {range = \"1000-1999\", block = 100}\n[[rule]]\nname = \"b\"\nidentity.range = \"1999-2999\"", "p:6:1: rule[2].identity.range: it overlaps the range of the rule \"a\""},
		{"[[rule]]\nname = \"a\"\nidentity.privileged_groups = []\nmatch.image = [\"good\"]", "rule[1].identity.privileged_groups: it grants"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"a\"]\nmatch.image = [\"good\"]", "must not rest on the image's name"},
		{"[[rule]]\nname = \"a\"\nmode = \"audit\"\nmatch.namespace = [\"a\"]\nmatch.annotations = {x = [\"y\"]}", "must not rest on annotations"},
		{"mode = \"off\"\nreason = \"x\"\n[[rule]]\nname = \"a\"\nreason = \"y\"\nmatch.image = [\"a\"]", "must not rest on the image's name"},
		{"audit = {mode = \"off\", reason = \"x\"}", "p:1:"},
		{"[[rule]]\nname = \"a\"\naudit.mode = \"audit\"", "rule[1].audit.mode: \"audit\" enforces nothing"},
		{"MODE = \"audit\"", "p:1:1: MODE: unknown key"},
		{"[home]\n\"\u017fize\" = \"1m\"", "p:2:1: "},
		{"[identity]\nuid = 0", "p:2:1: identity.uid: 0 is not from 1"},
		{"[identity]\nuid = -1", "identity.uid: -1"},
		{"[identity]\nuid = 4294967296", "identity.uid: 4294967296"},
		{"[identity]\nuid = \"1000\"", "p:2:"},
		{"[identity]\nuid = 1.5", "p:2:"},
		{"identity = {uid = 5, UID = 6}", "unknown key"},
		{"home = {size = \"1m\",  path = \"x\"}", "p:1:23: home.path"},
		{"home.path = \"/root\"", `home.path: "/root" can't be a home, it is in a system directory (/root: root's home`},
		{"home.path = \"/home\"", `home.path: "/home" can't be a home, it is a system directory (all homes)`},
		{"home.path = \"/usr/local/home\"", `"/usr/local/home" can't be a home`},
		{"identity.gid = 0", "p:1:1: identity.gid: 0"},
		{"[identity]\nname = \"a b\"", "is not a user name"},
		{"[identity]\nname = \"\"", "is not a user name"},
		{"[identity]\nname = \"0x\"", "is not a user name"},
		{"[identity]\nname = \"abcdefghijklmnopqrstuvwxyzabcdefg\"", "is not a user name"},
		{"[identity]\nsources = [\"kept\"]", "last source must be"},
		{"[identity]\nsources = []", "last source must be"},
		{"[identity]\nsources = [\"root\", \"fixed\"]", `"root" is not one of`},
		{"[identity]\nrequests = [\"label\"]", `"label" is not one of`},
		{"[identity]\n\nallowed_uids = [0]", "p:3:1: identity.allowed_uids"},
		{"[identity]\nallowed_uids = [\"5-3\"]", "ends before"},
		{"[identity]\nallowed_gids = [\"0-3\"]", "neither an id"},
		{"[identity]\nallowed_gids = [true]", "neither an id"},
		{"[identity]\nallowed_gids = [\"root\"]", "p:2:1: identity.allowed_gids: \"root\" is neither a gid"},
		{"[identity]\nallowed_gids = [\"a b\"]", "is neither a gid"},
		{"[identity]\ngroups = [\"root\"]", "p:2:1: identity.groups: \"root\" is neither a gid"},
		{"[identity]\ngroups = [0]", "p:2:1: identity.groups: \"0\" is neither a gid"},
		{"[identity]\ngroups = [\"1-5\"]", "is neither a gid"},
		{"[identity]\ngroups = [4294967296]", "is neither a gid"},
		{"[identity]\ndevice_groups = [\"[\"]", "is not a pattern"},
		{"[identity]\nrange = \"5\"", "p:2:1: identity.range: \"5\" is not a range"},
		{"[identity]\nrange = \"0-5\"", "is not a range"},
		{"[identity]\nrange = \"100-2147483648\"", "is not a range"},
		{"[identity]\nblock = 5", "p:2:1: identity.block: 5 is not a part"},
		{"[identity]\nrange = \"1-9\"\nblock = 10", "identity.block: 10 is not a part"},
		{"[identity]\nrange = \"1-9\"\nblock = -1", "identity.block: -1 is not a part"},
		{"[identity]\nrange = \"1-99\"\nblock = 50\n[[rule]]\nname = \"a\"\nidentity.range = \"200-219\"", "p:6:1: rule[1].identity.range: \"200-219\" has fewer ids"},
		{"[identity]\nshare = \"image\"", "is not one of container, pod, namespace"},
		{"[identity]\nusers_file = \"users\"", "clean absolute path"},
		{"[identity]\ngroups_file = \"/etc/group\"", "it needs identity.users_file"},
		{"state = \"/\"", "clean absolute path"},
		{"[adapt]\nown = [\"/etc\"]", "p:2:1: adapt.own: \"/etc\" is a directory that cannot be given away"},
		{"[adapt]\nown = [\"/\"]", "a directory that cannot be given away"},
		{"[adapt]\nown = [\"var/lib\"]", "a directory that cannot be given away"},
		{"[adapt]\nown = [\"/usr/bin\"]", "a directory that cannot be given away"},
		{"[adapt]\nown = [\"/usr/local/lib/x\"]", "a directory that cannot be given away"},
		{"[adapt]\nown = [\"/lib64/x\"]", "a directory that cannot be given away"},
		{"[adapt]\nkeep = [\"x\"]", "a directory that cannot be given away"},
		{"[home]\nsize = \"0\"", "is not a size"},
		{"[home]\nsize = \"1t\"", "is not a size"},
		{"[home]\nsize = \"1m,mode=0777\"", "is not a size"},
		{"[home]\nsize = \"k\"", "is not a size"},
		{"[home]\npath = \"home\"", "clean absolute path"},
		{"[home]\npath = \"/a/../etc\"", "clean absolute path"},
		{"[home]\npath = \"/a,mode=0777\"", "clean absolute path"},
		{"[home]\nmode = \"yes\"", "is not one of auto, always, never"},
		{"[process]\nbounding = \"none\"", "is not one of keep, drop"},
		{"[process]\nuser_namespaces = \"yes\"", "is not one of deny, allow"},
		{"runtimes = []", "the list is empty"},
		{"runtimes = [\"bin/runc\"]", "neither a name"},
		{"runtimes = [\"/a/../runc\"]", "neither a name"},
		{"existing = \"x\"", "is not one of enforce, leave"},
		{"restore = true", "p:1:"},
		{"[build]\nmode = \"audit\"", "is not one of rewrite, off"},
		{"[build]\nmode = \"off\"\nbundles = [\"/b\"]", `p:2:1: build.mode: "off" exempts`},
		{"[build]\nbundles = [\"builds\"]", "clean absolute path"},
		{"[build]\nbundles = [\"/\"]", "clean absolute path"},
	} {
		p, err := Parse("p", []byte(test.text))
		if err == nil || !strings.HasPrefix(err.Error(), "p:") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q gives %+v, %v; want an error with %q", test.text, p, err, test.want)
		}
		if err != nil && strings.Contains(strings.Replace(err.Error(), hint.Mark, "", 1), "\n") {
			t.Errorf("%q: the message has more than a finding and a hint: %q", test.text, err)
		}
	}
}

// TestForBundle: a build is recognized by the builder's own directory, and not by one that only looks like it.
// TestFaultPositions: for callers that have to show it, the position is in the error, wherever the fault is found.
func TestFaultPositions(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
	}{
		{"\n mode = \"of\"\n", 2, 2},                               // a value
		{"mode = \"audit\"\nhome.size = 3\n", 2, 1},                // a type
		{"mode = \"audit\"\n [home]\n  sise = \"1m\"\n", 3, 3},     // a key
		{"mode = \"audit\"\nmode = \"off\"\n", 2, 1},               // TOML
		{"\nmode = off", 2, 8},                                     // quotes
		{"[[rule]]\nname = \"a\"\n[[rule]]\nname = \"a\"\n", 4, 1}, // a rule
		{"[[rule]]\nname = \"a\"\nMode = \"off\"", 3, 1},           // spelling
		{"mode = \"off\"", 1, 1},                                   // something that is missing
	} {
		_, err := Parse("a file: 7:8: x", []byte(c.text))
		var fault *Fault
		if !errors.As(fmt.Errorf("in a sentence: %w", err), &fault) || fault.Line != c.line || fault.Column != c.column {
			t.Errorf("%q: %+v, where %d:%d is meant (%v)", c.text, fault, c.line, c.column, err)
			continue
		}
		if want := fmt.Sprintf("a file: 7:8: x:%d:%d: %s", c.line, c.column, fault.Text); err.Error() != want {
			t.Errorf("%q: %q, not %q", c.text, err, want)
		}
	}
}

func TestForBundle(t *testing.T) {
	p, err := Parse("p.toml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	build := p.ForBundle("/var/lib/docker/buildkit/executor/abc")
	if build.Rule != "build" || build.Mode != Off || build.Reason != "images are built as root" || !build.Stubless || build.UID != p.UID {
		t.Errorf("a build's bundle gives %+v", build)
	}
	for _, bundle := range []string{"/", "/var/lib/docker/buildkit/executor", "/var/lib/docker/buildkit/executor/a/b", "/var/lib/docker/buildkit/executors/a", "/x/var/lib/docker/buildkit/executor/a"} {
		if got := p.ForBundle(bundle); got != p {
			t.Errorf("%q gives %+v", bundle, got)
		}
	}
	if got := Default().ForBundle("/var/lib/docker/buildkit/executor/abc"); got.Rule != "default" || got.Mode != Rewrite || got.Stubless {
		t.Errorf("without a build rule: %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("mode = \"off\"\nreason = \"x\""))
	f.Add([]byte("[identity]\nallowed_uids = [\"1-2\", 3]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p:") {
				t.Fatalf("an error without its place: %v", err)
			}
			return
		}
		if p.UID == 0 || p.GID == 0 || p.UID > MaxID || p.GID > MaxID || p.Name == "" || len(p.Runtimes) == 0 || p.Mode == Off && p.Reason == "" ||
			p.AllowedUIDs.Has(0) || p.AllowedGIDs.Has(0) || p.Sources[len(p.Sources)-1] != Fixed {
			t.Fatalf("%+v", p)
		}
	})
}

// BenchmarkParse measures each key that only has to be read.
func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{"empty": "", "whole": whole} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse("p.toml", []byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestFaults: all faults of a file are reported, the first in Parse's words.
func TestFaults(t *testing.T) {
	const text = "mode = \"rewrit\"\ncolour = 1\n[identity]\nuid = 0\nhue = 2\n[[rule]]\nname = \"x\"\nmode = \"no\"\n"
	var said []string
	for _, fault := range Faults("p.toml", []byte(text)) {
		said = append(said, fault.Error())
	}
	for i, want := range []string{"p.toml:2:1: unknown key \"colour\"", "p.toml:5:1: unknown key \"identity.hue\"", "p.toml:1:1: mode: ", "p.toml:4:1: identity.uid: ", "p.toml:8:1: rule[1].mode: "} {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%d: no %q in %q", i, want, said)
		}
	}
	for _, text := range []string{text, "mode = \"x\"\n", "mode =\n", "x = 1\n"} {
		_, err := Parse("p.toml", []byte(text))
		all := Faults("p.toml", []byte(text))
		if err == nil || len(all) == 0 || all[0].Error() != err.Error() {
			t.Errorf("%q: %v, but first %v", text, all, err)
		}
	}
	if all := Faults("p.toml", []byte("mode = \"audit\"\n")); len(all) != 0 {
		t.Error(all)
	}
}
