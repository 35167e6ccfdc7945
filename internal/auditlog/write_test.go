// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func owners() trusted.Owners { return trusted.CallersOwners(nil) }

func write(t *testing.T, name string) {
	t.Helper()
	if err := Write(&policy.Log{File: name}, whole(), owners()); err != nil {
		t.Error(err)
	}
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestFileIsMadeAndAppendedTo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	old := unix.Umask(0)
	defer unix.Umask(old)
	write(t, name)
	write(t, name)
	if got := lines(t, name); len(got) != 2 || got[0] != got[1] || got[0]+"\n" != string(Line(whole())) {
		t.Errorf("%q", got)
	}
	st, err := os.Stat(name)
	if err != nil || st.Mode() != 0o640 {
		t.Error(st.Mode(), err)
	}
}

// TestHalfALine: half a line that a full disk has left is not continued.
func TestHalfALine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, []byte(`{"time":"half`), 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, name)
	write(t, name)
	got := lines(t, name)
	if len(got) != 3 || got[0] != `{"time":"half` || got[1] != got[2] {
		t.Errorf("%q", got)
	}
}

func TestFilesThatAreNoLog(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	file := func(name string, mode os.FileMode) {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	file("target", 0o640)
	file("open", 0o622)
	file("twice", 0o640)
	file("theirs", 0o640)
	for _, err := range []error{
		os.Symlink(at("target"), at("link")), os.Symlink(at("made"), at("dangling")), os.Link(at("twice"), at("once")),
		os.Chown(at("theirs"), 1000, 1000), unix.Mkfifo(at("fifo"), 0o640), os.Mkdir(at("directory"), 0o755),
	} {
		if err != nil {
			t.Fatalf("needs root: %v", err)
		}
	}
	for name, want := range map[string]string{
		"link": "symbolic link", "dangling": "symbolic link", "twice": "2 hard links", "open": "written by others", "theirs": "uid 1000",
		"fifo": "not a regular file", "directory": "is a directory", "nowhere/log": "no such file", "target/log": "not a directory",
	} {
		done := make(chan error, 1)
		go func() { done <- Write(&policy.Log{File: at(name)}, whole(), owners()) }()
		select {
		case err := <-done:
			if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it waits", name)
		}
	}
	for _, name := range []string{"target", "open", "twice", "theirs"} {
		if st, err := os.Stat(at(name)); err != nil || st.Size() != 0 {
			t.Errorf("%s was written: %v", name, err)
		}
	}
	if _, err := os.Lstat(at("made")); err == nil {
		t.Error("the target of a link was made")
	}
}

// TestConcurrentWriters write while the file is renamed again and again: each line is whole, in one of the files.
func TestConcurrentWriters(t *testing.T) {
	const writers, each, rotations = 8, 200, 20
	dir := t.TempDir()
	name := filepath.Join(dir, "log")
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := whole()
				e.ID, e.Reason = fmt.Sprintf("%d-%d", w, i), strings.Repeat("x", 900)
				if err := Write(&policy.Log{File: name}, e, owners()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range rotations {
		_ = os.Rename(name, fmt.Sprintf("%s.%d", name, i)) // it may not exist yet
	}
	wg.Wait()
	seen := map[string]bool{}
	files, err := filepath.Glob(name + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, l := range lines(t, f) {
			if l == "" {
				continue // one writer saw the other's line half written
			}
			var v struct{ ID string }
			if err := json.Unmarshal([]byte(l), &v); err != nil {
				t.Fatalf("%q: %v", l, err)
			}
			seen[v.ID] = true
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d lines of %d", len(seen), writers*each)
	}
}

func TestDatagrams(t *testing.T) {
	e := whole()
	e.Mode = policy.Refuse
	text := strings.TrimSuffix(string(Line(e)), "\n")
	socket := filepath.Join(t.TempDir(), "s")
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close() // a test's
	for _, c := range []struct {
		message []byte
		want    string
	}{
		{syslogMessage(e, []byte(text)), fmt.Sprintf("<28>nonroot-runc[%d]: %s", os.Getpid(), text)},
		{journalMessage(e, []byte(text)), "SYSLOG_IDENTIFIER=nonroot-runc\nPRIORITY=4\nNONROOT_EVENT=create\nNONROOT_MODE=refuse\nNONROOT_CONTAINER=c1\nMESSAGE=" + text + "\n"},
	} {
		if err := send(socket, c.message); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 8192)
		n, err := daemon.Read(got)
		if err != nil || string(got[:n]) != c.want {
			t.Errorf("%q, %v", got[:n], err)
		}
	}
	// A daemon that no longer reads does not block a writer.
	for range 1_000_000 {
		if err = send(socket, []byte(text)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the socket takes a million messages that nobody reads")
	}
	if err := send(socket+"x", nil); err == nil {
		t.Error("what went to nobody is not an error")
	}
}
