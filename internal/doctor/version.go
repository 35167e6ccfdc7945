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

// Program is one of our programs, with the build that it is from.
type Program struct {
	version.Info        // Version is "unknown" if the file has no stamp: it predates stamps
	Path         string `json:"path"`
}

// FindRuntime returns the named nonroot-runc, else the one beside this program, else the first in the standard
// directories; "" if there is none.
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

// ReadProgram reads the build of a program from its file. It fails if the file can't be read or is not a Go program.
func ReadProgram(file string) (*Program, error) {
	data, err := os.ReadFile(file) // #nosec G304 -- the caller names it
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

// versions reports which builds the programs are from, and checks that they are the same.
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
