// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// alike are mounts of which one note tells.
type alike struct {
	what, advice string
	names        []string
	more         int
}

const (
	mostAlike = 3  // mounts that a note names
	mostKinds = 6  // notes on mounts
	mostBinds = 64 // mounts that are looked at
	mostDeep  = 32 // directories on the way to one: each is looked at by its whole path
)

// closedBinds tells of what a person binds and the identity can't use: files and directories that it can't read, those that are
// bound to be written and that it can't write, and those to which it can't get. It looks at each mount once, and at each
// directory on the way to one; what is below is not looked at.
func (g *Gathered) closedBinds(d *decision.Decision, give *plan.Give) (notes []string) {
	var all []*alike
	closed := map[string]string{} // directories on the way, and what is to be said of each
	isOurs, looked, o := plan.Ours(g.Bundle), 0, &opener{}
	for i := range g.Container.Mounts {
		m := &g.Container.Mounts[i]
		if isOurs(*m) || !g.isPersons(m) {
			continue
		}
		if looked++; looked > mostBinds || len(all) == mostKinds {
			break
		}
		dest := path.Clean("/" + m.Destination)
		if strings.Count(dest, "/") > mostDeep {
			continue
		}
		at, err := g.image.Look(dest)
		if err != nil || strings.Count(at.Path, "/") > mostDeep || !at.Exists || at.Mount == nil || at.Mount.Source != m.Source || at.Mount.Destination != m.Destination {
			continue // it can't be told, or another mount covers it
		}
		what, advice := g.closedBind(o, m, &at.Stat, d)
		if on := g.closedOnTheWay(at.Path, d, give, closed); on != "" {
			what, advice = on, "mount it where the identity gets"
		}
		if what == "" || o.hasACL(g.source(m)) {
			continue
		}
		name := quote.Value(m.Destination)
		if advice != "" && g.isEmptyRoots(o, m, &at.Stat) {
			what, advice = "is empty and root's, as engines create one that is missing, and the identity can't write to it", g.adviceForEmpty(d, m.Source)
		}
		if n := slices.IndexFunc(all, func(a *alike) bool { return a.what == what && a.advice == advice }); n >= 0 {
			if a := all[n]; len(a.names) < mostAlike {
				a.names = append(a.names, name)
			} else {
				a.more++
			}
			continue
		}
		all = append(all, &alike{what: what, advice: advice, names: []string{name}})
	}
	for _, a := range all {
		notes = append(notes, a.note())
	}
	return notes
}

func (a *alike) note() string {
	names := strings.Join(a.names, ", ")
	if a.more > 0 {
		names += fmt.Sprintf(" and %d more", a.more)
	}
	note := "what is mounted at " + names + " " + a.what
	if a.advice != "" {
		note += hint.Flat + a.advice
	}
	return note
}

// roots are directories in which an empty one means something to the system's programs.
var roots = []string{"/root", "/run", "/var/run", "/var/spool", "/var/lib"}

// isPersons says that a mount is of something that a person names. Engines' own files, and volumes that are given, or have a note
// of their own, are none; nor is one whose owners the mount changes.
func (g *Gathered) isPersons(m *spec.Mount) bool {
	if !m.Binds() || len(m.UIDMap) > 0 || slices.Contains(m.Options, "idmap") || slices.Contains(m.Options, "ridmap") {
		return false
	}
	if engines.MakesFile(m.Source) || engines.PodSecret(m.Source) || engines.NamesSocket(m.Source) || mayBeVolume(*m) {
		return false
	}
	// What engines make for a container lies in a directory of its id, wherever that is; secrets among it.
	return g.ID == "" || !strings.Contains(m.Source, "/"+g.ID+"/")
}

// source is where a mount's source lies on the host.
func (g *Gathered) source(m *spec.Mount) string {
	if path.IsAbs(m.Source) {
		return m.Source
	}
	return path.Join(g.Bundle, m.Source)
}

// closedBind says what of a mount the identity can't do, and what helps; "": nothing that a program may want.
func (g *Gathered) closedBind(o *opener, m *spec.Mount, st *unix.Stat_t, d *decision.Decision) (what, advice string) {
	read, write, verb := uint32(unix.R_OK), uint32(unix.R_OK|unix.W_OK), "read"
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		read, write = unix.R_OK|unix.X_OK, unix.R_OK|unix.W_OK|unix.X_OK
	case unix.S_IFSOCK:
		read, write, verb = unix.W_OK, unix.W_OK, "used" // connecting takes the right to write (unix(7))
	case unix.S_IFREG:
	default:
		return "", ""
	}
	rights := read
	switch {
	case !g.may(read, st, d.Identity):
		if !m.Readonly() {
			rights = write
		}
	case m.Readonly() || g.may(write, st, d.Identity) || o.isAmong(hint.Systems, g.source(m)):
		return "", "" // nobody means to write it, though mounts are writable unless somebody says otherwise (-v /etc/localtime:/etc/localtime)
	default:
		rights, verb = write, "written"
	}
	of := g.owners()
	c := hint.Closed{
		Mode: st.Mode & 0o7777, Rights: rights, Directory: st.Mode&unix.S_IFMT == unix.S_IFDIR,
		UID: of.Outside(d.Identity.UID), GID: of.OutsideGroup(d.Identity.GID),
		Rootless: !g.call.Caller.IsHostRoot(), Podman: g.Origin.Engine == engines.Podman.Name || engines.SaysPodman(g.Container.Annotations), Pod: g.Origin.Pod != "",
		System: hint.IsSystems(m.Source) || hint.IsSystems(o.real(g.source(m))),
	}
	c.Owner, c.Mapped = of.Inside(st.Uid)
	c.Group, c.MappedGroup = of.InsideGroup(st.Gid)
	c.NotKept = !g.rule.Keeps(c.Owner)
	return fmt.Sprintf("can't be %s by the identity (%d:%d %04o)", verb, st.Uid, st.Gid, c.Mode), c.Remedies()
}

// closedOnTheWay says which directory of those above a mount the identity may not pass; "": none. What is given to it, it may.
func (g *Gathered) closedOnTheWay(p string, d *decision.Decision, give *plan.Give, known map[string]string) string {
	dir := path.Dir(p)
	if dir == "/" || p == "/" {
		return ""
	}
	if said, ok := known[dir]; ok {
		return said
	}
	said := g.closedOnTheWay(dir, d, give, known)
	if said == "" && !isGiven(give, dir) {
		at, err := g.image.Look(dir)
		if err == nil && at.Exists && at.Stat.Mode&unix.S_IFMT == unix.S_IFDIR && !g.may(unix.X_OK, &at.Stat, d.Identity) {
			said = fmt.Sprintf("can't be reached: the directory %s on the way is closed to the identity (%d:%d %04o)", quote.Value(dir), at.Stat.Uid, at.Stat.Gid, at.Stat.Mode&0o7777)
		}
	}
	known[dir] = said
	return said
}

// isGiven says that a directory of the image is one of those that the identity is given, or is opened to it.
func isGiven(give *plan.Give, dir string) bool {
	return give != nil && (give.Applications && policy.IsApplication(dir) ||
		slices.ContainsFunc(give.Paths, func(p string) bool { return links.Within(p, dir) }))
}

// adviceForEmpty names a command for an empty directory, unless somebody but root could put a link in its place by the time it is run: chown
// follows links.
func (g *Gathered) adviceForEmpty(d *decision.Decision, source string) string {
	if _, _, err := trusted.CheckPath(source, g.call.Caller.Owners); err != nil {
		return "use a volume, or make it before, as the owner of the directory that it is in, and run the container as that one (--user UID:GID)"
	}
	return fmt.Sprintf("run chown %d:%d %s, or use a volume", g.owners().Outside(d.Identity.UID), g.owners().OutsideGroup(d.Identity.GID), source)
}

// isEmptyRoots says that what is mounted to be written is an empty directory of root's: the engine makes one that is missing
// (Docker's -v, Compose). Nobody can tell it from one that somebody else has just made for a purpose of its own, so that it stays
// root's.
func (g *Gathered) isEmptyRoots(o *opener, m *spec.Mount, st *unix.Stat_t) bool {
	// An engine makes it with mode 0755; and nobody is told to give away what belongs to the system. Whoever chose the name must not
	// have a shell that is given the advice do more than it says.
	if st.Mode&0o7777 != 0o755 || o.isAmong(hint.Systems, g.source(m)) || o.isAmong(roots, g.source(m)) || !quote.IsPlainPath(m.Source) {
		return false
	}
	if of := g.owners(); m.Readonly() || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 && !of.IsRoot(st.Uid) || !g.call.Caller.IsHostRoot() {
		return false
	}
	at, err := o.open(g.source(m), unix.O_NOFOLLOW|unix.O_DIRECTORY)
	if err != nil {
		return false // a link
	}
	defer unix.Close(at) //nolint:errcheck // nothing was written
	fd, err := unix.Open(path.Join("/proc/self/fd", strconv.Itoa(at)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	names, err := dirents.Names(fd, 1)
	return err == nil && len(names) == 0
}

// hasACL says that a file has an access control list (acl(5)), by which others may have rights that its mode does not show, or that this
// can't be told.
func (o *opener) hasACL(name string) bool {
	fd, err := o.open(name, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	list, ok := rootfs.ReadACL(path.Join("/proc/self/fd", strconv.Itoa(fd)))
	return list != nil || !ok
}

// locals are file systems in which the kernel itself answers. In others a program does (FUSE), or another machine, or nobody ever:
// a create would wait for that.
var locals = []string{
	"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "overlay", "squashfs", "erofs", "iso9660", "vfat",
	"exfat", "ntfs3",
}

var errNotLocal = errors.New("its file system may not answer")

// opener opens what lies in one of the locals. The mounts that there are it reads once, as a host may have thousands.
type opener struct {
	mounts proc.Mounts

	name, leads string // what real was asked last, as it is asked several times about a mount
}

// open opens with O_PATH. No file system is asked anything before it is known to be one of the locals.
func (o *opener) open(name string, flags int) (int, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, err
	}
	if !o.answers(fd) {
		_ = unix.Close(fd)
		return -1, errNotLocal
	}
	return fd, nil
}

// answers says that what was opened lies in one of the locals.
func (o *opener) answers(fd int) bool {
	if o.mounts == "" {
		var err error
		if o.mounts, err = proc.ReadMounts(); err != nil {
			return false
		}
	}
	m, ok := o.mounts.Of(fd)
	return ok && slices.Contains(locals, m.Type)
}

// real is where a path of the host's leads by its links (-v /srv/link:/data, of a link to /etc); where that can't be told, the path.
func (o *opener) real(name string) string {
	if o.name != name {
		o.name, o.leads = name, o.follow(name)
	}
	return o.leads
}

func (o *opener) follow(name string) string {
	fd, err := o.open(name, 0)
	if err != nil {
		return path.Clean(name)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	at, err := os.Readlink(path.Join("/proc/self/fd", strconv.Itoa(fd)))
	if err != nil || !path.IsAbs(at) {
		return path.Clean(name)
	}
	return at
}

// isAmong says that a path of the host's lies in one of the directories, by its name or by where that leads.
func (o *opener) isAmong(dirs []string, name string) bool {
	return links.WithinAny(dirs, path.Clean(name)) || links.WithinAny(dirs, o.real(name))
}

// takenCapabilities tells of the capabilities that were asked for beyond those that engines give to every container.
func (g *Gathered) takenCapabilities() []string {
	bounding, err := g.doc.Bounding()
	if err != nil {
		return nil // the rewrite says it
	}
	var more []string
	for _, c := range bounding {
		if !slices.Contains(engines.Capabilities, c) && !slices.Contains(more, c) {
			more = append(more, c)
		}
	}
	const privileged = 20 // of the forty or so that there are
	switch slices.Sort(more); {
	case len(more) == 0:
		return nil
	case len(more) > privileged:
		return []string{"all capabilities were asked for (--privileged, --cap-add ALL), but containers have none here"}
	}
	return []string{fmt.Sprintf("%s: asked for (--cap-add), but containers have no capabilities here; hint: what needs one needs an exemption, a rule with mode \"off\" and a reason", quote.Text(strings.Join(more, ", "), quote.MaxValue))}
}

// scarceMemory says that the home can become larger than the memory that the container may have, by which it is counted.
func (g *Gathered) scarceMemory(mounts []rootfs.Mount) []string {
	limit := g.doc.MemoryLimit()
	size, ok := homedir.SizeOf(g.rule.HomeSize)
	if limit == 0 || len(mounts) == 0 || !ok || size <= limit {
		return nil
	}
	return []string{fmt.Sprintf("its home may grow to home.size = %q, which counts as its memory, and it has %d MiB of that: the kernel kills a container that fills it; hint: choose a smaller home.size, or mount a volume there", g.rule.HomeSize, limit>>20)}
}
