// SPDX-License-Identifier: Apache-2.0

package links

import (
	"errors"
	"testing"
)

func TestFollow(t *testing.T) {
	links := map[string]string{"/a": "/b/c", "/b/c": "../d", "/d/up": "..", "/round": "round", "/x": "y", "/y": "./x", "/d/root": "/", "/e": "a/../../d"}
	for name, want := range map[string]string{
		"/": "/", "/n/o/n/e": "/n/o/n/e", "/a": "/d", "/a/f": "/d/f", "/b/c/../z": "/z", "//a/./f/": "/d/f", "/d/up/a": "/d",
		"/../../a": "/d", "/d/root/b": "/b", "/e/g": "/d/g", "/round": "", "/x/1": "", "/stop": "",
	} {
		got, err := Follow(name, func(next, _ string) (string, error) {
			if next == "/stop" {
				return "", errors.New("stop")
			}
			return links[next], nil
		})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	var rests []string
	if _, err := Follow("/a/b/../c", func(_, rest string) (string, error) { rests = append(rests, rest); return "", nil }); err != nil || len(rests) != 3 || rests[0] != "b/../c" || rests[2] != "" {
		t.Errorf("%q, %v", rests, err)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		dir, p string
		want   bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b/c", true},
		{"/", "/", true},
		{"/", "/a", true},
		{"/a", "/ab", false},
		{"/a/b", "/a", false},
		{"/a", "/", false},
		{"/a", "/b/a", false},
	} {
		if got := Within(c.dir, c.p); got != c.want {
			t.Errorf("%q within %q: %t", c.p, c.dir, got)
		}
	}
}

func TestWithinAny(t *testing.T) {
	for p, want := range map[string]bool{"/a": true, "/a/x": true, "/c/d/e": true, "/c": false, "/ab": false, "/": false} {
		if got := WithinAny([]string{"/a", "/c/d"}, p); got != want {
			t.Errorf("%q: %t", p, got)
		}
	}
	if WithinAny(nil, "/a") {
		t.Error("a path is within none")
	}
}
