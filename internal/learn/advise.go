// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// Finding describes one thing that a container was denied.
type Finding struct {
	Kind   string   `json:"kind"`
	What   string   `json:"what"`             // a path or a call
	Calls  []string `json:"calls"`            // names of the calls, each once
	Count  int      `json:"count"`            // how often it was denied
	By     []string `json:"by"`               // programs, each once
	Why    string   `json:"why"`              // the reason, with advice if no line of a policy helps
	Policy string   `json:"policy,omitempty"` // the key that would allow it: "adapt.own"
	Value  string   `json:"value,omitempty"`  // and its value
}

// The kinds of findings.
const (
	Directory  = "directory"  // of the image, whose owner can change
	Image      = "image"      // files of the image that never change owner
	Mounted    = "mount"      // files of a volume, or of the host
	Device     = "device"     // a device node
	Kernel     = "kernel"     // files of the kernel
	Port       = "port"       // a port below the first one that all users may listen on
	Home       = "home"       // no space in the home
	Identity   = "identity"   // another user or group
	Privileged = "privileged" // something that needs a capability
	Unknown    = "other"      // not explained by the modes of files
)

// maxFindings limits what is reported; the rest is only counted.
const maxFindings = 200

// Advisor turns denials into findings.
type Advisor struct {
	Policy  *policy.Policy     // the part of it that applies to the container
	General *policy.Policy     // the whole policy; nil: Policy
	Rootfs  string             // the container's, as a path of the host; "": unknown
	Mounts  []Mount            // the container's, in order
	Record  *decision.Decision // the decision about it
	Asked   []string           // the capabilities that root would have had; nil: unknown

	Rootless bool // it runs under a rootless engine
	Podman   bool
	Groups   *policy.HostGroups
	// Account names the host's account with a uid; "": none.
	Account func(uid uint32) string
	// Subordinate names the user to whom an id is delegated, by /etc/subuid ("uid") or /etc/subgid ("gid"); "" if it is
	// delegated to none.
	Subordinate func(kind string, id uint32) string

	found []*Finding
	index map[string]*Finding
	More  int // findings beyond the limit
}

// Mount is a mount of config.json.
type Mount struct{ Destination, Source, Type string }

// Findings returns what was denied so far, in the order of first occurrence.
func (a *Advisor) Findings() []*Finding { return a.found }

// Denied records one denied call. It examines the container's files at once, while they are as the call found them.
func (a *Advisor) Denied(d *Denied) {
	if noDenial[d.Name] {
		return
	}
	if f := a.finding(d); f.Kind != "" {
		a.add(f, d.Name, d.Comm)
	}
}

// add adds a finding, or merges it into an equal one, with the calls and programs that it was found by.
func (a *Advisor) add(f Finding, call, by string) {
	key := f.Kind + "\x00" + f.What + "\x00" + f.Why
	known := a.index[key]
	if known == nil {
		if len(a.found) == maxFindings {
			a.More++
			return
		}
		if a.index == nil {
			a.index = map[string]*Finding{}
		}
		known = &f
		a.index[key] = known
		a.found = append(a.found, known)
	}
	known.Count++
	for _, list := range []struct {
		to   *[]string
		name string
	}{{&known.Calls, call}, {&known.By, by}} {
		if !slices.Contains(*list.to, list.name) && len(*list.to) < 8 {
			*list.to = append(*list.to, list.name)
		}
	}
}

// noDenial lists calls that fail like that without anything being denied: polling a file that can't be polled
// (epoll_ctl(2), EPERM), the leader of a session or group making itself one (setpgid(2), setsid(2)), and the return
// from a signal handler, which has the result of the interrupted call (sigreturn(2)).
var noDenial = map[string]bool{"epoll_ctl": true, "setpgid": true, "setsid": true, "rt_sigreturn": true, "sigreturn": true}

func (a *Advisor) finding(d *Denied) Finding {
	if d.Errno == unix.ENOSPC || d.Errno == unix.EROFS {
		return a.ours(d)
	}
	if f, ok := identities(d); ok {
		a.become(&f)
		return f
	}
	if (d.Name == "clone" || d.Name == "unshare") && d.Args[0]&unix.CLONE_NEWUSER != 0 {
		return Finding{Kind: Privileged, What: d.Name + " (a user namespace)", Why: userNamespace}
	}
	if d.Name == "bind" {
		if port, ok := sockaddrPort(d.TID, d.Args[1]); ok && d.Errno == unix.EACCES {
			return Finding{
				Kind: Port, What: fmt.Sprint(port), Policy: "adapt.low_ports", Value: "true",
				Why: "a port below net.ipv4.ip_unprivileged_port_start; it is opened in a network namespace of the container's own only",
			}
		}
	}
	if f, ok := a.privileged(d); ok {
		return f
	}
	who, err := credentialsOf(d.TID)
	for _, p := range d.Paths {
		if err != nil {
			break
		}
		if f, ok := a.file(who, p, d); ok {
			return f
		}
	}
	f := Finding{Kind: Unknown, What: d.Name, Why: fmt.Sprintf("%v, which the modes of files do not explain: the engine's seccomp profile or security module, or what takes a capability", d.Errno)}
	if len(d.Paths) > 0 {
		f.What += " " + strings.Join(d.Paths, " ")
	}
	return f
}

// ours returns a finding at a mount that nonroot-runc has made; the zero one if it is at another mount, and not a
// denial.
func (a *Advisor) ours(d *Denied) Finding {
	if !a.Record.Enforced() {
		return Finding{}
	}
	for _, p := range d.Paths {
		p = realPath(d.TID, p)
		switch {
		case d.Errno == unix.ENOSPC && a.Record.Mounted && links.Within(a.Record.Home, p):
			f := Finding{
				Kind: Home, What: a.Record.Home,
				Why: fmt.Sprintf("the home is a tmpfs of home.size = %q, which is full: make it larger, or mount a volume there", a.Policy.HomeSize),
			}
			if size := larger(a.Policy.HomeSize); size != "" {
				f.Policy, f.Value = "home.size", size
			}
			return f
		case d.Errno == unix.EROFS && (p == "/etc/passwd" || p == "/etc/group"):
			return Finding{
				Kind: Mounted, What: p,
				Why: "nonroot-runc mounts a copy there, read-only, in which the container's identity has its entry: make accounts in the image (RUN useradd)",
			}
		}
	}
	return Finding{}
}

// realPath resolves the links of a path as a thread sees it.
func realPath(tid int, p string) string {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", tid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p
	}
	defer unix.Close(root)
	return (&place{root: root, tid: tid}).real(p)
}

// larger returns four times a home's size; "" if the size is a share of the memory.
func larger(size string) string {
	digits := strings.TrimRight(size, "kKmMgG")
	n, err := ids.Number(digits)
	unit := strings.ToLower(size[len(digits):])
	if err != nil || len(unit) != 1 || n == 0 || n > 1<<20 {
		return ""
	}
	n *= 4
	if next := map[string]string{"k": "m", "m": "g"}[unit]; next != "" && n%1024 == 0 {
		n, unit = n/1024, next
	}
	return strconv.FormatUint(uint64(n), 10) + unit
}

// identities reports calls by which a process would become another user.
func identities(d *Denied) (Finding, bool) {
	ids := map[string]int{
		"setuid": 1, "setreuid": 2, "setresuid": 3, "setfsuid": 1, "setuid32": 1, "setreuid32": 2, "setresuid32": 3,
		"setgid": 1, "setregid": 2, "setresgid": 3, "setgid32": 1, "setregid32": 2, "setresgid32": 3,
	}
	n, ok := ids[d.Name]
	switch {
	case !ok && (d.Name == "setgroups" || d.Name == "setgroups32"):
		return Finding{Kind: Identity, What: "groups", Why: "it would change its groups, which only root may (CAP_SETGID). Mostly an entrypoint that becomes another user without asking who it is: ask first, or start the program itself"}, true
	case !ok:
		return Finding{}, false
	}
	var to []string
	for _, arg := range d.Args[:n] {
		if id := uint32(arg); id != ^uint32(0) && !slices.Contains(to, fmt.Sprint(id)) { // #nosec G115 -- ids have 32 bits; -1 leaves one as it is
			to = append(to, fmt.Sprint(id))
		}
	}
	f := Finding{Kind: Identity, What: "uid " + strings.Join(to, ", ")}
	key := "identity.uid"
	if strings.Contains(d.Name, "gid") {
		f.What, key = "gid "+strings.Join(to, ", "), "identity.gid"
	}
	switch {
	case len(to) == 1 && to[0] == "0":
		f.Why = "it would become root again"
	case len(to) == 1:
		f.Why, f.Policy, f.Value = "it would become another user, which only root may; as that user from the start, it need not", key, to[0]
	default:
		f.Why = "it would become several users at once, which only root may"
	}
	return f, true
}

// become removes the advice for an identity that the policy would not allow, or that no container should have: a
// policy's line applies to other containers, too, and the number is the image's choice.
func (a *Advisor) become(f *Finding) {
	if f.Policy == "" {
		return
	}
	id, err := ids.Parse(f.Value)
	without := ""
	switch {
	case err != nil:
		without = "no policy can name it"
	case a.Record != nil && a.Record.Source != policy.Fixed:
		without = fmt.Sprintf("this container's identity is not the fixed one (source %q), and "+f.Policy+" does not change it", a.Record.Source)
	case !a.Policy.UsesFixed():
		without = "the policy has a range, and " + f.Policy + " is not asked"
	case f.Policy == "identity.uid" && a.Account != nil && a.Account(uint32(id)) != "":
		without = fmt.Sprintf("the host has an account with this uid, %q, whose files on a bind mount would be the container's", a.Account(uint32(id)))
	case f.Policy == "identity.gid" && a.Groups != nil && (a.Groups.Named(uint32(id)) || a.Groups.Privileged(uint32(id), a.Policy.Privileged)):
		without = "the host has a group with this gid, whose rights every container would have"
	case a.Policy.Reserved.Has(uint32(id)):
		without = "identity.range, of this or another rule, assigns it to containers"
	case a.Subordinate != nil && a.Subordinate(strings.TrimPrefix(f.Policy, "identity."), uint32(id)) != "":
		without = fmt.Sprintf("on the host it is one of the subordinate ids of %q, whose containers' files are its own", a.Subordinate(strings.TrimPrefix(f.Policy, "identity."), uint32(id)))
	default:
		return
	}
	f.Policy, f.Value = "", ""
	f.Why = "it would become another user or group, which only root may; " + without
}

// credentialsOf reads a thread's credentials for file access (proc(5), status: the fourth id).
func credentialsOf(tid int) (*credentials, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return nil, err
	}
	var c credentials
	for line := range strings.Lines(string(status)) {
		key, rest, _ := strings.Cut(line, ":")
		numbers, _ := ids.Numbers(rest) // other lines have none
		switch {
		case key == "Uid" && len(numbers) == 4:
			c.uid = numbers[3]
		case key == "Gid" && len(numbers) == 4:
			c.gid = numbers[3]
		case key == "Groups":
			c.groups = numbers
		}
	}
	return &c, nil
}

// credentials are the ids that decide about file access.
type credentials struct {
	uid, gid uint32
	groups   []uint32
}

// may reports whether a file's mode grants a right.
func (c *credentials) may(right uint32, st *unix.Stat_t) bool {
	return rootfs.May(right, st, c.uid, append([]uint32{c.gid}, c.groups...))
}

// file explains a denial about a path. Its directory is resolved as the container does, from its own root.
func (a *Advisor) file(who *credentials, p string, d *Denied) (Finding, bool) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", d.TID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Finding{}, false
	}
	defer unix.Close(root)
	in := &place{root, d.TID, who}
	// Among the directories down to the file, the first that may not be searched is the cause.
	for dir := "/"; dir != p; dir = below(dir, p) {
		st, err := statIn(root, dir)
		if err != nil {
			return Finding{}, false
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR && !who.may(1, &st) {
			return a.about(in, dir, &st, 1, "may not pass it to "+p), true
		}
	}
	st, err := statIn(root, p)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return Finding{}, false
	}
	dir := path.Dir(p)
	inDir, dirErr := statIn(root, dir)
	if dirErr != nil {
		return Finding{}, false
	}
	if err == nil {
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		right := wanted(d, isDir)
		switch {
		case st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK:
			return a.device(p, &st, who.may(right, &st)), true
		case !who.may(right, &st) && isDir:
			return a.about(in, p, &st, right, "may not "+rights[right]+" it"), true
		case !who.may(right, &st):
			at := dir
			if m := a.mountOf(in.real(p)); m != nil && path.Clean("/"+m.Destination) == in.real(p) {
				at = p // mounted individually, as engines do with /etc/hosts
			}
			f := a.about(in, at, &st, right, "may not "+rights[right]+" "+p)
			real := in.real(p)
			written := func() bool { return layer.Written(a.Rootfs, real, &st) }
			if f.Kind == Directory && !layer.TakesFile(path.Base(real), &st, written) {
				f.Kind, f.Policy, f.Value = Image, "", ""
				f.What = p
				f.Why += "; a program, a library, a file with a second name " +
					"or one of the image's with more than 64 KiB is never given: change the image"
			}
			return f, true
		}
	}
	if !who.may(3, &inDir) {
		return a.about(in, dir, &inDir, 3, "may not make, replace or remove a file there"), true
	}
	return Finding{}, false
}

var rights = map[uint32]string{1: "execute", 2: "write", 4: "read", 6: "read and write", 3: "write in"}

// wanted returns the rights to the file that a call needs.
func wanted(d *Denied, isDir bool) uint32 {
	flags := uint64(0)
	switch d.Name {
	case "open":
		flags = d.Args[1]
	case "openat":
		flags = d.Args[2]
	case "access":
		return uint32(d.Args[1] & 7)
	case "faccessat", "faccessat2":
		return uint32(d.Args[2] & 7)
	case "execve", "execveat":
		return 1
	case "connect": // unix(7)
		return 2
	case "bind":
		return 0 // as below
	case "chdir", "fchdir", "chroot":
		return 1
	case "truncate", "truncate64", "creat", "utime", "utimes", "utimensat", "setxattr", "lsetxattr", "fsetxattr":
		return 2
	case "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat":
		return 0 // the rights to its directory count
	}
	switch right := uint32(4); {
	case flags&unix.O_ACCMODE == unix.O_WRONLY:
		return 2
	case flags&unix.O_ACCMODE == unix.O_RDWR || flags&unix.O_TRUNC != 0:
		return 6
	case isDir && flags&unix.O_PATH != 0:
		return 1
	default:
		return right
	}
}

// below returns the next directory on the way to a path.
func below(dir, p string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
	part, _, _ := strings.Cut(rest, "/")
	return path.Join(dir, part)
}

// place is where a thread looked up a path.
type place struct {
	root int // the thread's root
	tid  int
	who  *credentials
}

// real resolves the links of a path as the container sees it: a link never changes owner, nor does its target through
// the link's name.
func (in *place) real(p string) string {
	fd, err := unix.Openat2(in.root, "."+p, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return p
	}
	defer unix.Close(fd)
	if to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err == nil && path.IsAbs(to) {
		return to
	}
	return p
}

// owners returns which files of the image the container may come to own, as for a new container of its kind. Facts that
// can't be read are left out.
func (a *Advisor) owners(in *place) plan.Owners {
	general, asked := a.General, uint32(0)
	if general == nil {
		general = a.Policy
	}
	if a.Record != nil && a.Record.Asked != nil {
		asked = a.Record.Asked.UID
	}
	var uids *accounts.UIDs
	if view, err := rootfs.Open("/", "/proc/self/fd/"+strconv.Itoa(in.root), true, nil); err == nil {
		image := accounts.In(view)
		defer image.Close() //nolint:errcheck // nothing was written
		uids = image.UIDs()
	}
	return plan.FileOwners(general, a.Policy, asked, nil, in.userNamespace(), uids)
}

// userNamespace returns the map of the thread's user namespace; nil if it is ours, or if the map can't be read.
func (in *place) userNamespace() *idmap.Pair {
	tid := strconv.Itoa(in.tid)
	own, err := os.Readlink("/proc/self/ns/user")
	its, err2 := os.Readlink("/proc/" + tid + "/ns/user")
	if err != nil || err2 != nil || own == its {
		return nil
	}
	if m, err := idmap.Of(tid); err == nil {
		return &m
	}
	return nil
}

// given returns the owner and mode of a directory or file once adapt.own lists its directory; ok reports whether it
// changes owner.
func (a *Advisor) given(in *place, st *unix.Stat_t) (after unix.Stat_t, ok bool) {
	of := a.owners(in)
	o := layer.Options{
		UID: in.who.uid, GID: in.who.gid, From: of.MayChown, FromGroup: of.IsRootGroup, GroupRoot: a.Policy.Adapt.GroupRoot,
	}
	if r := a.Record; r != nil && r.Identity != nil {
		o.UID, o.GID = of.Outside(r.Identity.UID), of.OutsideGroup(r.Identity.GID)
	}
	return o.Becomes(st)
}

func statIn(root int, p string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat2(root, "."+p, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st)
}

// about returns a finding on a directory, or on a file in it, which would change owner with the directory.
func (a *Advisor) about(in *place, dir string, st *unix.Stat_t, right uint32, why string) Finding {
	dir, who := in.real(dir), in.who
	f := Finding{Kind: Directory, What: dir, Why: fmt.Sprintf("%d:%d %04o: %d:%d %s", st.Uid, st.Gid, st.Mode&0o7777, who.uid, who.gid, why)}
	m := a.mountOf(dir)
	top, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	switch {
	case m != nil && a.byDropped(st, right):
		f.Kind = Mounted
		a.askForGroup(&f, st.Gid)
	case m != nil && (m.Type == "bind" || m.Type == "none" || m.Type == ""):
		f.Kind = Mounted
		f.Why += "; " + a.onMount(in, m, dir, st, right)
	case top == "proc" || top == "sys":
		f.Kind = Kernel
		f.Why += "; the kernel's files are root's"
	case m != nil && top == "dev":
		f.Kind = Mounted
		f.Why += "; only root can create files there: devices come from the engine (docker run --device), and other files belong elsewhere"
	case m != nil:
		f.Kind = Mounted
		f.Why += fmt.Sprintf("; a %s is mounted there: mount it with mode=1777 or uid=%d", m.Type, who.uid)
	case !policy.MayGive(dir):
		f.Kind = Image
		f.Why += "; configuration, programs and libraries are never given: change the image, or mount a volume there"
	default:
		if without := a.withheld(in, dir, st, right); without != "" {
			f.Why += "; " + without
		} else {
			f.Policy, f.Value = "adapt.own", dir
		}
	}
	return f
}

// withheld says why adapt.own would not help with a directory; "" if it would.
func (a *Advisor) withheld(in *place, dir string, st *unix.Stat_t, right uint32) string {
	notOwn := func(note string) bool { return strings.Contains(note, layer.ErrNotOwn.Error()) }
	switch r := a.Record; {
	case r != nil && r.Identity != nil && r.Asked != nil && !r.StandsIn():
		return "the container runs as the user that it asks for, and nothing is changed for that one: change the owner in the image"
	case r != nil && slices.ContainsFunc(r.Notes, notOwn):
		return "no policy allows it: " + layer.ErrNotOwn.Error()
	}
	switch after, ok := a.given(in, st); {
	case !ok:
		return "it belongs to neither root nor a service, so its owner does not change: change it in the image"
	case !in.who.may(right, &after):
		return "its owner may not either, and the modes of files stay: change it in the image"
	case links.WithinAny(a.Policy.Adapt.Keep, dir):
		return "adapt.keep leaves it as it is"
	case links.WithinAny(a.Policy.Adapt.Own, dir):
		return "adapt.own has it already: if it was not given, nonroot-ctl explain has a note on that"
	}
	return ""
}

// byDropped reports whether a right comes with a group that the container asked for and lost. If the container has a
// user namespace of its own, the numbers differ, so it returns false.
func (a *Advisor) byDropped(st *unix.Stat_t, right uint32) bool {
	return a.Record != nil && st.Gid != 0 && slices.Contains(a.Record.Dropped, st.Gid) && rootfs.May(right, st, ^uint32(0), []uint32{st.Gid})
}

// askForGroup adds that a dropped group would have helped.
func (a *Advisor) askForGroup(f *Finding, gid uint32) {
	f.Policy, f.Value = "identity.allowed_gids", strconv.FormatUint(uint64(gid), 10)
	f.Why += fmt.Sprintf("; the container asked for the group %d, which may, and which was dropped", gid)
	if a.Groups != nil && a.Groups.Privileged(gid, a.Policy.Privileged) {
		f.Why += ": it is privileged on the host, and so is each container that has it"
	}
}

func (a *Advisor) device(p string, st *unix.Stat_t, may bool) Finding {
	f := Finding{Kind: Device, What: p, Why: fmt.Sprintf("%d:%d %04o", st.Uid, st.Gid, st.Mode&0o7777)}
	node := policy.Device{Path: p}
	node.GID, node.Known = host.NodeGroup(p, st)
	gid, hasGroup := node.Group()
	switch {
	case may:
		f.Why += "; its mode lets it, the list of devices that the container may open does not (docker run --device)"
	case a.byDropped(st, unix.R_OK|unix.W_OK):
		a.askForGroup(&f, st.Gid)
	case a.Groups != nil && st.Gid != 0 && a.Policy.WithholdsGroup(a.Groups, st.Gid):
		f.Why += fmt.Sprintf("; its group %d has privileges on the host, and no container gets it", st.Gid)
	case hasGroup && rootfs.May(unix.R_OK|unix.W_OK, st, ^uint32(0), []uint32{gid}) &&
		!strings.ContainsAny(p, "*?[\\"): // it would be a pattern
		f.Policy, f.Value = "identity.device_groups", p
		f.Why += fmt.Sprintf("; its group %d allows it, as long as that has no privileges on the host", gid)
	default:
		f.Why += "; no policy setting allows it"
	}
	return f
}

// mountOf returns the last mount that covers a path; nil if it is on the rootfs.
func (a *Advisor) mountOf(p string) *Mount {
	var found *Mount
	for i := range a.Mounts {
		if links.Within(path.Clean("/"+a.Mounts[i].Destination), p) {
			found = &a.Mounts[i]
		}
	}
	return found
}

// Lines returns the lines of a policy that allow what was denied, as far as lines can; each key once, in the form of
// the general part.
func (a *Advisor) Lines() []string {
	values := map[string][]string{}
	for _, f := range a.found {
		if f.Policy != "" && usable(f) && !slices.Contains(values[f.Policy], f.Value) {
			values[f.Policy] = append(values[f.Policy], f.Value)
		}
	}
	var lines []string
	if own := topmost(values["adapt.own"]); len(own) > 0 {
		lines = append(lines, "adapt.own = "+list(append(slices.Clone(a.Policy.Adapt.Own), own...)))
	}
	if len(values["adapt.low_ports"]) > 0 && !a.Policy.Adapt.LowPorts {
		lines = append(lines, "adapt.low_ports = true")
	}
	if nodes := values["identity.device_groups"]; len(nodes) > 0 {
		lines = append(lines, "identity.device_groups = "+list(append(slices.Clone(a.Policy.DeviceGroups), nodes...)))
	}
	if gids, err := ids.Numbers(strings.Join(values["identity.allowed_gids"], " ")); err == nil && len(gids) > 0 {
		lines = append(lines, a.Policy.AllowedWith(gids...))
	}
	if sizes := values["home.size"]; len(sizes) > 0 {
		lines = append(lines, "home.size = "+strconv.Quote(sizes[0]))
	}
	for _, key := range []string{"identity.uid", "identity.gid"} {
		if ids := values[key]; len(ids) == 1 { // with several, it can't be just one of them
			lines = append(lines, key+" = "+ids[0])
		}
	}
	return lines
}

// usable reports whether a finding's advice can be pasted: a path with unprintable characters can't, and an invalid
// line in a policy would stop every container.
func usable(f *Finding) bool {
	if !utf8.ValidString(f.Value) || strings.ContainsFunc(f.Value, func(r rune) bool { return !strconv.IsPrint(r) || r == '\\' }) {
		return false
	}
	value := f.Value
	if f.Policy == "adapt.own" || f.Policy == "identity.device_groups" {
		value = list([]string{value})
	}
	switch f.Policy {
	case "identity.allowed_gids":
		value = "[" + value + "]"
	case "home.size":
		value = strconv.Quote(value)
	}
	_, err := policy.Parse("learned", []byte(f.Policy+" = "+value+"\n"))
	return err == nil
}

// topmost removes paths that are below others.
func topmost(all []string) []string {
	sorted := slices.Sorted(slices.Values(all))
	var out []string
	for _, p := range sorted {
		if !links.WithinAny(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func list(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = strconv.Quote(s) // Lines ensures printable characters, for which this is valid TOML, too
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
