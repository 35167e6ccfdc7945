// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Watch tells of changes in a log's directory, which is where a rotated log's next file comes. Each is one value on the channel; those
// that come while one waits there are the same one. close ends it.
func Watch(path string) (changed <-chan struct{}, closed func() error, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	const interesting = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), interesting); err != nil {
		return nil, nil, errors.Join(&os.PathError{Op: "watch", Path: filepath.Dir(path), Err: err}, unix.Close(fd))
	}
	// Go's poller waits for it, as it does not block.
	file := os.NewFile(uintptr(fd), "inotify")
	channel := make(chan struct{}, 1)
	go func() {
		defer close(channel)
		buffer := make([]byte, 64<<10)
		for {
			if _, err := file.Read(buffer); err != nil {
				return
			}
			select {
			case channel <- struct{}{}:
			default:
			}
		}
	}()
	return channel, file.Close, nil
}
