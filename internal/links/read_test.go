// SPDX-License-Identifier: Apache-2.0

package links

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadLink(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{1, usual - 1, usual, usual + 1, unix.PathMax - 1} {
		want := strings.Repeat("x", n)
		link := filepath.Join(dir, "link")
		_ = os.Remove(link)
		if err := os.Symlink(want, link); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(unix.AT_FDCWD, link); got != want || err != nil {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
	if got, err := Read(unix.AT_FDCWD, dir); got != "" || !errors.Is(err, unix.EINVAL) {
		t.Errorf("a directory: %q, %v", got, err)
	}
}
