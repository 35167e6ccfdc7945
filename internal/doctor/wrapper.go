// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// Wraps says that a program rewrites config.json and goes on to a runtime, by the name of its file, links followed: that is
// nvidia-container-runtime, also as .cdi, .legacy and .real (NVIDIA/nvidia-container-toolkit 1.20.2, cmd and
// tools/container). Behind nonroot-runc it adds groups and mounts that nobody judges any more, and the record of the decision
// no longer matches the container.
func Wraps(program string) bool {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		real = program
	}
	return slices.ContainsFunc([]string{program, real}, func(name string) bool {
		return strings.HasPrefix(filepath.Base(name), "nvidia-container-runtime")
	})
}

// WrapperHint is how a wrapper and nonroot-runc work together.
const WrapperHint = "let the engine call the wrapper, and the wrapper nonroot-runc: runtimes = [\"/usr/local/sbin/nonroot-runc\"] under [nvidia-container-runtime] in /etc/nvidia-container-runtime/config.toml (docs/engines.md, NVIDIA)"

// wrappers: no policy goes on to a program that rewrites config.json after nonroot-runc.
func (d *doctor) wrappers(p *policy.Policy) {
	if d.binary == "" {
		return
	}
	profiles, _ := filepath.Glob(filepath.Join(filepath.Dir(policy.DefaultFile), "*.toml")) // the pattern is well formed
	for _, file := range profiles {
		if file == policy.DefaultFile {
			continue
		}
		if other, err := govern.Policy(file, "", d.caller.Owners); err == nil { // what is wrong with it is told elsewhere
			d.wrapper(fmt.Sprintf("next runtime: profile %q", strings.TrimSuffix(filepath.Base(file), ".toml")), other)
		}
	}
	if p != nil {
		d.wrapper("next runtime: order", p)
	}
}

func (d *doctor) wrapper(name string, p *policy.Policy) {
	found, err := runc.FindFor(d.binary, p.Runtimes, d.caller.Owners)
	if err == nil && Wraps(found) {
		d.bad(Fail, name, "take it out of runtimes, and "+WrapperHint,
			"nonroot-runc goes on to %q, which rewrites config.json once more: what it adds is not judged, and exec and start do not find the container's record", found)
	}
}

// wrapperConfig is nvidia-container-runtime's own file.
const wrapperConfig = "/etc/nvidia-container-runtime/config.toml"

// leadsToOurs says that a program is a wrapper that goes on to nonroot-runc: the first of the runtimes in its file that is there
// (nvidia-container-toolkit, internal/oci, findRuntime).
func (d *doctor) leadsToOurs(program string) bool {
	if !Wraps(program) {
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
			return !Wraps(path) && d.isOurs(path)
		}
	}
	return false
}
