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

// alike groups the mounts that share one note.
type alike struct {
	what, advice string
	names        []string
	more         int
}

const (
	mostAlike = 3  // mounts that one note names
	mostKinds = 6  // notes on mounts
	mostBinds = 64 // mounts that are looked at
	mostDeep  = 32 // directories above a mount: each is looked up by its whole path
)

// closedBinds reports the bind mounts that the identity can't use: files and directories that it can't read or reach,
// and writable ones that it can't write. It checks each mount and each directory above it, but nothing below.
func (g *Gathered) closedBinds(d *decision.Decision, give *plan.Give) (notes []string) {
	var all []*alike
	closed := map[string]string{} // directories above a mount, and the note for each
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
			continue // it can't be examined, or another mount covers it
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

// roots lists directories that stay root's even when they are empty, because system programs use them.
var roots = []string{"/root", "/run", "/var/run", "/var/spool", "/var/lib"}

// isPersons reports whether a mount was requested by a person. That excludes the engine's own files, volumes that
// change owner or have a note of their own, and mounts that change owners themselves.
func (g *Gathered) isPersons(m *spec.Mount) bool {
	if !m.Binds() || len(m.UIDMap) > 0 || slices.Contains(m.Options, "idmap") || slices.Contains(m.Options, "ridmap") {
		return false
	}
	if engines.MakesFile(m.Source) || engines.PodSecret(m.Source) || engines.NamesSocket(m.Source) || mayBeVolume(*m) {
		return false
	}
	// The files that engines make for a container, secrets included, are in a directory named after its id, wherever
	// that is.
	return g.ID == "" || !strings.Contains(m.Source, "/"+g.ID+"/")
}

// source returns the path of a mount's source on the host.
func (g *Gathered) source(m *spec.Mount) string {
	if path.IsAbs(m.Source) {
		return m.Source
	}
	return path.Join(g.Bundle, m.Source)
}

// closedBind describes what the identity can't do with a mount, and advises what helps; "" if it can do everything that
// a program is likely to need.
func (g *Gathered) closedBind(o *opener, m *spec.Mount, st *unix.Stat_t, d *decision.Decision) (what, advice string) {
	read, write, verb := uint32(unix.R_OK), uint32(unix.R_OK|unix.W_OK), "read"
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		read, write = unix.R_OK|unix.X_OK, unix.R_OK|unix.W_OK|unix.X_OK
	case unix.S_IFSOCK:
		read, write, verb = unix.W_OK, unix.W_OK, "used" // connecting needs write permission (unix(7))
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
		return "", "" // it isn't meant to be written: mounts are writable by default (-v /etc/localtime:/etc/localtime)
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

// closedOnTheWay names the directory above a mount that the identity may not search; "" if there is none. A directory
// that changes owner is open to it.
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

// isGiven reports whether the identity becomes the owner of a directory of the image, or gains access to it.
func isGiven(give *plan.Give, dir string) bool {
	return give != nil && (give.Applications && policy.IsApplication(dir) ||
		slices.ContainsFunc(give.Paths, func(p string) bool { return links.Within(p, dir) }))
}

// adviceForEmpty names a command for an empty directory, unless a user other than root could replace the directory with
// a link before the command runs: chown follows links.
func (g *Gathered) adviceForEmpty(d *decision.Decision, source string) string {
	if _, _, err := trusted.CheckPath(source, g.call.Caller.Owners); err != nil {
		return "use a volume, or make it before, as the owner of the directory that it is in, and run the container as that one (--user UID:GID)"
	}
	return fmt.Sprintf("run chown %d:%d %s, or use a volume", g.owners().Outside(d.Identity.UID), g.owners().OutsideGroup(d.Identity.GID), source)
}

// isEmptyRoots reports whether a writable mount's source is an empty directory that belongs to root. Engines create a
// missing source that way (Docker's -v, Compose), but such a directory may as well have been created for another
// purpose just now, so it stays root's.
func (g *Gathered) isEmptyRoots(o *opener, m *spec.Mount, st *unix.Stat_t) bool {
	// Engines create it with mode 0755. The advice never gives away a system directory. The path was chosen by the user
	// who starts the container, so it must not make the administrator's shell do more than the advice says.
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
	defer unix.Close(at)
	fd, err := unix.Open(path.Join("/proc/self/fd", strconv.Itoa(at)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	names, err := dirents.Names(fd, 1)
	return err == nil && len(names) == 0
}

// hasACL reports whether a file has an access control list (acl(5)), which may grant rights that its mode does not
// show, or one that can't be read.
func (o *opener) hasACL(name string) bool {
	fd, err := o.open(name, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	list, ok := rootfs.ReadACL(path.Join("/proc/self/fd", strconv.Itoa(fd)))
	return list != nil || !ok
}

// locals lists the file systems that the kernel itself serves. Others wait for a program (FUSE) or another machine,
// which may never answer, and the create would hang.
var locals = []string{
	"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "overlay", "squashfs", "erofs", "iso9660", "vfat",
	"exfat", "ntfs3",
}

var errNotLocal = errors.New("its file system may not answer")

// opener opens files on local file systems only. It reads the host's mounts once, as there may be thousands.
type opener struct {
	mounts proc.Mounts

	name, leads string // the last answer of real, which is called several times per mount
}

// open opens with O_PATH. It accesses a file system only after checking that it is local.
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

// answers reports whether an open file is on a local file system.
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

// real resolves the links in a path of the host (-v /srv/link:/data, where the link leads to /etc). If that fails, it
// returns the path itself.
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
	defer unix.Close(fd)
	at, err := os.Readlink(path.Join("/proc/self/fd", strconv.Itoa(fd)))
	if err != nil || !path.IsAbs(at) {
		return path.Clean(name)
	}
	return at
}

// isAmong reports whether a path of the host is in one of the directories, before or after its links are resolved.
func (o *opener) isAmong(dirs []string, name string) bool {
	return links.WithinAny(dirs, path.Clean(name)) || links.WithinAny(dirs, o.real(name))
}

// takenCapabilities reports the requested capabilities that engines don't grant to every container.
func (g *Gathered) takenCapabilities() []string {
	bounding, err := g.doc.Bounding()
	if err != nil {
		return nil // the rewrite reports it
	}
	var more []string
	for _, c := range bounding {
		if !slices.Contains(engines.Capabilities, c) && !slices.Contains(more, c) {
			more = append(more, c)
		}
	}
	const privileged = 20 // of about forty
	switch slices.Sort(more); {
	case len(more) == 0:
		return nil
	case len(more) > privileged:
		return []string{"all capabilities were asked for (--privileged, --cap-add ALL), but containers have none here"}
	}
	return []string{fmt.Sprintf("%s: asked for (--cap-add), but containers have no capabilities here; hint: what needs one needs an exemption, a rule with mode \"off\" and a reason", quote.Text(strings.Join(more, ", "), quote.MaxValue))}
}

// scarceMemory reports a home that can outgrow the container's memory limit, which it counts against.
func (g *Gathered) scarceMemory(mounts []rootfs.Mount) []string {
	limit := g.doc.MemoryLimit()
	size, ok := homedir.SizeOf(g.rule.HomeSize)
	if limit == 0 || len(mounts) == 0 || !ok || size <= limit {
		return nil
	}
	return []string{fmt.Sprintf("its home may grow to home.size = %q, which counts as its memory, and it has %d MiB of that: the kernel kills a container that fills it; hint: choose a smaller home.size, or mount a volume there", g.rule.HomeSize, limit>>20)}
}
