// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Finding is the result for one question of the self-test.
type Finding struct {
	What   string
	Broken bool   // a promise is broken
	Unsure bool   // it could not be tested
	Detail string // what was observed
}

// judge turns a container's answers into findings, one per promise.
func judge(w *Witness) []Finding {
	all := credentials(&w.Status)
	for _, name := range []string{ids, setuid, caps, clone, unshare} {
		a, tried := w.Attempts[name]
		f := Finding{What: name}
		switch {
		case !tried:
			f.Broken, f.Detail = true, "the container did not say how it went"
		case name == clone || name == unshare:
			f.Broken, f.Detail = a.Status != nil, "a user namespace was made"
			if !f.Broken {
				f.refused(a.Failed, unix.EPERM, unix.ENOSYS, unix.ENOSPC)
			}
		case a.Status == nil:
			f.refused(a.Failed, unix.EPERM)
		default:
			why := powers(a.Status)
			f.Broken, f.Detail = len(why) > 0, "has no effect"
			if f.Broken {
				f.Detail = "gives " + strings.Join(why, ", ")
			}
		}
		all = append(all, f)
	}
	return all
}

// refused records how an attempt failed. Only a refusal by the kernel keeps a promise: an attempt that failed because a file
// was missing, or for any other reason, tested nothing.
func (f *Finding) refused(failed string, by ...unix.Errno) {
	f.Detail = "refused: " + failed
	if !slices.ContainsFunc(by, func(e unix.Errno) bool { return strings.HasSuffix(failed, e.Error()) }) {
		f.Unsure, f.Detail = true, "could not be tried: "+failed
	}
}

// credentials judges a process's own status.
func credentials(s *Status) []Finding {
	held := s.Inheritable | s.Permitted | s.Effective | s.Ambient
	return []Finding{
		{What: "uid", Broken: len(s.UID) == 0 || slices.Contains(s.UID, 0), Detail: fmt.Sprintf("%d", s.UID)},
		{What: "gid", Broken: len(s.GID) == 0 || slices.Contains(s.GID, 0), Detail: fmt.Sprintf("%d", s.GID)},
		{What: "groups", Broken: slices.Contains(s.Groups, 0), Detail: fmt.Sprintf("%d", s.Groups)},
		{What: "capabilities", Broken: held != 0, Detail: fmt.Sprintf("%#x", held)},
		{What: "no new privileges", Broken: !s.NoNewPrivs, Detail: fmt.Sprint(s.NoNewPrivs)},
	}
}

// powers lists what a process has of root's privileges.
func powers(s *Status) []string {
	var all []string
	for _, f := range credentials(s) {
		if f.Broken && f.What != "no new privileges" {
			all = append(all, f.What+" "+f.Detail)
		}
	}
	return all
}

// one sums up a process's status as a single finding.
func one(what string, s *Status) Finding {
	var broken []string
	for _, f := range credentials(s) {
		if f.Broken {
			broken = append(broken, f.What+" "+f.Detail)
		}
	}
	if len(broken) > 0 {
		return Finding{What: what, Broken: true, Detail: "it has " + strings.Join(broken, ", ")}
	}
	return Finding{What: what, Detail: fmt.Sprintf("runs as %d:%d without capabilities", s.UID[0], s.GID[0])}
}
