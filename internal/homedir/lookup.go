// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"bytes"
	"strconv"

	//lint:ignore SA1019 runc v1.3 is the last line with this package, which was asked for; it forwards to moby/sys/user.
	"github.com/opencontainers/runc/libcontainer/user"
)

// User is an entry of passwd.
type User struct {
	Name               string
	UID, GID           uint32
	Gecos, Home, Shell string
}

// UserByID is the first well-formed entry for a uid in the passwd that the
// container would see. The entry is the image's word and no more: its name may
// be anyone's, its gid may be 0.
func (im *Image) UserByID(uid uint32) (User, bool) { return im.accounts().UserByID(uid) }

// HasUser says whether there is an entry for a uid, for those who ask often: about each file of an image. To look through a passwd of
// half a million lines for each would take minutes.
func (im *Image) HasUser(uid uint32) bool {
	im.load()
	if im.uids == nil {
		im.uids = map[string]bool{}
		for _, line := range lines(im.passwd.text) {
			if wellFormed(line, passwdFields) {
				im.uids[string(field(line, 2))] = true
			}
		}
	}
	return im.uids[strconv.FormatUint(uint64(uid), 10)]
}

// UserByName is the first well-formed entry with a name; its uid may be 0.
func (im *Image) UserByName(name string) (User, bool) { return im.accounts().UserByName(name) }

// GroupByName is the gid of the first well-formed entry with a name; it may be
// 0.
func (im *Image) GroupByName(name string) (gid uint32, ok bool) {
	return im.accounts().GroupByName(name)
}

func (im *Image) accounts() *Accounts {
	im.load()
	return &Accounts{Passwd: im.passwd.text, Group: im.group.text}
}

// named reports whether a line's first field is name.
func named(line []byte, name string) bool {
	return string(field(line, 0)) == name
}

// parseUser reads a well-formed line. The library reads a number that it can't
// parse as 0, so each is held against the text.
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

// parseGroup reads a well-formed line's gid likewise.
func parseGroup(line []byte) (uint32, bool) {
	gs, err := user.ParseGroup(bytes.NewReader(line))
	if err != nil || len(gs) != 1 {
		return 0, false
	}
	return checkedID(gs[0].Gid, field(line, 2))
}

// checkedID is what the library read, if that is what the field says.
func checkedID(n int, field []byte) (uint32, bool) {
	id, err := strconv.ParseUint(string(field), 10, 32)
	if err != nil || int64(id) != int64(n) {
		return 0, false
	}
	return uint32(id), true
}
