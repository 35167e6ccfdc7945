// SPDX-License-Identifier: Apache-2.0

package runc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
)

// searchPath is where a runtime is looked for by name. PATH is not asked: Podman clears it for some calls, and the
// environment must not choose the runtime (SECURITY.md E11, E12).
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find gives the path of the first candidate, a name or an absolute path, that is an executable file and is not this
// program, by whatever name or link or copy it may go, and that only the trusted owners can change. Errors list what was looked at.
func Find(candidates []string, owners bundle.Owners) (string, error) {
	var self program
	if err := unix.Stat("/proc/self/exe", (*unix.Stat_t)(&self)); err != nil {
		return "", fmt.Errorf("look at this program's own file: %w", err)
	}
	var seen []string
	for _, c := range candidates {
		if filepath.IsAbs(c) {
			why := self.unfit(c, owners)
			if why == nil {
				return c, nil
			}
			seen = append(seen, fmt.Sprintf("%q %s", c, why))
			continue
		}
		for dir := range strings.SplitSeq(searchPath, ":") {
			file := dir + "/" + c
			why := self.unfit(file, owners)
			if why == nil {
				return file, nil
			}
			if !errors.Is(why, errAbsent) {
				seen = append(seen, fmt.Sprintf("%q %s", file, why))
			}
		}
	}
	found := ""
	if len(seen) > 0 {
		found = "; " + strings.Join(seen, "; ")
	}
	return "", fmt.Errorf("no runtime found for %s in %s%s: install runc or crun, or set runtimes in the policy", strings.Join(candidates, ", "), searchPath, found)
}

var (
	errAbsent = errors.New("is not there")
	errSelf   = errors.New("is nonroot-runc itself")
	errOthers = errors.New("can be changed by others than root")
	errNoFile = errors.New("is no executable file")
)

// program is what is known of this program's own file.
type program unix.Stat_t

// unfit says why a file cannot be the next runtime, nil if it can.
func (p *program) unfit(file string, owners bundle.Owners) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return errAbsent
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return errNoFile
	case !owners.Trusts(st.Uid) || st.Mode&0o022 != 0:
		return errOthers
	case st.Dev == p.Dev && st.Ino == p.Ino:
		return errSelf
	case st.Size == p.Size && sameContent(file):
		return errSelf
	}
	return nil
}

// sameContent recognizes a copy. It's only asked about files of the same size.
func sameContent(file string) bool {
	other, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	own, err := os.ReadFile("/proc/self/exe")
	return err == nil && bytes.Equal(own, other)
}
