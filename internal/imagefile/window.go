// SPDX-License-Identifier: Apache-2.0

package imagefile

import (
	"errors"
	"io"
)

// How much is read at once. After a jump over at least windowSize bytes, for example over a large file's content, it is the smallest size,
// which has room for the next header, because another jump may follow. Without jumps the size doubles each time, because a small file is
// usually followed by others.
const (
	smallest   = 2 << 10
	windowSize = 16 << 10
)

// window reads a part of a file through a buffer that survives seeking. For each file, reading a tar's headers takes a seek between two
// short reads.
type window struct {
	file       io.ReaderAt
	from, size int64
	at         int64
	buf        []byte
	bufAt      int64
	space      []byte
	next       int64 // how much is read at once
}

func newWindow(file io.ReaderAt, from, size int64) *window {
	return &window{file: file, from: from, size: size, space: make([]byte, windowSize), next: smallest}
}

func (w *window) Read(p []byte) (int, error) {
	if w.at >= w.size {
		return 0, io.EOF
	}
	if !w.has(1) {
		if len(p) >= windowSize {
			n, err := w.file.ReadAt(p[:min(int64(len(p)), w.size-w.at)], w.from+w.at)
			w.at += int64(n)
			return n, short(n, err)
		}
		if err := w.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.buf[w.at-w.bufAt:])
	w.at += int64(n)
	return n, nil
}

// peek returns the next bytes without consuming them.
func (w *window) peek(bytes int64) ([]byte, error) {
	if !w.has(bytes) {
		if err := w.fill(bytes); err != nil {
			return nil, err
		}
		if !w.has(bytes) {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return w.buf[w.at-w.bufAt:][:bytes], nil
}

// has reports whether the next bytes are in the buffer.
func (w *window) has(bytes int64) bool {
	return w.at >= w.bufAt && w.at+bytes <= w.bufAt+int64(len(w.buf))
}

// fill reads the next bytes into the buffer. These are at least as many as requested, unless the file ends before.
func (w *window) fill(bytes int64) error {
	w.next = min(w.next*2, windowSize)
	if gap := w.at - w.bufAt - int64(len(w.buf)); gap < -windowSize || gap >= windowSize {
		w.next = smallest
	}
	n, err := w.file.ReadAt(w.space[:max(0, min(max(w.next, bytes), w.size-w.at))], w.from+w.at)
	w.buf, w.bufAt = w.space[:n], w.at
	return short(n, err)
}

// short returns an error if nothing was read.
func short(n int, err error) error {
	switch {
	case n > 0:
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF // the file has shrunk
	}
	return err
}

// Seek sets the offset of the next read.
func (w *window) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.at
	case io.SeekEnd:
		offset += w.size
	}
	if offset < 0 {
		return 0, errors.New("a place before the beginning")
	}
	w.at = offset
	return offset, nil
}
