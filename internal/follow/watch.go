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

// Watch reports changes of files and directories, even if they don't exist yet. It watches the parent directory of each, in which a rotated
// log's next file appears as well, and the content of each existing directory. Changes of other files in the parent, such as other logs,
// are not reported. Each value on the channel is a change, and further changes until it is received count as the same one. closed ends the
// watch.
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
	// It does not block, so Go's poller can wait for it.
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

// watcher holds what counts in the watched directories, by their watch descriptors.
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

// concerns parses events (inotify(7), struct inotify_event), and reports whether one of them counts.
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
		// Lost events may have been about anything, and a removed directory is no longer watched.
		if mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 || w.whole[wd] || w.names[wd][string(name)] {
			return true
		}
	}
	return false
}
