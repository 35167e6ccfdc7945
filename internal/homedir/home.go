// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// lastResort is the home if no other place is suitable.
const lastResort = "/nonroot-home"

// maxPath limits a home's length, so that its line of passwd still fits a lookup's buffer (longLine).
const maxPath = 255

// services lists directories with the data of services. An existing directory there must not be covered, not even an
// empty one, which a database may be about to use for the first time.
var services = [...]string{"/var", "/srv", "/run"}

// directory is a system directory, and why no home goes there.
type directory struct{ path, why string }

// trees lists directories that may not be homes, nor contain any. "/lib" stands for every top directory with a name
// that starts like that: lib64, libx32, ...
var trees = [...]directory{
	{"/proc", "the kernel's; crun and LSMs write labels through it"},
	{"/sys", "the kernel's"},
	{"/dev", "devices"},
	{"/etc", "configuration, passwd itself"},
	{"/usr", "programs"},
	{"/bin", "programs"},
	{"/sbin", "programs"},
	{"/lib", "libraries"},
	{"/boot", "the boot loader's"},
	{"/root", "root's home, closed to others"},
}

// shared lists directories that may not be homes themselves, as they don't belong to one account; directories below
// them may.
var shared = [...]directory{
	{"/", "the rootfs"},
	{"/home", "all homes"},
	{"/var", "all services' data"},
	{"/var/lib", "all services' data"},
	{"/var/log", "all services' logs"},
	{"/var/cache", "all services' caches"},
	{"/var/spool", "all services' queues"},
	{"/var/mail", "everyone's mail"},
	{"/var/opt", "add-on packages' data"},
	{"/var/local", "/usr/local's data"},
	{"/var/lock", "locks"},
	{"/var/run", "sockets and pid files"},
	{"/var/tmp", "everyone's files"},
	{"/var/www", "web sites"},
	{"/var/empty", "sshd's, must stay empty"},
	{"/run", "sockets and pid files"},
	{"/run/lock", "locks"},
	{"/run/user", "sessions"},
	{"/tmp", "everyone's files"},
	{"/opt", "add-on packages"},
	{"/srv", "data that is served"},
	{"/mnt", "mount points"},
	{"/media", "mount points"},
	{"/lost+found", "the file system's"},
	{"/nonexistent", "Debian's word for no home; must not exist"},
}

// place fills in Home and Mounts.
func (p *Plan) place(im *accounts.Image, o Options, entry accounts.User, known bool) error {
	p.Home = bareHome(o, entry, known)
	switch {
	case o.Mode == Always:
	case p.meant(im, o, entry), o.Mode == Auto && o.Kept && p.keep(im, o, entry), o.Path == "" && p.filled(im, o):
		return nil
	}
	p.note(p.moved)
	if o.Mode == Never {
		p.note("no home: the policy says never")
		return nil
	}
	var rejected []string
	places := [...]string{o.Path, entry.Home, "/home/" + p.Name, lastResort}
	for i, c := range places {
		if c == "" || slices.Contains(places[:i], c) {
			continue
		}
		if p.onVolume(im, o, c) {
			return nil
		}
		why := unsafe(im, c, o)
		if why == "" {
			p.Home = path.Clean(c)
			p.Mounts = homeMounts(p.Home, o)
			break
		}
		rejected = append(rejected, quote.Value(c)+" "+why)
	}
	reasons := strings.Join(rejected, "; ")
	switch {
	case p.Mounts == nil && o.Mode == Always:
		return fmt.Errorf("no home for %d:%d: no place is safe: %s", o.UID, o.GID, reasons)
	case p.Mounts == nil:
		p.note("no home: " + reasons)
	case reasons != "":
		p.note("the home is at " + strconv.Quote(p.Home) + ": " + reasons)
	}
	return nil
}

// onVolume uses a mount at the home's place as the home.
func (p *Plan) onVolume(im *accounts.Image, o Options, place string) bool {
	if place = tidy(place); place == "" || reserved(place) != "" {
		return false
	}
	at, err := im.Find(place)
	if err != nil {
		return false
	}
	at.Close()
	if at.Mount == nil || at.Mount.At != at.Path || o.unfit(im, place) != "" {
		return false
	}
	p.Home = place
	p.note(fmt.Sprintf("no home of its own: config.json mounts %s", quote.Value(place)))
	return true
}

// keep uses the home that the image meant for the identity, if it is suitable. The environment takes precedence over
// passwd, as it does for programs.
func (p *Plan) keep(im *accounts.Image, o Options, entry accounts.User) bool {
	for _, home := range []string{tidy(o.EnvHome), tidy(entry.Home)} {
		if home == "" {
			continue
		}
		if why := serves(im, home, o); why != "" {
			p.Home = home
			p.note(fmt.Sprintf("no home of its own: %s is kept, as %s", quote.Value(home), why))
			return true
		}
	}
	return false
}

// bareHome returns HOME if no home is mounted: what the image meant.
func bareHome(o Options, entry accounts.User, known bool) string {
	if env := tidy(o.EnvHome); o.Kept && env != "" {
		return env
	}
	if home := tidy(entry.Home); known && home != "" {
		return home
	}
	return "/"
}

// tidy returns a path without doubled or trailing slashes; "" if it isn't absolute, has "..", or can't be written in
// passwd, in a mount's options or in JSON.
func tidy(p string) string {
	if !path.IsAbs(p) || len(p) > maxPath || rootfs.Climbs(p) || !utf8.ValidString(p) {
		return ""
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == ':' || r == ',' }) {
		return ""
	}
	return path.Clean(p)
}

// underlay is the type of the mount beneath the home's.
const underlay = "ramfs"

// homeMounts returns the home's tmpfs and a mount beneath it. Whatever its options say, runc 1.1 gives a tmpfs, and no
// other type, the mode of the mount point that it covers (libcontainer/rootfs_linux.go, mountToRootfs): 0755 from a
// container's second start on, when the directory exists. So the mount point needs the right mode, and the image must
// not be changed. The ramfs itself can't be reached.
func homeMounts(home string, o Options) []rootfs.Mount {
	return []rootfs.Mount{
		{Destination: home, Type: underlay, Source: TmpfsSource, Options: []string{"nosuid", "nodev", "noexec", "mode=0700"}},
		tmpfs(home, o),
	}
}

// tmpfs returns the home's mount. The ids are the container's, even in a user namespace (SECURITY.md C11). Programs can
// be run from it: pip, npm and cargo install theirs there.
func tmpfs(dest string, o Options) rootfs.Mount {
	return rootfs.Mount{
		Destination: dest, Type: "tmpfs", Source: TmpfsSource,
		Options: []string{
			"nosuid", "nodev", "mode=0700",
			"uid=" + strconv.FormatUint(uint64(o.UID), 10),
			"gid=" + strconv.FormatUint(uint64(o.GID), 10),
			"size=" + o.Size,
		},
	}
}

// serves says why the home that the image meant for its own user is kept: it is a volume, the image has put files
// there, or it is empty, and a container that asks for this user finds what it wrote there after a restart, as without
// nonroot-runc. It returns "" if the home is not kept.
func serves(im *accounts.Image, home string, o Options) string {
	s, err := im.Find(home)
	if err != nil {
		return ""
	}
	defer s.Close()
	if inTree(s.Path) != nil {
		return ""
	}
	var st unix.Stat_t
	if s.FD >= 0 {
		if st, err = s.Stat(); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return ""
		}
	}
	if s.Mount != nil {
		return fmt.Sprintf("config.json mounts %s", quote.Value(s.Mount.At))
	}
	lasts := s.FD >= 0 && o.Meant.Lasts != nil && o.Meant.Lasts(home)
	switch {
	case s.FD < 0:
		return ""
	case st.Uid != o.owner() && lasts:
		return "the image opens it to this user's group"
	case st.Uid != o.owner():
		return ""
	}
	switch empty, err := im.Empty(s.Path); {
	case err != nil:
		return ""
	case !empty:
		return "the image has files of this user there"
	case lasts:
		return "it is this user's, in the container's own layer"
	}
	return ""
}

// inTree returns the tree that contains a path.
func inTree(p string) *directory {
	for i := range trees {
		if links.Within(trees[i].path, p) || trees[i].path == "/lib" && strings.HasPrefix(p, "/lib") {
			return &trees[i]
		}
	}
	return nil
}

// unsafe says why a place can't be a home; "" if it can.
func unsafe(im *accounts.Image, p string, o Options) string {
	if p = tidy(p); p == "" {
		return "can't be a home's path"
	}
	if why := reserved(p); why != "" {
		return why
	}
	if astray := im.Astray(); astray != "" {
		return fmt.Sprintf("may be where the mount at %s lies", quote.Value(astray))
	}
	if m := im.Touching(p); m != nil {
		return fmt.Sprintf("meets the mount at %s", quote.Value(m.At))
	}
	return occupied(im, p, o)
}

// reserved says which system directory a path belongs to, if any.
func reserved(p string) string {
	if f := inTree(p); f != nil {
		return "is in a system directory (" + f.path + ": " + f.why + ")"
	}
	for _, f := range shared {
		if f.path == p {
			return "is a system directory (" + f.why + ")"
		}
	}
	return ""
}

// occupied says what in the rootfs rules out mounting at p: a link on the way, a directory with files in it or one that
// others can't reach, or a missing directory that can't be created.
func occupied(im *accounts.Image, p string, o Options) string {
	if why := unreachable(im, path.Dir(p), o); why != "" {
		return why
	}
	empty, err := im.Empty(p)
	switch {
	case err == nil && !empty:
		return "is not empty"
	case err == nil && inService(p):
		return "is a service's directory"
	case err == nil:
		return ""
	case errors.Is(err, unix.ENOENT):
		if why := im.Unwritable(); why != "" {
			return "does not exist, and " + why
		}
		return ""
	}
	return fmt.Sprintf("can't be used: %v", err)
}

// inService reports whether a path is among the data of services.
func inService(p string) bool {
	return slices.ContainsFunc(services[:], func(dir string) bool { return links.Within(dir, p) })
}

// unreachable names a directory above a home that the identity can't search.
func unreachable(im *accounts.Image, dir string, o Options) string {
	for ; dir != "/"; dir = path.Dir(dir) {
		st, err := im.Stat(dir) // occupied reports more about failures
		if err == nil && !passable(&st, o.owner()) {
			return fmt.Sprintf("can't be reached: %s is closed", quote.Value(dir))
		}
	}
	return ""
}

// passable reports whether owner may search a directory. It is true for anything but a directory.
func passable(st *unix.Stat_t, owner uint32) bool {
	return st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o001 != 0 || st.Uid == owner && st.Mode&0o100 != 0
}
