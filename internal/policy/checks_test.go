// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestChecks tries each check by itself, on plain facts, with a refused case beside an allowed one.
func TestChecks(t *testing.T) {
	shifted := idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}
	mount := func(m spec.Mount) func(*Policy, *world) {
		return func(_ *Policy, f *world) { f.Container.Mounts = []spec.Mount{m} }
	}
	socket := func(s Socket, more ...func(*Policy, *world)) func(*Policy, *world) {
		return func(p *Policy, f *world) {
			s.Path, s.Mount = "/run/docker.sock", "/s"
			f.Sockets = []Socket{s}
			for _, m := range more {
				m(p, f)
			}
		}
	}
	keepNobody := func(p *Policy, _ *world) { p.Sources = []Source{Fixed} }
	hook := func(h Hook, allowed ...string) func(*Policy, *world) {
		return func(p *Policy, f *world) {
			f.Hooks = []Hook{h}
			if allowed != nil {
				p.Hooks = Patterns(allowed)
				if allowed[0] == "" {
					p.Hooks = Patterns{}
				}
			}
		}
	}
	own := func(what string, readonly bool) func(*Policy, *world) {
		return func(_ *Policy, f *world) {
			f.OwnFiles = []OwnFile{{What: what, Path: "/etc/nonroot-runc", Mount: "/own", ReadOnly: readonly}}
		}
	}
	for _, test := range []struct {
		name    string
		change  func(*Policy, *world)
		refused string // "": it is rewritten
		note    string // "": any; "-": none
	}{
		{"identityIsMapped: uid", func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 5}}, GID: shifted}
		}, "uid 65532 is not mapped", ""},
		{"identityIsMapped: gid", func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: idmap.Map{{Inside: 0, Outside: 100000, Size: 5}}}
		}, "gid 65532 is not mapped", ""},
		{"identityIsMapped: host root", func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 65532, Outside: 0, Size: 1}}, GID: shifted}
		}, "uid 65532 of the container is mapped to the host's root", ""},
		{"groupIsNotMappedToPower: disk", func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: idmap.Map{{Inside: 65532, Outside: 6, Size: 1}}}
		}, "gid 65532 of the container is mapped to the host's group 6, which is privileged", ""},
		{"groupIsNotMappedToPower: allowed", func(p *Policy, f *world) {
			p.AllowedGIDs = Ranges{{6, 6}}
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: idmap.Map{{Inside: 65532, Outside: 6, Size: 1}}}
		}, "", ""},
		{"groupIsNotMappedToPower: an engine's socket", func(_ *Policy, f *world) {
			f.HostGroups.Sockets = []uint32{165532}
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: shifted}
		}, "group 165532, which is privileged", ""},

		{"mountNamespaceIsNew: none", func(_ *Policy, f *world) {
			f.Container.Namespaces = []spec.Namespace{{Type: "pid"}}
		}, "has no mount namespace", ""},
		{"mountNamespaceIsNew: joined", func(_ *Policy, f *world) {
			f.Container.Namespaces = []spec.Namespace{{Type: "mount", Path: "/proc/1/ns/mnt"}}
		}, `joins the mount namespace "/proc/1/ns/mnt"`, ""},

		{"cwdIsTheContainers: /proc", func(_ *Policy, f *world) { f.Cwd = "/proc" }, `working directory "/proc" is below /proc`, ""},
		{"cwdIsTheContainers: below", func(_ *Policy, f *world) { f.Cwd = "/proc/self/fd/7" }, "is below /proc", ""},
		{"cwdIsTheContainers: relative", func(_ *Policy, f *world) { f.Cwd = "proc/1" }, "is below /proc", ""},
		{"cwdIsTheContainers: by dots", func(_ *Policy, f *world) { f.Cwd = "/a/../proc/self" }, "is below /proc", ""},
		{"cwdIsTheContainers: by links", func(_ *Policy, f *world) { f.Cwd, f.CwdIsProc = "/work", true }, `links lead the working directory "/work"`, ""},
		{"cwdIsTheContainers: like it", func(_ *Policy, f *world) { f.Cwd = "/process" }, "", ""},

		{"disksAreNotShifted: a disk's owner", mount(spec.Mount{Destination: "/m", Type: "vfat", Options: []string{"uid=65532"}}), `"uid=65532"`, ""},
		{"disksAreNotShifted: in a list", mount(spec.Mount{Destination: "/m", Type: "debugfs", Options: []string{"ro,mode=777"}}), `"mode=777"`, ""},
		{"disksAreNotShifted: a bind's", mount(spec.Mount{Destination: "/m", Type: "vfat", Options: []string{"rbind", "uid=65532"}}), "", ""},
		{"disksAreNotShifted: a tmpfs'", mount(spec.Mount{Destination: "/m", Type: "tmpfs", Options: []string{"uid=65532"}}), "", ""},
		{"disksAreNotShifted: the usual", mount(spec.Mount{Destination: "/m", Type: "ext4", Options: []string{"ro", "noatime"}}), "", ""},
		{"disksAreNotShifted: idmap", mount(spec.Mount{Destination: "/m", Type: "bind", Options: []string{"RidMap=uids=0-1-1"}}), "can make root's files", ""},
		{"disksAreNotShifted: idmap alone", mount(spec.Mount{Destination: "/m", Type: "bind", Options: []string{"idmap"}}), "", ""},
		{"disksAreNotShifted: a group's", mount(spec.Mount{Destination: "/m", GIDMap: []spec.IDMap{{ContainerID: 6, HostID: 7, Size: 1}}}), "host's group 6", ""},
		{"disksAreNotShifted: nobody's group", mount(spec.Mount{Destination: "/m", GIDMap: []spec.IDMap{{ContainerID: 7000, HostID: 7, Size: 1}}}), "", ""},
		{"disksAreNotShifted: unknown groups", func(_ *Policy, f *world) {
			f.HostGroups = nil
			f.Container.Mounts = []spec.Mount{{Destination: "/m", GIDMap: []spec.IDMap{{ContainerID: 0, HostID: 7, Size: 1}}}}
		}, "host's group 0", ""},

		{"socketsAreClosed: everyone", socket(Socket{Everyone: true}), "which everyone may open", ""},
		{"socketsAreClosed: somebody whom an exec may be", socket(Socket{Users: []uint32{1000}}), "which the host's uid 1000 may open", ""},
		{"socketsAreClosed: the identity", socket(Socket{Users: []uint32{65532}}, keepNobody), "which the host's uid 65532 may open", ""},
		{"socketsAreClosed: nobody may be him", socket(Socket{Users: []uint32{1000}}, keepNobody), "", "closed to it"},
		{"socketsAreClosed: out of bounds", socket(Socket{Users: []uint32{1000}}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{2000, 3000}} }), "", "closed to it"},
		{"socketsAreClosed: within bounds", socket(Socket{Users: []uint32{2000}}, func(p *Policy, _ *world) { p.AllowedUIDs = Ranges{{2000, 3000}} }), "uid 2000 may open", ""},
		{"socketsAreClosed: not mapped", socket(Socket{Users: []uint32{1000}}, func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: shifted}
		}), "", "closed to it"},
		{"socketsAreClosed: mapped", socket(Socket{Users: []uint32{101000}}, func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: shifted, GID: shifted}
		}), "uid 101000 may open", ""},
		{"socketsAreClosed: a group", socket(Socket{Groups: []uint32{999}}), "", `the mount at "/s" leads to the engine's socket "/run/docker.sock": closed to it`},
		{"socketsAreClosed: the policy's own gid", socket(Socket{Groups: []uint32{65532}}), "", "open to it by gid 65532, which the policy allows"},

		{"ownFilesStayOutside: policy", own("policy", true), `the mount at "/own" exposes nonroot-runc's own policy`, ""},
		{"ownFilesStayOutside: state", own("state", true), "leave it out", ""},
		{"ownFilesStayOutside: log", own("log", false), "mount it read-only", ""},
		{"ownFilesStayOutside: log, read-only", own("log", true), "", ""},

		{"mountsStayInside", func(_ *Policy, f *world) { f.Spread = []Spread{{"/host/usr", "/host"}} }, `the mount at "/host/usr" is below the one at "/host"`, ""},

		{"hooksAreRoots: not root's", hook(Hook{"prestart", "/h", "/h", errors.New("others can write it")}), "is not root's alone: others can write it", ""},
		{"hooksAreRoots: any", hook(Hook{"prestart", "/h", "/usr/bin/h", nil}), "", `the prestart hook "/usr/bin/h" runs as root`},
		{"hooksAreRoots: Docker's own", hook(Hook{"prestart", "/proc/1/exe", "/usr/bin/dockerd", nil}), "", "-"},
		{"hooksAreRoots: none is allowed", hook(Hook{"prestart", "/h", "/h", nil}, ""), "hooks.allowed has neither it nor", ""},
		{"hooksAreRoots: another is", hook(Hook{"prestart", "/h", "/h", nil}, "/g"), "hooks.allowed has neither it nor", ""},
		{"hooksAreRoots: by its name", hook(Hook{"prestart", "/h", "/real", nil}, "/h"), "", "runs as root"},
		{"hooksAreRoots: by what it leads to", hook(Hook{"prestart", "/h", "/real", nil}, "/real"), "", "runs as root"},
		{"hooksAreRoots: allowed, but not root's", hook(Hook{"prestart", "/h", "/h", errors.New("others can write it")}, "/h"), "others can write it", ""},
	} {
		p, f := Default(), facts(spec.User{})
		test.change(p, f)
		d := p.decideIn(f)
		if d.Refused() != (test.refused != "") || !strings.Contains(d.Reason, test.refused) {
			t.Errorf("%s: %+v, want a refusal with %q", test.name, d, test.refused)
		}
		notes := strings.Join(d.Notes, "; ")
		if test.note == "-" && notes != "" || test.note != "-" && !strings.Contains(notes, test.note) {
			t.Errorf("%s: noted %q, want %q", test.name, notes, test.note)
		}
		// In mode audit the refusal is reported, and changes nothing.
		p.Mode = Audit
		if a := p.decideIn(f); a.Mode != Audit || a.Reason != d.Reason {
			t.Errorf("%s: audit says %+v, rewrite %q", test.name, a, d.Reason)
		}
	}
}

// TestChecksOfAnExec: facts that were examined when the container was created, and that an exec does not know, don't
// count; its working directory does.
func TestChecksOfAnExec(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*world)
		refused string
	}{
		{"nothing is known of the container", func(*world) {}, ""},
		{"a working directory", func(f *world) { f.Cwd = "/proc/self/cwd" }, "below /proc"},
		{"descriptors", func(f *world) { f.Unfit = errors.New("descriptor 3 is a directory") }, "descriptor 3 is a directory"},
		{"a bundle of others", func(f *world) { f.Unsound = errors.New("others can write it") }, "others can write it"},
	} {
		f := facts(spec.User{})
		f.Exec, f.Created, f.Container = true, &Identity{UID: 1000, GID: 1000}, nil
		test.change(f)
		d := Default().decideIn(f)
		if d.Refused() != (test.refused != "") || !strings.Contains(d.Reason, test.refused) || !d.Refused() && d.Identity.UID != 1000 {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

// TestTheCall: a fault of the call itself rules out a container.
func TestTheCall(t *testing.T) {
	rootless := idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 1000, Size: 1}, {Inside: 1, Outside: 100000, Size: 65536}}}
	rootless.GID = rootless.UID
	for _, test := range []struct {
		name    string
		change  func(*world)
		refused string
	}{
		{"nothing", func(*world) {}, ""},
		{"descriptors", func(f *world) { f.Unfit = errors.New("descriptor 3 is a directory") }, "descriptor 3 is a directory"},
		{"C1: no cgroup", func(f *world) { f.NoCgroups = true }, "without a cgroup"},
		{"no cgroup, and not the host's root", func(f *world) { f.NoCgroups, f.Own = true, rootless }, ""},
		{"a runtime that writes", func(f *world) { f.RewritingNext = "/usr/bin/nvidia-container-runtime" }, `the next runtime "/usr/bin/nvidia-container-runtime" rewrites config.json`},
	} {
		f := facts(spec.User{})
		test.change(f)
		for _, mode := range []Mode{Rewrite, Refuse, Audit, Off} {
			p := Default()
			p.Mode = mode
			f.User = spec.User{UID: 1000, GID: 1000}
			d := p.decideIn(f)
			want := test.refused
			if mode == Off {
				want = ""
			}
			if d.Refused() != (want != "" && mode != Audit) || !strings.Contains(d.Reason, want) || want == "" && d.Reason != "" {
				t.Errorf("%s, %s: %+v", test.name, mode, d)
			}
		}
	}
}
