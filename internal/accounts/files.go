// SPDX-License-Identifier: Apache-2.0

package accounts

// Files answers from the text of a passwd and a group file if there is no image to examine: for an exec, because the
// container's file system is in use.
type Files struct{ Passwd, Group []byte }

// UserByID is Image.UserByID for the text.
func (a *Files) UserByID(uid uint32) (User, bool) {
	_, line, ok := readFor(a.Passwd, passwdFields, uid)
	if !ok {
		return User{}, false
	}
	return parseUser(line)
}

// UserByName is Image.UserByName for the text.
func (a *Files) UserByName(name string) (User, bool) {
	for line := range entries(a.Passwd, passwdFields) {
		if named(line, name) {
			return parseUser(line)
		}
	}
	return User{}, false
}

// GroupByName is Image.GroupByName for the text.
func (a *Files) GroupByName(name string) (gid uint32, ok bool) {
	for line := range entries(a.Group, groupFields) {
		if named(line, name) {
			return parseGroup(line)
		}
	}
	return 0, false
}

// BuiltFor is Image.BuiltFor for the text, which doesn't show who owns the image's directories.
func (a *Files) BuiltFor() Intended { return ownAccounts(a.Passwd, a.Group) }
