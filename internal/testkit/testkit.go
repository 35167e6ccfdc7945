// SPDX-License-Identifier: Apache-2.0

// Package testkit has what the tests of several packages share: files, bundles, trees that stand for an image, and an
// engine's mounts. Only tests import it, and what a single package's tests need stays with them.
package testkit

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// NeedRoot skips where trees with other owners and devices can't be made,
// unless skips are failures.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
		t.Fatal("root is needed")
	}
	t.Skip("root is needed")
}

// Must fails a test on the first failure among several.
func Must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Write makes files below a directory, by their paths and texts, for their owner alone.
func Write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		Must(t, os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600))
	}
}

// Bundle makes a bundle of a config.json, and of a rootfs of Plant's lines, and gives its path without links. It needs no root.
func Bundle(t testing.TB, config []byte, rootfs ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	Must(t, err)
	Must(t, os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "rootfs"), 0o755), // #nosec G301 G302 -- an image's
		os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))
	for _, line := range rootfs {
		Plant(t, filepath.Join(dir, "rootfs"), line)
	}
	return dir
}

// CopyFile copies a file with its mode. It fails, by fs.ErrExist, where there is one already.
func CopyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // nothing was written
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, st.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
