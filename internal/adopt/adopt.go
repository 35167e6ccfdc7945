// SPDX-License-Identifier: Apache-2.0

// Package adopt gives an engine's volume from before, in which root has written, to the identity that uses it now, and back. What a
// container does to a new volume belongs into internal/layer; nothing here runs when a container is made.
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

// Find gives the directory of a volume: a name is looked for where engines keep theirs, of an anonymous one
// its beginning is enough, and a path is taken as it is. It fails on
// what no engine manages: what a person binds into a container is that person's to give.
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

// All lists the directories of the volumes that engines keep where they do by default.
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

// ID is an owner of files, as the disk has it.
type ID = layer.Owner

// Options is what is to be done to a volume.
type Options struct {
	Volume string // its directory, as Find gives it
	To     ID     // who gets what is root's; neither id is 0, but the uid where only groups change
	Group  bool   // owners stay, and what root's group may use and others may not becomes To's group's
	From   ID     // who root is on disk: not 0 for the root of a user namespace
	State  string // the policy's directory of state, where the journal is kept
	DryRun bool
}

// Result is what was done.
type Result struct {
	Volume  string   `json:"volume"`
	Given   int      `json:"given"`   // entries that changed their owner, or would
	Skipped []string `json:"skipped"` // paths that stay as they are though they are root's, and why; the first 100
	Others  int      `json:"others"`  // entries of somebody else, which stay
}

// entry is a line of the journal: who owned an entry before.
type entry struct {
	Path []byte `json:"path"` // below the volume, of any bytes; "." is its top
	Ino  uint64 `json:"ino"`  // which of that name
	Born int64  `json:"born"` // as numbers of inodes are used again: nanoseconds, 0 where the file system does not say (statx(2))
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	To   uint32 `json:"to"` // who got it

	Regrouped bool `json:"regrouped,omitempty"` // its group went, too; in journals from before, where that was 0
}

func (e *entry) is(other *entry) bool { return e.Ino == other.Ino && e.Born == other.Born }

// maxDepth bounds the directories below one another, each of which is open.
const maxDepth = 512

// inside keeps a lookup to the volume, off links and off other mounts: a container that runs with it may change it meanwhile.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// Adopt gives the identity what in a volume is root's: directories, files, links, sockets and fifos. It
// stays away from devices, from files with a privilege of their own (a change of owner takes that away) and from files with a
// second name, which may lie elsewhere. Each change is in the journal before it is made, so that a run that was interrupted
// can be repeated, and undone. An id of 0 is refused.
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
	// The top is the last one: until then a create does not take the volume for adopted.
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
		return nil // it is gone
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

// add takes an entry into the batch if it is root's, and can be given.
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

// stays says why an entry that is root's is not given; "": it is.
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

// changed is an owner as chown(2) takes it: -1 leaves it as it is.
func changed(from, to uint32) int {
	if from == to {
		return -1
	}
	return int(to)
}

// journalName is the file of a volume below the directory of state.
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
	// A line that was cut off ends here; an empty one is none.
	if _, err := f.WriteString("\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("write the journal: %w", err), f.Close())
	}
	return f, nil
}

// Undo gives back what a journal has, as far as it is still the same, and of who got it. It goes by the journal alone. The journal is
// removed once all of it was given back or is gone; what was made since, or put in the place of something, stays.
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

// readJournal gives each entry once. Of several runs, who owned it first counts, and who got it last. What a program has put in the place of an
// entry between two runs is an entry of its own.
func readJournal(text []byte) (all []*entry) {
	seen := map[string]*entry{}
	for line := range bytes.Lines(text) {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			continue // cut off, before anything was changed by it
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

// giveBack says whether it did; what is gone, something else by now, or somebody else's is nothing to give back.
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

// walkTo opens a path one part at a time: it may be longer than the kernel takes at once.
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

// Left is why a volume is to be adopted: one of these. The zero value is no reason.
type Left struct {
	Roots  bool   // its top is root's, and something in it is, too: it was used as root, and can't be written without
	Groups bool   // it is open to root's group, which no container has, and to nobody else but its owner
	Part   string // what in it is root's, and closed to its owner
	Who    ID     // the owner of a volume with such a part
}

// LeftIn says why a volume is to be adopted.
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

// Named says whether an access control list (acl(5)) lets others than owner and group write at the top of a volume.
func Named(dir string, owners trusted.Owners) bool { return layer.NamedByList(dir, owners) }
