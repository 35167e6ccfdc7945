// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// surroundings finds what the container would reach or trigger on the host.
func (g *Gathered) surroundings() error {
	var err error
	if g.CwdIsProc, err = g.image.LeadsToProc(g.Cwd); err != nil {
		return fmt.Errorf("follow the working directory %q: %w", g.Cwd, err)
	}
	if g.Spread, err = g.spread(); err != nil {
		return err
	}
	c := g.call
	binds := shown(c.Bundle, g.Container.Mounts)
	g.OwnFiles = ownFiles(g.rule, binds)
	for _, s := range host.EngineSockets(binds) {
		g.Sockets = append(g.Sockets, policy.Socket(s))
	}
	for _, h := range g.Container.Hooks {
		real, err := trusted.Program(h.Path, c.Caller.Owners)
		if err == nil {
			err = notInside(c.Bundle, g.Container.Rootfs, real, h.Stage)
		}
		g.Hooks = append(g.Hooks, policy.Hook{Stage: h.Stage, Path: h.Path, Real: real, Fault: err})
	}
	return nil
}

// shown returns the bind mounts that the engine asks for.
func shown(dir *bundle.Dir, mounts []spec.Mount) []host.Bind {
	isOurs := plan.Ours(dir.Path)
	var all []host.Bind
	for _, m := range mounts {
		recursive := slices.Contains(m.Options, "rbind")
		if isOurs(m) || !m.Binds() {
			continue
		}
		source := m.Source
		if !filepath.IsAbs(source) {
			source = dir.Join(source)
		}
		// A type without an option includes the mounts below (runc, specconv; crun likewise): without a word on it,
		// assume the worst.
		all = append(all, host.Bind{Source: source, Destination: m.Destination, Recursive: recursive || !slices.Contains(m.Options, "bind"), ReadOnly: m.Readonly()})
	}
	return all
}

// notInside refuses a program in the container's own rootfs: it would run as root, but the image's author wrote it. A
// program of the stage createContainer runs among the container's mounts, before the runtime enters the rootfs
// (config.md, "POSIX-platform Hooks"): if the rootfs is a directory of the host's system, the mounts can cover the
// program, its libraries or /etc/ld.so.preload.
func notInside(dir *bundle.Dir, rootfs, program, stage string) error {
	if !filepath.IsAbs(rootfs) {
		rootfs = dir.Join(rootfs)
	}
	real, err := filepath.EvalSymlinks(rootfs)
	if err != nil {
		return err
	}
	if stage == "createContainer" && policy.Untouchable(real) {
		return fmt.Errorf("it would run in the container's mount namespace, where mounts can cover it or what it needs, as the rootfs is the host's %q", real)
	}
	if real != "/" && strings.HasPrefix(program, real+"/") {
		return errors.New("it is one of the container's own files")
	}
	return nil
}
