// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Asked is the request of the engine, or of its caller.
type Asked struct {
	Identity
	Capabilities    []string `json:"capabilities"` // every capability that the process would have or could gain
	NoNewPrivileges bool     `json:"no_new_privileges"`
	Seccomp         bool     `json:"seccomp"`
	Privileged      []string `json:"privileged"` // what goes beyond an ordinary container
	Args            []string `json:"args"`
	Cwd             string   `json:"cwd"`
	Partial         bool     `json:"partial"` // only the user is known: the rest is from the rewritten config.json

	mapped bool // its user namespace is not the host's
}

func asked(s *specs.Spec) *Asked {
	p := s.Process
	a := &Asked{
		Identity:        Identity{p.User.UID, p.User.GID, list(p.User.AdditionalGids)},
		Capabilities:    list(held(p.Capabilities)),
		NoNewPrivileges: p.NoNewPrivileges,
		Seccomp:         s.Linux.Seccomp != nil,
		Privileged:      list(privileged(s)),
		Args:            list(p.Args),
		Cwd:             p.Cwd,
		mapped:          len(s.Linux.UIDMappings) > 0,
	}
	return a
}

// held returns every capability of any set, once, sorted.
func held(c *specs.LinuxCapabilities) []string {
	if c == nil {
		return nil
	}
	all := slices.Concat(c.Bounding, c.Effective, c.Permitted, c.Inheritable, c.Ambient)
	slices.Sort(all)
	return slices.Compact(all)
}

// privileged lists what goes beyond an ordinary container. The rewrite leaves most of it unchanged: without root and
// capabilities it allows little, but not nothing.
func privileged(s *specs.Spec) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	var more []string
	for _, c := range held(s.Process.Capabilities) {
		if !slices.Contains(engines.Capabilities, c) {
			more = append(more, c)
		}
	}
	if len(more) > 0 {
		add("capabilities beyond the ordinary: %s", some(more))
	}
	if s.Linux.Seccomp == nil {
		add("no seccomp profile")
	}
	for _, kind := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.MountNamespace} {
		if !slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind }) {
			add("the host's %s namespace", kind)
		}
	}
	if len(s.Linux.MaskedPaths) == 0 {
		add("nothing of /proc is masked")
	}
	for _, d := range s.Linux.Devices {
		add("the device %q (%s %d:%d)", d.Path, d.Type, d.Major, d.Minor)
	}
	if r := s.Linux.Resources; r != nil {
		for _, d := range r.Devices {
			if d.Allow && (d.Type == "" || d.Type == "a") && d.Major == nil && d.Minor == nil {
				add("every device of the host")
				break
			}
		}
	}
	for _, m := range s.Mounts {
		if why := sensitive(m); why != "" {
			add("%q of the host at %q: %s", m.Source, m.Destination, why)
		}
	}
	return all
}

// sensitive says what a bind mount shows of the host, if it is the host itself or a way into it.
func sensitive(m specs.Mount) string {
	if !spec.Binds(m.Type, m.Options) {
		return ""
	}
	source := path.Clean(m.Source)
	switch {
	case engines.NamesSocket(source):
		return "whoever may write to it starts containers as root"
	case slices.Contains([]string{"/", "/etc", "/root", "/proc", "/sys", "/dev", "/boot", "/usr", "/var", "/run", "/var/run", "/var/lib", "/home"}, source):
		return "a directory of the system"
	}
	return ""
}

// some names the first few entries of a list.
func some(all []string) string {
	const most = 8
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
