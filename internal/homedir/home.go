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

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// lastResort is the home where no other place serves.
const lastResort = "/nonroot-home"

// maxPath bounds a home's length. With its own line of passwd at its longest,
// the entry still fits a lookup's buffer (longLine).
const maxPath = 255

// services hold the data of services; what is there already is not ours to
// cover, not even an empty directory, which may be a database's first start.
var services = [...]string{"/var", "/srv", "/run"}

// directory is a system directory and why no home goes there.
type directory struct{ path, why string }

// trees may not be homes, nor may anything below them. "/lib" stands for every
// top directory whose name starts so: lib64, libx32, ...
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

// shared may not be homes themselves, as they are not one account's; directories
// below them may.
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

// planHome fills in Home and Mounts.
func (im *Image) planHome(p *Plan, w Wish, entry User, known bool) error {
	p.Home = bareHome(w, entry, known)
	if w.Mode == Never {
		p.note("no home: the policy says never")
		return nil
	}
	if w.Mode == Auto && w.Kept && im.keepHome(p, w, entry) {
		return nil
	}
	var rejected []string
	places := [...]string{w.Path, entry.Home, "/home/" + p.Name, lastResort}
	for i, c := range places {
		if c == "" || slices.Contains(places[:i], c) {
			continue
		}
		why := im.unsafe(c, w)
		if why == "" {
			p.Home = path.Clean(c)
			p.Mounts = homeMounts(p.Home, w)
			break
		}
		rejected = append(rejected, quote.Value(c)+" "+why)
	}
	reasons := strings.Join(rejected, "; ")
	switch {
	case p.Mounts == nil && w.Mode == Always:
		return fmt.Errorf("no home for %d:%d: no place is safe: %s", w.UID, w.GID, reasons)
	case p.Mounts == nil:
		p.note("no home: " + reasons)
	case reasons != "":
		p.note("the home is at " + strconv.Quote(p.Home) + ": " + reasons)
	}
	return nil
}

// keepHome leaves the identity the home that the image meant for it, if that
// serves. What the environment says comes before passwd, as it does for
// programs.
func (im *Image) keepHome(p *Plan, w Wish, entry User) bool {
	for _, home := range []string{tidy(w.EnvHome), tidy(entry.Home)} {
		if home == "" {
			continue
		}
		if why := im.serves(home, w); why != "" {
			p.Home = home
			p.note(fmt.Sprintf("no home of its own: %s stays, %s", quote.Value(home), why))
			return true
		}
	}
	return false
}

// bareHome is HOME where no home is mounted: what the image meant.
func bareHome(w Wish, entry User, known bool) string {
	if env := tidy(w.EnvHome); w.Kept && env != "" {
		return env
	}
	if home := tidy(entry.Home); known && home != "" {
		return home
	}
	return "/"
}

// tidy is a path without doubled or trailing slashes; "" where it isn't
// absolute, goes up, or can't stand in passwd, in a mount's options or in
// JSON.
func tidy(p string) string {
	if !path.IsAbs(p) || len(p) > maxPath || climbs(p) || !utf8.ValidString(p) {
		return ""
	}
	if strings.ContainsFunc(p, func(r rune) bool { return control(r) || r == ':' || r == ',' }) {
		return ""
	}
	return path.Clean(p)
}

// underlay is the type of the mount that goes under the home's.
const underlay = "ramfs"

// homeMounts are the home's tmpfs and a mount beneath it. runc 1.1 gives a
// tmpfs, and no other type, the mode of the mount point that it covers,
// whatever its options say (libcontainer/rootfs_linux.go, mountToRootfs): 0755
// from a container's second start on, when the directory is there. So the mount
// point has to have the right mode, and the image isn't ours to change. Nobody
// reaches the ramfs.
func homeMounts(home string, w Wish) []Mount {
	return []Mount{
		{Destination: home, Type: underlay, Source: TmpfsSource, Options: []string{"nosuid", "nodev", "noexec", "mode=0700"}},
		tmpfs(home, w),
	}
}

// tmpfs is the home's mount. The ids are the container's also in a user
// namespace (SECURITY.md C11). Programs may be run from it: pip, npm and cargo
// put theirs there.
func tmpfs(dest string, w Wish) Mount {
	return Mount{
		Destination: dest, Type: "tmpfs", Source: TmpfsSource,
		Options: []string{
			"nosuid", "nodev", "mode=0700",
			"uid=" + strconv.FormatUint(uint64(w.UID), 10),
			"gid=" + strconv.FormatUint(uint64(w.GID), 10),
			"size=" + w.Size,
		},
	}
}

// serves says why the home that the image meant for its own user stays: it is
// a volume, or the image has put files there. "": it does not.
func (im *Image) serves(home string, w Wish) string {
	s, err := im.find(home)
	defer s.close()
	if err != nil || inTree(s.path) != nil {
		return ""
	}
	var st unix.Stat_t
	if s.fd >= 0 && (unix.Fstat(s.fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR) {
		return ""
	}
	if s.mount != nil {
		return fmt.Sprintf("the spec mounts %s", quote.Value(s.mount.at))
	}
	if s.fd < 0 || st.Uid != w.owner() {
		return ""
	}
	if empty, err := im.empty(s.path); err != nil || empty {
		return ""
	}
	return "the image has files of this user there"
}

// inTree is the tree in which a path is.
func inTree(p string) *directory {
	for i := range trees {
		if within(trees[i].path, p) || trees[i].path == "/lib" && strings.HasPrefix(p, "/lib") {
			return &trees[i]
		}
	}
	return nil
}

// unsafe says why a place can't be a home; "": it can.
func (im *Image) unsafe(p string, w Wish) string {
	if p = tidy(p); p == "" {
		return "can't be a home's path"
	}
	if why := reserved(p); why != "" {
		return why
	}
	if im.astray != "" {
		return fmt.Sprintf("may be where the mount at %s lies", quote.Value(im.astray))
	}
	if m := im.touching(p); m != nil {
		return fmt.Sprintf("meets the mount at %s", quote.Value(m.at))
	}
	return im.occupied(p, w)
}

// reserved says whose directory a path is, if it is the system's.
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

// occupied says what in the rootfs speaks against mounting at p: a link on the
// way, a directory with files in it or one that others can't reach, or no directory
// and no way to make one.
func (im *Image) occupied(p string, w Wish) string {
	if why := im.unreachable(path.Dir(p), w); why != "" {
		return why
	}
	empty, err := im.empty(p)
	switch {
	case err == nil && !empty:
		return "is not empty"
	case err == nil && inService(p):
		return "is a service's directory"
	case err == nil:
		return ""
	case errors.Is(err, unix.ENOENT):
		if why := im.unwritable(); why != "" {
			return "does not exist, and " + why
		}
		return ""
	}
	return fmt.Sprintf("can't be used: %v", err)
}

// inService reports whether a path is among the data of services.
func inService(p string) bool {
	return slices.ContainsFunc(services[:], func(dir string) bool { return within(dir, p) })
}

// unreachable says which directory above a home the identity can't pass.
func (im *Image) unreachable(dir string, w Wish) string {
	for ; dir != "/"; dir = path.Dir(dir) {
		fd, err := openat2(im.root, dir, unix.O_PATH, inRoot|unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			continue // occupied says more about it
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		_ = unix.Close(fd)
		if err == nil && !passable(&st, w.owner()) {
			return fmt.Sprintf("can't be reached: %s is closed", quote.Value(dir))
		}
	}
	return ""
}

// passable reports whether a directory lets owner through. What is no directory isn't
// its business.
func passable(st *unix.Stat_t, owner uint32) bool {
	return st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o001 != 0 || st.Uid == owner && st.Mode&0o100 != 0
}

// empty reports whether a directory of the rootfs, to which no link leads, has
// nothing in it.
func (im *Image) empty(p string) (bool, error) {
	fd, err := openat2(im.root, p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	var buf [4096]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		if err != nil {
			return false, fault{err}
		}
		if n == 0 {
			return true, nil
		}
		// ParseDirent leaves "." and ".." out.
		if _, _, names := unix.ParseDirent(buf[:n], 1, nil); len(names) > 0 {
			return false, nil
		}
	}
}

// unwritable says why the runtime should not make a mount point in the rootfs;
// "": it may.
func (im *Image) unwritable() string {
	if im.readonly {
		return "the rootfs is read-only"
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(im.root, &fs); err != nil || fs.Flags&unix.ST_RDONLY != 0 {
		return "the rootfs's file system is read-only"
	}
	var here, host unix.Stat_t
	if unix.Fstat(im.root, &here) != nil || unix.Stat("/", &host) != nil {
		return "whose rootfs it is can't be told"
	}
	if here.Dev == host.Dev && here.Ino == host.Ino {
		return "the rootfs is the host's own"
	}
	return ""
}
