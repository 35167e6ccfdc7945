// SPDX-License-Identifier: Apache-2.0

package ps

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// runtimeRoots are patterns of the runtimes' default --root (docs/engines.md).
var runtimeRoots = []string{"/run/runc", "/run/crun", "/run/user/*/runc", "/run/user/*/crun"}

// states are the containers that runtimes know. A state that others could have written doesn't count.
func states(more []string, owners trusted.Owners) []state {
	patterns := slices.Clone(runtimeRoots)
	for _, e := range engines.All {
		patterns = append(patterns, e.StateRoots...)
	}
	dirs := more
	for _, pattern := range patterns {
		some, _ := filepath.Glob(pattern) // the patterns are well formed
		dirs = append(dirs, some...)
	}
	var all []state
	for _, root := range dirs {
		entries, err := os.ReadDir(root)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if s, err := runc.ReadState(root, true, e.Name(), owners); err == nil {
				all = append(all, state{root, e.Name(), s.Bundle, s.Pid, s.Start})
			}
		}
	}
	return all
}

// lookUp adds what is known of the container outside of the kernel.
func (c *Container) lookUp(known []state, owners trusted.Owners) {
	for _, s := range known {
		if c.Bundle == "" && s.id == c.ID {
			c.Bundle, c.root = s.bundle, s.root
		}
	}
	if c.Bundle == "" && engines.IsID(c.ID) {
		for _, e := range engines.All {
			for _, dir := range e.Bundles.Of(c.ID, e.Bundles.ExecRoots, e.Bundles.States) {
				if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
					c.Bundle = dir
				}
			}
		}
	}
	if c.Bundle == "" {
		c.Why = "not governed: its bundle was not found: no known engine made it, or a user's own did"
		return
	}
	dir, err := bundle.Open(c.Bundle, owners)
	if err != nil {
		c.Why = fmt.Sprintf("its bundle can't be read: %v", err)
		return
	}
	defer dir.Close()
	config, err := dir.Read("config.json")
	if err == nil {
		c.origin(config, owners)
	}
	c.decided(dir, config)
}

// origin says where the container comes from, as the log of decisions does.
func (c *Container) origin(config []byte, owners trusted.Owners) {
	var spec struct {
		Annotations map[string]string
		Root        struct{ Path string }
	}
	if json.Unmarshal(config, &spec) != nil {
		return
	}
	e := &decision.Decision{ID: c.ID}
	auditlog.Locate(e, c.root, c.Bundle, spec.Root.Path, spec.Annotations, owners)
	// The log tells CRI-O's from Podman's by the --root that only CRI-O names. Here all state has one: the cgroup tells, or nothing.
	if e.Engine != "" && e.Engine != engines.Podman.Name && e.Engine != engines.CRIO.Name {
		c.Engine = e.Engine
	}
	c.Namespace, c.Pod, c.Container, c.Image, c.Name = e.Namespace, e.Pod, e.Container, e.Image, e.Called
	if c.Engine == engines.Podman.Name {
		c.stored(owners)
	}
}

// stored reads the names that Podman assigned, from the file of containers/storage above the bundle
// (containers/storage, store.go, Container; podman, libpod/storage.go, the metadata). It doesn't count if somebody
// else could have written it.
func (c *Container) stored(owners trusted.Owners) {
	data, err := trusted.ReadPath(engines.StorageRecord(c.Bundle), owners)
	if err != nil {
		return
	}
	var all []struct {
		ID, Metadata string
		Names        []string
	}
	if json.Unmarshal(data, &all) != nil {
		return
	}
	for _, one := range all {
		var more struct {
			Image string `json:"image-name"`
		}
		if one.ID != c.ID || json.Unmarshal([]byte(one.Metadata), &more) != nil {
			continue
		}
		if c.Image = more.Image; len(one.Names) > 0 {
			c.Name = one.Names[0]
		}
	}
}

// decided reads mode, rule and reason from the record, if it is this container's.
func (c *Container) decided(dir *bundle.Dir, config []byte) {
	r, err := record.Read(dir)
	if errors.Is(err, os.ErrNotExist) {
		c.Why = "not governed: nonroot-runc left no record: another runtime created it, or it is older than nonroot-runc here"
		return
	}
	if err != nil {
		c.Why = fmt.Sprintf("its record can't be read: %v", err)
		return
	}
	start := uint64(0)
	if c.init != 0 {
		start, _ = proc.StartTime(strconv.Itoa(c.init)) // 0: unknown
	}
	if r.ID != c.ID || !record.Precedes(r, start) {
		c.Why = "not governed: the record in its bundle is another container's"
		return
	}
	c.Governed, c.Mode, c.Rule, c.Reason, c.Policy = true, string(r.Mode), r.Rule, r.Reason, r.Policy
	by := fmt.Sprintf("by the rule %q", r.Rule)
	if r.Rule == "" || r.Rule == "default" {
		by = "by the general part of the policy"
	}
	switch {
	case r.Mode == policy.Rewrite && !record.Matches(r, c.ID, config):
		c.Why = "config.json is not the one that nonroot-runc wrote: it was changed afterwards"
	case r.Mode == policy.Rewrite && c.anyRoot():
		c.Why = fmt.Sprintf("it may NOT: it was rewritten to uid %d; what is root in it came past nonroot-runc (runc exec, nsenter)", r.Identity.UID)
	case r.Mode == policy.Rewrite:
		c.Why = fmt.Sprintf("rewritten to uid %d", r.Identity.UID)
	default:
		c.Why = fmt.Sprintf("mode %s, %s", r.Mode, by)
		if r.Reason != "" {
			c.Why += fmt.Sprintf(": %q", r.Reason)
		}
	}
}

// anyRoot reports whether one of the processes listed is root.
func (c *Container) anyRoot() bool {
	for _, p := range c.Processes {
		if p.Root() {
			return true
		}
	}
	return false
}
