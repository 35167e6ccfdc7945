// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// listening makes a socket with a mode.
func listening(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEngineSockets(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"run", "run/beside", "other"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := listening(t, filepath.Join(dir, "run/engine.sock"), 0o660)
	file := filepath.Join(dir, "other/file")
	err = errors.Join(os.WriteFile(file, nil, 0o644), os.Link(socket, filepath.Join(dir, "other/name")), os.Symlink("run", filepath.Join(dir, "link")))
	if err != nil {
		t.Fatal(err)
	}
	known := []string{filepath.Join(dir, "none"), socket, filepath.Join(dir, "link/engine.sock"), file}
	for source, want := range map[string]bool{
		"run/engine.sock": true, "run": true, "": true, "link": true, "link/engine.sock": true, "other/name": true,
		"other": false, "run/beside": false, "other/file": false, "gone": false,
	} {
		found := socketsIn(known, []Bind{{Source: filepath.Join(dir, source), Destination: "/x"}})
		if (len(found) == 1) != want || len(found) > 1 {
			t.Errorf("%q: %+v", source, found)
		}
		if want && (found[0].Path != socket || found[0].Mount != "/x" || found[0].Everyone) {
			t.Errorf("%q: %+v", source, found)
		}
	}
}

func TestWriters(t *testing.T) {
	dir := t.TempDir()
	list := func(entries ...[3]uint32) []byte {
		b := binary.LittleEndian.AppendUint32(nil, aclVersion)
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint16(b, uint16(e[0])) // the table below
			b = binary.LittleEndian.AppendUint16(b, uint16(e[1])) // likewise
			b = binary.LittleEndian.AppendUint32(b, e[2])
		}
		return b
	}
	const none = 1<<32 - 1
	named := list([3]uint32{1, 6, none}, [3]uint32{aclUser, 6, 1000}, [3]uint32{aclUser, 4, 1001}, [3]uint32{4, 6, none},
		[3]uint32{aclGroup, 6, 2000}, [3]uint32{0x10, 6, none}, [3]uint32{0x20, 0, none})
	masked := slices.Clone(named)
	masked[4+5*8+2] = 4 // the mask lets nobody write
	for name, c := range map[string]struct {
		mode os.FileMode
		uid  int
		gid  int
		acl  []byte
		want Socket
	}{
		"root's":             {mode: 0o600},
		"root's group":       {mode: 0o660},
		"everyone's":         {mode: 0o666, want: Socket{Everyone: true}},
		"read-only":          {mode: 0o444, uid: 7, gid: 8},
		"somebody's":         {mode: 0o660, uid: 7, gid: 8, want: Socket{Users: []uint32{7}, Groups: []uint32{8}}},
		"by a list":          {mode: 0o600, gid: 8, acl: named, want: Socket{Users: []uint32{1000}, Groups: []uint32{8, 2000}}},
		"by a list in vain":  {mode: 0o600, gid: 8, acl: masked},
		"a list that closes": {mode: 0o606, acl: masked},
	} {
		t.Run(name, func(t *testing.T) {
			socket := listening(t, filepath.Join(dir, "s"), c.mode)
			if c.acl != nil {
				if err := unix.Setxattr(socket, "system.posix_acl_access", c.acl, 0); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(socket, c.uid, c.gid); err != nil {
				t.Fatal(err)
			}
			var st unix.Stat_t
			if err := unix.Stat(socket, &st); err != nil {
				t.Fatal(err)
			}
			c.want.Path = socket
			if got := writersOf(socket, &st); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
