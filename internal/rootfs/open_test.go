// SPDX-License-Identifier: Apache-2.0

package rootfs_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"golang.org/x/sys/unix"
)

func TestNoRootfs(t *testing.T) {
	dir := testkit.Tree(t, []string{"file = x"})
	for _, p := range []string{"absent", "file", "file/x"} {
		im, err := rootfs.Open(dir, p, false, nil)
		if err == nil {
			t.Fatalf("%q opened as %+v", p, im)
		}
		if strings.Contains(err.Error(), "no such file") || strings.Contains(err.Error(), "not a directory") { // engines turn these into exit codes
			t.Error(err)
		}
	}
}

// TestReadFile: a file may be larger than its size says, as in /proc.
func TestReadFile(t *testing.T) {
	dir := testkit.Tree(t, []string{"fits = " + strings.Repeat("a", rootfs.MaxFile), "large = " + strings.Repeat("a", rootfs.MaxFile+1)})
	for name, want := range map[string]string{"fits": "<nil>", "large": "it is larger than 1 MiB"} {
		for _, size := range []int64{0, 1, rootfs.MaxFile} {
			fd, err := unix.Open(filepath.Join(dir, name), unix.O_PATH, 0)
			testkit.Must(t, err)
			text, err := rootfs.Resolved{FD: fd}.Read(size)
			if fmt.Sprint(err) != want || err == nil && len(text) != rootfs.MaxFile {
				t.Errorf("%s, said to have %d: %d bytes, %v", name, size, len(text), err)
			}
			testkit.Must(t, unix.Close(fd))
		}
	}
}
