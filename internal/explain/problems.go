// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Problem is an obstacle that the container may meet because it is not root.
type Problem struct {
	Kind   string `json:"kind"` // home, workdir, volume, directory, port, setuid, entrypoint
	Where  string `json:"where"`
	Detail string `json:"detail"`
}

// view is the container as its process will find it.
type view struct {
	image    *accounts.Image
	spec     *specs.Spec
	who      person
	d        *Decided
	problems []Problem

	// What will belong to the identity from creation on: paths of the image, and sources of volumes.
	given, volumesGiven []string
}

func (v *view) problem(kind, where, format string, args ...any) {
	v.problems = append(v.problems, Problem{kind, where, fmt.Sprintf(format, args...)})
}

// person is a process's user, in the ids of the rootfs's files. Access control lists are ignored.
type person struct {
	uid  uint32
	gids []uint32
}

// may reports whether the person has a right to a file by its mode.
func (p person) may(right uint32, st *unix.Stat_t) bool { return rootfs.May(right, st, p.uid, p.gids) }

// may reports whether the person will have a right to a file: by its mode, or as its new owner. A directory's owner
// counts as having the rights that its mode gives owners; the owner may change the mode.
func (v *view) may(right uint32, at rootfs.Entry) bool {
	return v.who.may(right, &at.Stat) || v.isGiven(at.Path)
}

// isGiven reports whether a path will belong to the person from creation on, or will be opened to them.
func (v *view) isGiven(p string) bool { return slices.Contains(v.given, p) }

// look finds obstacles for the container. It needs an identity other than root's, and the image's files. will is the
// plan before creation; nil if nothing will be done.
func (r *Report) look(dir *bundle.Dir, caller facts.Caller, o Options, will *plan.Plan) error {
	id := r.Decided.Identity
	if id == nil {
		return nil
	}
	config, err := dir.Read(bundle.Config)
	if err != nil {
		return fmt.Errorf("read the bundle %q: %w", dir.Path, err)
	}
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return nil // the decision says why
	}
	container, err := doc.Container()
	if err != nil {
		return nil // likewise
	}
	s, err := decode(config)
	if err != nil {
		return nil // likewise
	}
	image, err := facts.OpenImage(dir, container, false)
	if err != nil {
		r.note("the image's files can't be looked at: %v", err)
		return nil
	}
	defer image.Close() //nolint:errcheck // nothing was written
	v := &view{image: image, spec: s, d: &r.Decided, who: person{id.UID, append([]uint32{id.GID}, id.Groups...)}}
	if will != nil {
		give := will.Give
		if give == nil {
			give = will.Watched
		}
		v.given, v.volumesGiven = apply.DryRun(give, dir.Path, r.Container, caller.Owners)
		r.Given = v.given
	}
	if will != nil && will.Parts != nil {
		if s, err := decode(will.Rewritten()); err == nil {
			v.spec.Linux.Sysctl = s.Linux.Sysctl
		}
	}
	if !v.shift(s) {
		r.note("the container joins a user namespace: owners of files are not checked")
		v.ports(o.Ports)
		r.Problems = list(v.problems)
		return nil
	}
	if names, err := image.Entries("/", 1); err == nil && len(names) == 0 {
		r.note("the rootfs %q is empty or not mounted: the image's files can't be looked at", container.Rootfs)
	} else {
		v.entrypoint()
		v.workdir()
		v.home(r.Asked)
		v.directories()
		r.Notes = append(r.Notes, v.setuid()...)
	}
	v.volumes(plan.Ours(dir.Path))
	v.ports(o.Ports)
	r.Problems = list(v.problems)
	return nil
}

// shift converts host ids to the container's, by the maps of its own user namespace. It reports whether they are known.
func (v *view) shift(s *specs.Spec) bool {
	at := slices.IndexFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
	if at < 0 {
		return true
	}
	if s.Linux.Namespaces[at].Path != "" && len(s.Linux.UIDMappings) == 0 {
		return false
	}
	outside := func(id uint32, maps []specs.LinuxIDMapping) uint32 {
		for _, m := range maps {
			if id >= m.ContainerID && id-m.ContainerID < m.Size {
				return m.HostID + (id - m.ContainerID)
			}
		}
		return id
	}
	v.who.uid = outside(v.who.uid, s.Linux.UIDMappings)
	for i := range v.who.gids {
		v.who.gids[i] = outside(v.who.gids[i], s.Linux.GIDMappings)
	}
	return true
}

// reach returns the directory above a path that is closed to the person; "" if there is none.
func (v *view) reach(p string) string {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if at, err := v.image.Look(dir); err == nil && at.Exists && at.Stat.Mode&unix.S_IFMT == unix.S_IFDIR && !v.may(1, at) {
			return fmt.Sprintf("the directory %q on the way is closed to it (%s)", dir, owner(&at.Stat))
		}
		if dir == "/" {
			return ""
		}
	}
}

func owner(st *unix.Stat_t) string {
	return fmt.Sprintf("it belongs to %d:%d, mode %04o", st.Uid, st.Gid, st.Mode&0o7777)
}

// usualPath is where a program is searched for if the process has no PATH: engines set this one.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxSearch limits in how many directories a program is searched for. The image chooses PATH.
const maxSearch = 64

// entrypoint checks that the program exists, and that the identity can run it.
func (v *view) entrypoint() {
	p := v.spec.Process
	if len(p.Args) == 0 {
		v.problem("entrypoint", "", "process.args is empty")
		return
	}
	name := p.Args[0]
	var candidates []string
	switch {
	case path.IsAbs(name):
		candidates = []string{path.Clean(name)}
	case strings.Contains(name, "/"):
		candidates = []string{path.Join("/", p.Cwd, name)}
	default:
		search := variable(p.Env, "PATH")
		if search == "" {
			search = usualPath
		}
		for dir := range strings.SplitSeq(search, ":") {
			if c := path.Join("/", dir, name); !slices.Contains(candidates, c) {
				candidates = append(candidates, c)
			}
			if len(candidates) > maxSearch {
				return // nothing is reported: such a PATH is meant to keep us busy
			}
		}
	}
	why := "there is none in PATH"
	for _, c := range candidates {
		at, err := v.image.Look(c)
		switch {
		case err != nil || at.Hidden:
			return // it can't be determined
		case !at.Exists:
			if len(candidates) == 1 {
				why = "it does not exist"
			}
			continue
		}
		if why = v.cannotRun(at); why == "" {
			return
		}
		name = c
		break
	}
	v.problem("entrypoint", name, "%s: the container will not start", why)
}

// cannotRun says why the person can't run a file.
func (v *view) cannotRun(at rootfs.Entry) string {
	if closed := v.reach(at.Path); closed != "" {
		return closed
	}
	switch {
	case at.Stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return "it is not a regular file"
	case v.isGiven(at.Path):
	case !v.who.may(1, &at.Stat):
		return "it is not executable for the identity (" + owner(&at.Stat) + ")"
	case !v.who.may(4, &at.Stat):
		return "it is not readable for the identity (" + owner(&at.Stat) + "), which a script has to be"
	}
	return ""
}

func variable(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// workdir checks that the process can enter the working directory, and write there, as programs often do.
func (v *view) workdir() {
	p := v.spec.Process.Cwd
	if !path.IsAbs(p) || path.Clean(p) == "/" {
		return
	}
	at, err := v.image.Look(path.Clean(p))
	switch {
	case err != nil || at.Hidden || v.isHome(path.Clean(p)):
	case !at.Exists:
		v.problem("workdir", p, "the working directory does not exist; the runtime makes it, as root's: the container can't write there")
	default:
		closed := v.reach(at.Path)
		if closed == "" && !v.may(1, at) {
			closed = owner(&at.Stat)
		}
		if closed != "" {
			v.problem("workdir", p, "the working directory can't be entered: %s", closed)
		} else if !v.may(2, at) {
			v.problem("workdir", p, "the working directory can't be written: %s", owner(&at.Stat))
		}
	}
}

func (v *view) isHome(p string) bool {
	return v.d.Mounted && links.Within(v.d.Home, p)
}

// mostNames limits how many names of a directory are examined.
const mostNames = 1000

// home: the tmpfs hides the image's files below it, and HOME no longer points to what the image put into the home that
// it meant.
func (v *view) home(a *Asked) {
	if v.d.Mounted {
		if names, err := v.image.Entries(v.d.Home, mostNames); err == nil && len(names) > 0 {
			v.problem("home", v.d.Home, "the home hides what the image has there: %s", quoted(names))
		}
	}
	meant := variable(v.spec.Process.Env, "HOME")
	if a != nil && a.UID == 0 && (meant == "" || meant == v.d.Home) { // rewritten, or left to the runtime
		meant = "/root"
	}
	meant = path.Clean("/" + meant)
	if meant == v.d.Home || meant == "/" {
		return
	}
	if m := (homedir.Meant{Root: meant, Image: v.image}); m.More() == "" {
		return // nothing, or only what a distribution puts there
	}
	if names, err := v.image.Entries(meant, mostNames); err == nil && len(names) > 0 {
		v.problem("home", meant, "the image has files in the home that it meant, and HOME is %q: %s", v.d.Home, quoted(names))
	}
}

func quoted(names []string) string {
	slices.Sort(names)
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = fmt.Sprintf("%q", n)
	}
	return some(all)
}

// writable lists directories that every program may expect to write to.
var writable = []string{"/tmp", "/var/tmp"}

// directories checks those that all users write to, and those that the environment names, such as PGDATA.
func (v *view) directories() {
	seen := map[string]bool{path.Clean(v.spec.Process.Cwd): true}
	check := func(p, what string) {
		p = path.Clean(p)
		if seen[p] || v.isHome(p) || slices.ContainsFunc([]string{"/usr", "/bin", "/sbin", "/lib", "/etc", "/proc", "/sys", "/dev"}, func(tree string) bool {
			return p == "/" || links.Within(tree, p)
		}) {
			return
		}
		seen[p] = true
		at, err := v.image.Look(p)
		if err != nil || !at.Exists || at.Hidden || at.Mount != nil || at.Stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			return // volumes are examined separately
		}
		if !v.may(3, at) {
			v.problem("directory", p, "%s can't be written: %s", what, owner(&at.Stat))
		}
	}
	for _, p := range writable {
		check(p, "the directory of everyone's files")
	}
	for _, e := range v.spec.Process.Env {
		name, value, _ := strings.Cut(e, "=")
		if path.IsAbs(value) && !slices.Contains([]string{"HOME", "PATH", "PWD"}, name) && !strings.ContainsAny(value, ":\x00") {
			check(value, fmt.Sprintf("the directory of the environment's %q", name))
		}
	}
}

// volumes reports bind mounts, including an engine's volumes, that belong to other users.
func (v *view) volumes(ours func(spec.Mount) bool) {
	for _, m := range v.spec.Mounts {
		if !spec.Binds(m.Type, m.Options) || ours(spec.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options}) {
			continue
		}
		at, err := v.image.Look(path.Clean("/" + m.Destination))
		if err != nil || !at.Exists || len(m.UIDMappings) > 0 || slices.Contains(v.volumesGiven, m.Source) {
			continue
		}
		directory := at.Stat.Mode&unix.S_IFMT == unix.S_IFDIR
		switch {
		case directory && !v.who.may(5, &at.Stat):
			v.problem("volume", m.Destination, "the mount of %q can't be read: %s", m.Source, owner(&at.Stat))
		case directory && !(&spec.Mount{Options: m.Options}).Readonly() && !v.who.may(3, &at.Stat):
			v.problem("volume", m.Destination, "the mount of %q can't be written: %s", m.Source, owner(&at.Stat))
		case at.Stat.Mode&unix.S_IFMT == unix.S_IFREG && !v.who.may(4, &at.Stat):
			v.problem("volume", m.Destination, "the mounted file %q can't be read: %s", m.Source, owner(&at.Stat))
		case at.Stat.Mode&unix.S_IFMT == unix.S_IFSOCK && !v.who.may(2, &at.Stat):
			v.problem("volume", m.Destination, "the socket %q can't be used: %s", m.Source, owner(&at.Stat))
		}
	}
}

// Limits of the search for files that grant privileges.
const (
	MostFiles = 200_000
	mostNamed = 20
)

// setuid reports programs that noNewPrivileges affects: it makes setuid and setgid bits and file capabilities
// ineffective.
func (v *view) setuid() (notes []string) {
	found := 0
	complete := v.image.Walk(MostFiles, func(p, reach string, st *unix.Stat_t) {
		if st.Mode&0o111 == 0 {
			return
		}
		what := ""
		switch {
		case st.Mode&unix.S_ISUID != 0:
			what = fmt.Sprintf("a setuid file of uid %d", st.Uid)
		case st.Mode&unix.S_ISGID != 0 && st.Mode&0o010 != 0:
			what = fmt.Sprintf("a setgid file of gid %d", st.Gid)
		case hasCapabilities(reach):
			what = "a file with capabilities"
		default:
			return
		}
		if found++; found <= mostNamed {
			v.problem("setuid", p, "%s runs without what that would give it", what)
		}
	})
	if found > mostNamed {
		notes = append(notes, fmt.Sprintf("not listed: %d more with setuid, setgid or a file capability", found-mostNamed))
	}
	if !complete {
		notes = append(notes, fmt.Sprintf("the search for setuid files ended after %d files, or met a directory that can't be read", MostFiles))
	}
	return notes
}

// hasCapabilities looks for the attribute of capabilities(7), "File capabilities".
func hasCapabilities(file string) bool {
	_, err := unix.Lgetxattr(file, "security.capability", nil)
	return err == nil || errors.Is(err, unix.ERANGE)
}
