// SPDX-License-Identifier: Apache-2.0

// Package follow reads the lines of a log that grows and is rotated, each of them once, also over a restart of who reads. What a line
// means does not belong here.
package follow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Cursor is how far a log was read. Inode numbers are used again, so the file's first bytes tell it from a later one.
type Cursor struct {
	Inode  uint64 `json:"inode"`
	Head   []byte `json:"head,omitempty"` // the first line, or as much of it as there is room for
	Offset int64  `json:"offset"`
	// Absent says that there was no log when it was last looked for: all of the one that comes is news.
	Absent bool `json:"absent,omitempty"`
	// Done are the last files that were read to their ends.
	Done []string `json:"done,omitempty"`
}

// maxHead bounds Cursor.Head. A line begins with its time, in milliseconds.
const maxHead = 256

// maxLine bounds a line: the runtime writes less. What is longer is not a line of its, and is passed over.
const maxLine = 64 << 10

// File follows one log by its path.
type File struct {
	path   string
	file   *os.File // nil: none was there
	cursor Cursor
	// Lost says how often lines were passed over: the file in which the cursor was is gone, or was cut.
	Lost int
	// Settle is how long a file that was renamed is still looked at before the next one is: who had opened it to write may not have
	// written yet.
	Settle time.Duration
	waits  bool
}

// Open goes on where a cursor says; the zero cursor is the end of the log that is there, as what was written before is not news.
func Open(path string, cursor Cursor) *File { return &File{path: filepath.Clean(path), cursor: cursor} }

// Cursor is how far it has read.
func (f *File) Cursor() Cursor { return f.cursor }

// Waits reports whether the last Read left the next file for later (Settle), of which no change may tell any more.
func (f *File) Waits() bool { return f.waits }

// Close gives the file back.
func (f *File) Close() {
	if f.file != nil {
		_ = f.file.Close() // nothing was written
		f.file = nil
	}
}

// Read hands over the whole lines that are new, without their ends, oldest first: first what is left in the file that was read before,
// then those that came after it. It stops where the function fails, and hands that line over again the next time. A line that is being
// written waits for its end.
func (f *File) Read(line func([]byte) error) error {
	f.waits = false
	if f.file == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	for f.file != nil {
		if err := f.rest(line); err != nil {
			return err
		}
		next, err := f.next()
		if err != nil || next == nil {
			return err
		}
		if !f.settled() {
			f.waits = true
			return next.Close()
		}
		if err := f.rest(line); err != nil {
			_ = next.Close() // nothing was written
			return err
		}
		f.leave(next)
	}
	return nil
}

// begin opens the file that the cursor is about, wherever it was renamed to, else the log from its beginning.
func (f *File) begin() error {
	if f.cursor.Inode == 0 {
		file, err := open(f.path)
		if err != nil {
			return err
		}
		if file == nil {
			f.cursor.Absent = true
			return nil
		}
		f.file = file
		came := f.cursor.Absent
		f.cursor = Cursor{Inode: inode(file)}
		if came {
			return nil
		}
		end, err := file.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		f.cursor.Offset = end
		return f.head()
	}
	for _, name := range f.candidates() {
		file, err := open(name)
		if err != nil || file == nil {
			continue
		}
		head := make([]byte, len(f.cursor.Head))
		if n, _ := file.ReadAt(head, 0); inode(file) == f.cursor.Inode && bytes.Equal(head[:n], f.cursor.Head) {
			f.file = file
			return nil
		}
		_ = file.Close() // nothing was written
	}
	file, err := open(f.path)
	if err != nil || file == nil {
		return err
	}
	f.Lost++
	f.file = file
	f.cursor = Cursor{Inode: inode(file), Done: f.cursor.Done}
	return nil
}

// candidates are the log and what rotation made of it, which keeps its name's beginning: the log, then by their numbers or dates.
func (f *File) candidates() []string {
	entries, err := os.ReadDir(filepath.Dir(f.path)) // not Glob, to which a name may be a pattern
	if err != nil {
		return []string{f.path}
	}
	var rotated []string
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(f.path), e.Name())
		if strings.HasPrefix(name, f.path) && filepath.Ext(name) != ".gz" {
			rotated = append(rotated, name)
		}
	}
	slices.SortFunc(rotated, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return rotated
}

// next is the file that has come in the place of the one that is being read: after a second rotation, not the one at the path, but the
// one that was there in between. nil: none has.
func (f *File) next() (*os.File, error) {
	type candidate struct {
		file  *os.File
		at    int64
		index int // in the order of the names
	}
	var found []candidate
	now := modified(f.file)
	for i, name := range f.candidates() {
		if !f.isOwn(name) {
			continue
		}
		file, err := open(name)
		if err != nil && name == f.path {
			return nil, err
		}
		if err != nil || file == nil {
			continue
		}
		// Those of before the one that is read were written before it, or are known.
		if at := modified(file); inode(file) != f.cursor.Inode && (name == f.path || at >= now && !slices.Contains(f.cursor.Done, identity(file))) {
			found = append(found, candidate{file, at, i})
			continue
		}
		_ = file.Close() // nothing was written
	}
	if len(found) == 0 {
		return nil, nil
	}
	// Of files of the same moment, the names tell: rotation gives older ones higher numbers. The first is the log itself.
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.index, a.index)) })
	for _, c := range found[1:] {
		_ = c.file.Close() // nothing was written
	}
	return found[0].file, nil
}

// isOwn reports whether a name is the log's, or one that rotation gave it: with a number or a date. Another log's name may begin with this
// one's, such as log and log-audit.
func (f *File) isOwn(name string) bool {
	suffix := strings.TrimPrefix(name, f.path)
	return suffix == "" || len(suffix) > 1 && strings.ContainsRune(".-_", rune(suffix[0])) && '0' <= suffix[1] && suffix[1] <= '9'
}

// leave notes that the open file is read to its end.
func (f *File) leave(next *os.File) {
	done := append(slices.Clone(f.cursor.Done), identity(f.file))
	f.Close()
	f.file = next
	f.cursor = Cursor{Inode: inode(next), Done: done[max(0, len(done)-maxDone):]}
}

// maxDone is how many files may be renamed between two looks.
const maxDone = 16

// identity tells a file from a later one with its inode number, by its first bytes.
func identity(file *os.File) string {
	head := make([]byte, maxHead)
	n, _ := file.ReadAt(head, 0)
	sum := sha256.Sum256(head[:n])
	return fmt.Sprintf("%d-%x", inode(file), sum[:6])
}

// rest hands over what the open file has.
func (f *File) rest(line func([]byte) error) error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, len(f.cursor.Head))
	n, err := f.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// copytruncate: what was written since may be as much as before.
	if info.Size() < f.cursor.Offset || !bytes.Equal(head[:n], f.cursor.Head) {
		f.Lost++
		f.cursor.Offset, f.cursor.Head = 0, nil
	}
	buffer := make([]byte, maxLine)
	for {
		n, err := f.file.ReadAt(buffer, f.cursor.Offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := bytes.LastIndexByte(buffer[:n], '\n') + 1
		switch {
		case end == 0 && n == len(buffer):
			f.Lost++
			f.cursor.Offset += int64(n)
			continue
		case end == 0:
			return nil
		}
		for rest := buffer[:end]; len(rest) > 0; {
			text, after, _ := bytes.Cut(rest, []byte("\n"))
			if len(text) > 0 {
				if err := line(text); err != nil {
					return err
				}
			}
			f.cursor.Offset += int64(len(text)) + 1
			rest = after
		}
		if err := f.head(); err != nil {
			return err
		}
	}
}

// head notes the file's first line, once there is one.
func (f *File) head() error {
	if len(f.cursor.Head) > 0 || f.cursor.Offset == 0 {
		return nil
	}
	head := make([]byte, min(maxHead, f.cursor.Offset))
	n, err := f.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.cursor.Head = head[:n]
	return nil
}

// open opens a regular file; nil: none.
func open(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(fd), name)
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// settled reports whether nothing was written into the open file, nor its name changed, for a while (inode(7), ctime).
func (f *File) settled() bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.file.Fd()), &st) != nil || isLong(time.Since(time.Unix(st.Ctim.Unix())), f.Settle)
}

// isLong reports whether so much time has passed. A time to come is of before the clock was set back.
func isLong(passed, settle time.Duration) bool { return passed >= settle || passed < 0 }

func inode(f *os.File) uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	return st.Ino
}

func modified(f *os.File) int64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	return st.Mtim.Nano()
}
