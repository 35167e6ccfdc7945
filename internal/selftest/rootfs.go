// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The container holds three copies of this program and nothing else. That is enough because the program is static.

// self is the file of the running program.
const self = "/proc/self/exe"

// directories are mount points, created here so that no runtime has to.
var directories = []string{"dev", "etc", "proc", "sys", "tmp"}

// files are the copies of the program.
var files = []struct {
	name string
	mode uint32
	caps bool
}{
	{program, 0o755, false},
	{setuidFile, 0o4755, false},
	{capsFile, 0o755, true},
}

// capability returns the extended attribute that gives CAP_SETUID and CAP_SETGID, permitted and effective, to whoever
// executes the file (capabilities(7), "File capability versioning"; linux/capability.h, struct vfs_cap_data). Engines have
// both in the bounding set.
func capability() []byte {
	const revision2, effective = 0x02000000, 0x000001
	data := binary.LittleEndian.AppendUint32(nil, revision2|effective)
	data = binary.LittleEndian.AppendUint32(data, 1<<unix.CAP_SETUID|1<<unix.CAP_SETGID)
	return append(data, make([]byte, 12)...) // no inheritable set, no high capabilities
}

// makeRootfs fills an empty directory.
func makeRootfs(dir string) error {
	for _, f := range directories {
		if err := os.Mkdir(filepath.Join(dir, f), 0o755); err != nil {
			return err
		}
	}
	for _, f := range files {
		to := filepath.Join(dir, f.name)
		if err := copyTo(to); err != nil {
			return fmt.Errorf("copy this program to %q: %w", to, err)
		}
		if err := unix.Chmod(to, f.mode); err != nil {
			return fmt.Errorf("set the mode of %q: %w", to, err)
		}
		if f.caps {
			if err := unix.Setxattr(to, "security.capability", capability(), 0); err != nil {
				return fmt.Errorf("give capabilities to the file %q: %w", to, err)
			}
		}
	}
	return nil
}

func copyTo(name string) error {
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close() // nothing was written
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// writeTar writes the same files as an archive for "docker import", which reads extended attributes from PAX records
// (moby/go-archive, "SCHILY.xattr.").
func writeTar(to io.Writer) error {
	in, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	for _, f := range directories {
		if err := w.WriteHeader(&tar.Header{Name: f + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return err
		}
	}
	for _, f := range files {
		h := &tar.Header{Name: f.name[1:], Typeflag: tar.TypeReg, Mode: int64(f.mode), Size: int64(len(in)), Format: tar.FormatPAX}
		if f.caps {
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(capability())}
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(in); err != nil {
			return err
		}
	}
	return w.Close()
}

// usual lists the default places for a bundle: they are root's, and usually on file systems without nosuid.
var usual = []string{"/var/lib", "/var/tmp", "/root", "/opt"}

// place returns a directory in which setuid files work, because the test needs them to.
func place(given string) (string, error) {
	candidates := usual
	if given != "" {
		candidates = []string{given}
	}
	for _, dir := range candidates {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Flags&(unix.ST_NOSUID|unix.ST_NOEXEC|unix.ST_RDONLY) == 0 {
			return dir, nil
		}
	}
	return "", fmt.Errorf("each of %q is missing, read-only, or mounted nosuid or noexec\nhint: name another directory with --work-dir", candidates)
}
