// SPDX-License-Identifier: Apache-2.0

package ps

import (
	"cmp"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// state is what a runtime knows of a container.
type state struct {
	root, id, bundle string
	pid              int    // of its first process
	start            uint64 // of that; 0: not known
}

// belong sorts processes into their containers. Evidence counts in this order: the cgroup, if an engine has put the
// id into its name; the namespaces of a first process that a runtime knows; the parent, if that belongs to a
// container; the command line of the engine's own process above it; and, if nothing else tells, the pid namespace.
// Processes that share the caller's mount and pid namespace are the host's.
func belong(all []*process, self *process, known []state) []*Container {
	b := &sorter{self: self, byPID: map[int]*process{}, of: map[int]*Container{}, keys: map[string]*Container{}, mounts: map[string]*Container{}, pids: map[string]*Container{}}
	for _, p := range all {
		b.byPID[p.pid] = p
	}
	for _, s := range known {
		p := b.byPID[s.pid]
		if p == nil || s.start != 0 && p.start != s.start || b.hosts(p) {
			continue // the state of a container that is gone
		}
		c := b.container(s.id)
		c.ID, c.Bundle, c.root, c.init = s.id, s.bundle, s.root, s.pid
		if engine, id := engines.OfCgroups(p.cgroups); id == s.id {
			c.Engine = engine
		}
		b.of[p.pid] = c
		if p.mnt != self.mnt {
			b.mounts[p.mnt] = c
		}
		if p.pids != self.pids && b.pids[p.pids] == nil {
			b.pids[p.pids] = c
		}
	}
	slices.SortFunc(all, func(a, b *process) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.pid, b.pid)) })
	for _, p := range all {
		b.find(p, 0)
	}
	return b.containers(all)
}

type sorter struct {
	self         *process
	byPID        map[int]*process
	of           map[int]*Container
	keys         map[string]*Container
	mounts, pids map[string]*Container // by namespace
	order        []*Container
}

func (b *sorter) container(key string) *Container {
	c := b.keys[key]
	if c == nil {
		c = &Container{}
		b.keys[key] = c
		b.order = append(b.order, c)
	}
	return c
}

// hosts reports whether a process belongs to no container.
func (b *sorter) hosts(p *process) bool { return p.mnt == b.self.mnt && p.pids == b.self.pids }

// maxDepth bounds the way up from a process, which could be a circle if a file changes meanwhile.
const maxDepth = 1000

func (b *sorter) find(p *process, depth int) *Container {
	if c := b.of[p.pid]; c != nil || p == b.self || p.pid == b.self.pid || b.hosts(p) || depth > maxDepth {
		return c
	}
	c := b.search(p, depth)
	if c != nil {
		b.of[p.pid] = c
	}
	return c
}

func (b *sorter) search(p *process, depth int) *Container {
	if engine, id := engines.OfCgroups(p.cgroups); id != "" {
		c := b.container(id)
		c.ID, c.Engine = id, cmp.Or(c.Engine, engine)
		return c
	}
	if c := b.mounts[p.mnt]; c != nil {
		return c
	}
	if c := b.pids[p.pids]; c != nil {
		return c
	}
	if parent := b.byPID[p.parent]; parent != nil {
		if c := b.find(parent, depth+1); c != nil {
			return c
		}
		if engine, id := fromMonitor(parent); id != "" && p.mnt != parent.mnt {
			c := b.container(id)
			c.ID, c.Engine = id, cmp.Or(c.Engine, engine)
			return c
		}
	}
	if p.pids != b.self.pids {
		return b.container(p.pids)
	}
	return nil // many services have only a mount namespace
}

// fromMonitor finds engine and id in the command line of the monitor process that an engine leaves with each
// container.
func fromMonitor(p *process) (engine, id string) {
	for _, e := range engines.All {
		if e.Monitor == nil {
			continue
		}
		if engine, id := e.Monitor(p.name, p.args); id != "" {
			return engine, id
		}
	}
	return "", ""
}

// containers assigns its processes to every container, in the order in which they began.
func (b *sorter) containers(all []*process) []*Container {
	for _, p := range all {
		c := b.of[p.pid]
		if c == nil {
			continue
		}
		parent := b.byPID[p.parent]
		inside := parent != nil && b.of[parent.pid] != nil // an orphan of a pod's is adopted by another of its containers
		one := &Process{PID: p.pid, InnerPID: p.inner, Role: Child, UIDs: p.uids, InnerUIDs: p.innerUIDs(b.self), Command: p.args}
		switch {
		case c.init == p.pid:
			one.Role = Init
		case c.init == 0 && !inside:
			one.Role, c.init = Init, p.pid
		case !inside:
			one.Role = Exec
		}
		if len(one.Command) == 0 {
			one.Command = []string{p.name}
		}
		one.HostRoot, one.InnerRoot = slices.Contains(one.UIDs, 0), slices.Contains(one.InnerUIDs, 0)
		c.Processes = append(c.Processes, one)
	}
	return slices.DeleteFunc(b.order, func(c *Container) bool { return len(c.Processes) == 0 })
}
