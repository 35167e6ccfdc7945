// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Person is an account of an administrator's list, with the groups that it belongs to.
type Person struct {
	User
	Groups []uint32 // without the primary one
}

// Person finds a name in the list; nil if it is not there. A line of that name which parsers could read differently is
// an error: unlike an image's file, an administrator's list must not lose a person because of a typing mistake.
func (a *Files) Person(name string) (*Person, error) {
	var p *Person
	for _, line := range lines(a.Passwd) {
		if !named(line, name) {
			continue
		}
		u, ok := User{}, wellFormed(line, passwdFields)
		if ok {
			u, ok = parseUser(line)
		}
		if !ok {
			return nil, fmt.Errorf("the line of %s in identity.users_file is not in the format of passwd(5)\nhint: it has to be NAME:x:UID:GID:comment:home:shell", quote.Value(name))
		}
		p = &Person{User: u}
		break
	}
	if p == nil {
		return nil, nil
	}
	for _, line := range lines(a.Group) {
		if !isMember(field(line, 3), name) {
			continue
		}
		// A group with many members may be longer than an entry of an image may be.
		id := field(line, 2)
		gid, ok := ids.Plain(id)
		if !ok || bytes.Count(line, []byte{':'}) != groupFields-1 {
			return nil, fmt.Errorf("a line of identity.groups_file with the member %s is not in the format of group(5)\nhint: it has to be NAME:x:GID:member,member", quote.Value(name))
		}
		if gid != p.GID {
			p.Groups = append(p.Groups, gid)
		}
	}
	return p, nil
}

// isMember reports whether a name is in a comma-separated list.
func isMember(members []byte, name string) bool {
	for m := range bytes.SplitSeq(members, []byte{','}) {
		if string(m) == name {
			return true
		}
	}
	return false
}

// Memberships returns the gids of the groups that have a user as a member.
func (a *Files) Memberships(user string) []uint32 {
	var gids []uint32
	if user == "" {
		return nil
	}
	for line := range entries(a.Group, groupFields) {
		if !isMember(field(line, 3), user) {
			continue
		}
		if gid, ok := parseGroup(line); ok {
			gids = append(gids, gid)
		}
	}
	return gids
}
