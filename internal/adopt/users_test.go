// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestWhose: all containers that asked for root have to agree.
func TestWhose(t *testing.T) {
	was := func(name string, uid, gid uint32, source decision.Source) User {
		return User{Name: name, Last: policy.LastStart{Identity: policy.Identity{UID: uid, GID: gid}, Source: source}, Known: true}
	}
	would := func(u User) User { u.Would = true; return u }
	one, again := was("one", 70, 71, decision.Image), was("again", 70, 71, decision.Volume)
	for name, test := range map[string]struct {
		users []User
		want  ID
		fails string
	}{
		"none":                               {nil, ID{}, "no container of Docker's or Podman's that mounts it is known"},
		"one":                                {[]User{one}, ID{UID: 70, GID: 71}, ""},
		"two who agree":                      {[]User{one, again}, ID{UID: 70, GID: 71}, ""},
		"one, and one by his own wish":       {[]User{was("db", 5, 5, decision.Kept), one}, ID{}, `"db" asks for 5:5 itself, "one" is 70:71`},
		"one, and the same by his own wish":  {[]User{was("db", 70, 5, decision.Kept), one}, ID{UID: 70, GID: 71}, ""},
		"one, and one of whom nobody knows":  {[]User{{Name: "new"}, one}, ID{}, `"new" is not known: it is in a user namespace, or its last start was under another runtime`},
		"who says it itself, by its command": {[]User{was("sly", 5000, 5000, decision.Prepared)}, ID{}, `"sly" is 5000:5000 by its command`},
		"by whose processes it joins":        {[]User{was("sly", 5000, 5000, decision.Joined)}, ID{}, `"sly" is 5000:5000 as the container whose processes it joins`},
		"by its request":                     {[]User{was("sly", 5000, 5000, decision.Requested)}, ID{}, `"sly" is 5000:5000 by its own request`},
		"by another volume":                  {[]User{was("sly", 5000, 5000, decision.Volume)}, ID{}, `"sly" is 5000:5000 as its volumes are`},
		"one, and who chose otherwise":       {[]User{one, was("sly", 5000, 5000, decision.Prepared)}, ID{}, `"sly" is 5000:5000 by its command`},
		"one, and who chose the same":        {[]User{one, was("step", 70, 71, decision.Prepared)}, ID{UID: 70, GID: 71}, ""},
		"one by his own wish":                {[]User{was("db", 5, 6, decision.Kept)}, ID{}, `"db" asks for 5:6 itself`},
		"one of whom nobody knows":           {[]User{{Name: "new"}}, ID{}, `"new" is not known: it is in a user namespace, or its last start was under another runtime`},
		"an image's, and the policy's":       {[]User{was("job", 65532, 65532, decision.Fixed), one}, ID{}, "with --user 70:71, an image's user"},
		"two images', and the policy's":      {[]User{was("job", 65532, 65532, decision.Fixed), one, was("two", 72, 71, decision.Image)}, ID{}, "as nonroot-ctl explain CONTAINER shows it"},
		"of whom nobody knows, an image's":   {[]User{{Name: "new"}, one}, ID{}, "as nonroot-ctl explain CONTAINER shows it"},
		"in mode audit, one":                 {[]User{would(one), again}, ID{UID: 70, GID: 71}, ""},
		"in mode audit, two":                 {[]User{would(one), would(was("two", 72, 71, decision.Image))}, ID{}, `"one" would be 70:71, "two" would be 72:71`},
		"two uids":                           {[]User{one, was("two", 72, 71, decision.Image)}, ID{}, `"one" is 70:71, "two" is 72:71`},
		"two gids":                           {[]User{one, was("two", 70, 72, decision.Image)}, ID{}, `"one" is 70:71, "two" is 70:72`},
		"two, the last of which agrees":      {[]User{one, was("two", 72, 72, decision.Image), one}, ID{}, `"two" is 72:72`},
	} {
		id, err := Whose("/v", test.users)
		if id != test.want || (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// TestLeaves: containers that will still run as the previous owner.
func TestLeaves(t *testing.T) {
	was := func(name string, uid uint32) User {
		return User{Name: name, Last: policy.LastStart{Identity: policy.Identity{UID: uid, GID: 5}}, Known: true}
	}
	would := was("audited", 65532)
	would.Would = true
	users := []User{was("stopped", 65532), was("other", 33), {Name: "unknown"}, would}
	if got := Leaves(users, ID{UID: 65532}, ID{UID: 33}); len(got) != 1 || got[0] != "stopped" {
		t.Errorf("%q", got)
	}
	if got := Leaves(users, ID{UID: 65532}, ID{UID: 65532}); len(got) != 0 {
		t.Errorf("to the same: %q", got)
	}
}

// TestMountedIn: a process that has a mount of the volume, of a path in it, or a writable one of a directory above it,
// and none without.
func TestMountedIn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed")
	}
	dir := t.TempDir()
	volume := filepath.Join(dir, "volumes/with blank/_data")
	must(t, os.MkdirAll(volume+"/sub", 0o755), os.MkdirAll(dir+"/volumes/other/_data", 0o755), os.Mkdir(dir+"/at", 0o755), os.Mkdir(dir+"/empty", 0o755))
	v, err := volumeAt(volume)
	must(t, err)
	for script, want := range map[string]bool{
		`true`:                                                           false, // as every process of the host's
		`mount --bind "$1/_data" "$2/at"`:                                true,
		`mount --bind "$1/_data/sub" "$2/at"`:                            true,
		`mount --bind "$1" "$2/at"`:                                      true,
		`mount --bind "$2/volumes" "$2/at"`:                              true,
		`mount --bind "$2/volumes/other" "$2/at"`:                        false,
		`mount --bind "$2/empty" "$2/at"`:                                false,
		`mount --bind -o ro "$2/volumes" "$2/at"`:                        false,
		`mount --bind -o ro "$1/_data" "$2/at"`:                          true,
		`mount --bind "$2" "$2/at"; mount -t tmpfs none "$2/at/volumes"`: false,
	} {
		// With a root of its own, as in a container: the host's own mounts are above everything.
		cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec",
			`mkdir -p "$2/root"; mount -t tmpfs none "$2/root"; `+script+`; mkdir "$2/root/at" "$2/root/proc"; mount --rbind "$2/at" "$2/root/at"
			for p in bin lib lib64 usr; do [ ! -e /$p ] || { mkdir "$2/root/$p"; mount -o ro --bind "/$p" "$2/root/$p"; mount -o remount,bind,ro "$2/root/$p"; }; done
			mount -t proc proc "$2/root/proc"; cd "$2/root"; mkdir old; pivot_root . old; umount -l /old; echo ready; read end`, "sh", filepath.Dir(volume), dir)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "ready\n" {
			t.Fatalf("%s: %q, %v", script, line, err)
		}
		if got := v.mountedIn(cmd.Process.Pid); got != want {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", cmd.Process.Pid))
			t.Errorf("%s: %v\n%+v\n%s", script, got, v, text)
		}
		must(t, in.Close())
		_ = cmd.Wait()
	}
}

// TestNotYetMountedIn: a runtime's process that creates a container has the host's mounts until it has changed its
// root.
func TestNotYetMountedIn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed")
	}
	v, err := volumeAt(t.TempDir())
	must(t, err)
	cmd := exec.Command("unshare", "--mount", "sh", "-c", "echo ready; read end")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	if v.mountedIn(cmd.Process.Pid) {
		t.Error("the host's mounts are taken for the container's")
	}
	must(t, in.Close())
	_ = cmd.Wait()
}

// TestByPrefix: the beginning of an anonymous volume's name.
func TestByPrefix(t *testing.T) {
	dir := func(name string) string { return "/v/" + name + "/_data" }
	a, b := dir(strings.Repeat("a", 64)), dir(strings.Repeat("a", 20)+strings.Repeat("b", 44))
	all := []string{a, b, dir(strings.Repeat("c", 20))}
	for prefix, want := range map[string]int{
		strings.Repeat("a", 12): 2, strings.Repeat("a", 21): 1, strings.Repeat("a", 20) + "b": 1, strings.Repeat("a", 11): 0,
		strings.Repeat("c", 12): 0, "A" + strings.Repeat("a", 12): 0, "": 0,
	} {
		if got := byPrefix(prefix, all); len(got) != want {
			t.Errorf("%q: %q", prefix, got)
		}
	}
	if err := several("aa", all[:2]); !strings.Contains(err.Error(), "2 volumes begin with \"aa\"\nhint: ") {
		t.Error(err)
	}
}

// TestJournalOfTwoRuns: one entry for each file, with its first owner and its last new one; a file that a program has
// put in the place of another between two runs is an entry of its own.
func TestJournalOfTwoRuns(t *testing.T) {
	var text []byte
	for _, e := range []entry{
		{Path: []byte("."), Ino: 1, UID: 0, To: 65532},
		{Path: []byte("dump"), Ino: 2, UID: 0, To: 65532},
		{Path: []byte("."), Ino: 1, UID: 65532, To: 1234},
		{Path: []byte("dump"), Ino: 3, UID: 65532, To: 1234},
		{Path: []byte("dump"), Ino: 3, UID: 1234, To: 1236},
	} {
		line, err := json.Marshal(e)
		must(t, err)
		text = append(append(text, line...), '\n')
	}
	var got []string
	for _, e := range readJournal(text) {
		got = append(got, fmt.Sprintf("%s %d: %d to %d", e.Path, e.Ino, e.UID, e.To))
	}
	if want := "[. 1: 0 to 1234 dump 2: 0 to 65532 dump 3: 65532 to 1236]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}
