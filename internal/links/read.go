// SPDX-License-Identifier: Apache-2.0

package links

import "golang.org/x/sys/unix"

// usual is longer than most paths. A buffer of PathMax bytes makes each caller's stack grow, which costs more than the call.
const usual = 256

// Read returns the target of a symbolic link, like readlinkat(2).
func Read(dir int, name string) (string, error) {
	var buf [usual]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	if err != nil || n < usual {
		return string(buf[:max(n, 0)]), err
	}
	return readLong(dir, name)
}

//go:noinline
func readLong(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err
}
