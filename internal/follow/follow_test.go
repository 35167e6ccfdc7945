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

// log is a log in its own directory, with the lines that were read.
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

// write appends like the runtime, which opens the file for each line.
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

// rotate renames the log and its rotated files.
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

// TestALogThatComesLater: if there was no log at first, all its lines are read, also after a restart.
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
	l.path = filepath.Join(filepath.Dir(l.path), "log[1]*") // not a pattern
	l.file = Open(l.path, Cursor{})
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

// TestAnotherLogBesideIt: a log with a name that begins like this one's is not a rotated file.
func TestAnotherLogBesideIt(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	for _, name := range []string{"-audit", ".audit.log", "2", ".old-audit.1"} {
		if err := os.WriteFile(l.path+name, []byte("of another log\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.write("one\n")
	l.take()
	l.rotate()
	l.write("two\n")
	l.take()
	l.restart()
	l.take()
	l.want("one", "two")
}

// TestDates: rotated files may have dates in their names.
func TestDates(t *testing.T) {
	l := newLog(t)
	l.write("old\n")
	l.take()
	var written []string
	for _, date := range []string{"-20260304", "-20260305", ".2026-03-06", "-20260307-1772841600"} {
		written = append(written, date)
		l.write(date + "\n")
		time.Sleep(10 * time.Millisecond) // more than the kernel's clock of files is coarse
		if err := os.Rename(l.path, l.path+date); err != nil {
			t.Fatal(err)
		}
	}
	l.write("last\n")
	l.take()
	l.want(append(written, "last")...)
}

// TestRestart: after rotations during a restart, reading continues at the cursor.
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

// TestGaps: lost lines are counted, and reading continues.
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

// TestCutAndGrown: a truncated log is read from its beginning, even if it has grown to the same length.
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

// TestSettle: a renamed file is still read for a while.
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
	if !l.file.Waits() {
		t.Error("a file that comes next is not waited for")
	}
	_, err = writer.WriteString("one\n")
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	l.file.Settle = 0
	l.take()
	l.want("one", "two")
	if l.file.Waits() {
		t.Error("nothing comes next, and it is waited for")
	}
}

// TestSettleByABadClock: a log is not waited for until the clock is again where it was.
func TestSettleByABadClock(t *testing.T) {
	for passed, want := range map[time.Duration]bool{0: false, time.Second - 1: false, time.Second: true, time.Hour: true, -time.Hour: true} {
		if got := isLong(passed, time.Second); got != want {
			t.Errorf("%v: %t", passed, got)
		}
	}
}

// TestNoLossAndNoDoubling for any order of writes, rotations, reads and restarts.
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
					l.write("") // like logrotate's create
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
				l.take() // fewer rotated files are kept than could appear
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

// TestFork: a second reader goes on at the line of the first, through rotations and restarts.
func TestFork(t *testing.T) {
	for name, lose := range map[string]func(*log){
		"open":         func(*log) {},
		"by its place": (*log).restart,
		"removed": func(l *log) {
			if err := os.Remove(l.path + ".1"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.write("old\n")
			l.take()
			l.write("one\ntwo\nthree\n")
			fork := &log{t: t, path: l.path}
			t.Cleanup(func() { fork.file.Close() })
			if err := l.file.Read(func(line []byte) error {
				if string(line) == "two" {
					fork.file = l.file.Fork()
				}
				l.read = append(l.read, string(line))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			l.write("four\n")
			l.rotate()
			lose(fork)
			l.write("five\n")
			l.take()
			l.want("one", "two", "three", "four", "five")
			fork.take()
			fork.want("two", "three", "four", "five")
			if fork.file.Lost != 0 || fork.file.Cursor().Offset != l.file.Cursor().Offset {
				t.Errorf("%+v, and the first is at %+v", fork.file, l.file.Cursor())
			}
		})
	}
}

// TestForkOfTheFirstLines: the first lines of a log tell it from a later file with its inode number, before they are all read.
func TestForkOfTheFirstLines(t *testing.T) {
	l := newLog(t)
	l.take()
	l.write("one\ntwo\n")
	fork := &log{t: t, path: l.path}
	t.Cleanup(func() { fork.file.Close() })
	if err := l.file.Read(func(line []byte) error {
		if string(line) == "two" {
			fork.file = l.file.Fork()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.path, []byte("new\nand longer\n"), 0o600); err != nil { // the same inode
		t.Fatal(err)
	}
	fork.restart()
	fork.take()
	fork.want("new", "and longer")
}

// TestWatch: only changes of the given paths are reported, whether they exist or not.
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
