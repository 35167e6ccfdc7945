// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"maps"
	"path/filepath"
	"testing"
)

// TestForesee: Foresee predicts what Give does to a directory, and changes nothing.
func TestForesee(t *testing.T) {
	files := maps.Clone(hostile)
	files["root/"], files["link"] = "0:0 700", "-> root"
	rootfs := overlay(t, files)
	w := wish(rootfs, "/var/lib", "/root")
	w.Keep = []string{"/var/lib/nginx"}
	before := owners(t, rootfs)
	for dir, want := range map[string]bool{
		"/root": true, "/var/lib": true, "/var/lib/nginx": false, "/var/lib/person": false, "/var/lib/volume": false, "/link": false, "/none": false,
		"/bin/su": false, "/var/lib/everyones": false,
	} {
		if got := Foresee(w, dir); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
	if after := owners(t, rootfs); !maps.Equal(before, after) {
		t.Errorf("it was %v and is %v", before, after)
	}
	if _, err := Give(w); err != nil || owners(t, rootfs)["/root"] != "1000:1001 700" {
		t.Errorf("%v, %v", err, owners(t, rootfs))
	}
	w.Rootfs = filepath.Dir(rootfs)
	if Foresee(w, "/merged") {
		t.Error("a rootfs that is not a layer of the container's own")
	}
	w.Rootfs, w.Made = rootfs, func(string) bool { return false }
	if Foresee(w, "/var/lib/setgid") {
		t.Error("one that nobody has made for it")
	}
}

// TestMadeFor: an engine mounts a container's rootfs below its bundle, or in its store.
func TestMadeFor(t *testing.T) {
	for rootfs, want := range map[string]bool{"/run/b/rootfs": true, "/run/bundle/rootfs": false, "/run/b": false, "/": false, "/srv/rootfs": false} {
		if got := MadeFor("/run/b/", "c")(rootfs); got != want {
			t.Errorf("%s: %v", rootfs, got)
		}
	}
}
