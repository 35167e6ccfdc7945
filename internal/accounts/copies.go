// SPDX-License-Identifier: Apache-2.0

package accounts

import "fmt"

// Copies are what a container's passwd and group are to be, with an entry for its identity.
type Copies struct {
	Passwd []byte // what /etc/passwd is to be; nil: it can't be mounted, the notes say why
	Group  []byte // what /etc/group is to be; nil likewise
	// Numbers says that no line of /etc/group, as the container will have it, makes another group of a gid: runc before 1.3
	// takes an additional gid for a name first, and looks it up there (libcontainer, user.GetAdditionalGroups).
	Numbers bool
}

// Notes say why there can be no copy of one of the two files, or why it has nothing of the image's.
func (im *Image) Notes() (notes []string) {
	im.load()
	for _, d := range []*database{&im.passwd, &im.group} {
		if d.note != "" {
			notes = append(notes, d.note)
		}
	}
	return notes
}

// UserName is what a uid is to be called: by its entry, where that is a name and leads back to the uid, else by the wish, else by
// a form of that which is free. Where free is false, none is.
func (im *Image) UserName(uid uint32, wish string) (name string, free bool) {
	im.load()
	return userName(im.passwd.text, uid, wish)
}

// Copies are the two files with an entry for a user, whose name is UserName's, and for its group.
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
