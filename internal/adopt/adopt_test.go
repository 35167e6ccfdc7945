// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// volume creates a volume like Docker's, with files of root and of another user.
func volume(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root")
	}
	unix.Umask(0o022)
	dir := t.TempDir()
	v := filepath.Join(dir, "volumes", "v", "_data")
	must(t, os.MkdirAll(filepath.Join(v, "db/deep"), 0o755), os.WriteFile(filepath.Join(dir, "volumes/metadata.db"), nil, 0o600), os.Chmod(dir, 0o755))
	for name, mode := range map[string]uint32{"db/table": 0o600, "db/deep/x": 0o644, "su": 0o4755, "theirs": 0o600, "one": 0o644} {
		must(t, os.WriteFile(filepath.Join(v, name), []byte("x"), 0o600), unix.Chmod(filepath.Join(v, name), mode))
	}
	must(t,
		os.Chown(filepath.Join(v, "theirs"), 1500, 1500), os.Chown(filepath.Join(v, "db/deep"), 0, 42), os.Link(filepath.Join(v, "one"), filepath.Join(v, "two")),
		os.Symlink("/etc/passwd", filepath.Join(v, "link")), unix.Mknod(filepath.Join(v, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		unix.Mkfifo(filepath.Join(v, "fifo"), 0o600), os.WriteFile(filepath.Join(v, "db/mine"), nil, 0o600), os.Chown(filepath.Join(v, "db/mine"), 999, 999),
	)
	return v
}

func owner(t *testing.T, p string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(p, &st))
	return fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode&0o7777)
}

var given = map[string]string{
	".": "999:998 755", "db": "999:998 755", "db/table": "999:998 600", "db/deep": "999:42 755", "db/deep/x": "999:998 644", "link": "999:998 777", "fifo": "999:998 600",
	"su": "0:0 4755", "theirs": "1500:1500 600", "one": "0:0 644", "two": "0:0 644", "null": "0:0 644", "db/mine": "999:999 600",
}

// TestAdoptLeavesLists: users named in an access control list have the same rights afterwards, and after an undo.
func TestAdoptLeavesLists(t *testing.T) {
	v := volume(t)
	const access, inherited = "system.posix_acl_access", "system.posix_acl_default"
	list := testkit.ListOf(4, 6, map[uint32]uint16{1500: 6}, map[uint32]uint16{50: 4}, 4, 0)
	for _, at := range []string{".", "db", "db/table"} {
		must(t, unix.Setxattr(filepath.Join(v, at), access, list, 0))
	}
	must(t, unix.Setxattr(filepath.Join(v, "db"), inherited, list, 0))
	same := func(when string) {
		t.Helper()
		for _, at := range []string{".", "db", "db/table", "db:default"} {
			name, attribute := at, access
			if at == "db:default" {
				name, attribute = "db", inherited
			}
			buf := make([]byte, 4096)
			n, err := unix.Getxattr(filepath.Join(v, name), attribute, buf)
			if err != nil || !bytes.Equal(buf[:n], list) {
				t.Errorf("%s: the list of %s: %v, %v", when, at, buf[:max(n, 0)], err)
			}
		}
	}
	o := &Options{Volume: v, To: ID{UID: 999, GID: 998}, State: t.TempDir()}
	_, err := Adopt(o)
	must(t, err)
	if got := owner(t, filepath.Join(v, "db/table")); got != "999:998 640" {
		t.Errorf("adopted: %s", got)
	}
	same("adopted")
	_, err = Undo(o)
	must(t, err)
	if got := owner(t, filepath.Join(v, "db/table")); got != "0:0 640" {
		t.Errorf("undone: %s", got)
	}
	same("undone")
	_, err = Adopt(&Options{Volume: v, To: ID{GID: 998}, Group: true, State: t.TempDir()})
	must(t, err)
	same("for a group")
}

func TestAdopt(t *testing.T) {
	v := volume(t)
	o := &Options{Volume: v, To: ID{UID: 999, GID: 998}, State: t.TempDir()}
	dry := *o
	dry.DryRun = true
	passwd := owner(t, "/etc/passwd")
	would, err := Adopt(&dry)
	if err != nil || would.Given != 7 || owner(t, v) != "0:0 755" || owner(t, v+"/db/table") != "0:0 600" {
		t.Fatalf("a dry run: %+v, %v", would, err)
	}
	if _, err := os.Stat(journalDir(o.State)); err == nil {
		t.Error("a dry run writes a journal")
	}
	r, err := Adopt(o)
	if err != nil || r.Given != would.Given || r.Others != 1 || len(r.Skipped) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, want := range given {
		if got := owner(t, filepath.Join(v, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if owner(t, "/etc/passwd") != passwd {
		t.Error("a link was followed")
	}
	if again, err := Adopt(o); err != nil || again.Given != 0 {
		t.Errorf("twice: %+v, %v", again, err)
	}
	// The journal decides, whatever owner the options name.
	o.To = ID{UID: 5, GID: 5}
	// Files created since stay the identity's; a removed one is not an error.
	must(t, os.WriteFile(v+"/new", nil, 0o600), os.Chown(v+"/new", 999, 998), os.Remove(v+"/fifo"))
	if back, err := Undo(o); err != nil || back.Given != 6 {
		t.Errorf("back: %+v, %v", back, err)
	}
	for name, want := range map[string]string{".": "0:0 755", "db/table": "0:0 600", "db/deep": "0:42 755", "link": "0:0 777", "new": "999:998 600", "theirs": "1500:1500 600", "db/mine": "999:999 600"} {
		if got := owner(t, filepath.Join(v, name)); got != want {
			t.Errorf("undone: %s is %s, want %s", name, got, want)
		}
	}
	if _, err := Undo(o); err == nil || !strings.Contains(err.Error(), "was not adopted") {
		t.Errorf("undone twice: %v", err)
	}
}

// TestUndoInTheWrongHands: after the identity has changed the volume, root gets back neither files of the host nor a
// setuid file of the identity's.
func TestUndoInTheWrongHands(t *testing.T) {
	v := volume(t)
	o := &Options{Volume: v, To: ID{UID: 999, GID: 998}, State: t.TempDir()}
	if _, err := Adopt(o); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/x", nil, 0o600), os.Chown(outside+"/x", 999, 998))
	must(t, os.RemoveAll(v+"/db/deep"), os.Symlink(outside, v+"/db/deep"), os.Remove(v+"/db/table"),
		os.WriteFile(v+"/db/table", nil, 0o755), os.Chown(v+"/db/table", 999, 998), unix.Chmod(v+"/db/table", 0o4755))
	if _, err := Undo(o); err != nil {
		t.Fatal(err)
	}
	if got := owner(t, outside+"/x"); got != "999:998 600" {
		t.Errorf("beyond a link: %s", got)
	}
	if got := owner(t, v+"/db/table"); got != "999:998 4755" {
		t.Errorf("a setuid file: %s", got)
	}
}

// TestInterrupted: a run that ended in the middle is repeated, and undone as a whole.
func TestInterrupted(t *testing.T) {
	v := volume(t)
	o := &Options{Volume: v, To: ID{UID: 999, GID: 998}, State: t.TempDir()}
	// It fails at the journal: nothing is changed without one.
	must(t, os.WriteFile(o.State+"/volumes", nil, 0o600))
	if _, err := Adopt(o); err == nil || owner(t, v+"/db/table") != "0:0 600" {
		t.Errorf("without a journal: %v", err)
	}
	must(t, os.Remove(o.State+"/volumes"))
	if _, err := Adopt(o); err != nil {
		t.Fatal(err)
	}
	must(t, os.Chown(v+"/db/table", 0, 0)) // as if it had not got that far
	journal := filepath.Join(journalDir(o.State), journalName(v))
	text, err := os.ReadFile(journal)
	must(t, err, os.WriteFile(journal, append(text, `{"path":"half`...), 0o600))
	if _, err := Undo(o); err != nil {
		t.Errorf("a line that was cut off: %v", err)
	}
	if got := owner(t, v+"/db/deep/x"); got != "0:0 644" {
		t.Errorf("not undone: %s", got)
	}
	// A repeated run appends after a line that was cut off.
	must(t, os.MkdirAll(journalDir(o.State), 0o700), os.WriteFile(journal, []byte(`{"path":"half`), 0o600))
	if _, err := Adopt(o); err != nil {
		t.Fatal(err)
	}
	if r, err := Undo(o); err != nil || r.Given != 7 || owner(t, v+"/db/deep/x") != "0:0 644" {
		t.Errorf("after a repeated run: %+v, %v", r, err)
	}
}

// TestOddNames: names of any bytes, paths longer than the kernel accepts at once, and files that replaced others.
func TestOddNames(t *testing.T) {
	v := volume(t)
	o := &Options{Volume: v, To: ID{UID: 999, GID: 998}, State: t.TempDir()}
	must(t, os.WriteFile(v+"/caf\xe9", nil, 0o600))
	fd, err := unix.Open(v, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(t, err)
	long := strings.Repeat("d", 200)
	for range 25 {
		must(t, unix.Mkdirat(fd, long, 0o755))
		next, err := unix.Openat(fd, long, unix.O_PATH|unix.O_DIRECTORY, 0)
		must(t, err, unix.Close(fd))
		fd = next
	}
	defer unix.Close(fd) // nothing was written
	if _, err := Adopt(o); err != nil {
		t.Fatal(err)
	}
	must(t, os.Remove(v+"/db/table"), os.WriteFile(v+"/other", []byte("theirs"), 0o755), os.Chown(v+"/other", 999, 998), os.WriteFile(v+"/hold", nil, 0o600), os.Rename(v+"/other", v+"/db/table"))
	if _, err := Undo(o); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	must(t, unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH))
	if got := owner(t, v+"/caf\xe9"); got != "0:0 600" || st.Uid != 0 {
		t.Errorf("%s, the deepest is %d's", got, st.Uid)
	}
	if got := owner(t, v+"/db/table"); got != "999:998 755" {
		t.Errorf("what was put in the place of a file: %s", got)
	}
}

func TestFind(t *testing.T) {
	v := volume(t)
	owners := trusted.Owners{}
	if got, err := Find(v, owners); err != nil || got != v {
		t.Errorf("%q, %v", got, err)
	}
	must(t, os.Remove(filepath.Join(v, "../../metadata.db")))
	for _, no := range []string{v, "", ".", "../v", "/etc", "no-such-volume", t.TempDir()} {
		if got, err := Find(no, owners); err == nil {
			t.Errorf("%q is taken for the volume %q", no, got)
		}
	}
	for _, to := range []ID{{UID: 0, GID: 5}, {UID: 5, GID: 0}} {
		if _, err := Adopt(&Options{Volume: v, To: to, State: t.TempDir()}); err == nil {
			t.Errorf("it is given to %+v", to)
		}
	}
}
