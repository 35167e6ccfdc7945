// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"os"
	"path"

	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// ownFiles finds the bind mounts of what this program goes by: whoever reaches an engine's API could have it write there as root,
// without a runtime being called (moby: docker cp). A mount of a directory above, such as /etc, is left: nobody in the container is
// root, and host directories are mounted for many reasons.
func (c *Call) ownFiles(p *policy.Policy, binds []host.Bind) (found []policy.OwnFile) {
	if len(binds) == 0 {
		return nil
	}
	protected := c.protected(p)
	for _, b := range binds {
		real, err := host.RealPath(b.Source)
		if err != nil {
			continue // the runtime will fail on it
		}
		for _, own := range protected {
			if real == own.Path || below(real, own.Path) {
				own.Mount, own.ReadOnly = b.Destination, b.ReadOnly
				found = append(found, own)
				break
			}
		}
	}
	return found
}

// protected are the files and directories, free of links.
func (c *Call) protected(p *policy.Policy) []policy.OwnFile {
	var all []policy.OwnFile
	add := func(what, name string) {
		if name == "" {
			return
		}
		if real, err := host.RealPath(name); err == nil {
			name = real
		}
		all = append(all, policy.OwnFile{What: what, Path: name})
	}
	add("policy", path.Dir(policy.DefaultFile))
	if p.File != "" && path.Dir(p.File) != path.Dir(policy.DefaultFile) {
		add("policy", p.File)
	}
	add("pins of policies", pin.File)
	add("list of people", p.UsersFile)
	add("list of people", p.GroupsFile)
	add("state", p.State)
	add("log", p.Log.File)
	if exe, err := os.Readlink("/proc/self/exe"); err == nil && path.Base(exe) != "nonroot-ctl" {
		all = append(all, policy.OwnFile{What: "program", Path: exe}, policy.OwnFile{What: "program", Path: path.Join(path.Dir(exe), "nonroot-ctl")})
	}
	return all
}
