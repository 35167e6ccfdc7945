// SPDX-License-Identifier: Apache-2.0

// Package version says which build this is, as hack/build sets it; a build by "go build" alone is "devel". It knows nothing of
// other programs' versions, which internal/doctor reads.
package version

import (
	"bytes"
	"runtime"
	"strings"
)

// mark begins the stamp, so that it can be found in a program's file: nonroot-runc has no option of its own to ask by
// (--version is runc's), and Go's build information leaves out -ldflags where -trimpath is given.
const mark = "nonroot-runc build|"

// stamp is the mark, the version and the commit, each with a bar behind it. The linker sets it (hack/build): a constant it
// cannot set. Nothing else assigns it.
var stamp = mark + devel + "||"

const devel = "devel"

// Info is which build this is, as `nonroot-ctl version --json` prints it.
type Info struct {
	Version string `json:"version"`          // the tag, or what git-describe(1) says of the commit; "devel": unknown
	Commit  string `json:"commit,omitempty"` // the full id, with "-dirty" where the tree had changes
	Go      string `json:"go"`               // the Go release, runtime.Version()
}

// Short is the version alone, as records and log lines carry it.
func Short() string {
	version, _ := fields(stamp)
	return version
}

// Get is all that is known of the build.
func Get() Info {
	version, commit := fields(stamp)
	return Info{Version: version, Commit: commit, Go: runtime.Version()}
}

func fields(stamp string) (version, commit string) {
	all := strings.SplitN(stamp, "|", 4)
	if len(all) < 4 {
		return devel, ""
	}
	return all[1], all[2]
}

// Find looks for the stamp in the bytes of a program; its Go release is not in the stamp. ok is false where there is none,
// as in a program from before there were stamps. The stamp that the linker has set may stand beside the one of the source, which says
// "devel": that one counts only where it is alone.
func Find(program []byte) (i Info, ok bool) {
	for {
		at := bytes.Index(program, []byte(mark))
		if at < 0 {
			return i, ok
		}
		program = program[at+len(mark):]
		version, rest, has := bytes.Cut(program[:min(len(program), maxStamp)], []byte("|"))
		commit, _, ends := bytes.Cut(rest, []byte("|"))
		// The mark alone stands in programs that look for it.
		if has && ends && len(version) > 0 && plain(version) && plain(commit) {
			i, ok = Info{Version: string(version), Commit: string(commit)}, true
			if i.Version != devel {
				return i, true
			}
		}
	}
}

// maxStamp bounds version and commit, in bytes.
const maxStamp = 256

// plain reports whether a text has only what versions and commits are made of.
func plain(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".-+_~/", r)
	})
}
