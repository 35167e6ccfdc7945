// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/sys/unix"
)

// maxSize limits how much of a file is read. A long containerd configuration has 20 kB.
const maxSize = 4 << 20

// File is a configuration file as it was found.
type File struct {
	Path string
	Content
	stat unix.Stat_t // of the file, if it exists
}

// Open reads a configuration file and what is kept beside it. A missing file is not an error; anything but a regular
// file, even a symbolic link, is: the administrator wants the file to be elsewhere.
func Open(path string) (File, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return File{}, fmt.Errorf("%q is not a clean absolute path", path)
	}
	f := File{Path: path}
	var err error
	if f.Data, f.stat, err = read(path); err != nil {
		return f, err
	}
	if f.Backup, _, err = read(f.aside(backupSuffix)); err != nil {
		return f, err
	}
	state, _, err := read(f.aside(receiptSuffix))
	if err != nil || state == nil {
		return f, err
	}
	if err := json.Unmarshal(state, &f.Receipt); err != nil || f.Receipt == nil || !f.Receipt.sound(path) {
		return f, fmt.Errorf("%q is not a receipt of nonroot-ctl's\nhint: remove it, and %q can be edited", f.aside(receiptSuffix), path)
	}
	return f, nil
}

// read returns nil for a missing file.
func read(path string) ([]byte, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, st, nil
	case errors.Is(err, unix.ELOOP):
		return nil, st, fmt.Errorf("%q is a symbolic link\nhint: name the file that is meant with --config", path)
	case err != nil:
		return nil, st, fmt.Errorf("open %q: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, fmt.Errorf("look at %q: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, st, fmt.Errorf("%q is not a regular file", path)
	case st.Nlink > 1: // a new file would replace only one of its names
		return nil, st, fmt.Errorf("%q has %d hard links\nhint: leave only one", path, st.Nlink)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, st, fmt.Errorf("read %q: %w", path, err)
	}
	if len(data) > maxSize {
		return nil, st, fmt.Errorf("%q has more than %d bytes", path, maxSize)
	}
	return append([]byte{}, data...), st, nil
}

const (
	backupSuffix  = ".nonroot-backup"
	receiptSuffix = ".nonroot-receipt"
)

// aside returns the path of a file that is kept beside the configuration file. CRI-O reads every file in a drop-in
// directory, whatever its name (cri-o, pkg/config/config.go, UpdateFromPath): such a file is kept one directory up.
func (f File) aside(suffix string) string {
	dir, name := filepath.Split(f.Path)
	if dir = filepath.Clean(dir); strings.HasSuffix(dir, ".d") {
		return filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-"+name+suffix)
	}
	return f.Path + suffix
}

// Beside returns the paths of what is kept beside a configuration file while a runtime is registered in it.
func Beside(path string) []string {
	f := File{Path: path}
	return []string{f.aside(backupSuffix), f.aside(receiptSuffix)}
}

// Change is a planned change of a file.
type Change struct {
	File
	Next Content
}

// Register plans a registration.
func (f File) Register(format Format, r Runtime) (Change, error) {
	next, err := f.Content.Register(format, r)
	return f.change(next, err)
}

// Unregister plans the removal of a runtime.
func (f File) Unregister(format Format, name string) (Change, error) {
	next, err := f.Content.Unregister(format, name)
	return f.change(next, err)
}

// Yield plans that a runtime is no longer the default.
func (f File) Yield(format Yielder, name string) (Change, error) {
	next, err := f.Content.Yield(format, name)
	return f.change(next, err)
}

func (f File) change(next Content, err error) (Change, error) {
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", f.Path, err)
	}
	return Change{File: f, Next: next}, nil
}

// Nothing reports whether the file is unchanged. What is kept beside it may still be removed.
func (c Change) Nothing() bool {
	return (c.Data == nil) == (c.Next.Data == nil) && bytes.Equal(c.Data, c.Next.Data)
}

// Diff returns the change in unified form.
func (c Change) Diff() []byte {
	from, to := c.Path, c.Path
	if c.Data == nil {
		from = "/dev/null"
	}
	if c.Next.Data == nil {
		to = "/dev/null"
	}
	out := diff.Diff(from, c.Data, to, c.Next.Data)
	_, out, _ = bytes.Cut(out, []byte("\n")) // its first line only repeats the files' names
	return out
}

// Candidate writes the new text beside the file, under another name, and passes that to a function, which may ask the
// engine.
func (c Change) Candidate(ask func(path string) error) error {
	dir := c.Path
	for missing := true; missing; {
		dir = filepath.Dir(dir)
		_, err := os.Stat(dir)
		missing = errors.Is(err, fs.ErrNotExist)
	}
	if filepath.Dir(c.Path) == dir {
		dir = filepath.Dir(c.aside(""))
	}
	file, err := os.CreateTemp(dir, "."+filepath.Base(c.Path)+".nonroot-candidate-*")
	if err != nil {
		return fmt.Errorf("write a candidate for %q: %w", c.Path, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(c.Next.Data)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write a candidate for %q: %w", c.Path, err)
	}
	return ask(file.Name())
}

// Apply carries the change out. At any moment, even after a crash, the file is the old one or the new one, and what
// is kept beside it is enough to go back: backup and receipt are written before the file, and removed after it.
func (c Change) Apply() error {
	if c.Nothing() && c.Receipt == nil {
		return nil
	}
	if c.Next.Receipt != nil {
		if err := c.makeDirectories(); err != nil {
			return err
		}
	}
	unlock, err := lock(filepath.Dir(c.aside("")))
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.still(); err != nil {
		return err
	}
	if c.Next.Receipt == nil {
		return c.undo()
	}
	if c.Receipt == nil && c.Next.Backup != nil {
		if err := c.replace(c.aside(backupSuffix), c.Next.Backup); err != nil {
			return err
		}
	}
	receipt, err := json.MarshalIndent(c.Next.Receipt, "", "  ")
	if err != nil {
		return fmt.Errorf("write a receipt for %q: %w", c.Path, err)
	}
	if err := c.replace(c.aside(receiptSuffix), append(receipt, '\n')); err != nil {
		return err
	}
	return c.replace(c.Path, c.Next.Data)
}

// undo writes the file without our registrations, and then removes what was kept beside it. A backup that still
// differs is kept.
func (c Change) undo() error {
	switch {
	case c.Nothing():
	case c.Next.Data == nil:
		if err := os.Remove(c.Path); err != nil {
			return fmt.Errorf("remove %q: %w", c.Path, err)
		}
	default:
		if err := c.replace(c.Path, c.Next.Data); err != nil {
			return err
		}
	}
	gone := []string{c.temp(c.Path), c.temp(c.aside(backupSuffix)), c.temp(c.aside(receiptSuffix))} // left by calls that were killed
	if c.Next.Backup == nil || bytes.Equal(c.Next.Backup, c.Next.Data) {
		gone = append(gone, c.aside(backupSuffix))
	}
	gone = append(gone, c.aside(receiptSuffix))
	for _, name := range gone {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %q: %w", name, err)
		}
	}
	if c.Receipt != nil {
		for _, dir := range slices.Backward(c.Receipt.Directories) {
			_ = os.Remove(dir) // it stays if others use it, too
		}
	}
	return nil
}

// still checks that the file has not been changed since it was read.
func (c Change) still() error {
	now, _, err := read(c.Path)
	if err != nil {
		return err
	}
	if (now == nil) != (c.Data == nil) || !bytes.Equal(now, c.Data) {
		return fmt.Errorf("%q was changed by another process just now\nhint: try again", c.Path)
	}
	return nil
}

// makeDirectories creates the directories above the file, and records which.
func (c Change) makeDirectories() error {
	var missing []string
	for dir := filepath.Dir(c.Path); ; dir = filepath.Dir(dir) {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look at %q: %w", dir, err)
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make %q: %w", dir, err)
		}
		c.Next.Receipt.Directories = append(c.Next.Receipt.Directories, dir)
	}
	return nil
}

// lock keeps other calls out until unlock is called, or this process ends.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q: %w", dir, err), d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// temp returns a file's temporary name. It is never in a drop-in directory, where an engine would read it.
func (c Change) temp(name string) string {
	return tempName(filepath.Join(filepath.Dir(c.aside("")), filepath.Base(name)))
}

// replace replaces a file, with the mode and owner of the configuration file. The data is on disk when it returns.
func (c Change) replace(name string, data []byte) error {
	temp := c.temp(name)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a call that was killed
		return fmt.Errorf("write %q: %w", name, err)
	}
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // it no longer exists, unless something failed
	mode := os.FileMode(0o644)
	if c.Data != nil {
		mode = os.FileMode(c.stat.Mode & 0o777)
		err = file.Chown(int(c.stat.Uid), int(c.stat.Gid))
	}
	if err == nil {
		_, err = file.Write(data)
	}
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
