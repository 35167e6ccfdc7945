// SPDX-License-Identifier: Apache-2.0

// Package ps lists what runs as root in containers now, whatever started it, and says why it may. No daemon is asked:
// the kernel says who a process is, and the runtimes' state and our records in bundles what it belongs to. Names and
// command lines are the containers' own text; whoever prints them has to quote them. What a policy would say of them
// now belongs to internal/rollout.
//
//	scan.go    /proc -> processes
//	belong.go  processes -> containers
//	why.go     containers -> engine, names, and the record's reason
package ps

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Listing is what was found. Its JSON is documented in nonroot-ctl(8); members are added, never renamed.
type Listing struct {
	Containers []*Container `json:"containers"`
	Processes  int          `json:"processes_as_root"` // in all containers
	Unread     int          `json:"unread"`            // running processes that could not be inspected
}

// Container is a container, with those of its processes that are listed.
type Container struct {
	Engine    string `json:"engine"` // as in the log of decisions; "": unknown
	ID        string `json:"id"`     // "": no known engine or runtime created it
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"` // its name in the pod
	Name      string `json:"name,omitempty"`      // Docker's or Podman's
	Image     string `json:"image,omitempty"`
	Bundle    string `json:"bundle,omitempty"`

	Governed bool   `json:"governed"`         // nonroot-runc decided about it: there is a record
	Mode     string `json:"mode,omitempty"`   // the record's
	Rule     string `json:"rule,omitempty"`   // the record's
	Reason   string `json:"reason,omitempty"` // the record's
	Policy   string `json:"policy,omitempty"` // the record's; "": built in
	Why      string `json:"why"`              // why its processes may be root, in one sentence

	Processes []*Process `json:"processes"`

	root string // the runtime's --root; "": unknown
	init int    // the first process; 0: unknown
}

// Called is the name that people use: NAMESPACE/POD/CONTAINER, Docker's or Podman's name, else the id.
func (c *Container) Called() string {
	if c.Pod != "" {
		return strings.TrimSuffix(c.Namespace+"/"+c.Pod+"/"+c.Container, "/")
	}
	return cmp.Or(c.Name, c.ID, "(no id)")
}

// Roles of a process in its container.
const (
	Init  = "init"  // the container's first
	Exec  = "exec"  // started from outside: docker exec, a health check, kubectl exec
	Child = "child" // started by another process of the container
)

// Process is a process of a container. Ids are those of all its threads.
type Process struct {
	PID       int      `json:"pid"`        // as this program sees it
	InnerPID  int      `json:"inner_pid"`  // as the container sees it
	Role      string   `json:"role"`       // init, exec, child
	UIDs      []uint32 `json:"uids"`       // real, effective, saved and file system uids, as this program sees them, each once
	InnerUIDs []uint32 `json:"inner_uids"` // as its user namespace sees them; an unmapped one is left out
	HostRoot  bool     `json:"host_root"`  // one of uids is 0
	InnerRoot bool     `json:"inner_root"` // one of inner_uids is 0
	Command   []string `json:"command"`    // its arguments; if it has none, its name
}

// Root reports whether the process is root, on the host or in its user namespace.
func (p *Process) Root() bool { return p.HostRoot || p.InnerRoot }

// Options is what the caller wants listed.
type Options struct {
	All    bool     // include those that are not root
	States []string // more directories in which runtimes keep their state, their --root
}

// ErrNotRoot says that the caller may not inspect others' processes.
var ErrNotRoot = errors.New("looking at others' processes needs root\nhint: sudo nonroot-ctl ps")

// List looks at every process that the caller can see.
func List(o Options) (*Listing, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	all, unread, err := scan("/proc")
	if err != nil {
		return nil, err
	}
	self, err := readProcess("/proc", os.Getpid())
	if err != nil {
		return nil, err
	}
	owners := trusted.CallersOwners(nil)
	known := states(o.States, owners)
	l := &Listing{Containers: []*Container{}, Unread: unread}
	for _, c := range belong(all, self, known) {
		for _, p := range c.Processes {
			if p.Root() {
				l.Processes++
			}
		}
		if !o.All {
			c.Processes = slices.DeleteFunc(c.Processes, func(p *Process) bool { return !p.Root() })
		}
		if len(c.Processes) == 0 {
			continue
		}
		c.lookUp(known, owners)
		l.Containers = append(l.Containers, c)
	}
	slices.SortStableFunc(l.Containers, func(a, b *Container) int {
		return cmp.Or(cmp.Compare(a.Engine, b.Engine), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID), cmp.Compare(a.init, b.init))
	})
	return l, nil
}
