// SPDX-License-Identifier: Apache-2.0

// Package lease assigns numbers of a range to owners: an owner gets the same number again as long as the range has
// room, and never one that another living owner has. Its files outlive a reboot, as do files in containers' layers and
// volumes, which belong to the uids made from these numbers. What numbers, owners and ranges mean is up to the caller:
// no id and no policy belongs here.
//
// A store is a directory. It has one file for each number that was ever assigned, named after it, with the owner's name
// and the owner's containers; in "owners", one link for each owner, from a digest of the name to the number; and "key",
// a secret. A user who starts containers chooses owners' names, so a name must not reveal its number: otherwise names
// could be chosen to get a neighbour's number. Computing the number takes the key, which only root can read.
package lease

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Numbers are First, First+Step, and so on, as long as the whole step ends at or before Last.
type Numbers struct{ First, Last, Step uint32 }

// count returns how many there are. A step of 0 counts as 1.
func (n Numbers) count() uint64 {
	return (uint64(n.Last) - uint64(n.First) + 1) / n.step()
}

func (n Numbers) step() uint64 { return max(uint64(n.Step), 1) }

func (n Numbers) at(i uint64) uint32 { return uint32(uint64(n.First) + i%n.count()*n.step()) } // #nosec G115 -- from First to Last

// has reports whether a number is one of them.
func (n Numbers) has(v uint32) bool {
	return v >= n.First && (uint64(v)-uint64(n.First))%n.step() == 0 && (uint64(v)-uint64(n.First))/n.step() < n.count()
}

// probe returns the i-th place to look for a number for an owner. It may return a place twice.
func (n Numbers) probe(key []byte, owner string, i uint64) uint64 {
	h := sha256.New()
	h.Write(key)
	h.Write([]byte(owner))
	sum := h.Sum(nil)
	first, stride := binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])
	c := n.count()
	return (first%c + i*(stride%c|1)%c) % c
}

// Example returns a number that an owner may get. Only the store determines which one it gets.
func (n Numbers) Example(owner string) (uint32, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	return n.at(n.probe(nil, owner, 0)), nil
}

func (n Numbers) check() error {
	if n.First == 0 || n.Last < n.First || n.count() == 0 {
		return fmt.Errorf("there is no number from %d to %d in steps of %d", n.First, n.Last, n.Step)
	}
	return nil
}

// Store is a directory of leases.
type Store struct {
	Dir    string // created if it doesn't exist; only root, or the caller, may write it or a directory above it
	Owners trusted.Owners
	Alive  func(Member) bool // reports whether a container exists, or may
}

// Member is a container of an owner.
type Member struct {
	Bundle, ID string
	Pid        int    // of the process that creates it
	Start      uint64 // when that process began (proc(5), /proc/pid/stat, field 22)
}

// Take assigns a number to an owner, for one more of its containers. An owner that has a number keeps it.
func (s *Store) Take(n Numbers, owner string, m Member) (uint32, error) {
	v, err := s.take(n, owner, m)
	if err != nil {
		return 0, fmt.Errorf("find an id for %q in %q: %w", owner, s.Dir, err)
	}
	return v, nil
}

func (s *Store) take(n Numbers, owner string, m Member) (uint32, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	f, err := s.open()
	if err != nil {
		return 0, err
	}
	defer f.close()
	if err := f.lock(); err != nil {
		return 0, err
	}
	if err := f.makeKey(); err != nil {
		return 0, err
	}
	c, err := f.find(n, owner)
	if err != nil {
		return 0, err
	}
	if err := f.keep(c.idle); err != nil {
		return 0, err
	}
	if c.former != "" {
		if err := f.owners.Remove(digest(c.former)); err != nil {
			return 0, err
		}
	}
	// The link comes first: if an owner's link leads to an unassigned number, only that owner gets it.
	if err := f.link(owner, c.number); err != nil {
		return 0, err
	}
	e, err := f.read(c.number)
	if err != nil || e.owner != owner {
		e = &entry{owner: owner}
	}
	e.join(m, s.Alive)
	return c.number, f.dir.Replace(strconv.FormatUint(uint64(c.number), 10), e.encode(), 0o600, "")
}

// Preview returns the number that Take would assign, without assigning it. Before the store exists, it is an example.
func (s *Store) Preview(n Numbers, owner string) (uint32, error) {
	f, err := s.openExisting()
	if errors.Is(err, unix.ENOENT) {
		return n.Example(owner)
	}
	if err == nil {
		defer f.close()
		err = n.check()
	}
	if err == nil {
		err = f.readKey()
	}
	var c choice
	if err == nil {
		c, err = f.find(n, owner)
	}
	if err != nil {
		return 0, fmt.Errorf("find an id for %q in %q: %w", owner, s.Dir, err)
	}
	return c.number, nil
}

// directory is an open store.
type directory struct {
	store       *Store
	dir, owners *trusted.Dir
	lockFD      int
	key         []byte // nil: none yet
}

const (
	ownersDirectory = "owners"
	lockFile        = "lock"
	keyFile         = "key"
)

const keySize = 32 // bytes

func (s *Store) open() (*directory, error) {
	if err := os.MkdirAll(path.Join(s.Dir, ownersDirectory), 0o700); err != nil {
		return nil, err
	}
	return s.openExisting()
}

func (s *Store) openExisting() (*directory, error) {
	dir, err := trusted.OpenPath(s.Dir, s.Owners)
	if err != nil {
		return nil, err
	}
	f := &directory{store: s, dir: dir, lockFD: -1}
	if f.owners, err = dir.Sub(ownersDirectory); err == nil {
		err = f.owners.CheckPath() // the directories above must be safe, too
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *directory) close() {
	f.dir.Close()
	if f.owners != nil {
		f.owners.Close()
	}
	if f.lockFD >= 0 {
		_ = unix.Close(f.lockFD)
	}
}

// patience is how long a call waits for others, each of which takes some tenths of a millisecond. A call that is
// stopped, or waits for a disk, must not block every container for ever: engines show nothing while they wait.
var patience = 10 * time.Second

// lock lets only one call at a time make changes. The lock ends with close, or with the process.
func (f *directory) lock() error {
	name := f.dir.Join(lockFile)
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	f.lockFD = fd
	pause := time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %q: %w", name, err)
		case time.Now().After(end):
			return fmt.Errorf("lock %q: another process has held it for %s\nhint: lslocks(8) names it", name, patience)
		}
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// readKey reads the store's secret. A missing one is not an error: no number was assigned by it yet.
func (f *directory) readKey() error {
	key, err := f.dir.Read(keyFile)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil && len(key) == keySize {
		f.key = key
	}
	return err
}

// makeKey reads the secret, or creates it, also in place of a truncated one. Owners that have a number keep it all the
// same.
func (f *directory) makeKey() error {
	if err := f.readKey(); err != nil || f.key != nil {
		return err
	}
	key := make([]byte, keySize)
	if _, err := unix.Getrandom(key, 0); err != nil {
		return fmt.Errorf("make the key of the store: %w", err)
	}
	f.key = key
	return f.dir.Replace(keyFile, key, 0o600, "")
}

// choice is a number for an owner.
type choice struct {
	number uint32
	former string  // the former owner's name; "": none
	idle   *idlers // a list of the range to be stored; nil: none
}

// probes is how many places are checked for an unassigned number before the store is listed. In a range that is nine
// tenths full, one owner in 800 needs more.
const probes = 64

// find returns the owner's number, or the one to assign to it: one that was never assigned; only if there is none, the
// one that has been out of use longest.
func (f *directory) find(n Numbers, owner string) (choice, error) {
	if v, ok := f.linked(owner); ok && n.has(v) {
		e, err := f.read(v)
		if errors.Is(err, unix.ENOENT) || err == nil && e.owner == owner {
			return choice{number: v}, nil
		}
	}
	for i := range min(probes, n.count()) {
		if v := n.at(n.probe(f.key, owner, i)); !f.given(v) {
			return choice{number: v}, nil
		}
	}
	idle := f.idle(n)
	if c, ok := f.oldest(idle); ok {
		return c, nil
	}
	idle, fresh, err := f.list(n)
	if err != nil {
		return choice{}, err
	}
	if len(fresh) > 0 {
		return choice{number: fresh[n.probe(f.key, owner, 0)%uint64(len(fresh))]}, nil
	}
	c, ok := f.oldest(idle)
	if !ok {
		return choice{}, fmt.Errorf("all %d ids from %d to %d are in use\nhint: widen the range", n.count(), n.First, n.Last)
	}
	c.idle = idle
	return c, nil
}

// given reports whether a number is or was assigned, or may have been.
func (f *directory) given(v uint32) bool {
	var st unix.Stat_t
	err := unix.Lstat(f.dir.Join(strconv.FormatUint(uint64(v), 10)), &st)
	return !errors.Is(err, unix.ENOENT)
}

// digest names an owner's link.
func digest(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:16])
}

// linked returns the number that the owner's link leads to.
func (f *directory) linked(owner string) (v uint32, ok bool) {
	target, err := os.Readlink(f.owners.Join(digest(owner)))
	if err != nil {
		return 0, false
	}
	v, err = ids.Number(target)
	return v, err == nil
}

// link points the owner at its number, atomically.
func (f *directory) link(owner string, v uint32) error {
	if old, ok := f.linked(owner); ok && old == v {
		return nil
	}
	const fresh = "new" // no other call uses it, as the lock is held
	if err := f.owners.Remove(fresh); err != nil {
		return err
	}
	if err := os.Symlink(strconv.FormatUint(uint64(v), 10), f.owners.Join(fresh)); err != nil {
		return err
	}
	return os.Rename(f.owners.Join(fresh), f.owners.Join(digest(owner)))
}
