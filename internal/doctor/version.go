// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// Program is a program of ours, and which build it is.
type Program struct {
	version.Info        // Version is "unknown" where the file has no stamp: it is older than stamps
	Path         string `json:"path"`
}

// FindRuntime is the nonroot-runc that is named, else the one beside this program, else the first in the standard
// directories; "": there is none.
func FindRuntime(named string) string {
	if named != "" {
		return named
	}
	own, err := os.Executable()
	if err == nil {
		beside := filepath.Join(filepath.Dir(own), "nonroot-runc")
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return find("nonroot-runc")
}

// ReadProgram reads from a program's file which build it is. It fails where the file can't be read or is no Go program.
func ReadProgram(file string) (*Program, error) {
	data, err := os.ReadFile(file) // #nosec G304 -- whoever asks names it
	if err != nil {
		return nil, err
	}
	built, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%q is not nonroot-runc: %w", file, err)
	}
	info, ok := version.Find(data)
	if !ok {
		info.Version = "unknown"
	}
	info.Go = built.GoVersion
	return &Program{Info: info, Path: file}, nil
}

// versions: which builds these are, and that they are one.
func (d *doctor) versions() {
	const name = "version"
	own := version.Get()
	if d.binary == "" {
		return
	}
	runtime, err := ReadProgram(d.binary)
	switch {
	case err != nil:
		d.bad(Warn, name, "install nonroot-runc and nonroot-ctl of one build", "nonroot-ctl is %s; %v", own.Version, err)
	case runtime.Version != own.Version || runtime.Commit != own.Commit:
		d.bad(Warn, name, "install nonroot-runc and nonroot-ctl of one build", "nonroot-ctl is %q, nonroot-runc is %q", own.Version, runtime.Version)
	default:
		d.ok(name, "both programs are %q, commit %q, %s", own.Version, own.Commit, own.Go)
	}
}
