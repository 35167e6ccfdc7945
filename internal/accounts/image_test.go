// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestLookups: well-formed entries of the image are found.
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

// TestAsRead: a line that engines and glibc read as an entry is one, however it is written; this is checked against
// models of both. An invalid number is not read as 0.
func TestAsRead(t *testing.T) {
	for line, want := range map[string]User{
		"b:x:1001:1002:B:/home/b:/bin/sh":      {"b", 1001, 1002, "B", "/home/b", "/bin/sh"},
		"b:x:1001:1002:B:/home/b":              {"b", 1001, 1002, "B", "/home/b", ""},
		"b:x:1001:1002:B":                      {"b", 1001, 1002, "B", "", ""},
		"b:x:1001:1002":                        {"b", 1001, 1002, "", "", ""},
		"b:x:1001:1002:B:/home/b:/bin/sh\r":    {"b", 1001, 1002, "B", "/home/b", "/bin/sh"},
		"b:x:1001:1002\r":                      {"b", 1001, 1002, "", "", ""},
		"b:x:01001:0001002:B:/home/b:/bin/sh":  {"b", 1001, 1002, "B", "/home/b", "/bin/sh"},
		"b:x: 1001:\t1002:B:/home/b:/bin/sh":   {"b", 1001, 1002, "B", "/home/b", "/bin/sh"},
		" \tb:x:1001:1002:B:/home/b:/bin/sh":   {"b", 1001, 1002, "B", "/home/b", "/bin/sh"},
		"b:x:1001:":                            {},
		"b:x:1001":                             {},
		"b:x:1001:1002:B:/home/b:/bin/sh:more": {},
		"b:x:abc:1002:B:/home/b":               {},
		"b:x::1002:B:/home/b":                  {},
		"b:x:1001:x:B:/home/b":                 {},
		"b:x:+1001:1002:B:/home/b":             {},
		"b:x:-1001:1002:B:/home/b":             {},
		"b:x:1001 :1002:B:/home/b":             {},
		"b:x:1001z:1002:B:/home/b":             {},
		"b:x:4294967295:1002:B:/home/b":        {},
		"#b:x:1001:1002:B:/home/b":             {},
		"+b:x:1001:1002:B:/home/b":             {},
		"b\x00:x:1001:1002:B:/home/b":          {},
		"b:x:1001:1002:B\r:/home/b":            {},
	} {
		a := Files{Passwd: []byte("z:x:9:9:::\n" + line + "\nroot:x:0:0::/root:/bin/sh\n")}
		byID, ok := a.UserByID(1001)
		byName, named := a.UserByName("b")
		if byID != want || byName != want || ok != (want != User{}) || named != ok {
			t.Errorf("%q is %+v (%v), by its name %+v (%v), want %+v", line, byID, ok, byName, named, want)
		}
		uids := UIDs{passwd: a.Passwd}
		if uids.Has(1001) != ok {
			t.Errorf("%q: that there is its uid: %v", line, !ok)
		}
		if !ok {
			continue
		}
		// An engine or the C library must read it so: only glibc accepts blanks before a number, and only moby/sys/user
		// another line end.
		if !slices.ContainsFunc(parsers, func(p parser) bool {
			r, _ := p.byID(a.Passwd, passwdFields, 1001)
			return (p.name == "glibc" || p.name == "moby") && r == row{want.Name, want.UID, want.GID, want.Home, want.Shell}
		}) {
			t.Errorf("nobody reads %q so", line)
		}
	}
	for line, want := range map[string]uint32{
		"b:x:1001:a,c": 1001, "b:x:1001:": 1001, "b:x:1001": 1001, "b:x:1001\r": 1001, "b:x:1001:b\r": 1001, "b:x:001001": 1001, "b:x: 1001:": 1001,
		"b:x:": 0, "b:x": 0, "b:x:abc": 0, "b:x:1001:a:c": 0, "b:x:+1001:": 0,
	} {
		a := Files{Group: []byte(line + "\nroot:x:0:b\n")}
		if got, ok := a.GroupByName("b"); got != want || ok != (want != 0) {
			t.Errorf("the group %q is %d, %v", line, got, ok)
		}
	}
	members := Files{Group: []byte("a:x:05:b,c\r\nd:x:6:c,b\r\ne:x:7\n")}
	if got := members.Memberships("b"); !slices.Equal(got, []uint32{5, 6}) {
		t.Errorf("b is in %v", got)
	}
}

// TestManyQuestions: a passwd of the maximum length is not searched for each file of an image.
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
