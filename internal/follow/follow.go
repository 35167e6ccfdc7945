// SPDX-License-Identifier: Apache-2.0

// Package follow reads the lines of a log that grows and is rotated, each line once, even if the reader restarts. What
// a line means does not belong here.
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
	"time"

	"golang.org/x/sys/unix"
)

// Cursor is a position in a log. Inode numbers are reused, so the file's first bytes distinguish it from a later one.
type Cursor struct {
	Inode  uint64 `json:"inode"`
	Head   []byte `json:"head,omitempty"` // the first line, up to maxHead bytes
	Offset int64  `json:"offset"`
	// Absent records that there was no log when it was last looked for: everything in one that appears is new.
	Absent bool `json:"absent,omitempty"`
	// Done lists the last files that were read to their ends.
	Done []string `json:"done,omitempty"`
}

// maxHead limits Cursor.Head. A line begins with its time, in milliseconds.
const maxHead = 256

// maxLine limits a line: the runtime writes shorter ones. A longer line is not the runtime's, and is skipped.
const maxLine = 64 << 10

// File follows a log by its path.
type File struct {
	path   string
	file   *os.File // nil: there was none
	cursor Cursor
	// Lost counts how often lines were skipped: the file at the cursor no longer exists, or was truncated.
	Lost int
	// Settle is how long a renamed file is still read before the next one: a process that had opened it may still write
	// to it.
	Settle time.Duration
}

// Open continues at a cursor; the zero cursor is the end of the existing log, as earlier lines are not new.
func Open(path string, cursor Cursor) *File { return &File{path: path, cursor: cursor} }

// Cursor returns how far the log was read.
func (f *File) Cursor() Cursor { return f.cursor }

// Close closes the open file.
func (f *File) Close() {
	if f.file != nil {
		_ = f.file.Close() // nothing was written
		f.file = nil
	}
}

// Read passes the new complete lines to a function, without their ends, oldest first: first the rest of the file that
// was read before, then the files that came after it. If the function fails, Read stops, and passes that line again the
// next time. A line that is still being written has to wait.
func (f *File) Read(line func([]byte) error) error {
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

// begin opens the cursor's file under whatever name it has now, else the log from its beginning.
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

// candidates returns the log and the files that rotation made of it, which begin with its name: the log first, then by
// their numbers or dates.
func (f *File) candidates() []string {
	rotated, err := filepath.Glob(f.path + "*")
	if err != nil {
		return []string{f.path}
	}
	rotated = slices.DeleteFunc(rotated, func(name string) bool { return filepath.Ext(name) == ".gz" })
	slices.SortFunc(rotated, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return rotated
}

// next returns the file that has replaced the one that is being read: after a second rotation, not the one at the path,
// but the one between them; nil if there is none.
func (f *File) next() (*os.File, error) {
	type candidate struct {
		file  *os.File
		at    int64
		index int // in the order of the names
	}
	var found []candidate
	now := modified(f.file)
	for i, name := range f.candidates() {
		file, err := open(name)
		if err != nil && name == f.path {
			return nil, err
		}
		if err != nil || file == nil {
			continue
		}
		// Older files than the one that is read were written before it, or are known.
		if at := modified(file); inode(file) != f.cursor.Inode && (name == f.path || at >= now && !slices.Contains(f.cursor.Done, identity(file))) {
			found = append(found, candidate{file, at, i})
			continue
		}
		_ = file.Close() // nothing was written
	}
	if len(found) == 0 {
		return nil, nil
	}
	// If files have the same time, their names decide: rotation gives older ones higher numbers. The first is the log
	// itself.
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.index, a.index)) })
	for _, c := range found[1:] {
		_ = c.file.Close() // nothing was written
	}
	return found[0].file, nil
}

// leave records that the open file was read to its end.
func (f *File) leave(next *os.File) {
	done := append(slices.Clone(f.cursor.Done), identity(f.file))
	f.Close()
	f.file = next
	f.cursor = Cursor{Inode: inode(next), Done: done[max(0, len(done)-maxDone):]}
}

// maxDone is how many files may be renamed between two reads.
const maxDone = 16

// identity distinguishes a file from a later one with the same inode number, by its first bytes.
func identity(file *os.File) string {
	head := make([]byte, maxHead)
	n, _ := file.ReadAt(head, 0)
	sum := sha256.Sum256(head[:n])
	return fmt.Sprintf("%d-%x", inode(file), sum[:6])
}

// rest passes on the remaining lines of the open file.
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
	// copytruncate: as much as before may have been written since.
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

// head records the file's first line, once there is one.
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

// open opens a regular file; nil if there is none.
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

// settled reports whether the open file has been neither written nor renamed for a while (inode(7), ctime).
func (f *File) settled() bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.file.Fd()), &st) != nil || time.Since(time.Unix(st.Ctim.Unix())) >= f.Settle
}

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
