// SPDX-License-Identifier: Apache-2.0

// Package bundle reads and replaces the files of an OCI bundle, and reads the process files of exec, in a way
// that leaves nobody but the caller and root a say in them (SECURITY.md E7, E8, E13).
package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
)

// MaxSize bounds what is read of a file, in bytes. Docker's config.json has about 30 kB.
const MaxSize = 16 << 20

// Config is the name of the container's configuration within a bundle (runtime-spec, bundle.md).
const Config = "config.json"

// ErrTooLarge is returned for a file of more than MaxSize bytes.
var ErrTooLarge = errors.New("it has more than 16 MiB")

// Owners says which owners of files are trusted: root, the caller, and in a user namespace to which the
// host's root is not mapped the overflow id that stands for it there (user_namespaces(7)).
type Owners struct {
	euid, egid uint32
	own        idmap.Map // nil: read when the first file of somebody else's turns up, which is seldom

	groups bool            // whether the groups that may write a directory are as good as its owner
	guards map[string]bool // directories that were found to be guarded; nil: each is looked at whenever it is on a way
}

// WithGroups trusts the groups of directories, too: those of logs are often open to the group of those who keep them (Ubuntu,
// /var/log, group syslog).
func (o Owners) WithGroups() Owners {
	o.groups, o.guards = true, nil
	return o
}

// Remember is for a program that is gone within a millisecond: a directory is looked at once, though it lies above the policy, the
// bundle, the runtime and its state. Nobody but the trusted owners could open it to others meanwhile.
func (o Owners) Remember() Owners {
	o.guards = map[string]bool{}
	return o
}

// CallersOwners is what they are for the running process, whose own uid map is given or, where it is nil, read.
func CallersOwners(own idmap.Map) Owners {
	return Owners{euid: uint32(os.Geteuid()), egid: uint32(os.Getegid()), own: own} // #nosec G115 -- Linux ids have 32 bits
}

// Trusts says whether what this uid owns is as good as the caller's own.
func (o Owners) Trusts(uid uint32) bool {
	return uid == 0 || uid == o.euid || o.isOverflow(uid)
}

// isOverflow says whether the uid stands for the host's root, which has none of its own here.
func (o Owners) isOverflow(uid uint32) bool {
	own := o.own
	if own == nil {
		pair, err := idmap.Own()
		if err != nil {
			return false
		}
		own = pair.UID
	}
	_, mapped := own.Inside(0)
	return !mapped && uid == idmap.OverflowID()
}

// Dir is a bundle's directory, held open: later changes of the path that led to it don't matter.
type Dir struct {
	Path   string // absolute, free of symbolic links; this is what the runtime is given
	fd     int
	owners Owners
	top    string // the directory from which on up all was found to be guarded when it was opened; "": nothing was
}

// Open opens the bundle's directory, "" being the working directory, and refuses it where others than the owners
// can write it or a directory above it: they could swap its files after the rewrite. A sticky directory of root's,
// such as /tmp, does not count: nobody can rename in it what isn't his.
func Open(name string, owners Owners) (*Dir, error) {
	if name == "" {
		name = "."
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open bundle %q: %w", name, err)
	}
	d := &Dir{fd: fd, owners: owners}
	if d.Path, err = realPath(fd); err != nil {
		d.Close()
		return nil, fmt.Errorf("open bundle %q: %w", name, err)
	}
	if !utf8.ValidString(d.Path) { // the spec's mounts name it, in JSON
		d.Close()
		return nil, fmt.Errorf("open bundle %q: its path is not UTF-8", name)
	}
	return d, nil
}

// Sub opens a directory in it, which must not be a symbolic link.
func (d *Dir) Sub(name string) (*Dir, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", d.Join(name), err)
	}
	return &Dir{Path: d.Join(name), fd: fd, owners: d.owners, top: d.top}, nil
}

// Guarded says why the bundle is open to others, nil if it is not.
func (d *Dir) Guarded() error { return d.above(d.Path) }

// above checks a directory and all that lie above it.
func (d *Dir) above(p string) error {
	for ; p != d.top; p = path.Dir(p) {
		if err := d.owners.guarded(p); err != nil {
			return err
		}
		if p == "/" {
			return nil
		}
	}
	return nil
}

// Given says that the directory belongs to uid, the container's own root, and that nobody else has a hand in it: rootful Podman
// gives it to him with --uidmap and --userns=auto (libpod, container_internal.go). Whoever has that uid on the host could
// exchange what is in it, until it is taken back.
func (d *Dir) Given(uid uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return fmt.Errorf("look at %q: %w", d.Path, err)
	}
	if st.Uid != uid || d.owners.Trusts(uid) {
		return fmt.Errorf("the directory %q belongs to uid %d, not to the container's root, uid %d", d.Path, st.Uid, uid)
	}
	return d.above(path.Dir(d.Path))
}

// TakeBack makes root's again what was Given to uid. The group gid, the container's root's, may go on passing through, as
// the runtime has to within the user namespace. What was read before must be read again.
func (d *Dir) TakeBack(uid, gid uint32) error {
	if err := d.Given(uid); err != nil {
		return err
	}
	if err := unix.Fchownat(d.fd, "", 0, int(gid), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("chown %q: %w", d.Path, err)
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(d.fd), 0o710); err != nil {
		return fmt.Errorf("chmod %q: %w", d.Path, err)
	}
	return nil
}

// guarded checks one directory on the way to the bundle.
func (o Owners) guarded(dir string) error {
	if o.guards[dir] {
		return nil
	}
	err := o.look(dir)
	if err == nil && o.guards != nil {
		o.guards[dir] = true
	}
	return err
}

func (o Owners) look(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %q: %w", dir, err)
	}
	if !o.Trusts(st.Uid) {
		return fmt.Errorf("the directory %q belongs to uid %d, who can exchange what is in it: chown it to root", dir, st.Uid)
	}
	if err := o.servedByOwner(dir); err != nil {
		return err
	}
	if st.Mode&unix.S_ISVTX != 0 && (st.Uid == 0 || o.isOverflow(st.Uid)) {
		return nil
	}
	if st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !o.groups && !o.ownGroup(dir, st.Gid) {
		return fmt.Errorf("the directory %q can be written by others (mode %04o), who can exchange what is in it: chmod go-w it", dir, st.Mode&0o7777)
	}
	return nil
}

// ownGroup says that writing by the group means writing by the caller: it is the caller's own, and no access
// control list stands behind the mode's group bits (acl(5), "Correspondence between ACL entries and file
// permission bits").
func (o Owners) ownGroup(name string, gid uint32) bool {
	if gid != o.egid {
		return false
	}
	_, err := unix.Getxattr(name, "system.posix_acl_access", nil)
	return errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP)
}

// Close forgets the directory.
func (d *Dir) Close() { _ = unix.Close(d.fd) }

// Read reads one of the bundle's files with the checks of ReadFile.
func (d *Dir) Read(name string) ([]byte, error) {
	data, _, err := d.read(name)
	return data, err
}

func (d *Dir) read(name string) ([]byte, unix.Stat_t, error) {
	return readAt(d.fd, name, d.owners, d.closed)
}

// closed says that nobody but the trusted owners gets to the directory, as one on the way lets nobody else pass. Then a
// file's own mode does not matter: Docker 29 gives itself umask 0, by which its containerd writes config.json with mode
// 0666, in a directory of mode 0700.
func (d *Dir) closed() bool {
	for p := d.Path; ; p = path.Dir(p) {
		var st unix.Stat_t
		if unix.Lstat(p, &st) != nil || !d.owners.Trusts(st.Uid) {
			return false
		}
		if st.Mode&unix.S_IXOTH == 0 && (st.Mode&unix.S_IXGRP == 0 || d.owners.ownGroup(p, st.Gid)) {
			return true
		}
		if p == "/" {
			return false
		}
	}
}

// ReadFile reads a file that is regular, has one name, is no symbolic link, belongs to the caller or root, cannot
// be written by others, and has at most MaxSize bytes.
func ReadFile(name string, owners Owners) ([]byte, error) {
	data, _, err := readAt(unix.AT_FDCWD, name, owners, neverClosed)
	return data, err
}

// neverClosed says that others may get to a file's directory, for files whose mode has to be right wherever they lie.
func neverClosed() bool { return false }

// readAt reads a file below a directory. It's allowed to have a mode by which others could write it where they can't get to
// it, which is only asked about then.
func readAt(dir int, name string, owners Owners, closed func() bool) ([]byte, unix.Stat_t, error) {
	var st unix.Stat_t
	// O_NONBLOCK: a FIFO must not hold up the call; it is refused by its type below.
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, st, fmt.Errorf("%q is a symbolic link, which can lead elsewhere by the time it is used", name)
	}
	if err != nil {
		return nil, st, fmt.Errorf("open %q: %w", name, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, fmt.Errorf("look at %q: %w", name, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, st, fmt.Errorf("%q is no regular file", name)
	case st.Nlink != 1:
		return nil, st, fmt.Errorf("%q has %d names (hard links), by which others may change it", name, st.Nlink)
	case !owners.Trusts(st.Uid):
		return nil, st, fmt.Errorf("%q belongs to uid %d, neither to the caller nor to root", name, st.Uid)
	case (st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !owners.ownGroup("/proc/self/fd/"+strconv.Itoa(fd), st.Gid)) && !closed():
		return nil, st, fmt.Errorf("%q can be written by others (mode %04o): chmod go-w it", name, st.Mode&0o7777)
	case st.Size > MaxSize:
		return nil, st, fmt.Errorf("%q: %w", name, ErrTooLarge)
	}
	data, err := readAll(fd, int(st.Size))
	if err != nil {
		return nil, st, fmt.Errorf("read %q: %w", name, err)
	}
	return data, st, nil
}

// ReadGuarded reads a file as ReadFile does, whose path nobody else can lead elsewhere (Trusted).
func ReadGuarded(name string, owners Owners) ([]byte, error) {
	if !path.IsAbs(name) {
		return nil, fmt.Errorf("%q is no absolute path", name)
	}
	dir, _, err := Trusted(path.Dir(name), owners)
	if err != nil {
		return nil, err
	}
	data, _, err := readAt(unix.AT_FDCWD, path.Join(dir, path.Base(name)), owners, neverClosed)
	return data, err
}

// OpenTrusted is Open for a directory whose path nobody else can lead elsewhere (Trusted), and which so is Guarded.
func OpenTrusted(name string, owners Owners) (*Dir, error) {
	real, _, err := Trusted(name, owners)
	if err != nil {
		return nil, err
	}
	dir, err := Open(real, owners)
	if err == nil && dir.Path == real {
		dir.top = real
	}
	return dir, err
}

// readAll reads to the end, which may have moved since the size was asked for.
func readAll(fd, size int) ([]byte, error) {
	buf := make([]byte, size+1)
	for n := 0; ; {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return buf[:n], nil
		}
		if n += m; n > MaxSize {
			return nil, ErrTooLarge
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// Replace puts data in the place of one of the bundle's files, or makes it. At any moment, also after a crash or
// on a full disk, the old file or the new one is there, whole. It is not synced: a bundle does not outlive a
// reboot. The file gets the owner and mode of the one it replaces, but for the right of others to write, else the
// caller's and the given mode.
// A label that isn't empty becomes the new file's SELinux label.
func (d *Dir) Replace(name string, data []byte, mode uint32, label string) error {
	return d.replace(name, data, mode, label, func(temp string) error {
		return unix.Renameat(d.fd, temp, d.fd, name)
	})
}

// ReplaceSynced is Replace for a file that outlives a reboot: it is on disk when this returns, and after a crash the old one or the
// new one is there, whole.
func (d *Dir) ReplaceSynced(name string, data []byte, mode uint32) error {
	return d.replace(name, data, mode, "", func(temp string) error {
		if err := d.sync(temp); err != nil {
			return err
		}
		if err := unix.Renameat(d.fd, temp, d.fd, name); err != nil {
			return err
		}
		return d.sync(".") // the name
	})
}

func (d *Dir) sync(name string) error {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsync(fd), unix.Close(fd))
}

// ReplaceKeeping is Replace for a file that is there, and keeps the old one under another name. On a file system that
// can't exchange files (renameat2(2), EINVAL) the old one is not kept.
func (d *Dir) ReplaceKeeping(name string, data []byte, mode uint32, kept string) error {
	return d.replace(name, data, mode, "", func(temp string) error {
		err := unix.Renameat2(d.fd, temp, d.fd, name, unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			return unix.Renameat(d.fd, temp, d.fd, name)
		}
		if err != nil {
			return err
		}
		return unix.Renameat(d.fd, temp, d.fd, kept)
	})
}

// replace writes a temporary file and has it put in its place.
func (d *Dir) replace(name string, data []byte, mode uint32, label string, put func(temp string) error) error {
	uid, gid := -1, -1
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		mode, uid, gid = st.Mode&0o7775, int(st.Uid), int(st.Gid)
	}
	temp := tempPrefix + name + "." + strconv.Itoa(os.Getpid())
	if err := d.writeNew(temp, data, mode, uid, gid, label); err != nil {
		_ = unix.Unlinkat(d.fd, temp, 0)
		return fmt.Errorf("write %q: %w", path.Join(d.Path, temp), err)
	}
	if err := put(temp); err != nil {
		_ = unix.Unlinkat(d.fd, temp, 0)
		return fmt.Errorf("replace %q: %w", path.Join(d.Path, name), err)
	}
	return nil
}

// tempPrefix begins the names of the files that become others by Replace; the process id of the call ends them.
const tempPrefix = ".nonroot-"

// Sweep removes what killed calls have left of Replace in the bundle. Files of calls that are still running stay.
func (d *Dir) Sweep() {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // nothing of this is needed for the container
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	buf := make([]byte, 4096)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil || n == 0 {
			return
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if !strings.HasPrefix(name, tempPrefix) {
				continue
			}
			pid, err := strconv.Atoi(name[strings.LastIndexByte(name, '.')+1:])
			if err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				_ = unix.Unlinkat(d.fd, name, 0)
			}
		}
	}
}

func (d *Dir) writeNew(temp string, data []byte, mode uint32, uid, gid int, label string) error {
	// There may be one, which a killed call with this process id left behind.
	if err := unix.Unlinkat(d.fd, temp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	fd, err := unix.Openat(d.fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	err = fill(fd, data, mode, uid, gid, label)
	// A full disk or a quota may show only now (close(2)).
	return errors.Join(err, unix.Close(fd))
}

func fill(fd int, data []byte, mode uint32, uid, gid int, label string) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		data = data[n:]
	}
	if uid >= 0 && (uid != os.Geteuid() || gid != os.Getegid()) {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return err
		}
	}
	if label != "" {
		if err := unix.Fsetxattr(fd, "security.selinux", append([]byte(label), 0), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return err
		}
	}
	return unix.Fchmod(fd, mode)
}

// Remove removes one of the bundle's files. That there is none is fine.
func (d *Dir) Remove(name string) error {
	if err := unix.Unlinkat(d.fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %q: %w", path.Join(d.Path, name), err)
	}
	return nil
}

// Join is the absolute path of a file of the bundle.
func (d *Dir) Join(name string) string { return path.Join(d.Path, name) }

// realPath is the path of an open directory, without symbolic links (proc(5), /proc/pid/fd). It's refused where it
// does not lead to the directory: deleted, or outside the caller's root.
func realPath(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
	if err != nil {
		return "", err
	}
	p := string(buf[:n])
	var there, here unix.Stat_t
	if err := unix.Fstat(fd, &here); err != nil {
		return "", err
	}
	if !strings.HasPrefix(p, "/") || unix.Lstat(p, &there) != nil || there.Dev != here.Dev || there.Ino != here.Ino {
		return "", fmt.Errorf("its path %q leads elsewhere or nowhere", p)
	}
	return p, nil
}
