// SPDX-License-Identifier: Apache-2.0

// Package trial decides about containers that are only described, by the policy's own code: what applies to a container that
// somebody has in mind, and whether a policy still does what is expected of it.
package trial

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Container is what is said of a container.
type Container struct {
	Engine      string            `toml:"engine"` // "": one that no rule knows
	Root        string            `toml:"root"`   // the runtime's --root, in place of an engine
	Namespace   string            `toml:"namespace"`
	Pod         string            `toml:"pod"`
	Container   string            `toml:"container"`
	Image       string            `toml:"image"`
	Bundle      string            `toml:"bundle"`
	Annotations map[string]string `toml:"annotations"`
	UID         uint32            `toml:"uid"`
	GID         uint32            `toml:"gid"`
	Groups      []uint32          `toml:"groups"`
	Env         []string          `toml:"env"`
	Passwd      []string          `toml:"passwd"`  // lines of the image's file, for requests by name, primary groups and the image's user
	Group       []string          `toml:"group"`   // likewise
	Project     string            `toml:"project"` // Compose's, of Docker's containers
	ID          string            `toml:"id"`
	Devices     []string          `toml:"devices"` // paths of character devices that it is given
}

// World is what the decision rests on beside the container: the host's, or what stands for it.
type World struct {
	Groups func(*policy.Policy) policy.HostGroups
	People func(*policy.Policy) func() (*homedir.Accounts, error)
	Device func(path string) (gid uint32, ok bool)
}

// engineRoots are roots by which the engines are known.
var engineRoots = map[string]string{
	policy.Docker:       "/run/docker/runtime-runc/moby",
	policy.DockerPlugin: "/run/docker/runtime-runc/plugins.moby",
	policy.Kubernetes:   "/run/containerd/runc/k8s.io",
}

// origin is where the container would come from. It's an error to describe what no container of that engine has.
func (c *Container) origin() (*policy.Origin, error) {
	root := c.Root
	switch known, ok := engineRoots[c.Engine]; {
	case root != "" && c.Engine != "":
		return nil, fmt.Errorf("engine %q and root %q say the same: give one of them", c.Engine, root)
	case c.Engine == policy.Containerd:
		root = "/run/containerd/runc/" + c.Namespace
	case ok:
		root = known
	case c.Engine != "":
		return nil, fmt.Errorf("nobody knows the engine %q: give docker, docker-plugin, kubernetes or containerd", c.Engine)
	}
	bundle := c.Bundle
	if bundle == "" {
		bundle = "/nonexistent/bundle"
	}
	o := policy.OriginOf(root, path.Clean(bundle), c.Annotations)
	switch o.Engine {
	case policy.Kubernetes:
		o.Namespace, o.Pod, o.Container, o.Image = c.Namespace, c.Pod, c.Container, c.Image
	case policy.Containerd:
		if c.Namespace != "" && c.Namespace != o.Namespace {
			return nil, fmt.Errorf("the root %q is that of the namespace %q, not %q", root, o.Namespace, c.Namespace)
		}
	default:
		if c.Project != "" && o.Engine != policy.Docker {
			return nil, errors.New("a project is only known of Docker's containers (engine \"docker\")")
		}
		if c.Namespace+c.Pod+c.Container+c.Image != "" {
			return nil, fmt.Errorf("namespace, pod, container and image are only known of Kubernetes' containers (engine \"kubernetes\"), and namespace of containerd's")
		}
	}
	return o, nil
}

// Result is what would become of it.
type Result struct {
	Rule     string          `json:"rule"`
	Mode     policy.Mode     `json:"mode"`
	Reason   string          `json:"reason,omitempty"` // why it is refused, or exempt
	Source   policy.Source   `json:"source,omitempty"`
	Identity policy.Identity `json:"identity"`
	Name     string          `json:"name,omitempty"` // in the administrator's list
	Dropped  []uint32        `json:"dropped_groups,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Audited  string          `json:"audited,omitempty"` // what the stricter policy beside it would have done otherwise
}

// Run decides about the container at a time. An id of a range is that which the container gets where nobody else has it.
func (c *Container) Run(p *policy.Policy, w World, now time.Time) (*Result, error) {
	o, err := c.origin()
	if err != nil {
		return nil, err
	}
	p = p.For(o, now)
	f := &policy.Facts{
		ID: c.ID, User: spec.User{UID: c.UID, GID: c.GID, Groups: c.Groups}, Env: c.Env, Cwd: "/", Groups: w.Groups(p),
		Origin: o, People: w.People(p), Shared: func() string { return c.Project }, Assign: guess,
		Devices: c.Devices, Device: w.Device,
		Container: &spec.Container{Namespaces: []spec.Namespace{{Type: "mount"}}, Annotations: c.Annotations},
		Own:       idmap.Pair{UID: idmap.Map{{Size: 1<<32 - 1}}, GID: idmap.Map{{Size: 1<<32 - 1}}},
	}
	image := &homedir.Accounts{Passwd: lines(c.Passwd), Group: lines(c.Group)}
	f.Accounts = image
	if len(c.Passwd) > 0 {
		f.BuiltFor = image.BuiltFor
	}
	d := p.Decide(f)
	if d.Source == policy.Fixed && d.Mode != policy.Off && c.UID == 0 && len(c.Passwd) == 0 && slices.Contains(p.Sources, policy.Image) {
		d.Notes = append(d.Notes, "an image that was built for an account of its own runs as that one instead, which only its files tell")
	}
	r := &Result{Rule: d.Rule, Mode: d.Mode, Reason: d.Reason, Source: d.Source, Identity: d.Identity, Name: d.Name, Dropped: d.Dropped, Notes: d.Notes, Audited: p.Audited(f, &d)}
	if d.Mode == policy.Off {
		r.Identity = policy.Identity{UID: c.UID, GID: c.GID, Groups: c.Groups}
	}
	return r, nil
}

func guess(first, last, step policy.ID, owner string) (policy.ID, error) {
	v, err := lease.Numbers{First: uint32(first), Last: uint32(last), Step: uint32(step)}.Example(owner)
	return policy.ID(v), err
}

func lines(all []string) []byte {
	var b []byte
	for _, l := range all {
		b = append(append(b, l...), '\n')
	}
	return b
}
