// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"path"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Surroundings is what else of the host a container would reach or trigger. An exec adds nothing to it.
type Surroundings struct {
	CwdIsProc bool // links lead the working directory below a /proc
	Sockets   []Socket
	Hooks     []Hook
	Spread    []Spread
	OwnFiles  []OwnFile
}

// OwnFile is a mount of one of this program's own files.
type OwnFile struct {
	What     string // policy, log, state, ...
	Path     string // on the host, free of links
	Mount    string // the mount's destination
	ReadOnly bool
}

// Spread is a mount inside another one that would propagate it to the host.
type Spread struct{ Mount, Within string }

// Socket is an engine's socket that a mount leads to, with the users of the host other than root who may open it.
type Socket struct {
	Path     string // on the host
	Mount    string // the mount's destination
	Everyone bool
	Users    []uint32
	Groups   []uint32
}

// Hook is a program that the runtime is to run as root.
type Hook struct {
	Stage string // as in config.json
	Path  string // as in config.json
	Real  string // without links
	Fault error  // why users other than root can change it; nil: they can't
}

// socketsAreClosed: no process in the container can open an engine's socket, which would make it root on the host
// (SECURITY.md C2). An exec may have any uid that the policy allows, so not only the identity counts. A group that may
// open a socket is accepted only by allowed_gids or as the policy's own gid: the administrator's choice.
func socketsAreClosed(p *Policy, f *inquiry, d *Decision) error {
	for _, s := range f.Sockets {
		if s.Everyone {
			return fmt.Errorf("the mount at %s leads to the engine's socket %s, which everyone may open, to be root on the host\nhint: leave out the mount, or chmod o-w the socket", quote.Value(s.Mount), quote.Value(s.Path))
		}
		for _, uid := range s.Users {
			if p.mayBecome(f, d, uid) {
				return fmt.Errorf("the mount at %s leads to the engine's socket %s, which the host's uid %d may open, to be root on the host\nhint: leave out the mount, or take that right away", quote.Value(s.Mount), quote.Value(s.Path), uid)
			}
		}
		state := "closed to it"
		for _, gid := range append([]uint32{d.Identity.GID}, d.Identity.Groups...) {
			if slices.Contains(s.Groups, f.hostGID(gid)) {
				state = fmt.Sprintf("open to it by gid %d, which the policy allows", gid)
			}
		}
		d.Notes = append(d.Notes, fmt.Sprintf("the mount at %s leads to the engine's socket %s: %s", quote.Value(s.Mount), quote.Value(s.Path), state))
	}
	return nil
}

// mayBecome reports whether a process of the container can have a uid of the host: as the identity, or by an exec that
// keeps the uid it asks for.
func (p *Policy) mayBecome(f *inquiry, d *Decision, uid uint32) bool {
	if own, ok := f.outside(d.Identity.UID, func(m *idmap.Pair) idmap.Map { return m.UID }); ok && own == uid {
		return true
	}
	if !slices.Contains(p.Sources, Kept) {
		return false
	}
	inside := uid
	if f.UserNamespace != nil {
		var mapped bool
		if inside, mapped = f.UserNamespace.UID.Inside(uid); !mapped {
			return false
		}
	}
	return len(p.AllowedUIDs) == 0 || p.AllowedUIDs.Has(inside)
}

// mountsStayInside: no mount of the container propagates to the host, where it could take the place of a program that
// root runs (SECURITY.md B13).
func mountsStayInside(_ *Policy, f *inquiry, _ *Decision) error {
	for _, s := range f.Spread {
		return fmt.Errorf("the mount at %s is below the one at %s, which propagates to the host, so the host would get it too\nhint: leave out one of them, or give %s the propagation \"rslave\" or \"rprivate\"", quote.Value(s.Mount), quote.Value(s.Within), quote.Value(s.Within))
	}
	return nil
}

// ownFilesStayOutside: no container mounts the policy, the log, the state or the programs that enforce them. Its
// processes could not write them, but the engine would on behalf of any of its users (SECURITY.md F16). Log collectors
// may read the log.
func ownFilesStayOutside(_ *Policy, f *inquiry, _ *Decision) error {
	for _, own := range f.OwnFiles {
		if own.What == "log" && own.ReadOnly {
			continue
		}
		advice := "leave it out"
		if own.What == "log" {
			advice = "mount it read-only"
		}
		return fmt.Errorf("the mount at %s exposes nonroot-runc's own %s, %s, which anyone with access to the engine could change through it: %s", quote.Value(own.Mount), own.What, quote.Value(own.Path), advice)
	}
	return nil
}

// hooksAreRoots: what the runtime runs as root is a program that only root can change, outside the container's own
// files, and if the policy lists programs, one of those (SECURITY.md C4).
func hooksAreRoots(p *Policy, f *inquiry, d *Decision) error {
	for _, h := range f.Hooks {
		if h.Fault != nil {
			return fmt.Errorf("the %s hook %s would run as root, and is not root's alone: %w", h.Stage, quote.Value(h.Path), h.Fault)
		}
		if p.Hooks != nil && (len(p.Hooks) == 0 || !p.Hooks.Take(h.Path) && !p.Hooks.Take(h.Real)) {
			return fmt.Errorf("the %s hook %s would run as root, and the policy's hooks.allowed has neither it nor %s\nhint: add it there if it is needed", h.Stage, quote.Value(h.Path), quote.Value(h.Real))
		}
		// Docker registers its own daemon as a hook of each container with a network (libnetwork-setkey). That an
		// engine runs as root needs no note.
		if path.Base(h.Real) != engines.Docker.Config.Program {
			d.Notes = append(d.Notes, fmt.Sprintf("the %s hook %s runs as root", h.Stage, quote.Value(h.Real)))
		}
	}
	return nil
}

// hooksTable is the table [hooks] of the policy file.
type hooksTable struct {
	Allowed []string `toml:"allowed"`
}

func (t *hooksTable) read(p *Policy, r *reader) {
	if t.Allowed == nil {
		return
	}
	p.Hooks = t.Allowed
	if err := p.Hooks.check(); err != nil {
		r.fail("hooks.allowed", "%s", err)
	}
	for _, pattern := range t.Allowed {
		if !path.IsAbs(pattern) || path.Clean(pattern) != pattern {
			r.fail("hooks.allowed", "%q is not a clean absolute path, in which \"*\" may stand for a part of a name", pattern)
		}
	}
}
