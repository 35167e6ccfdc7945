// SPDX-License-Identifier: Apache-2.0

// Package lease gives each owner a number of a range: the same one again for as long as the range has room, and never one
// that a living owner of another name has. Its files outlive a reboot, as the files of a container's layer and of volumes do,
// which belong to the uid that it made of its number.
//
// A folder has one file for each number that was ever given, named after it, with the owner's name and the owner's containers,
// and in "owners" one link for each owner, which leads from a digest of the name to the number.
package lease

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
)

// Numbers are First, First+Step, and so on, as far as a whole step ends at or before Last.
type Numbers struct{ First, Last, Step uint32 }

// count is how many there are. A step of 0 counts as 1.
func (n Numbers) count() uint64 {
	return (uint64(n.Last) - uint64(n.First) + 1) / n.step()
}

func (n Numbers) step() uint64 { return max(uint64(n.Step), 1) }

func (n Numbers) at(i uint64) uint32 { return uint32(uint64(n.First) + i%n.count()*n.step()) } // #nosec G115 -- from First to Last

// has says whether a number is one of them.
func (n Numbers) has(v uint32) bool {
	return v >= n.First && (uint64(v)-uint64(n.First))%n.step() == 0 && (uint64(v)-uint64(n.First))/n.step() < n.count()
}

// start is where an owner's number is looked for first.
func (n Numbers) start(owner string) uint64 {
	sum := sha256.Sum256([]byte(owner))
	return binary.BigEndian.Uint64(sum[:]) % n.count()
}

// Guess is the number that an owner gets where nobody else has it.
func (n Numbers) Guess(owner string) (uint32, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	return n.at(n.start(owner)), nil
}

func (n Numbers) check() error {
	if n.First == 0 || n.Last < n.First || n.count() == 0 {
		return fmt.Errorf("there is no number from %d to %d in steps of %d", n.First, n.Last, n.Step)
	}
	return nil
}

// Store is a folder of leases.
type Store struct {
	Dir    string // made where it is not there; only root, or the caller, may write it or a folder above it
	Owners bundle.Owners
	Alive  func(Member) bool // whether a container is there, or may be
}

// Member is a container of an owner's.
type Member struct {
	Bundle, ID string
	Pid        int    // of the process that makes it
	Start      uint64 // when that process began (proc(5), /proc/pid/stat, field 22)
}

// window is how many numbers are looked at for one that nobody ever had, before the one that has been out of use for
// longest is taken away from its owner.
const window = 64

// Take gives an owner a number, for one more container of its own. An owner that has one keeps it.
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
	v, former, err := f.find(n, owner)
	if err != nil {
		return 0, err
	}
	if former != "" {
		if err := f.owners.Remove(digest(former)); err != nil {
			return 0, err
		}
	}
	e, err := f.read(v)
	if err != nil || e.owner != owner {
		e = &entry{owner: owner}
	}
	e.join(m, s.Alive)
	if err := f.dir.Replace(strconv.FormatUint(uint64(v), 10), e.encode(), 0o600, ""); err != nil {
		return 0, err
	}
	return v, f.link(owner, v)
}

// Foresee is the number that Take would give, without taking it.
func (s *Store) Foresee(n Numbers, owner string) (uint32, error) {
	f, err := s.openExisting()
	if errors.Is(err, unix.ENOENT) {
		return n.Guess(owner)
	}
	if err == nil {
		defer f.close()
		err = n.check()
	}
	var v uint32
	if err == nil {
		v, _, err = f.find(n, owner)
	}
	if err != nil {
		return 0, fmt.Errorf("find an id for %q in %q: %w", owner, s.Dir, err)
	}
	return v, nil
}

// folder is a store, open.
type folder struct {
	store       *Store
	dir, owners *bundle.Dir
	lockFD      int
}

const (
	ownersFolder = "owners"
	lockFile     = "lock"
)

func (s *Store) open() (*folder, error) {
	if err := os.MkdirAll(path.Join(s.Dir, ownersFolder), 0o700); err != nil {
		return nil, err
	}
	return s.openExisting()
}

func (s *Store) openExisting() (*folder, error) {
	dir, err := bundle.Open(s.Dir, s.Owners)
	if err != nil {
		return nil, err
	}
	f := &folder{store: s, dir: dir, lockFD: -1}
	if f.owners, err = dir.Sub(ownersFolder); err == nil {
		err = f.owners.Guarded() // and so are those above it
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *folder) close() {
	f.dir.Close()
	if f.owners != nil {
		f.owners.Close()
	}
	if f.lockFD >= 0 {
		_ = unix.Close(f.lockFD)
	}
}

// patience is how long a call waits for others, each of which takes some tenths of a millisecond. One that is stopped, or waits
// for a disk, must not hold up each container for ever: engines wait without a word.
var patience = 10 * time.Second

// lock lets one call at a time change anything. It ends with close, or with the process.
func (f *folder) lock() error {
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
			return fmt.Errorf("lock %q: another process has held it for %s: lslocks(8) names it", name, patience)
		}
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// find is the owner's number, or the one that it is to have, and whose that was.
func (f *folder) find(n Numbers, owner string) (v uint32, former string, err error) {
	if v, ok := f.linked(owner); ok && n.has(v) {
		if e, err := f.read(v); err == nil && e.owner == owner {
			return v, "", nil
		}
	}
	type candidate struct {
		v uint32
		e *entry
	}
	var used []candidate
	first := n.start(owner)
	near := min(window, n.count())
	for i := range near {
		v := n.at(first + i)
		e, err := f.read(v)
		switch {
		case errors.Is(err, unix.ENOENT):
			return v, "", nil
		case err != nil:
			continue // somebody's, perhaps
		case e.owner == owner:
			return v, "", nil
		}
		used = append(used, candidate{v, e})
	}
	slices.SortStableFunc(used, func(a, b candidate) int { return a.e.used.Compare(b.e.used) })
	for _, c := range used {
		if !c.e.alive(f.store.Alive) {
			return c.v, c.e.owner, nil
		}
	}
	for i := near; i < n.count(); i++ {
		v := n.at(first + i)
		e, err := f.read(v)
		switch {
		case errors.Is(err, unix.ENOENT):
			return v, "", nil
		case err == nil && (e.owner == owner || !e.alive(f.store.Alive)):
			return v, e.owner, nil
		}
	}
	return 0, "", fmt.Errorf("each of the %d from %d to %d is in use: widen the range", n.count(), n.First, n.Last)
}

// digest names an owner's link.
func digest(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:16])
}

// linked is the number that the owner's link leads to.
func (f *folder) linked(owner string) (v uint32, ok bool) {
	target, err := os.Readlink(f.owners.Join(digest(owner)))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(target, 10, 32)
	return uint32(n), err == nil // 32 bits
}

// link leads from the owner to its number.
func (f *folder) link(owner string, v uint32) error {
	if old, ok := f.linked(owner); ok && old == v {
		return nil
	}
	if err := f.owners.Remove(digest(owner)); err != nil {
		return err
	}
	return os.Symlink(strconv.FormatUint(uint64(v), 10), f.owners.Join(digest(owner)))
}
