// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// FindBinary returns the path of nonroot-runc: beside this program, else in the usual place.
func FindBinary() (string, error) {
	places := []string{"/usr/local/sbin/" + Binary, "/usr/local/bin/" + Binary, "/usr/sbin/" + Binary, "/usr/bin/" + Binary}
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Join(filepath.Dir(self), Binary)}, places...)
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is neither beside this program nor in /usr/local/sbin\nhint: install it, or name it with --binary", Binary)
}

// CheckBinary refuses a program that users other than the owners could replace: engines run it as root.
func CheckBinary(file string, owners trusted.Owners) error {
	if !filepath.IsAbs(file) || filepath.Clean(file) != file {
		return fmt.Errorf("%q is not a clean absolute path", file)
	}
	var st unix.Stat_t
	if err := unix.Lstat(file, &st); err != nil {
		return fmt.Errorf("look at %q: %w", file, err)
	}
	switch {
	case filepath.Base(file) != Binary:
		return fmt.Errorf("%q is not named %s", file, Binary)
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return fmt.Errorf("%q is not an executable file", file)
	case !owners.Trusts(st.Uid):
		return errInstall(file, file, st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%q can be written by others (mode %04o)\nhint: chmod go-w it", file, st.Mode&0o7777)
	}
	// The directories in its path and those where it really is can differ because of links.
	real, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("look at %q: %w", file, err)
	}
	for _, dir := range []string{real, filepath.Dir(file)} {
		if err := guardedBy(file, dir, owners); err != nil {
			return err
		}
	}
	return nil
}

// errInstall reports a program in a directory that belongs to an ordinary user: chowning that to root would be the
// wrong remedy.
func errInstall(file, where string, uid uint32) error {
	return fmt.Errorf("%q belongs to uid %d, who could replace %q, which engines run as root\nhint: install it in /usr/local/sbin (make install)", where, uid, file)
}

func guardedBy(file, dir string, owners trusted.Owners) error {
	for above := dir; ; above = filepath.Dir(above) {
		var st unix.Stat_t
		if err := unix.Stat(above, &st); err != nil {
			return fmt.Errorf("look at %q: %w", above, err)
		}
		if !owners.Trusts(st.Uid) {
			return errInstall(file, above, st.Uid)
		}
		if above == "/" {
			break
		}
	}
	d, err := trusted.Open(dir, owners)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.CheckPath()
}

// LinkProfile creates the link by which an engine calls the binary under a profile's name. An existing link must lead
// to the binary.
func LinkProfile(binary, name string) error {
	link := Profile(binary, name)
	if err := CheckProfile(binary, name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(binary), link); err != nil {
		return fmt.Errorf("make the profile's link: %w", err)
	}
	return nil
}

// CheckProfile returns what is wrong with the profile's link; fs.ErrNotExist if there is none.
func CheckProfile(binary, name string) error {
	link := Profile(binary, name)
	to, err := os.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil:
		return fmt.Errorf("%q is there and is not a symbolic link to %q\nhint: remove it", link, binary)
	case to != filepath.Base(binary) && to != binary:
		return fmt.Errorf("%q is a link to %q, not to %q\nhint: remove it", link, to, binary)
	}
	return nil
}
