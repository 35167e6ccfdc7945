// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLost(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state", "lost")
	if l, err := readLost(name, owners()); err != nil || l != (Lost{}) {
		t.Fatalf("%+v, %v", l, err)
	}
	now := time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
	if err := countLost(name, now, errors.New("the first\x1b[31m"), owners()); err != nil {
		t.Fatal(err)
	}
	if l, err := readLost(name, owners()); err != nil || l.Count != 1 || !l.Last.Equal(now) || !strings.HasPrefix(l.Reason, "the first") || strings.Contains(l.Reason, "\x1b") {
		t.Fatalf("%+v, %v", l, err)
	}
	if err := countLost(name, now.Add(time.Hour), errors.Join(errors.New(strings.Repeat("long ", 1000)), errors.New("and more")), owners()); err != nil {
		t.Fatal(err)
	}
	if err := countLost(name, now.Add(2*time.Hour), errors.New("short"), owners()); err != nil {
		t.Fatal(err)
	}
	if l, err := readLost(name, owners()); err != nil || l.Count != 3 || !l.Last.Equal(now.Add(2*time.Hour)) || l.Reason != "short" {
		t.Fatalf("%+v, %v", l, err)
	}
	st, err := os.Stat(name)
	if err != nil || st.Size() != lostSize || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	dir, err := os.Stat(filepath.Dir(name))
	if err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", dir, err)
	}
}

// TestLostTogether: calls that lose lines at the same time are all counted, or return an error.
func TestLostTogether(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lost")
	const calls = 30
	failed := make(chan error, calls)
	var all sync.WaitGroup
	for range calls {
		all.Go(func() { failed <- countLost(name, time.Now(), errors.New("x"), owners()) })
	}
	all.Wait()
	close(failed)
	want := uint64(0)
	for err := range failed {
		if err == nil {
			want++
		}
	}
	if l, err := readLost(name, owners()); err != nil || l.Count != want || want == 0 {
		t.Errorf("%d of %d were counted, and the file says %+v, %v", want, calls, l, err)
	}
}

// TestLostIsGuarded: a counter that users other than root can change is neither written nor believed.
func TestLostIsGuarded(t *testing.T) {
	dir := t.TempDir()
	other, name := filepath.Join(dir, "other"), filepath.Join(dir, "lost")
	if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, name); err != nil {
		t.Fatal(err)
	}
	if countLost(name, time.Now(), errors.New("x"), owners()) == nil {
		t.Error("it is written through a link")
	}
	if _, err := readLost(name, owners()); err == nil {
		t.Error("it is read through a link")
	}
	if text, _ := os.ReadFile(other); string(text) != "precious" {
		t.Errorf("%q", text)
	}
	if _, err := readLost(other, owners()); err == nil {
		t.Error("what is not a counter is read as one")
	}
	if err := os.Chmod(other, 0o666); err != nil { // #nosec G302 -- it is what is to be refused
		t.Fatal(err)
	}
	if countLost(other, time.Now(), errors.New("x"), owners()) == nil {
		t.Error("a file that others can write is written")
	}
}
