// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOverlay(t *testing.T) {
	const mounts = `21 1 0:20 / / rw shared:1 - ext4 /dev/sda1 rw
45 21 0:43 / /rootfs rw,relatime shared:7 master:2 - overlay overlay rw,lowerdir=/l\134\054a:/b,upperdir=/with\040blank\054\134x/diff,workdir=/w,xino=off
46 21 0:44 / /view ro,relatime - overlay overlay ro,lowerdir=/a:/b,metacopy=on,userxattr
47 21 0:44 / /new rw - overlay overlay rw,lowerdir+=/a:x,lowerdir+=/b,upperdir=/u,workdir=/w
48 21 0:44 / /data rw - overlay overlay rw,lowerdir+=/a,datadir+=/b
49 21 0:44 / /relative rw - overlay overlay rw,lowerdir=l/ABC:l/DEF,upperdir=/u,workdir=/w
50 21 0:44 / /data rw - overlay overlay rw,lowerdir=/a::/b
52 21 0:44 / /fd rw - overlay overlay rw,lowerdir=/proc/self/fd/3,upperdir=/proc/self/fd/4,workdir=w
53 21 0:44 / /fd rw - overlay overlay rw,lowerdir=/a:/dev/fd/3,upperdir=/u,workdir=w
51 21 0:44 / /relative rw - overlay overlay rw,lowerdir=/a,upperdir=u,workdir=w
`
	for id, want := range map[string]Overlay{
		"45": {Upper: `/with blank,\x/diff`, Lower: []string{"/l,a", "/b"}},
		"46": {Lower: []string{"/a", "/b"}, Flags: []string{"metacopy=on", "userxattr"}},
		"47": {Upper: "/u", Lower: []string{"/a:x", "/b"}},
		"52": {Upper: "/proc/self/fd/4"}, "53": {Upper: "/u"},
		"48": {}, "49": {Upper: "/u"}, "50": {}, "51": {Upper: "u", Lower: []string{"/a"}}, "21": {}, "4": {},
	} {
		if got := overlayAt(mounts, id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
}

// TestOverlayOf checks an overlay's root, a directory below it, and another file system.
func TestOverlayOf(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH) // otherwise the directory could not be removed
	for _, sub := range []string{"a b", "c,d/sub", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := unix.Mount("overlay", dir+"/merged", "overlay", 0, "lowerdir="+dir+"/a b:"+dir+"/c\\,d,upperdir="+dir+"/upper,workdir="+dir+"/work")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir+"/merged", unix.MNT_DETACH) // likewise
	look := func(p string) (Overlay, error) {
		fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd) // nothing was written
		return OverlayOf(fd)
	}
	o, err := look(dir + "/merged")
	if err != nil || o.Upper != dir+"/upper" || len(o.Lower) != 2 || o.Lower[0] != dir+"/a b" || o.Lower[1] != dir+"/c,d" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, p := range []string{dir + "/merged/sub", dir, "/proc"} {
		if o, err := look(p); err == nil {
			t.Errorf("%s: %+v", p, o)
		}
	}
}
