// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestUsesIsBounded: an image whose PATH and links lead through a thousand directories for each program keeps no create waiting (SECURITY.md
// H16). Unbounded it was most of a minute.
func TestUsesIsBounded(t *testing.T) {
	const most = time.Second // for a slow machine; it is some milliseconds
	root := t.TempDir()
	deep := strings.Repeat("d/", 1000)
	testkit.Must(t, os.MkdirAll(root+"/"+deep, 0o755))
	testkit.Must(t, os.Symlink(deep, root+"/link"))
	view, err := rootfs.Open(root, root, false, nil)
	testkit.Must(t, err)
	defer view.Close()
	var script strings.Builder
	for i := range maxUsed {
		fmt.Fprintf(&script, "program%d\n", i)
	}
	var dirs []string
	for i := range maxSearch {
		dirs = append(dirs, "/link"+strings.Repeat("/.", i))
	}
	search := strings.Join(dirs, ":")
	for what, look := range map[string]func(){
		"uses": func() { Command{Args: []string{"sh", "-c", script.String()}, Path: search}.Uses(view) },
		"hint": func() {
			Command{Args: []string{"program"}, Path: search}.Hint(view, func(*rootfs.Entry) bool { return true })
		},
		"of a user": func() { Command{Args: []string{"program"}, Path: search}.HintForUser(view) },
		"leads":     func() { Command{Args: []string{"program"}, Path: search}.Leads(view) },
	} {
		begin := time.Now()
		look()
		if took := time.Since(begin); took > most {
			t.Errorf("%s: it took %s", what, took)
		}
	}
}

// TestUsesByLinks: a directory of PATH is looked at once, by whatever names.
func TestUsesByLinks(t *testing.T) {
	root := t.TempDir()
	testkit.Must(t, os.MkdirAll(root+"/usr/bin", 0o755), os.Symlink("usr/bin", root+"/bin"), os.WriteFile(root+"/usr/bin/own", []byte("#!"), 0o700))
	view, err := rootfs.Open(root, root, false, nil)
	testkit.Must(t, err)
	defer view.Close()
	const search = "bin:/bin:/none:/bin/../bin:/usr/bin/"
	if got := searched(view, search); got != "/usr/bin" {
		t.Errorf("%q", got)
	}
	uses := Command{Args: []string{"sh", "-c", "own"}, Path: search}.Uses(view)
	if len(uses.Programs) != 1 || uses.Programs[0].Path != "/usr/bin/own" {
		t.Errorf("%+v", uses)
	}
}
