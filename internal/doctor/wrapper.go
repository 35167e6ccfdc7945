// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// wrappers checks that no policy names a next runtime that rewrites config.json after nonroot-runc.
func (d *doctor) wrappers(p *policy.Policy) {
	if d.binary == "" {
		return
	}
	profiles, _ := filepath.Glob(filepath.Join(filepath.Dir(policy.DefaultFile), "*.toml")) // the pattern is well formed
	for _, file := range profiles {
		if file == policy.DefaultFile {
			continue
		}
		if other, err := facts.Policy(file, "", d.caller.Owners); err == nil { // what is wrong with it is reported elsewhere
			d.wrapper(fmt.Sprintf("next runtime: profile %q", strings.TrimSuffix(filepath.Base(file), ".toml")), other)
		}
	}
	if p != nil {
		d.wrapper("next runtime: order", p)
	}
}

func (d *doctor) wrapper(name string, p *policy.Policy) {
	found, err := runc.FindFor(d.binary, p.Runtimes, d.caller.Owners)
	if err == nil && runc.Wraps(found) {
		d.bad(Fail, name, "take it out of runtimes, and "+runc.WrapperHint,
			"nonroot-runc calls %q, which rewrites config.json again: what it adds is not checked, and exec and start do not find the container's record", found)
	}
}

// wrapperConfig is nvidia-container-runtime's own file.
const wrapperConfig = "/etc/nvidia-container-runtime/config.toml"

// leadsToOurs reports whether a program is a wrapper that calls nonroot-runc: the first of the runtimes in its file that
// exists (nvidia-container-toolkit, internal/oci, findRuntime).
func (d *doctor) leadsToOurs(program string) bool {
	if !runc.Wraps(program) {
		return false
	}
	var c struct {
		Runtime struct {
			Runtimes []string `toml:"runtimes"`
		} `toml:"nvidia-container-runtime"`
	}
	text, err := os.ReadFile(wrapperConfig)
	if err != nil || toml.Unmarshal(text, &c) != nil {
		return false
	}
	if c.Runtime.Runtimes == nil {
		c.Runtime.Runtimes = []string{"runc", "crun"} // its default (api/config/v1, GetDefault)
	}
	for _, next := range c.Runtime.Runtimes {
		if path, err := osexec.LookPath(next); err == nil {
			return !runc.Wraps(path) && d.isOurs(path)
		}
	}
	return false
}
