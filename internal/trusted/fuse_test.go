// SPDX-License-Identifier: Apache-2.0

package trusted

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// serve mounts a file system that reports its directory as root's alone, and answers no other request.
func serve(t *testing.T, dir string, user int) {
	t.Helper()
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
			t.Fatalf("root and FUSE are needed: %v", err)
		}
		t.Skipf("root and FUSE are needed: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=0,allow_other", fuse, user)
	if err := unix.Mount("test", dir, "fuse.test", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	go func() {
		buf := make([]byte, 1<<17)
		for {
			n, err := unix.Read(fuse, buf)
			if err != nil || n < 40 { // struct fuse_in_header; ENODEV once it is unmounted
				_ = unix.Close(fuse)
				return
			}
			_, _ = unix.Write(fuse, answer(binary.NativeEndian.Uint32(buf[4:]), buf[8:16]))
		}
	}()
}

// answer returns struct fuse_out_header with the reply to the call (Linux, uapi/linux/fuse.h).
func answer(opcode uint32, unique []byte) []byte {
	const getattr, statfs, initialize = 3, 17, 26
	var body []byte
	status := int32(0)
	switch opcode {
	case initialize:
		body = make([]byte, 64)
		binary.NativeEndian.PutUint32(body, 7)
		binary.NativeEndian.PutUint32(body[4:], 31)
		binary.NativeEndian.PutUint32(body[20:], 4096)
	case getattr:
		body = make([]byte, 104)
		binary.NativeEndian.PutUint64(body[16:], 1)                     // ino
		binary.NativeEndian.PutUint32(body[16+60:], unix.S_IFDIR|0o700) // mode
		binary.NativeEndian.PutUint32(body[16+64:], 2)                  // nlink; uid and gid are 0
	case statfs:
		body = make([]byte, 80)
	default:
		status = -int32(unix.ENOSYS)
	}
	out := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body))) // #nosec G115 -- a hundred
	out = binary.NativeEndian.AppendUint32(out, uint32(status))        // #nosec G115 -- an errno
	return append(append(out, unique...), body...)
}

func TestServedByOthers(t *testing.T) {
	for _, c := range []struct {
		user int
		want string
	}{{0, ""}, {1000, "served by a program of uid 1000"}} {
		dir := filepath.Join(t.TempDir(), "bundle")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		serve(t, dir, c.user)
		d, err := Open(dir, CallersOwners(nil))
		if err != nil {
			t.Fatal(err)
		}
		err = d.CheckPath()
		d.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("by uid %d: %v, want %q", c.user, err, c.want)
		}
	}
}
