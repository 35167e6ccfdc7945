// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
)

// Status is the content of /proc/PID/status (proc_pid_status(5)) for a process or thread. Ids are in the user namespace of
// whoever opened the file.
type Status struct {
	Name       string
	State      string // a letter and a word: "Z (zombie)"
	Parent     int
	Inner      int      // the pid in the process's own pid namespace; 0: unknown
	UIDs, GIDs []uint32 // real, effective, saved set, file system
	Groups     []uint32

	Inheritable, Permitted, Effective, Bounding, Ambient uint64 // capability sets

	NoNewPrivs bool
	// Credentials means that every id and set above, and NoNewPrivs, had a line. If it is false, a zero may only mean that
	// the line was missing.
	Credentials bool
}

// ParseStatus parses the text of a status file. A malformed value is an error; a missing line is not.
func ParseStatus(text []byte) (*Status, error) {
	s := &Status{}
	credentials := 0
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		isCredential, err := s.line(key, strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if isCredential {
			credentials++
		}
	}
	const all = 9
	s.Credentials = credentials == all && len(s.UIDs) == 4 && len(s.GIDs) == 4
	return s, nil
}

func (s *Status) line(key, value string) (isCredential bool, err error) {
	switch key {
	case "Name":
		s.Name = value
		return false, nil
	case "State":
		s.State = value
		return false, nil
	case "PPid":
		s.Parent, err = strconv.Atoi(value)
		return false, err
	case "NSpid": // one pid per namespace, from the reader's inwards
		s.Inner, err = strconv.Atoi(value[strings.LastIndexByte(value, '\t')+1:])
		return false, err
	case "Uid":
		s.UIDs, err = ids.Numbers(value)
	case "Gid":
		s.GIDs, err = ids.Numbers(value)
	case "Groups":
		s.Groups, err = ids.Numbers(value)
	case "CapInh":
		s.Inheritable, err = strconv.ParseUint(value, 16, 64)
	case "CapPrm":
		s.Permitted, err = strconv.ParseUint(value, 16, 64)
	case "CapEff":
		s.Effective, err = strconv.ParseUint(value, 16, 64)
	case "CapBnd":
		s.Bounding, err = strconv.ParseUint(value, 16, 64)
	case "CapAmb":
		s.Ambient, err = strconv.ParseUint(value, 16, 64)
	case "NoNewPrivs":
		s.NoNewPrivs = value == "1"
	default:
		return false, nil
	}
	return true, err
}

// CgroupPaths returns a process's path in each hierarchy, from the text of /proc/PID/cgroup (cgroups(7)).
func CgroupPaths(text []byte) (paths []string) {
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(parts) == 3 {
			paths = append(paths, parts[2])
		}
	}
	return paths
}
