// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Adaption is what the container's layer and its volumes need so that an image that was made for somebody else works for the
// identity. It is carried out once everything is decided; that it can't be is no reason for there to be no container.
type Adaption struct {
	Layer   layer.Wish
	Tmp     bool
	Volumes []layer.Volume
	isRoot  func(owner uint32) bool
	givenUp func(owner uint32) bool // whose files of a volume are given: fewer than of the layer, which is nobody else's
	owners  bundle.Owners
}

// buildahs begins the ids of containers in which podman build and Buildah run an image's commands (buildah, run_common.go); those
// of Docker's classic builder look like any other.
const buildahs = "buildah-buildah"

// adapt is what of it applies; nil: nothing. An image that runs as who it asks for has what it needs, and what runs while an
// image is built stays in that image.
func (c *Call) adapt(p *policy.Policy, f *containerFacts, d *policy.Decision) *Adaption {
	if d.Identity.UID == f.User.UID || p.Stubless || strings.HasPrefix(c.ID, buildahs) {
		return nil
	}
	a := &Adaption{owners: c.Caller.Owners, isRoot: f.rootUser, Tmp: p.Adapt.Tmp && !f.Container.Readonly}
	a.givenUp = func(owner uint32) bool { return f.givenUp(owner) && !f.others(p, owner) }
	policys := c.policys(p, f)
	a.Layer = layer.Wish{
		Rootfs: f.Container.Rootfs, Made: c.made, UID: f.ownerUID(d.Identity.UID), GID: f.ownerGID(d.Identity.GID),
		From: func(owner uint32) bool { return f.givenUp(owner) || policys(owner) }, FromGroup: f.rootGroup, Keep: p.Adapt.Keep, Covered: f.image.Covered, GroupRoot: p.Adapt.GroupRoot,
	}
	if !path.IsAbs(a.Layer.Rootfs) {
		a.Layer.Rootfs = path.Join(c.Bundle.Path, a.Layer.Rootfs)
	}
	if !f.Container.Readonly {
		wanted := slices.Clone(p.Adapt.Own)
		if p.Adapt.WorkingDir {
			wanted = append(wanted, f.Cwd)
		}
		for _, dir := range wanted {
			if at, ok := f.givable(dir); ok && !slices.Contains(a.Layer.Paths, at) {
				a.Layer.Paths = append(a.Layer.Paths, at)
			}
		}
	}
	owned := f.ownsTmpfs(p, d)
	for _, m := range f.Container.Mounts {
		if like := homeMount(m); like.CopiesUp() && owned != nil {
			if _, ok := owned(m); ok {
				at, _ := f.givable(m.Destination)
				a.Layer.Paths = append(a.Layer.Paths, at)
			}
		}
		if p.Adapt.Volumes && binds(&m) && !m.Readonly() {
			// What an engine has copied to elsewhere is configuration, or programs.
			at, givable := f.givable(m.Destination)
			a.Volumes = append(a.Volumes, layer.Volume{Source: m.Source, Destination: at, State: givable})
		}
	}
	return a
}

// givable says where a path of the container's leads, free of links, and whether what lies there can be given.
func (f *containerFacts) givable(p string) (at string, ok bool) {
	at = path.Clean("/" + p)
	s, err := f.image.Look(at)
	if err != nil {
		return at, false
	}
	return s.Path, !policy.Untouchable(s.Path)
}

// made says that a rootfs is where an engine mounts one for this container: below the bundle (containerd, and runtimes by hand), in
// the store of Docker or of containers/storage, over a directory that Podman's --rootfs names with ":O" (containers/common,
// pkg/overlay), or with Docker's image store of containerd (moby, daemon/snapshotter). What Podman's --rootfs names by itself
// may be the host's.
func (c *Call) made(rootfs string) bool {
	return strings.HasPrefix(rootfs, strings.TrimSuffix(c.Bundle.Path, "/")+"/") ||
		slices.ContainsFunc([]string{"overlay2/*/merged", "overlay/*/merged", "overlay/*/merge"}, func(pattern string) bool { return matchesEnd(pattern, rootfs) }) ||
		strings.HasSuffix(rootfs, "/overlay-containers/"+c.ID+"/rootfs/merge") ||
		path.Base(rootfs) == c.ID && matchesEnd("rootfs/*/*", rootfs)
}

// CarryOut changes owners, and says for the record what it did and what it could not do.
func (a *Adaption) CarryOut() (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if len(a.Layer.Paths) > 0 {
		g, err := layer.Give(&a.Layer)
		if len(g.Tops) > 0 {
			note("%d directories and %d files of the image are the identity's now, in %s", g.Directories, g.Files, listed(g.Tops))
		}
		if g.Unfinished {
			note("not all that the image keeps for root was given: it is too much")
		}
		switch {
		case err != nil && len(g.Tops) > 0:
			note("some of what the image keeps for root stays so: %v", err)
		case err != nil:
			note("what the image keeps for root stays so: %v", err)
		}
	}
	if a.Tmp {
		opened, err := layer.OpenTmp(&a.Layer)
		for _, p := range opened {
			note("%s is everybody's now", p)
		}
		if err != nil && len(a.Layer.Paths) == 0 {
			note("/tmp stays as it is: %v", err)
		}
	}
	inVolume := a.Layer
	inVolume.From = a.givenUp
	for _, v := range a.Volumes {
		given, err := layer.GiveVolume(v, &inVolume, a.isRoot, a.owners)
		if given {
			note("the new volume %s is the identity's now", quotedPath(v.Source))
		}
		if err != nil {
			note("%v", err)
		}
	}
	return notes
}

// Foresee is what CarryOut would change: paths of the image, and the sources of volumes.
func (a *Adaption) Foresee() (paths, volumes []string) {
	w := a.Layer
	w.Foresee = true
	if len(w.Paths) > 0 {
		g, _ := layer.Give(&w) // what can't be given is a trip
		paths = g.Would
	}
	if a.Tmp {
		opened, _ := layer.OpenTmp(&w) // likewise
		paths = append(paths, opened...)
	}
	w.From = a.givenUp
	for _, v := range a.Volumes {
		if given, _ := layer.GiveVolume(v, &w, a.isRoot, a.owners); given {
			volumes = append(volumes, v.Source)
		}
	}
	return paths, volumes
}

// ownsTmpfs says which tmpfs mounts are the identity's, and their options without an owner: like a new volume, one is empty, and the
// container's alone. The engine's own lie where nothing is given, such as /dev. The owner that an earlier rewrite has put last is not
// somebody's wish, and may be another identity by now.
func (f *containerFacts) ownsTmpfs(p *policy.Policy, d *policy.Decision) func(spec.Mount) ([]string, bool) {
	if d.Identity.UID == f.User.UID || p.Stubless || !p.Adapt.Volumes {
		return nil
	}
	return func(m spec.Mount) ([]string, bool) {
		if m.Type != "tmpfs" || binds(&m) || homedir.Ours(homeMount(m)) {
			return nil, false
		}
		options := m.Options
		if f.before != nil {
			ours := spec.Owner(f.before.UID, f.before.GID)
			if n := len(options) - len(ours); n >= 0 && slices.Equal(options[n:], ours) {
				options = options[:n]
			}
		}
		// Podman writes the container's user there (--mount type=tmpfs,chown=true), for whom the identity stands in.
		asked := spec.Owner(f.User.UID, f.User.GID)
		options = slices.DeleteFunc(slices.Clone(options), func(o string) bool { return slices.Contains(asked, o) })
		if slices.ContainsFunc(options, hasOwner) {
			return nil, false
		}
		_, ok := f.givable(m.Destination)
		return options, ok
	}
}

// hasOwner says that an option of a mount names an owner. Runtimes hand on what they do not know as it is, commas and all.
func hasOwner(option string) bool {
	for o := range strings.SplitSeq(option, ",") {
		if strings.HasPrefix(o, "uid=") || strings.HasPrefix(o, "gid=") {
			return true
		}
	}
	return false
}

func quotedPath(p string) string { return fmt.Sprintf("%q", p) }

// listed are paths for a note. The working directory is the image's choice, and may look like several, or like more of the note.
func listed(paths []string) string {
	all := slices.Clone(paths)
	for i, p := range all {
		if strings.ContainsFunc(p, func(r rune) bool { return r == ',' || r == '"' || r == ' ' || !unicode.IsGraphic(r) }) {
			all[i] = quotedPath(p)
		}
	}
	return strings.Join(all, ", ")
}

func binds(m *spec.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// ownerGID is ownerUID for a gid.
func (f *containerFacts) ownerGID(gid uint32) uint32 {
	if f.UserNamespace != nil {
		gid, _ = f.UserNamespace.GID.Outside(gid) // mapped: the decision rests on it
	}
	return gid
}

// nobody is the account that owns nothing by custom (Debian, Fedora, Alpine), and that services without one of their own use.
const nobody = 65534

// firstPerson is the first uid that distributions give to people (login.defs(5), UID_MIN).
const firstPerson = 1000

// givenUp says that what an owner has in the image is the identity's to have: root's, if that was asked for, who was asked
// for else, and the accounts of services. Their uids are those of the files.
func (f *containerFacts) givenUp(owner uint32) bool {
	uid, ok := f.insideUID(owner)
	if !ok {
		return false
	}
	if uid == f.User.UID || uid == nobody || uid != 0 && uid < firstPerson {
		return true
	}
	return uid != 0 && f.layers().HasUser(uid)
}

// others says that an owner may be another container, whatever the image's passwd calls it.
func (f *containerFacts) others(p *policy.Policy, owner uint32) bool {
	uid, ok := f.insideUID(owner)
	return ok && p.Reserved.Has(uid)
}

// policys says that an owner is one whom the policy makes of containers' users, or has made: an image that was committed of such a
// container has his files, and so has a container whose policy has changed since its last start. Before there was a rule for it,
// that was the general part's identity; before there was a policy, the built-in one's.
func (c *Call) policys(p *policy.Policy, f *containerFacts) func(owner uint32) bool {
	fixed := []uint32{uint32(p.UID), uint32(c.Policy.UID), uint32(policy.Default().UID)}
	if f.last != nil {
		fixed = append(fixed, f.last.UID)
	}
	return func(owner uint32) bool {
		uid, ok := f.insideUID(owner)
		return ok && (slices.Contains(fixed, uid) || p.Reserved.Has(uid))
	}
}

func (f *containerFacts) rootUser(owner uint32) bool {
	uid, ok := f.insideUID(owner)
	return ok && uid == 0
}

func (f *containerFacts) rootGroup(owner uint32) bool {
	if f.UserNamespace != nil {
		gid, ok := f.UserNamespace.GID.Inside(owner)
		return ok && gid == 0
	}
	return owner == 0
}

// The kernel's switches for what only root may do in a network namespace (ip-sysctl.rst).
const (
	portStart = "net.ipv4.ip_unprivileged_port_start"
	pingRange = "net.ipv4.ping_group_range"
	pingLast  = 1<<31 - 1 // the highest gid that it takes
)

// unset are their values in a new network namespace (net/ipv4/af_inet.c, inet_init_net).
var unset = map[string]string{portStart: "1024", pingRange: "1\t0"}

// sysctls let anybody in the container listen on any port and use ping, where it has a network namespace of its own. What the
// engine has set stays.
func (c *Call) sysctls(p *policy.Policy, f *containerFacts) []spec.Sysctl {
	if !p.Adapt.LowPorts || !f.settable() {
		return nil
	}
	own, pods := c.ownNetwork(f)
	if !own {
		return nil
	}
	all := []spec.Sysctl{{Name: portStart, Value: "0"}}
	// The kernel takes no gid that is not mapped in the user namespace of who writes it: the container's own, else the caller's,
	// as a rootless engine has one.
	if _, unbounded := c.Caller.Own.GID.Outside(pingLast); f.UserNamespace == nil && unbounded {
		all = append(all, spec.Sysctl{Name: pingRange, Value: "0 " + strconv.Itoa(pingLast)})
	}
	all = slices.DeleteFunc(all, func(s spec.Sysctl) bool {
		return unix.Access(procSys(s.Name), unix.F_OK) != nil // a kernel that has no such thing
	})
	if pods != "" {
		return stillUnset(pods, all)
	}
	return all
}

func procSys(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// stillUnset leaves out what somebody has set in a network namespace: a pod's own sysctls stand in the config.json of its sandbox
// only, and with CRI-O its program pinns has set them before (cri-o, internal/config/nsmgr). The kernel shows a thread those of the
// network that it is in. Where they can't be seen, none is set.
func stillUnset(network string, all []spec.Sysctl) []spec.Sysctl {
	fd, err := unix.Open(network, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	seen := make(chan []spec.Sysctl)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and nothing else runs in that network
		if unix.Setns(fd, unix.CLONE_NEWNET) != nil {
			seen <- nil
			return
		}
		seen <- slices.DeleteFunc(all, func(s spec.Sysctl) bool {
			text, err := proc.Read(procSys(s.Name))
			return err != nil || strings.TrimSpace(string(text)) != unset[s.Name]
		})
	}()
	return <-seen
}

// settable says that the runtime can write the container's /proc/sys, as it would refuse the container else: somebody may have
// mounted /proc read-only, or not at all.
func (f *containerFacts) settable() bool {
	at, err := f.image.Look("/proc/sys/net/ipv4")
	if err != nil || at.Mount == nil || (&spec.Mount{Options: at.Mount.Options}).Readonly() {
		return false
	}
	return at.Mount.Type == "proc" || at.Exists && path.Clean(at.Mount.Source) == "/proc"
}

// ownNetwork says whether the container's network is its own, and the path of one that may be its pod's, whose other containers
// have been there before: the runtime makes a network namespace, or joins one that was just made for this container or its pod: by Podman
// ("netns-", containers/common, pkg/netns), by containerd's part for Kubernetes ("cni-", pkg/netns), or by CRI-O (a UUID, cri-o,
// internal/config/nsmgr), of which nothing but the bundle tells that it was. A pod's other containers join theirs by /proc, and
// with CRI-O, whose pods may have no sandbox of their own, by the same name.
func (c *Call) ownNetwork(f *containerFacts) (own bool, pods string) {
	at := slices.IndexFunc(f.Container.Namespaces, func(n spec.Namespace) bool { return n.Type == "network" })
	if at < 0 {
		return false, ""
	}
	p := f.Container.Namespaces[at].Path
	if p == "" {
		return true, ""
	}
	if path.Base(path.Dir(p)) != "netns" || isCallers(p) || f.UserNamespace != nil && (f.join == "" || !ownedBy(p, f.join)) {
		return false, ""
	}
	switch base := path.Base(p); {
	case strings.HasPrefix(base, "netns-"), strings.HasPrefix(base, "cni-"):
		return true, ""
	case isUUID(base) && auditlog.IsCRIO(c.Root, c.Bundle.Path):
		return true, p
	}
	return false, ""
}

// isCallers says that a network namespace is the one that the engine lives in, by whatever name, or that it can't be told. crun
// sets sysctls there, too, and they would be the host's.
func isCallers(network string) bool {
	var its, callers unix.Stat_t
	err := errors.Join(unix.Stat(network, &its), unix.Stat("/proc/thread-self/ns/net", &callers))
	return err != nil || its.Dev == callers.Dev && its.Ino == callers.Ino
}

// isUUID says that a name has the form of one (RFC 9562, section 4).
func isUUID(name string) bool {
	const form = "00000000-0000-0000-0000-000000000000"
	if len(name) != len(form) {
		return false
	}
	for i := range len(form) {
		if (form[i] == '-') != (name[i] == '-') || form[i] != '-' && !strings.Contains("0123456789abcdef", name[i:i+1]) {
			return false
		}
	}
	return true
}

// ownedBy says that a network namespace belongs to a user namespace: whoever has capabilities in another one only can't set it up.
func ownedBy(network, user string) bool {
	fd, err := unix.Open(network, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
	if err != nil {
		return false
	}
	defer unix.Close(owner) //nolint:errcheck // likewise
	var its, wanted unix.Stat_t
	err = errors.Join(unix.Fstat(owner, &its), unix.Stat(user, &wanted))
	return err == nil && its.Dev == wanted.Dev && its.Ino == wanted.Ino
}
