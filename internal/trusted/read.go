// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// MaxSize limits how much of a file is read, in bytes. Docker's config.json has about 30 kB.
const MaxSize = 16 << 20

// ErrTooLarge is returned for a file of more than MaxSize bytes.
var ErrTooLarge = errors.New("it has more than 16 MiB")

// Read reads one of the directory's files with the checks of ReadFile.
func (d *Dir) Read(name string) ([]byte, error) {
	data, _, err := d.read(name)
	return data, err
}

func (d *Dir) read(name string) ([]byte, unix.Stat_t, error) {
	return readAt(d.fd, name, d.owners, d.closed)
}

// closed reports whether only the trusted owners can reach the directory, because one above it is closed to others.
// Then a file's own mode does not matter: Docker 29 has umask 0, with which its containerd writes config.json with mode
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

// ReadFile reads a file that is regular, has one name, is not a symbolic link, belongs to a trusted owner, cannot be
// written by others, and has at most MaxSize bytes.
func ReadFile(name string, owners Owners) ([]byte, error) {
	data, _, err := readAt(unix.AT_FDCWD, name, owners, neverClosed)
	return data, err
}

// neverClosed is for files with a mode that must be right in any directory: it assumes that others can reach it.
func neverClosed() bool { return false }

// readAt reads a file below a directory, with the checks of ReadFile.
func readAt(dir int, name string, owners Owners, closed func() bool) ([]byte, unix.Stat_t, error) {
	fd, err := openAt(dir, name)
	if err != nil {
		return nil, unix.Stat_t{}, err
	}
	defer unix.Close(fd)
	st, err := owners.fitOpen(fd, name, closed)
	if err != nil {
		return nil, st, err
	}
	if st.Size > MaxSize {
		return nil, st, fmt.Errorf("%q: %w", name, ErrTooLarge)
	}
	data, err := readAll(fd, int(st.Size))
	if err != nil {
		return nil, st, fmt.Errorf("read %q: %w", name, err)
	}
	return data, st, nil
}

func openAt(dir int, name string) (fd int, err error) {
	// O_NONBLOCK: opening a FIFO must not block; it is refused by its type afterwards.
	fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return -1, fmt.Errorf("%q is a symbolic link, which can point elsewhere by the time it is used", name)
	}
	if err != nil {
		return -1, fmt.Errorf("open %q: %w", name, err)
	}
	return fd, nil
}

// fitOpen returns an error if users other than the owners can change an open file. A mode that lets others write is
// accepted if they can't reach the file, which is only checked in that case.
func (o Owners) fitOpen(fd int, name string, closed func() bool) (st unix.Stat_t, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, fmt.Errorf("look at %q: %w", name, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return st, fmt.Errorf("%q is not a regular file", name)
	case st.Nlink != 1:
		return st, fmt.Errorf("%q has %d hard links, through which others may change it", name, st.Nlink)
	case !o.Trusts(st.Uid):
		return st, fmt.Errorf("%q belongs to uid %d, neither to the caller nor to root", name, st.Uid)
	case (st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !o.ownGroup("/proc/self/fd/"+strconv.Itoa(fd), st.Gid)) && !closed():
		return st, fmt.Errorf("%q can be written by others (mode %04o)\nhint: chmod go-w it", name, st.Mode&0o7777)
	}
	return st, nil
}

// hugePage is the size of large pages on most processors (Linux, transhuge.rst).
const hugePage = 2 << 20

// buffer allocates memory for a file. For a long one it uses huge pages, if there are any: the kernel provides small
// ones one by one, which takes longer than everything that is done with a megabyte of configuration. The memory is
// outside of Go's heap, and never freed: a program that reads a few such files exits soon.
func buffer(size int) []byte {
	if size < hugePage/4 {
		return make([]byte, size)
	}
	// Linux 6.7 and later align a mapping of this size to huge pages. Otherwise, and without huge pages, small ones
	// do as well.
	room, err := unix.Mmap(-1, 0, (size+hugePage-1)&^(hugePage-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return make([]byte, size)
	}
	_ = unix.Madvise(room, unix.MADV_HUGEPAGE)
	return room[:size:size]
}

// readAll reads to the end, which may have moved since the size was read.
func readAll(fd, size int) ([]byte, error) {
	buf := buffer(size + 1)
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
		if n == size && size > 0 {
			return buf[:n], nil // the size that it had when it was checked
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}
