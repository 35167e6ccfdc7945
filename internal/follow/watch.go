// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watch tells of changes of files and directories, also of such as are not there yet: it watches the directory that each is in, where a
// rotated log's next file comes, too; and of a directory, what is in it, if it is there. What else is in the first one, such as the
// other logs of a machine, is not told of. Each change is one value on the channel; those that come while one waits there are the same
// one. closed ends it.
func Watch(paths ...string) (changed <-chan struct{}, closed func() error, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	w := watcher{names: map[int32]map[string]bool{}, whole: map[int32]bool{}}
	for _, path := range paths {
		if err := w.add(fd, path); err != nil {
			return nil, nil, errors.Join(&os.PathError{Op: "watch", Path: path, Err: err}, unix.Close(fd))
		}
	}
	// Go's poller waits for it, as it does not block.
	file := os.NewFile(uintptr(fd), "inotify")
	channel := make(chan struct{}, 1)
	go func() {
		defer close(channel)
		buffer := make([]byte, 64<<10)
		for {
			n, err := file.Read(buffer)
			if err != nil {
				return
			}
			if !w.concerns(buffer[:n]) {
				continue
			}
			select {
			case channel <- struct{}{}:
			default:
			}
		}
	}()
	return channel, file.Close, nil
}

// watcher knows what of the watched directories counts, by their descriptors.
type watcher struct {
	names map[int32]map[string]bool
	whole map[int32]bool
}

const interesting = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM

func (w *watcher) add(fd int, path string) error {
	wd, err := unix.InotifyAddWatch(fd, filepath.Dir(path), interesting|unix.IN_ONLYDIR)
	if err != nil {
		return err
	}
	d := int32(wd) // #nosec G115 -- the kernel's own is an int
	if w.names[d] == nil {
		w.names[d] = map[string]bool{}
	}
	w.names[d][filepath.Base(path)] = true
	wd, err = unix.InotifyAddWatch(fd, path, interesting|unix.IN_ONLYDIR)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		return nil
	case err != nil:
		return err
	}
	w.whole[int32(wd)] = true // #nosec G115 -- as above
	return nil
}

// concerns reads events (inotify(7), struct inotify_event).
func (w *watcher) concerns(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events)) // #nosec G115 -- it is a signed number
		mask := binary.NativeEndian.Uint32(events[unsafe.Offsetof(unix.InotifyEvent{}.Mask):])
		length := binary.NativeEndian.Uint32(events[unsafe.Offsetof(unix.InotifyEvent{}.Len):])
		rest := events[unix.SizeofInotifyEvent:]
		if uint64(length) > uint64(len(rest)) {
			return true
		}
		name, _, _ := bytes.Cut(rest[:length], []byte{0})
		events = rest[length:]
		// What was lost may have been of anything; a directory that is gone is watched no more.
		if mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 || w.whole[wd] || w.names[wd][string(name)] {
			return true
		}
	}
	return false
}
