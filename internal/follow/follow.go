// SPDX-License-Identifier: Apache-2.0

// Package follow reads the lines of a log that grows and is rotated, each of them once, even if the reader is restarted. What the lines
// mean is up to the caller.
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

// Cursor is the position in a log. Inode numbers are reused, so the file's first bytes tell it from a later file.
type Cursor struct {
	Inode  uint64 `json:"inode"`
	Head   []byte `json:"head,omitempty"` // the first line, or its beginning
	Offset int64  `json:"offset"`
	// Absent means that there was no log at the last look, so that all lines of one that appears are new.
	Absent bool `json:"absent,omitempty"`
	// Done identifies the last files that were read to their ends.
	Done []string `json:"done,omitempty"`
}

// maxHead limits Cursor.Head. A line begins with its time in milliseconds, so that this is enough.
const maxHead = 256

// maxLine is longer than any line of the runtime. Longer lines are skipped.
const maxLine = 64 << 10

// File follows a log at a path.
type File struct {
	path   string
	file   *os.File // nil: there is no file
	cursor Cursor
	// Lost counts the times that lines were lost: the file at the cursor was removed or truncated.
	Lost int
	// Settle is how long a renamed file is still read before the next one, because a writer may have opened it, and not written yet.
	Settle time.Duration
	waits  bool
}

// Open continues at a cursor. The zero cursor is the end of the present log, because earlier lines are not new.
func Open(path string, cursor Cursor) *File { return &File{path: filepath.Clean(path), cursor: cursor} }

// Cursor returns the position up to which the log was read.
func (f *File) Cursor() Cursor { return f.cursor }

// Waits reports whether the last Read left the next file for later (Settle). There may be no further change that Watch would report.
func (f *File) Waits() bool { return f.waits }

// Fork returns a second reader at the same position; if the function of Read calls it, that is the function's line. It has the file open
// itself, and reads it to its end even if the file is removed.
func (f *File) Fork() *File {
	fork := &File{path: f.path, cursor: f.cursor, Settle: f.Settle}
	if f.file == nil {
		return fork
	}
	if fd, err := unix.FcntlInt(f.file.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil { // or else it is opened by the cursor
		fork.file = os.NewFile(uintptr(fd), f.file.Name())
	}
	return fork
}

// Close closes the file.
func (f *File) Close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
	}
}

// Read calls a function for each new complete line, without its end. The oldest comes first: the rest of the present file, then the files
// after it. If the function fails, Read stops, and begins with the same line the next time. A line without an end has to wait for it.
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
			_ = next.Close() // it was only read
			return err
		}
		f.leave(next)
	}
	return nil
}

// begin opens the file of the cursor, whatever its name is now, or else the log from its beginning.
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
		_ = file.Close() // it was only read
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

// candidates returns the log and its rotated files, which have names that begin like it. The log comes first, the others by number or date.
func (f *File) candidates() []string {
	entries, err := os.ReadDir(filepath.Dir(f.path)) // not Glob, because the name may be a pattern
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

// next returns the file that follows the present one. After two rotations, that is the one in between, and not the one at the path. nil:
// there is none.
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
		// Files from before the present one have an older time, or are known.
		if at := modified(file); inode(file) != f.cursor.Inode && (name == f.path || at >= now && !slices.Contains(f.cursor.Done, identity(file))) {
			found = append(found, candidate{file, at, i})
			continue
		}
		_ = file.Close() // it was only read
	}
	if len(found) == 0 {
		return nil, nil
	}
	// If files have the same time, their names decide: rotation gives older files higher numbers. The log itself has the lowest index.
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.index, a.index)) })
	for _, c := range found[1:] {
		_ = c.file.Close() // it was only read
	}
	return found[0].file, nil
}

// isOwn reports whether a name is the log's, or a rotated file's, which has a number or a date at the end. The name of another log may
// begin like this one's, for example log and log-audit.
func (f *File) isOwn(name string) bool {
	suffix := strings.TrimPrefix(name, f.path)
	return suffix == "" || len(suffix) > 1 && strings.ContainsRune(".-_", rune(suffix[0])) && '0' <= suffix[1] && suffix[1] <= '9'
}

// leave records that the open file was read to its end.
func (f *File) leave(next *os.File) {
	done := append(slices.Clone(f.cursor.Done), identity(f.file))
	f.Close()
	f.file = next
	f.cursor = Cursor{Inode: inode(next), Done: done[max(0, len(done)-maxDone):]}
}

// maxDone is the number of files that may be renamed between two reads.
const maxDone = 16

// identity tells a file from a later one with the same inode number, by its first bytes.
func identity(file *os.File) string {
	head := make([]byte, maxHead)
	n, _ := file.ReadAt(head, 0)
	sum := sha256.Sum256(head[:n])
	return fmt.Sprintf("%d-%x", inode(file), sum[:6])
}

// rest reads the rest of the open file.
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
	// After copytruncate, the log may be as long again as before.
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
			if err := f.head(); err != nil {
				return err
			}
		}
	}
}

// head records the file's first line, once it is complete.
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

// open opens a regular file; nil: there is none.
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

// settled reports whether the open file was neither written nor renamed for a while (inode(7), ctime).
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
