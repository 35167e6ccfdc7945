// SPDX-License-Identifier: Apache-2.0

package runc

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// searchPath is where a runtime is searched for by name. PATH is ignored: Podman clears it for some calls, and the
// environment must not choose the runtime (SECURITY.md E11, E12).
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Aside is the suffix of a runtime that was moved aside for this program, so that whoever calls "runc" is governed,
// too. It's dpkg-divert's own suffix (dpkg-divert(1)): a package's update then goes to that file.
const Aside = ".distrib"

// Find returns the path of the first candidate, a name or an absolute path, that is an executable file which only the
// trusted owners can change, and that is not this program under another name, as a link or as a copy. If this program
// has taken a candidate's place, the file that was moved aside counts. Errors list what was tried.
func Find(candidates []string, owners trusted.Owners) (string, error) {
	return FindFor("/proc/self/exe", candidates, owners)
}

// FindFor is Find for another program than the running one: the next runtime of the binary at this path.
func FindFor(binary string, candidates []string, owners trusted.Owners) (string, error) {
	self := program{file: binary}
	if err := unix.Stat(binary, &self.stat); err != nil {
		return "", fmt.Errorf("look at the program's own file %q: %w", binary, err)
	}
	var seen []string
	for _, c := range candidates {
		for file := range places(c) {
			why := self.unfit(file, owners)
			if errors.Is(why, errSelf) {
				if aside := file + Aside; self.unfit(aside, owners) == nil {
					return aside, nil
				}
			}
			if why == nil {
				return file, nil
			}
			if filepath.IsAbs(c) || !errors.Is(why, errAbsent) {
				seen = append(seen, fmt.Sprintf("%q %s", file, why))
			}
		}
	}
	found := ""
	if len(seen) > 0 {
		found = "; " + strings.Join(seen, "; ")
	}
	return "", fmt.Errorf("no runtime found for %s in %s%s\nhint: install runc or crun, or set runtimes in the policy", strings.Join(candidates, ", "), searchPath, found)
}

// places are the files that a candidate may mean.
func places(candidate string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if filepath.IsAbs(candidate) {
			yield(candidate)
			return
		}
		for dir := range strings.SplitSeq(searchPath, ":") {
			if !yield(dir + "/" + candidate) {
				return
			}
		}
	}
}

var (
	errAbsent = errors.New("is not there")
	errSelf   = errors.New("is nonroot-runc itself")
	errOthers = errors.New("can be changed by others than root")
	errNoFile = errors.New("is not an executable file")
)

// program is the file that must not be its own next runtime.
type program struct {
	file string
	stat unix.Stat_t
}

// unfit says why a file can't be the next runtime; nil: it can.
func (p *program) unfit(file string, owners trusted.Owners) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return errAbsent
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return errNoFile
	case !owners.Trusts(st.Uid) || st.Mode&0o022 != 0:
		return errOthers
	case st.Dev == p.stat.Dev && st.Ino == p.stat.Ino:
		return errSelf
	case st.Size == p.stat.Size && p.sameContent(file):
		return errSelf
	}
	if _, err := trusted.Program(file, owners); err != nil {
		return fmt.Errorf("%w: %w", errOthers, err)
	}
	return nil
}

// sameContent recognizes a copy. It's only called for files of the same size.
func (p *program) sameContent(file string) bool {
	other, err := os.ReadFile(file) // #nosec G304 -- a program in a directory that only root can write
	if err != nil {
		return false
	}
	own, err := os.ReadFile(p.file)
	return err == nil && bytes.Equal(own, other)
}
