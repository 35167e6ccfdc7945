// SPDX-License-Identifier: Apache-2.0

package runc

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Credentials are a process's credentials as the kernel has them (proc(5), /proc/pid/status). Ids are those that the
// container sees; those named Host are the same ids outside of the caller's own user namespace, which for a caller on
// the host itself is the host.
type Credentials struct {
	UIDs, GIDs         []uint32 // real, effective, saved set, file system
	HostUIDs, HostGIDs []uint32
	Groups             []uint32
	HostGroups         []uint32
	Inheritable        uint64
	Permitted          uint64
	Effective          uint64
	Bounding           uint64
	Ambient            uint64
	NoNewPrivs         bool
}

// InitCredentials reads the credentials of the container's first process. It makes sure that it is the process that
// the runtime started: the pid may have been reused.
func (s *State) InitCredentials() (*Credentials, error) {
	if s.Pid <= 0 {
		return nil, errors.New("it is not running")
	}
	pid := strconv.Itoa(s.Pid)
	status, err := proc.Read("/proc/" + pid + "/status")
	if err != nil && !s.Alive() {
		return nil, errors.New("it is not running")
	}
	if err != nil {
		return nil, fmt.Errorf("look at the container's process: %w", err)
	}
	maps, err := s.UserNamespace()
	if err != nil {
		return nil, err
	}
	own, err := idmap.Own()
	if err != nil {
		return nil, err
	}
	if !s.Alive() { // checked last: what was read above then belongs to that process
		return nil, errors.New("it is not running")
	}
	return parseStatus(status, maps, own)
}

// Alive reports whether the container's first process exists, and not another one with the same pid.
func (s *State) Alive() bool {
	if s.Pid <= 0 {
		return false
	}
	start, err := proc.StartTime(strconv.Itoa(s.Pid))
	return err == nil && (s.Start == 0 || start == s.Start)
}

// UserNamespace is the id maps of the container's first process, to the caller's ids; nil: both are in the same user
// namespace.
func (s *State) UserNamespace() (*idmap.Pair, error) {
	pid := strconv.Itoa(s.Pid)
	var own, its unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/self/ns/user", &own), unix.Stat("/proc/"+pid+"/ns/user", &its)); err != nil {
		return nil, fmt.Errorf("look at the container's user namespace: %w", err)
	}
	if own.Dev == its.Dev && own.Ino == its.Ino {
		return nil, nil
	}
	pair, err := idmap.Of(pid)
	return &pair, err
}

// parseStatus reads the credentials of a status file. A missing line is an error, so that nothing counts as harmless
// that was not seen.
func parseStatus(text []byte, maps *idmap.Pair, own idmap.Pair) (*Credentials, error) {
	s, err := proc.ParseStatus(text)
	if err != nil {
		return nil, fmt.Errorf("look at the container's process: %w", err)
	}
	if !s.Credentials {
		return nil, errors.New("the kernel does not show all credentials of the container's process")
	}
	c := &Credentials{
		UIDs: s.UIDs, GIDs: s.GIDs, Groups: s.Groups,
		Inheritable: s.Inheritable, Permitted: s.Permitted, Effective: s.Effective, Bounding: s.Bounding, Ambient: s.Ambient,
		NoNewPrivs: s.NoNewPrivs,
	}
	c.HostUIDs, c.HostGIDs, c.HostGroups = each(c.UIDs, own.UID.Outside), each(c.GIDs, own.GID.Outside), each(c.Groups, own.GID.Outside)
	if maps != nil {
		c.UIDs, c.GIDs, c.Groups = each(c.UIDs, maps.UID.Inside), each(c.GIDs, maps.GID.Inside), each(c.Groups, maps.GID.Inside)
	}
	return c, nil
}

// each translates ids. An unmapped one becomes the overflow id, as it would appear from there.
func each(all []uint32, to func(uint32) (uint32, bool)) []uint32 {
	out := make([]uint32, 0, len(all))
	for _, id := range all {
		v, ok := to(id)
		if !ok {
			v = idmap.OverflowID()
		}
		out = append(out, v)
	}
	return out
}
