// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Meant is where a container's programs look for their home on their own.
type Meant struct {
	Env  string // HOME as the user has set it; "": it is not set
	Root string // root's home, if the identity stands in for root; else ""
	// Image is the image without what the container has written: the place of a home must not depend on that.
	Image *accounts.Image
	// Writes reports whether the identity will be able to write in a directory, or to create it, after the change of
	// owners. Nil: nowhere.
	Writes func(dir string) bool
	// Lasts reports whether files that a user writes in a directory of the image last exactly as long as the container:
	// the user is the requested one, the directory belongs to that user or is open to root's group, which was
	// requested, and the rootfs has a layer of the container's own. Nil: nowhere.
	Lasts func(dir string) bool
}

// skeleton lists what distributions have in root's home (base images of Debian, Ubuntu, Alpine, Fedora, RHEL, openSUSE,
// Arch), and what their tools leave there during a build. A directory counts if it is not empty.
var skeleton = []string{
	".bash_history", ".bash_logout", ".bash_profile", ".bashrc", ".cshrc", ".profile", ".tcshrc", ".wget-hsts", ".rnd",
	".lesshst", ".viminfo", ".python_history", "anaconda-ks.cfg", "anaconda-post.log", "anaconda-post-nochroot.log",
	"original-ks.cfg", "buildinfo",
}

// mostFiles limits how many names of root's home are examined.
const mostFiles = 64

// meant leaves HOME where the container's programs look for it: where a user has set it, or in root's home with what is
// mounted there. Nothing is mounted for it. If the identity can't write there, HOME is set to another place, with a
// note.
func (p *Plan) meant(im *accounts.Image, o Options, entry accounts.User) bool {
	if env := tidy(o.Meant.Env); env != "" && env != "/" && env != o.Meant.Root && env != tidy(entry.Home) {
		if p.stays(im, o, env, "it was asked for") {
			return true
		}
	}
	if o.Meant.Root == "" {
		return false
	}
	at, err := im.Find(o.Meant.Root)
	if err != nil {
		return false
	}
	at.Close()
	m := im.MountedIn(at.Path)
	return m != nil && p.stays(im, o, o.Meant.Root, fmt.Sprintf("config.json mounts %s", quote.Value(m.At)))
}

// filled is like meant, for a home of root's in which the image has more than a distribution does.
func (p *Plan) filled(im *accounts.Image, o Options) bool {
	if o.Meant.Root == "" || o.Meant.Image == nil {
		return false
	}
	name := o.Meant.More()
	return name != "" && p.stays(im, o, o.Meant.Root, fmt.Sprintf("the image has %s there", quote.Value(name)))
}

// stays uses an existing directory as the home, if it is suitable.
func (p *Plan) stays(im *accounts.Image, o Options, home, why string) bool {
	against := o.unfit(im, home)
	if against != "" {
		p.moved = fmt.Sprintf("HOME is not %s, though %s: %s", quote.Value(home), why, against)
		return false
	}
	p.Home, p.moved = home, ""
	p.note(fmt.Sprintf("no home of its own: %s is kept, as %s", quote.Value(home), why))
	return true
}

// unfit says why a directory can't be the home that it is meant to be; "" if it can. Nothing is mounted there, so it
// may be any directory except the kernel's and those of programs.
func (o Options) unfit(im *accounts.Image, home string) string {
	at, err := im.Find(home)
	if err != nil {
		return err.Error()
	}
	at.Close()
	switch f := inTree(at.Path); {
	case at.Path == "/":
		return "it is the rootfs"
	case f != nil && (f.path != "/root" || o.Meant.Root == ""):
		return "it is in a system directory (" + f.path + ": " + f.why + ")"
	case o.Meant.Writes == nil || !o.Meant.Writes(home):
		return "the identity can't write there"
	}
	return ""
}

// More returns an entry of root's home that a distribution doesn't put there; "" if there is none.
func (m *Meant) More() string {
	at, err := m.Image.Find(m.Root)
	if err != nil {
		return ""
	}
	defer at.Close()
	if at.Mount != nil || at.FD < 0 {
		return ""
	}
	names, err := m.Image.Entries(at.Path, mostFiles)
	if err != nil {
		return ""
	}
	slices.Sort(names) // the file system's order doesn't matter
	for _, name := range names {
		if !slices.Contains(skeleton, name) && !m.isBare(path.Join(at.Path, name)) {
			return name
		}
	}
	return ""
}

// isBare reports whether a path is an empty directory.
func (m *Meant) isBare(p string) bool {
	st, err := m.Image.Stat(p)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	empty, err := m.Image.Empty(p)
	return err == nil && empty
}

// Reserved says why a path can't be a home, whatever the image has there; "" if it can.
func Reserved(p string) string { return reserved(p) }
