// SPDX-License-Identifier: Apache-2.0

// Package adopt changes the owner of an engine's old volume, which root has written to, to the user that uses it now,
// and can undo that. What a container does to a new volume belongs to internal/layer; nothing here runs when a
// container is created.
package adopt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Find returns the directory of a volume. A name is looked up where engines keep their volumes (the beginning of an
// anonymous volume's name is enough), and a path is used unchanged. It fails for a directory that no engine manages:
// what a person mounts into a container is theirs to change.
func Find(volume string, owners trusted.Owners) (string, error) {
	candidates := []string{path.Clean(volume)}
	if !path.IsAbs(volume) {
		if volume == "" || strings.Contains(volume, "/") || volume[0] == '.' {
			return "", fmt.Errorf("%q is neither a volume's name nor an absolute path", volume)
		}
		candidates = candidates[:0]
		for _, store := range engines.VolumeStores() {
			candidates = append(candidates, path.Join(store, volume, "_data"))
		}
	}
	for _, dir := range candidates {
		if layer.IsVolume(dir, owners) {
			return dir, nil
		}
	}
	switch found := byPrefix(volume, All(owners)); {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", several(volume, found)
	}
	return "", fmt.Errorf("%q is not a volume of Docker's or Podman's\nhint: name one as docker volume inspect -f '{{.Mountpoint}}' NAME prints it", volume)
}

// All returns the directories of volumes in engines' default places.
func All(owners trusted.Owners) (dirs []string) {
	for _, store := range engines.VolumeStores() {
		found, _ := filepath.Glob(store + "/*/_data") // the pattern is well-formed
		for _, dir := range found {
			if layer.IsVolume(dir, owners) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// ID is an owner of files, as ids on disk.
type ID = layer.Owner

// Options control what is done to a volume.
type Options struct {
	Volume string // its directory, from Find
	To     ID     // the new owner of root's files; neither id is 0, except the uid if only groups change
	Group  bool   // owners don't change; what root's group may use and others may not becomes usable to To's group
	From   ID     // root's ids on disk: not 0 for the root of a user namespace
	State  string // the policy's state directory, for the journal
	DryRun bool
}

// Result reports what was done.
type Result struct {
	Volume  string   `json:"volume"`
	Given   int      `json:"given"`   // entries that changed their owner, or would
	Skipped []string `json:"skipped"` // root's paths that do not change, and why; the first 100
	Others  int      `json:"others"`  // entries of other users, which do not change
}

// entry is a line of the journal: the previous owner of an entry.
type entry struct {
	Path []byte `json:"path"` // below the volume, in any bytes; "." is its top
	Ino  uint64 `json:"ino"`  // its inode number, to recognize the file
	Born int64  `json:"born"` // when it was created, as inode numbers are reused: nanoseconds; 0: the file system does not record it (statx(2))
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	To   uint32 `json:"to"` // the new owner

	Regrouped bool `json:"regrouped,omitempty"` // its group changed, too; in older journals, it did if it was 0
}

func (e *entry) is(other *entry) bool { return e.Ino == other.Ino && e.Born == other.Born }

// maxDepth limits nested directories, each of which is held open.
const maxDepth = 512

// inside keeps a lookup within the volume, away from links and other mounts: a running container may change it
// meanwhile.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// Adopt changes the owner of root's directories, files, links, sockets and fifos in a volume. It leaves out devices,
// files with a privilege of their own (a change of owner would remove it) and files with a second name, which may be
// elsewhere. Each change is in the journal before it is made, so that an interrupted run can be repeated and undone. An
// id of 0 is refused.
func Adopt(o *Options) (*Result, error) {
	if o.To.GID == 0 || o.To.UID == 0 != o.Group {
		return nil, errors.New("a volume can't be given to root\nhint: use ids above 0")
	}
	top, err := unix.Open(o.Volume, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the volume %q: %w", o.Volume, err)
	}
	defer unix.Close(top)
	w := &walk{Options: o, Result: Result{Volume: o.Volume, Skipped: []string{}}}
	if !o.DryRun {
		if w.journal, err = openJournal(o); err != nil {
			return nil, err
		}
		defer w.journal.Close() // it was synced
	}
	var st unix.Stat_t
	if err := unix.Fstat(top, &st); err != nil {
		return nil, fmt.Errorf("look at the volume %q: %w", o.Volume, err)
	}
	// The top comes last: until then a create does not take the volume for adopted.
	err = w.directory(top, ".", 0)
	if err == nil {
		err = w.add(top, ".", &st)
	}
	return &w.Result, errors.Join(err, w.flush())
}

type walk struct {
	*Options
	Result
	journal *os.File
	batch   []change
}

type change struct {
	entry
	fd int
}

func (w *walk) directory(fd int, at string, depth int) error {
	names, err := dirents.Names(fd, 1<<30)
	if err != nil {
		return fmt.Errorf("read %q: %w", path.Join(w.Options.Volume, at), err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.entry(fd, name, path.Join(at, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(dir int, name, at string, depth int) error {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inside})
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil // it no longer exists
	case errors.Is(err, unix.EXDEV):
		w.skip(at, "something else is mounted there")
		return nil
	case err != nil:
		return fmt.Errorf("open %q: %w", path.Join(w.Options.Volume, at), err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at %q: %w", path.Join(w.Options.Volume, at), err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if depth >= maxDepth {
			w.skip(at, "it lies too deep")
			return nil
		}
		below, err := unix.Openat2(fd, ".", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inside})
		if err != nil {
			return fmt.Errorf("open %q: %w", path.Join(w.Options.Volume, at), err)
		}
		err = w.directory(below, at, depth+1)
		_ = unix.Close(below)
		if err != nil {
			return err
		}
	}
	return w.add(fd, at, &st)
}

// add adds an entry to the batch if it belongs to root and can change owner.
func (w *walk) add(fd int, at string, st *unix.Stat_t) error {
	to := w.To.UID
	switch {
	case w.Group && (st.Gid != w.From.GID || !layer.OpensToGroup(st)):
		return nil
	case w.Group:
		to = st.Uid
	case st.Uid == to:
		return nil
	case st.Uid != w.From.UID:
		w.Others++
		return nil
	}
	if why := stays(fd, st); why != "" {
		w.skip(at, why)
		return nil
	}
	w.Given++
	if w.DryRun {
		return nil
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep %q open: %w", path.Join(w.Options.Volume, at), err)
	}
	w.batch = append(w.batch, change{entry{[]byte(at), st.Ino, layer.Born(fd), st.Uid, st.Gid, to, st.Gid == w.From.GID}, own})
	if len(w.batch) >= 128 {
		return w.flush()
	}
	return nil
}

// stays says why an entry of root's does not change; "" if it does.
func stays(fd int, st *unix.Stat_t) string {
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFCHR, kind == unix.S_IFBLK:
		return "it is a device"
	case kind == unix.S_IFREG && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0:
		return "it is setuid or setgid"
	case kind != unix.S_IFDIR && st.Nlink > 1:
		return "it has a second name"
	case kind == unix.S_IFREG:
		if _, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), "security.capability", nil); err == nil {
			return "it has capabilities"
		}
	}
	return ""
}

func (w *walk) skip(at, why string) {
	if len(w.Skipped) < 100 {
		w.Skipped = append(w.Skipped, path.Join(w.Options.Volume, at)+": "+why)
	}
}

// flush writes the batch to the journal, and then changes the owners.
func (w *walk) flush() error {
	if len(w.batch) == 0 {
		return nil
	}
	batch := w.batch
	w.batch = w.batch[:0]
	defer func() {
		for _, c := range batch {
			_ = unix.Close(c.fd)
		}
	}()
	for _, c := range batch {
		line, err := json.Marshal(c.entry)
		if err == nil {
			_, err = w.journal.Write(append(line, '\n'))
		}
		if err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
	}
	if err := w.journal.Sync(); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	for _, c := range batch {
		gid := -1
		if c.Regrouped {
			gid = int(w.To.GID)
		}
		err := unix.Fchownat(c.fd, "", changed(c.UID, c.To), gid, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.EPERM) { // chattr(1), +i
			w.Given--
			w.skip(string(c.Path), "the kernel does not permit it")
		} else if err != nil {
			return fmt.Errorf("give %q: %w", path.Join(w.Options.Volume, string(c.Path)), err)
		}
	}
	return nil
}

// changed returns an owner for chown(2): -1 leaves it unchanged.
func changed(from, to uint32) int {
	if from == to {
		return -1
	}
	return int(to)
}

// journalName returns a volume's file below the state directory.
func journalName(volume string) string {
	sum := sha256.Sum256([]byte(volume))
	return hex.EncodeToString(sum[:16]) + ".jsonl"
}

func journalDir(state string) string { return path.Join(state, "volumes") }

func openJournal(o *Options) (*os.File, error) {
	dir := journalDir(o.State)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a place for the journal: %w", err)
	}
	f, err := os.OpenFile(path.Join(dir, journalName(o.Volume)), os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	// This ends a line that was cut off; an empty line means nothing.
	if _, err := f.WriteString("\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("write the journal: %w", err), f.Close())
	}
	return f, nil
}

// Undo restores the owners in a journal where the entry is still the same and belongs to the new owner. It only follows
// the journal, and removes it once everything was restored or no longer exists. Entries that were created since, or
// that replaced others, do not change.
func Undo(o *Options) (*Result, error) {
	name := path.Join(journalDir(o.State), journalName(o.Volume))
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the volume %q was not adopted: there is no journal of it in %q", o.Volume, journalDir(o.State))
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	top, err := unix.Open(o.Volume, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the volume %q: %w", o.Volume, err)
	}
	defer unix.Close(top)
	r, left := &Result{Volume: o.Volume, Skipped: []string{}}, 0
	for _, e := range readJournal(text) {
		back, err := giveBack(o, top, e)
		switch {
		case err != nil:
			left++
			r.Skipped = append(r.Skipped, fmt.Sprintf("%s: %v", path.Join(o.Volume, string(e.Path)), err))
		case back:
			r.Given++
		default:
			r.Others++
		}
	}
	if o.DryRun {
		return r, nil
	}
	if left > 0 {
		return r, fmt.Errorf("%d files of %q could not be changed back, the first: %s\nhint: fix that, and undo again: the journal is kept", left, o.Volume, r.Skipped[0])
	}
	return r, os.Remove(name)
}

// readJournal returns each entry once. Of several runs, the first previous owner counts, and the last new one. A file
// that a program has put in the place of another between two runs is an entry of its own.
func readJournal(text []byte) (all []*entry) {
	seen := map[string]*entry{}
	for line := range bytes.Lines(text) {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			continue // cut off before anything was changed
		}
		first, known := seen[string(e.Path)]
		switch {
		case !known, !first.is(&e):
			seen[string(e.Path)] = &e
			all = append(all, &e)
		case first.To == e.UID:
			first.To, first.Regrouped = e.To, first.Regrouped || e.Regrouped
		}
	}
	return all
}

// giveBack reports whether it changed the owner; an entry that no longer exists, was replaced, or belongs to another
// user does not change.
func giveBack(o *Options, top int, e *entry) (bool, error) {
	fd, err := walkTo(top, string(e.Path))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	if st.Ino != e.Ino || layer.Born(fd) != e.Born || st.Uid != e.To || stays(fd, &st) != "" {
		return false, nil
	}
	if o.DryRun {
		return true, nil
	}
	gid := -1
	if e.Regrouped || e.GID == 0 {
		gid = int(e.GID)
	}
	return true, unix.Fchownat(fd, "", changed(e.To, e.UID), gid, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
}

// walkTo opens a path one component at a time: it may be longer than the kernel allows.
func walkTo(top int, at string) (int, error) {
	fd, err := unix.FcntlInt(uintptr(top), unix.F_DUPFD_CLOEXEC, 0)
	for part := range strings.SplitSeq(at, "/") {
		if err != nil {
			return -1, err
		}
		next, openErr := unix.Openat2(fd, part, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inside})
		_ = unix.Close(fd)
		fd, err = next, openErr
	}
	return fd, err
}

// Left is a reason to adopt a volume. The zero value is none.
type Left struct {
	Roots  bool   // its top is root's, and an entry in it is, too: root used it, and no other user can write it
	Groups bool   // only its owner and root's group, which no container has, can use it
	Part   string // an entry in it that is root's and closed to its owner
	Who    ID     // the owner of a volume with such a part
}

// LeftIn returns why a volume has to be adopted.
func LeftIn(dir string, owners trusted.Owners) (l Left) {
	switch {
	case layer.RootsVolume(dir, owners):
		l.Roots = true
	case layer.GroupsVolume(dir, owners):
		l.Groups = true
	default:
		if l.Part, l.Who = layer.PartOfVolume(dir, owners); l.Part == "" {
			l.Who = ID{}
		}
	}
	return l
}

// Named reports whether an access control list (acl(5)) lets users other than owner and group write at the top of a
// volume.
func Named(dir string, owners trusted.Owners) bool { return layer.NamedByList(dir, owners) }
