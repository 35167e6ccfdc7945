// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestLookups: the image's word, if it's well-formed.
func TestLookups(t *testing.T) {
	dir := testkit.Tree(t, []string{
		"etc/passwd = a:x:1:x::/:\na:x:+5:1::/:\na:x:5:6:G:/h:/s\na:x:7:7::/:\nbig:x:4294967296:4294967296::/:\nmax:x:4294967294:1::/:\nzero:x:abc:0::/:\nroot:x:0:0:::\n",
		"etc/group = g:x:abc:\ng:x:+1:\ng:x:6:a,b\nh:x:4294967296:\nroot:x:0:\n",
	})
	view, err := rootfs.Open(filepath.Dir(dir), filepath.Base(dir), false, nil)
	testkit.Must(t, err)
	im := In(view)
	defer im.Close()
	a := User{"a", 5, 6, "G", "/h", "/s"}
	if u, ok := im.UserByName("a"); !ok || u != a {
		t.Errorf("a is %+v, %v", u, ok)
	}
	if u, ok := im.UserByID(5); !ok || u != a {
		t.Errorf("5 is %+v, %v", u, ok)
	}
	if u, ok := im.UserByID(0); !ok || u.Name != "root" {
		t.Errorf("0 is %+v, %v: a malformed number is no 0", u, ok)
	}
	if u, ok := im.UserByName("max"); !ok || u.UID != 4294967294 {
		t.Errorf("max is %+v, %v", u, ok)
	}
	for _, name := range []string{"big", "zero", "", "a:x", "A"} {
		if u, ok := im.UserByName(name); ok {
			t.Errorf("%q is %+v", name, u)
		}
	}
	if g, ok := im.GroupByName("g"); !ok || g != 6 {
		t.Errorf("g is %d, %v", g, ok)
	}
	if g, ok := im.GroupByName("h"); ok {
		t.Errorf("h is %d", g)
	}
	for uid, want := range map[uint32]bool{0: true, 1: false, 5: true, 6: false, 7: true, 4294967294: true} {
		if _, known := im.UserByID(uid); im.UIDs().Has(uid) != want || known != want {
			t.Errorf("that there is %d: %v, and by its entry %v", uid, im.UIDs().Has(uid), known)
		}
	}
}

// TestManyQuestions: a passwd as long as it may be is not looked through for each file of an image.
func TestManyQuestions(t *testing.T) {
	dir := testkit.Tree(t, []string{"etc/passwd = " + strings.Repeat("a\n", rootfs.MaxFile/2)})
	view, err := rootfs.Open(filepath.Dir(dir), filepath.Base(dir), false, nil)
	testkit.Must(t, err)
	im := In(view)
	defer im.Close()
	start, uids := time.Now(), im.UIDs()
	for uid := range uint32(4096) {
		if uids.Has(uid) {
			t.Fatalf("there is %d", uid)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}
