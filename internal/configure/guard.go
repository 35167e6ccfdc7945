// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// Guard puts nonroot-runc in the place of runc, which is moved aside: callers of "runc" by name use it, too. At any
// moment there is a working runc at its path. A crash may come after any step: Install and Remove continue from any
// state.
type Guard struct {
	Runc    string // where runc is called, such as /usr/sbin/runc
	Wrapper string // nonroot-runc
}

// Directories lists where runc is searched for, in the order that engines use: systemd's path for services.
var Directories = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// FindRunc returns the first path of runc, even if it was moved aside.
func FindRunc(directories []string) (string, error) {
	for _, dir := range directories {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue
		}
		path := filepath.Join(real, "runc")
		for _, name := range []string{path, path + runc.Aside} {
			if _, err := os.Lstat(name); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("there is no runc in %s\nhint: install it first", strings.Join(directories, ", "))
}

// place is the present state.
type place struct {
	runc, aside fs.FileInfo // nil: absent
	link        string      // the target of runc, if it's a link
	differ      bool        // both are files, and they differ
}

func (g Guard) aside() string { return g.Runc + runc.Aside }

func (g Guard) look() (place, error) {
	var p place
	for _, f := range []struct {
		name string
		to   *fs.FileInfo
	}{{g.Runc, &p.runc}, {g.aside(), &p.aside}} {
		info, err := os.Lstat(f.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("look at %q: %w", f.name, err)
		}
		if err == nil {
			*f.to = info
		}
	}
	if p.aside != nil && !p.aside.Mode().IsRegular() {
		return p, fmt.Errorf("%q is not a regular file: it should be the runc that was moved aside", g.aside())
	}
	if p.runc == nil || p.runc.Mode().IsRegular() {
		return p, g.compare(&p)
	}
	if p.runc.Mode()&fs.ModeSymlink == 0 {
		return p, fmt.Errorf("%q is neither a file nor a link", g.Runc)
	}
	var err error
	if p.link, err = os.Readlink(g.Runc); err != nil {
		return p, fmt.Errorf("look at %q: %w", g.Runc, err)
	}
	if !IsOurs(p.link) {
		return p, fmt.Errorf("%q is a link to %q already\nhint: guard that by hand (docs/engines.md)", g.Runc, p.link)
	}
	return p, nil
}

// compare checks whether two files are the same program: by inode or, as overlayfs does not always recognize hard
// links, by content.
func (g Guard) compare(p *place) error {
	if p.runc == nil || p.aside == nil || os.SameFile(p.runc, p.aside) {
		return nil
	}
	same, err := sameBytes(g.Runc, g.aside())
	p.differ = !same
	return err
}

// errDiffer reports two different programs, neither of which may be thrown away.
func (g Guard) errDiffer() error {
	return fmt.Errorf("%q and %q are two different programs\nhint: remove one of them", g.Runc, g.aside())
}

// Installed reports whether Install has nothing left to do. The error is why it can't be done.
func (g Guard) Installed() (bool, error) {
	p, err := g.look()
	if err != nil {
		return false, err
	}
	switch {
	case p.runc == nil && p.aside == nil:
		return false, fmt.Errorf("there is no %q", g.Runc)
	case p.link != "" && p.aside == nil:
		return false, fmt.Errorf("%q is a link to nonroot-runc, and there is no runc at %q\nhint: install one there", g.Runc, g.aside())
	case p.differ:
		return false, g.errDiffer()
	case p.link == "" && p.runc != nil && p.aside == nil:
		if same, err := sameBytes(g.Runc, g.Wrapper); err != nil || same {
			return false, errors.Join(err, fmt.Errorf("%q is nonroot-runc itself", g.Runc))
		}
	}
	owned, err := g.diversion()
	return err == nil && p.link == g.Wrapper && !owned.wanted(), err
}

// Removable returns why Remove can't put runc back; nil if it can.
func (g Guard) Removable() error {
	p, err := g.look()
	if err == nil && p.differ {
		err = g.errDiffer()
	}
	if err != nil {
		return err
	}
	_, err = g.diversion()
	return err
}

// Install puts nonroot-runc in runc's place. If runc's version can't be read through it, everything is undone.
func (g Guard) Install() error {
	if done, err := g.Installed(); done || err != nil {
		return err
	}
	p, err := g.look()
	if err != nil {
		return err
	}
	if p.aside == nil {
		if err := os.Link(g.Runc, g.aside()); err != nil {
			return fmt.Errorf("keep runc aside: %w", err)
		}
	}
	if err := g.divert(); err != nil {
		return err
	}
	if err := swap(g.Runc, func(temp string) error { return os.Symlink(g.Wrapper, temp) }); err != nil {
		return fmt.Errorf("put nonroot-runc in the place of %q: %w", g.Runc, err)
	}
	if err := g.works(); err != nil {
		return errors.Join(fmt.Errorf("%q does not work as a link to %q, and was put back: %w", g.Runc, g.Wrapper, err), g.Remove())
	}
	return nil
}

// works asks runc for its version through nonroot-runc, as dockerd does when it starts.
func (g Guard) works() error {
	want, err := osexec.Command(g.aside(), "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", g.aside(), err)
	}
	got, err := osexec.Command(g.Runc, "--version").CombinedOutput()
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%s --version says %q (%v), not %q", g.Runc, bytes.TrimSpace(got), err, bytes.TrimSpace(want)) //nolint:errorlint // nil, where it answers something else
	}
	return nil
}

// Remove puts runc back. If the one that was moved aside no longer exists, the link is removed all the same, as it
// leads nowhere: a package that installs runc again then finds its place free.
func (g Guard) Remove() error {
	p, err := g.look()
	if err != nil {
		return err
	}
	switch {
	case p.aside == nil && p.link != "":
		if err := os.Remove(g.Runc); err != nil {
			return fmt.Errorf("remove the link %q: %w", g.Runc, err)
		}
	case p.differ:
		return g.errDiffer()
	case p.aside != nil && (p.link != "" || p.runc == nil):
		if err := swap(g.Runc, func(temp string) error { return os.Link(g.aside(), temp) }); err != nil {
			return fmt.Errorf("put runc back at %q: %w", g.Runc, err)
		}
	}
	if err := g.undivert(); err != nil {
		return err
	}
	for _, name := range []string{tempName(g.Runc), g.aside()} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %q: %w", name, err)
		}
	}
	return syncDirectory(filepath.Dir(g.Runc))
}

func tempName(name string) string {
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".nonroot-ctl")
}

// swap lets a function create a file under a temporary name, and renames that over the file: there is no moment without
// it.
func swap(name string, make func(temp string) error) error {
	temp := tempName(name)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a call that was killed
		return err
	}
	if err := make(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	// Renaming one name of a file over another name of the same file leaves both (rename(2)).
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDirectory(filepath.Dir(name))
}

func sameBytes(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	return bytes.Equal(x, y), err
}

// diversion is what dpkg knows about runc. With a diversion, an update writes the new runc to where the old one was
// moved (dpkg-divert(1)).
type diversion struct {
	path    string // runc's path in its package; "": no package contains it
	present bool
}

func (d diversion) wanted() bool { return d.path != "" && !d.present }

func (g Guard) diversion() (diversion, error) {
	if _, err := osexec.LookPath("dpkg-divert"); err != nil {
		return diversion{}, nil
	}
	names := []string{g.Runc}
	if short, ok := strings.CutPrefix(g.Runc, "/usr/"); ok {
		names = append(names, "/"+short) // for a package from before /usr was merged
	}
	for _, name := range names {
		out, err := osexec.Command("dpkg-divert", "--truename", name).Output()
		if err != nil {
			return diversion{}, fmt.Errorf("ask dpkg-divert for %q: %w", name, err)
		}
		switch to := strings.TrimSpace(string(out)); to {
		case name:
		case name + runc.Aside:
			return diversion{name, true}, nil
		default:
			return diversion{}, fmt.Errorf("dpkg diverts %q to %q\nhint: undo that first", name, to)
		}
	}
	for _, name := range names {
		if osexec.Command("dpkg-query", "--search", name).Run() == nil {
			return diversion{name, false}, nil
		}
	}
	return diversion{}, nil
}

func (g Guard) divert() error {
	d, err := g.diversion()
	if err != nil || !d.wanted() {
		return err
	}
	return dpkgDivert("--add", d.path)
}

func (g Guard) undivert() error {
	d, err := g.diversion()
	if err != nil || !d.present {
		return err
	}
	return dpkgDivert("--remove", d.path)
}

// dpkgDivert does not move the file: --rename would leave a moment without a runc.
func dpkgDivert(verb, name string) error {
	out, err := osexec.Command("dpkg-divert", "--quiet", "--local", "--no-rename", "--divert", name+runc.Aside, verb, name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dpkg-divert %s %q: %w: %s", verb, name, err, bytes.TrimSpace(out))
	}
	return nil
}
