// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestProbe: losses are reported in advance, and nothing is left behind.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"fine": 0o640, "open": 0o666} {
		if err := os.WriteFile(at(name), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("fine"), at("link")); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"everybodys": 0o777, "groups": 0o775} {
		if err := errors.Join(os.Mkdir(at(name), 0o700), os.Chmod(at(name), mode), os.Chown(at(name), -1, 4)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(dir, at("theirs")), os.Lchown(at("theirs"), 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"everybodys/log": "can be written by others (mode 0777)", "groups/log": "", "theirs/fine": "belongs to uid 1000",
		"fine": "", "new": "", "open": "written by others", "link": "symbolic link", "nowhere/log": "there is no directory", ".": "is a directory",
	} {
		failed := Probe(&policy.Log{File: at(name)}, owners())
		switch {
		case want == "" && len(failed) == 0:
		case want == "" || len(failed) != 1 || !strings.Contains(failed[0].Error(), want):
			t.Errorf("%s: %v, want %q", name, failed, want)
		}
		err := Write(&policy.Log{File: at(name)}, whole(), owners())
		if (err == nil) != (want == "") {
			t.Errorf("%s: the probe says %v, writing %v", name, failed, err)
		}
	}
	if Probe(&policy.Log{File: at("newer")}, owners()); func() bool { _, err := os.Lstat(at("newer")); return err == nil }() {
		t.Error("the probe has made a file")
	}
	if err := probeSocket(at("socket")); err == nil {
		t.Error("a socket that is not there answers")
	}
}
