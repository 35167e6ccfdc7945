// SPDX-License-Identifier: Apache-2.0

package imageuser

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
)

// Accounts are the account files of an image; nil: it has none.
type Accounts struct{ Passwd, Group []byte }

// Who is the user that an engine starts.
type Who struct {
	UID, GID uint32
	Err      error // why it starts no container
}

// Root reports whether the uid is 0.
func (w Who) Root() bool { return w.Err == nil && w.UID == 0 }

func (w Who) String() string {
	if w.Err != nil {
		return "nobody, as " + w.Err.Error()
	}
	return fmt.Sprintf("%d:%d", w.UID, w.GID)
}

// Same reports whether two engines start the same user, or both none.
func (w Who) Same(o Who) bool {
	return (w.Err != nil) == (o.Err != nil) && (w.Err != nil || w.UID == o.UID && w.GID == o.GID)
}

// Docker returns the user that dockerd and Podman start. Both use moby/sys/user.
func (a Accounts) Docker(text string) Who {
	var passwd, group io.Reader
	if a.Passwd != nil {
		passwd = bytes.NewReader(a.Passwd)
	}
	if a.Group != nil {
		group = bytes.NewReader(a.Group)
	}
	u, err := user.GetExecUser(text, nil, passwd, group)
	if err != nil {
		return Who{Err: err}
	}
	return who(u.Uid, u.Gid)
}

// who converts ids like a runtime does: to 32 bits, of which it refuses more than 2147483647.
func who(uid, gid int) Who {
	w := Who{UID: uint32(uid), GID: uint32(gid)} // #nosec G115 -- as the engines do
	if w.UID > most || w.GID > most {
		return Who{Err: fmt.Errorf("the image's accounts have the id %d:%d, which no runtime takes", w.UID, w.GID)}
	}
	return w
}

// Containerd returns the user that containerd starts (v2.4, pkg/oci, WithUser). test/dockerfiles/users compares it with containerd.
func (a Accounts) Containerd(text string) Who {
	if text == "" {
		return Who{} // WithImageConfigArgs doesn't look up an empty user
	}
	uid, gid, err := a.containerd(text)
	if err != nil {
		return Who{Err: err}
	}
	return who(uid, gid)
}

func (a Accounts) containerd(text string) (uid, gid int, err error) {
	name, group, two := strings.Cut(text, ":")
	if strings.Contains(group, ":") {
		return 0, 0, errors.New("it has more than one colon")
	}
	uid, userNamed, err := number(name)
	if err != nil {
		return 0, 0, err
	}
	if !two {
		match := func(u user.User) bool { return u.Uid == uid }
		if userNamed {
			match = func(u user.User) bool { return u.Name == name }
		}
		u, found, err := a.user(match)
		switch {
		case err != nil:
			return 0, 0, err
		case found:
			return u.Uid, u.Gid, nil
		case userNamed:
			return 0, 0, fmt.Errorf("the image has no user %q", name)
		}
		return uid, 0, nil
	}
	gid, groupNamed, err := number(group)
	if err != nil {
		return 0, 0, err
	}
	if userNamed && name != "" {
		u, found, err := a.user(func(u user.User) bool { return u.Name == name })
		if err == nil && !found {
			err = fmt.Errorf("the image has no user %q", name)
		}
		if err != nil {
			return 0, 0, err
		}
		uid = u.Uid
	}
	if groupNamed && group != "" {
		all, err := user.ParseGroupFilter(bytes.NewReader(a.Group), func(g user.Group) bool { return g.Name == group })
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("the image has no group %q", group)
		}
		if err != nil {
			return 0, 0, err
		}
		gid = all[0].Gid
	}
	return uid, gid, nil
}

// number parses an id. named reports that the text is not a number.
func number(text string) (n int, named bool, err error) {
	n, err = strconv.Atoi(text) //lint:allow containerd reads it so
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && (n < 0 || n > most):
		return 0, false, fmt.Errorf("its id %.100q is none from 0 to %d", text, most)
	case err != nil:
		return 0, true, nil
	}
	return n, false, nil
}

func (a Accounts) user(match func(user.User) bool) (u user.User, found bool, err error) {
	if a.Passwd == nil {
		return u, false, nil
	}
	all, err := user.ParsePasswdFilter(bytes.NewReader(a.Passwd), match)
	if err != nil || len(all) == 0 {
		return u, false, err
	}
	return all[0], true, nil
}
