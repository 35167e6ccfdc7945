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

// Meant is where a container's programs look for their home by themselves.
type Meant struct {
	Env  string // HOME as somebody has set it; "": nobody has
	Root string // root's home, for whom the identity stands in; "": it does not
	// Image is the image without what the container has written itself: where a home is must not depend on that.
	Image *accounts.Image
	// Writes says that the identity will be able to write in a directory, or to make it, once what is given to it was
	// given. Nil: nowhere.
	Writes func(dir string) bool
	// Lasts says that what a user writes in a directory of the image's lasts as long as the container, and no longer: the user is
	// who was asked for, the directory is that user's or open to root's group, which the user asked for, and the rootfs is a layer of
	// the container's own. Nil: it does nowhere.
	Lasts func(dir string) bool
}

// skeleton is what distributions have in root's home (base images of Debian, Ubuntu, Alpine, Fedora, RHEL, openSUSE,
// Arch), and what their tools leave there when an image is built. A directory counts where there is something in it.
var skeleton = []string{
	".bash_history", ".bash_logout", ".bash_profile", ".bashrc", ".cshrc", ".profile", ".tcshrc", ".wget-hsts", ".rnd",
	".lesshst", ".viminfo", ".python_history", "anaconda-ks.cfg", "anaconda-post.log", "anaconda-post-nochroot.log",
	"original-ks.cfg", "buildinfo",
}

// mostFiles is how many names of root's home are looked at.
const mostFiles = 64

// meant leaves HOME where the container's programs look for it: where somebody has set it, or in root's home with what
// is mounted there. No mount of ours is made for it. Where the identity can't write there, the note says so and HOME
// moves.
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

// filled is meant for root's home in which the image has more than a distribution's.
func (p *Plan) filled(im *accounts.Image, o Options) bool {
	if o.Meant.Root == "" || o.Meant.Image == nil {
		return false
	}
	name := o.Meant.More()
	return name != "" && p.stays(im, o, o.Meant.Root, fmt.Sprintf("the image has %s there", quote.Value(name)))
}

// stays makes a directory the home that is there already, if it serves as one.
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

// unfit says why a directory can't be the home that it is meant to be; "": it can. Nothing is mounted there, so that
// it may be anybody's directory, but for the kernel's and those of programs.
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

// More is something that the image has in root's home beyond a distribution's; "": nothing.
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
	slices.Sort(names) // the file system's order is no matter
	for _, name := range names {
		if !slices.Contains(skeleton, name) && !m.isBare(path.Join(at.Path, name)) {
			return name
		}
	}
	return ""
}

// isBare says that what is there is a directory with nothing in it.
func (m *Meant) isBare(p string) bool {
	st, err := m.Image.Stat(p)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	empty, err := m.Image.Empty(p)
	return err == nil && empty
}

// Reserved says why a path is nobody's home, whatever the image has there; "": it may be one.
func Reserved(p string) string { return reserved(p) }
