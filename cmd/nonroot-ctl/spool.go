// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/check"
)

// spooled checks an archive from a stream. Its members are looked up by name, so that it has to be in a file, which has no name and
// disappears with the process.
func spooled(name string, write func(io.Writer) error, o check.Options) ([]check.Result, error) {
	file, err := spool(write)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return checkArchive(name, file, o)
}

func spool(write func(io.Writer) error) (*os.File, error) {
	dir := os.TempDir()
	file, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	to := &bounded{to: file, dir: dir, left: -1}
	var free unix.Statfs_t
	if err = unix.Statfs(dir, &free); err == nil {
		to.most = int64(free.Bavail) * free.Bsize / 2 // #nosec G115 -- bytes of a disk
		to.left = to.most
		err = write(to)
	}
	if to.err != nil {
		err = to.err // whoever writes may report it as a broken pipe
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// bounded takes at most half of what is free on a disk, because a stream may have no end, and others need the disk, too.
type bounded struct {
	to         io.Writer
	dir        string
	left, most int64
	err        error
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		b.err = fmt.Errorf("the archive has more than %d bytes, half of what is free in %q\nhint: save it as a file, and check that; or set TMPDIR to a directory with more space", b.most, b.dir)
		return 0, b.err
	}
	b.left -= int64(len(p))
	return b.to.Write(p)
}

// nameless creates a file without a name. Not every file system can do that, so the name may have to be removed first.
func nameless(dir string) (file *os.File, err error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "archive"), nil // #nosec G115 -- a descriptor
	}
	return file, uninterrupted(func() error {
		if file, err = os.CreateTemp(dir, "nonroot-ctl-check-"); err != nil {
			return err
		}
		return os.Remove(file.Name())
	})
}

// uninterrupted runs a short function to its end before a signal ends the program, so that no file of its own is left behind.
func uninterrupted(run func() error) error {
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	err := run()
	signal.Stop(came)
	select {
	case s := <-came:
		if number, ok := s.(unix.Signal); ok {
			return errors.Join(err, unix.Kill(os.Getpid(), number), fmt.Errorf("interrupted by %s", s))
		}
	default:
	}
	return err
}
