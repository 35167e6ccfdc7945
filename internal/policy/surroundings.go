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

// Surroundings is what else of the host a container would reach or set off. An exec adds nothing to it.
type Surroundings struct {
	CwdIsProc bool // links lead the working directory below a /proc
	Sockets   []Socket
	Hooks     []Hook
	Spread    []Spread
	OwnFiles  []OwnFile
}

// OwnFile is a mount of what this program itself goes by.
type OwnFile struct {
	What     string // policy, log, state, ...
	Path     string // on the host, free of links
	Mount    string // the mount's destination
	ReadOnly bool
}

// Spread is a mount that lies within another one, by which it would appear on the host, too.
type Spread struct{ Mount, Within string }

// Socket is an engine's socket to which a mount leads, and which of the host's users may open it, root left out.
type Socket struct {
	Path     string // on the host
	Mount    string // the mount's destination
	Everyone bool
	Users    []uint32
	Groups   []uint32
}

// Hook is a program that the runtime is to call as root.
type Hook struct {
	Stage string // as config.json calls it
	Path  string // as config.json has it
	Real  string // without links
	Fault error  // why it is not root's alone; nil: it is
}

// socketsAreClosed: nobody in the container can open an engine's socket, by which he would be root on the host
// (SECURITY.md C2). Whoever exec starts may have any uid that the policy lets through, so it is not only the identity that
// counts. Groups that may open one are never let through but by allowed_gids or as the policy's own gid, which is the
// administrator's word.
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

// mayBecome says whether a process of the container can have a uid of the host's: as the identity, or by an exec that
// keeps what it asks for.
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

// mountsStayInside: no mount of the container's is made on the host, where it could stand in for a program that root calls
// (SECURITY.md B13).
func mountsStayInside(_ *Policy, f *inquiry, _ *Decision) error {
	for _, s := range f.Spread {
		return fmt.Errorf("the mount at %s is below the one at %s, which propagates to the host, so the host would get it too\nhint: leave out one of them, or give %s the propagation \"rslave\" or \"rprivate\"", quote.Value(s.Mount), quote.Value(s.Within), quote.Value(s.Within))
	}
	return nil
}

// ownFilesStayOutside: no container has the policy, the log, the state or the programs that it is held by. Nobody in it could write
// them, but the engine would for whoever may call it (SECURITY.md F16). Whoever collects logs may read the log.
func ownFilesStayOutside(_ *Policy, f *inquiry, _ *Decision) error {
	for _, own := range f.OwnFiles {
		if own.What == "log" && own.ReadOnly {
			continue
		}
		advice := "leave it out"
		if own.What == "log" {
			advice = "mount it read-only"
		}
		return fmt.Errorf("the mount at %s is of nonroot-runc's own %s, %s, which anyone with access to the engine could change through it: %s", quote.Value(own.Mount), own.What, quote.Value(own.Path), advice)
	}
	return nil
}

// hooksAreRoots: what the runtime calls as root is a program that only root can change, and none of the container's own
// files; and where the policy names programs, one of them (SECURITY.md C4).
func hooksAreRoots(p *Policy, f *inquiry, d *Decision) error {
	for _, h := range f.Hooks {
		if h.Fault != nil {
			return fmt.Errorf("the %s hook %s would run as root, and is not root's alone: %w", h.Stage, quote.Value(h.Path), h.Fault)
		}
		if p.Hooks != nil && (len(p.Hooks) == 0 || !p.Hooks.Take(h.Path) && !p.Hooks.Take(h.Real)) {
			return fmt.Errorf("the %s hook %s would run as root, and the policy's hooks.allowed has neither it nor %s\nhint: add it there if it is needed", h.Stage, quote.Value(h.Path), quote.Value(h.Real))
		}
		// Docker has its own daemon called for each container with a network (libnetwork-setkey). That engines are root is no news.
		if path.Base(h.Real) != engines.Docker.Config.Program {
			d.Notes = append(d.Notes, fmt.Sprintf("the %s hook %s runs as root", h.Stage, quote.Value(h.Real)))
		}
	}
	return nil
}

// hooksTable is the file's [hooks].
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
