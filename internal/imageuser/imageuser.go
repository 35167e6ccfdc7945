// SPDX-License-Identifier: Apache-2.0

// Package imageuser parses the user in an image's configuration like engines do: root, a number, a name, or invalid. Read does not look up
// names; Accounts do, in the image's files.
package imageuser

import (
	"strconv"
	"strings"
)

// Kind is the kind of a user.
type Kind int

const (
	Root    Kind = iota
	Number       // a uid other than 0
	Name         // an account in the image, other than root
	Invalid      // no engine starts a container with it
)

// User is the parsed form of a text such as "1000:0".
type User struct {
	Kind Kind
	UID  uint32 // where Kind is Number
	Name string // where Kind is Name, and "root" where root is named
	// Group is the part after the colon; "": none. RootGroup means that the primary group is root's: either explicitly, or
	// because there is no group and the uid may have no account (moby/sys/user, GetExecUser: the default is 0).
	Group     string
	RootGroup bool
	Why       string // where Kind is Invalid
}

// most is the largest id that engines accept: moby/sys/user has the bounds 0 and 1<<31-1 (maxID).
const most = 1<<31 - 1

// Read parses the user like dockerd (moby/sys/user, GetExecUser) and containerd (pkg/oci, WithUser). Both parse numbers with
// strconv.Atoi, so that "+0" and "00" are root, and "0x0" is a name.
func Read(text string) User {
	user, group, colon := strings.Cut(text, ":")
	if strings.Contains(group, ":") {
		return User{Kind: Invalid, Why: "it has more than one colon"}
	}
	u := User{Group: group}
	if colon && group != "" {
		_, number, ok := id(group)
		if number && !ok {
			return User{Kind: Invalid, Why: "its gid is none from 0 to 2147483647"}
		}
		u.RootGroup = IsRootGroup(group)
		if !number && !isName(group) {
			return User{Kind: Invalid, Why: "its group is neither a number nor a name"}
		}
	}
	uid, number, ok := id(user)
	switch {
	case number && !ok:
		return User{Kind: Invalid, Why: "its uid is none from 0 to 2147483647"}
	case user == "" || user == "root" || number && uid == 0:
		u.Kind, u.Name = Root, "root"
		u.RootGroup = u.RootGroup || group == ""
	case number:
		u.Kind, u.UID = Number, uid
		u.RootGroup = u.RootGroup || group == ""
	case !isName(user):
		return User{Kind: Invalid, Why: "it is neither a number nor a name"}
	default:
		u.Kind, u.Name = Name, user
	}
	return u
}

// IsRootGroup reports whether a group is root's, in any spelling.
func IsRootGroup(text string) bool {
	gid, number, ok := id(text)
	return number && ok && gid == 0 || text == "root"
}

// GID returns the primary group if it is a number. A name has to be looked up in the image.
func (u User) GID() (gid uint32, known bool) {
	gid, number, ok := id(u.Group)
	return gid, number && ok
}

// id parses a number. ok is false if it is out of range.
func id(text string) (n uint32, number, ok bool) {
	v, err := strconv.Atoi(text) //lint:allow engines read it so, and what it takes for a number is one
	if err != nil {
		return 0, strings.Trim(text, "0123456789") == "" && text != "", false
	}
	if v < 0 || v > most {
		return 0, true, false
	}
	return uint32(v), true, true // #nosec G115 -- within the bounds
}

// isName reports whether passwd(5) or group(5) can have such a name: an entry's first field, which engines compare as a
// whole. A number in another base looks like an id to people, but engines take it for a name, and no image has that name.
func isName(text string) bool {
	hex, isHex := strings.CutPrefix(strings.ToLower(text), "0x")
	inner := strings.TrimSuffix(text, "$") // which useradd(8) allows at the end
	return inner != "" && !strings.ContainsAny(inner, " \t\r\n#/$\"'") && !(isHex && strings.Trim(hex, "0123456789abcdef") == "")
}
