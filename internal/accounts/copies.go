// SPDX-License-Identifier: Apache-2.0

package accounts

import "fmt"

// Copies are a container's new passwd and group, with an entry for its identity.
type Copies struct {
	Passwd []byte // the new /etc/passwd; nil: it can't be mounted, and the notes say why
	Group  []byte // the new /etc/group; nil likewise
	// Numbers reports that no line of the new /etc/group turns a gid into another group: runc before 1.3 first looks an
	// additional gid up as a name there (libcontainer, user.GetAdditionalGroups).
	Numbers bool
}

// Notes says why there can be no copy of one of the two files, or why it contains nothing of the image's.
func (im *Image) Notes() (notes []string) {
	im.load()
	for _, d := range []*database{&im.passwd, &im.group} {
		if d.note != "" {
			notes = append(notes, d.note)
		}
	}
	return notes
}

// UserName returns the name of a uid: its entry's, if that is a valid name that leads back to the uid, else the
// requested one, else a free variant of that. If free is false, there is none.
func (im *Image) UserName(uid uint32, wish string) (name string, free bool) {
	im.load()
	return userName(im.passwd.text, uid, wish)
}

// Copies returns the two files with an entry for a user, named as UserName says, and for its group.
func (im *Image) Copies(u User, free bool) (c Copies, notes []string) {
	im.load()
	switch {
	case !free:
		notes = append(notes, fmt.Sprintf("no names: every form of %q is taken in the image's passwd", u.Name))
	case im.passwd.mountable:
		c.Passwd = withUser(im.passwd.text, u)
	}
	c.Numbers = im.group.absent
	if im.group.mountable {
		c.Group = withGroup(withoutNumbers(im.group.text), u.Name, u.GID)
		c.Numbers = c.Group != nil
		if c.Group == nil {
			notes = append(notes, fmt.Sprintf("no group name: every form of %q is taken in the image's group", u.Name))
		}
	}
	return c, notes
}
