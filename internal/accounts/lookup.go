// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"

	//lint:ignore SA1019 runc v1.3 is the last line with this package, which was asked for; it forwards to moby/sys/user.
	"github.com/opencontainers/runc/libcontainer/user"
)

// User is an entry of passwd.
type User struct {
	Name               string
	UID, GID           uint32
	Gecos, Home, Shell string
}

// UserByID returns the first entry for a uid in the passwd that the container would see (asRead). Only the image
// vouches for it: its name may be any user's, its gid may be 0.
func (im *Image) UserByID(uid uint32) (User, bool) { return im.files().UserByID(uid) }

// UIDs holds the uids of a passwd's entries, for many lookups, such as one per file of an image: searching a passwd of
// half a million lines for each would take minutes.
type UIDs struct {
	passwd []byte
	set    map[string]bool // in their written form; nil: not read yet
}

// UIDs returns those of the passwd that the container would see.
func (im *Image) UIDs() *UIDs {
	im.load()
	return &UIDs{passwd: im.passwd.text}
}

// Has reports whether there is an entry for a uid. A nil UIDs has none.
func (u *UIDs) Has(uid uint32) bool {
	if u == nil {
		return false
	}
	if u.set == nil {
		u.set = map[string]bool{}
		for line := range entries(u.passwd, passwdFields) {
			u.set[string(field(line, 2))] = true
		}
	}
	return u.set[strconv.FormatUint(uint64(uid), 10)]
}

// UserByName returns the first entry with a name (asRead); its uid may be 0.
func (im *Image) UserByName(name string) (User, bool) { return im.files().UserByName(name) }

// GroupByName returns the gid of the first entry with a name (asRead); it may be 0.
func (im *Image) GroupByName(name string) (gid uint32, ok bool) {
	return im.files().GroupByName(name)
}

func (im *Image) files() *Files {
	im.load()
	return &Files{Passwd: im.passwd.text, Group: im.group.text}
}

// named reports whether a line's first field is name.
func named(line []byte, name string) bool {
	return string(field(line, 0)) == name
}

// parseUser reads a well-formed line. The library reads an invalid number as 0, so each number is compared with the
// text.
func parseUser(line []byte) (User, bool) {
	us, err := user.ParsePasswd(bytes.NewReader(line))
	if err != nil || len(us) != 1 {
		return User{}, false
	}
	u := us[0]
	uid, ok := checkedID(u.Uid, field(line, 2))
	gid, ok2 := checkedID(u.Gid, field(line, 3))
	return User{u.Name, uid, gid, u.Gecos, u.Home, u.Shell}, ok && ok2
}

// parseGroup does so for a well-formed line's gid.
func parseGroup(line []byte) (uint32, bool) {
	gs, err := user.ParseGroup(bytes.NewReader(line))
	if err != nil || len(gs) != 1 {
		return 0, false
	}
	return checkedID(gs[0].Gid, field(line, 2))
}

// checkedID returns the number that the library read, if it agrees with the field.
func checkedID(n int, field []byte) (uint32, bool) {
	id, ok := ids.Plain(field)
	return id, ok && int64(id) == int64(n)
}
