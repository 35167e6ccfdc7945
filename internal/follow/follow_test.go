// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// log is a log in a directory of its own, and the lines that were read of it.
type log struct {
	t    *testing.T
	path string
	file *File
	read []string
}

func newLog(t *testing.T) *log {
	l := &log{t: t, path: filepath.Join(t.TempDir(), "log")}
	l.file = Open(l.path, Cursor{})
	t.Cleanup(func() { l.file.Close() })
	return l
}

// write appends as the runtime does: it opens the file for each line.
func (l *log) write(text string) {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// rotate renames the log and the files that were rotated before.
func (l *log) rotate() {
	l.t.Helper()
	for i := 9; i > 0; i-- {
		err := os.Rename(fmt.Sprintf("%s.%d", l.path, i), fmt.Sprintf("%s.%d", l.path, i+1))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			l.t.Fatal(err)
		}
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		l.t.Fatal(err)
	}
}

func (l *log) take() {
	l.t.Helper()
	if err := l.file.Read(func(line []byte) error {
		l.read = append(l.read, string(line))
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
}

// restart continues with nothing but the cursor.
func (l *log) restart() {
	l.t.Helper()
	data, err := json.Marshal(l.file.Cursor())
	if err != nil {
		l.t.Fatal(err)
	}
	var cursor Cursor
	if err := json.Unmarshal(data, &cursor); err != nil {
		l.t.Fatal(err)
	}
	l.file.Close()
	l.file = Open(l.path, cursor)
}

func (l *log) want(lines ...string) {
	l.t.Helper()
	if !slices.Equal(l.read, lines) {
		l.t.Fatalf("read %q, and written was %q", l.read, lines)
	}
}

func TestNewLinesOnly(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.want()
	l.write("one\ntwo\nhal")
	l.take()
	l.want("one", "two")
	l.write("f\n\n\nthree\n")
	l.take()
	l.want("one", "two", "half", "three")
}

// TestALogThatComesLater: a reader that found no log misses nothing of a later one, even after a restart.
func TestALogThatComesLater(t *testing.T) {
	for name, restart := range map[string]func(*log){"at once": func(*log) {}, "after a restart": (*log).restart} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.take()
			restart(l)
			l.write("one\ntwo\n")
			l.take()
			l.write("three\n")
			restart(l)
			l.take()
			l.want("one", "two", "three")
			if l.file.Lost != 0 {
				t.Errorf("%d gaps", l.file.Lost)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.write("one\n")
	l.rotate()
	l.take()
	l.want("one")
	l.write("two\n")
	l.take()
	l.want("one", "two")
}

// TestTwoRotations: a file that appeared and was renamed between two reads is read, too.
func TestTwoRotations(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.write("one\n")
	l.rotate()
	l.write("two\n")
	l.rotate()
	l.write("three\n")
	l.take()
	l.want("one", "two", "three")
}

// TestRestart: a reader that was stopped during rotations continues where it was.
func TestRestart(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.write("one\n")
	l.take()
	l.write("two\n")
	l.rotate()
	l.write("three\n")
	l.restart()
	l.take()
	l.want("one", "two", "three")
	l.restart()
	l.take()
	l.want("one", "two", "three")
}

// TestALineIsHandedOverAgain if the function failed.
func TestALineIsHandedOverAgain(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.write("one\ntwo\n")
	failed := errors.New("not now")
	if err := l.file.Read(func(line []byte) error {
		if string(line) == "two" {
			return failed
		}
		l.read = append(l.read, string(line))
		return nil
	}); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	l.restart()
	l.take()
	l.want("one", "two")
}

// TestGaps: a file that was truncated, or removed with unread lines, is counted, and the remaining lines are read.
func TestGaps(t *testing.T) {
	l := newLog(t)
	l.write("old, and long\n")
	l.take()
	if err := os.Truncate(l.path, 0); err != nil {
		t.Fatal(err)
	}
	l.write("one\n")
	l.take()
	l.want("one")
	if l.file.Lost != 1 {
		t.Errorf("%d gaps, not 1", l.file.Lost)
	}
	if err := os.Remove(l.path); err != nil {
		t.Fatal(err)
	}
	l.write("another\ntwo\n")
	l.restart()
	l.take()
	l.want("one", "another", "two")
	if l.file.Lost != 1 {
		t.Errorf("%d gaps, not 1", l.file.Lost)
	}
}

// TestCutAndGrown: a truncated log is read from its beginning, even if as much as before has been written since.
func TestCutAndGrown(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.write("one\n")
	l.take()
	if err := os.Truncate(l.path, 0); err != nil {
		t.Fatal(err)
	}
	l.write("two\nthree\nfour\n")
	l.take()
	l.want("one", "two", "three", "four")
	if l.file.Lost != 1 {
		t.Errorf("%d gaps, not 1", l.file.Lost)
	}
}

// TestSettle: a file that has just been renamed is still read for a while.
func TestSettle(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	l.file.Settle = time.Hour
	writer, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.rotate()
	l.write("two\n")
	l.take()
	l.want()
	_, err = writer.WriteString("one\n")
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	l.file.Settle = 0
	l.take()
	l.want("one", "two")
}

// TestNoLossAndNoDoubling: each line is read once, whatever the order of writes, rotations, reads and restarts.
func TestNoLossAndNoDoubling(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test's
		l := newLog(t)
		l.write("old\n")
		l.take()
		var written []string
		for i := range 200 {
			switch random.IntN(6) {
			case 0:
				if _, err := os.Stat(l.path); err == nil && i > 0 {
					l.rotate()
					l.write("") // as logrotate's create does
				}
			case 1:
				l.restart()
			case 2:
				l.take()
			default:
				line := fmt.Sprintf("%d of %d", i, seed)
				written = append(written, line)
				l.write(line + "\n")
			}
			if i%5 == 0 {
				l.take() // otherwise more rotations would come than are kept
			}
		}
		l.take()
		l.take()
		l.want(written...)
		if l.file.Lost != 0 {
			t.Errorf("seed %d: %d gaps", seed, l.file.Lost)
		}
	}
}

// TestWatch: what is named is told of, whether it is there or not, and what lies beside it is not.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) func() error {
		return func() error { return os.WriteFile(at(name), []byte(text), 0o600) }
	}
	for _, err := range []error{os.Mkdir(at("whole"), 0o700), os.Mkdir(at("later.d"), 0o700), os.Remove(at("later.d")), write("log", "")(), write("whole/old", "")()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	changed, closed, err := Watch(at("log"), at("absent"), at("whole"), at("later.d"))
	if err != nil {
		t.Fatal(err)
	}
	told := func(limit time.Duration) bool {
		select {
		case <-changed:
			return true
		case <-time.After(limit):
			return false
		}
	}
	for _, c := range []struct {
		what   string
		do     func() error
		counts bool
	}{
		{"a line", write("log", "one\n"), true},
		{"another file", write("other", "x"), false},
		{"another one's mode", func() error { return os.Chmod(at("other"), 0o644) }, false},
		{"a file that comes", write("absent", "x"), true},
		{"its mode", func() error { return os.Chmod(at("absent"), 0o644) }, true},
		{"its end", func() error { return os.Remove(at("absent")) }, true},
		{"a rotation", func() error { return os.Rename(at("log"), at("log.1")) }, true},
		{"the next log", write("log", ""), true},
		{"a file in a directory", write("whole/new", ""), true},
		{"one that was there", write("whole/old", "x"), true},
		{"a directory that comes", func() error { return os.Mkdir(at("later.d"), 0o700) }, true},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		limit := 10 * time.Second
		if !c.counts {
			limit = 100 * time.Millisecond
		}
		if got := told(limit); got != c.counts {
			t.Errorf("%s: told %t", c.what, got)
		}
		for told(100 * time.Millisecond) { //nolint:revive // of one change the kernel may tell twice
		}
	}
	if err := closed(); err != nil {
		t.Fatal(err)
	}
	for range changed { //nolint:revive // until it is closed
	}
	if _, _, err := Watch(at("nowhere/log")); err == nil {
		t.Error("a directory that is not there is watched")
	}
}
