// SPDX-License-Identifier: Apache-2.0

// Package trial decides about containers that are only described, to show what would apply to them, and to test whether a policy still does
// what is expected. The decisions are internal/policy's own: this package repeats no rule, and reads nothing of the host.
package trial

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/lease"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Container describes a container.
type Container struct {
	Engine      string            `toml:"engine"` // "": an engine that no rule knows
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
	Passwd      []string          `toml:"passwd"`  // lines of the image's file, for names, primary groups and the image's user
	Group       []string          `toml:"group"`   // of the image's file, too
	Project     string            `toml:"project"` // the Compose project of a container in Docker
	ID          string            `toml:"id"`
	Devices     []string          `toml:"devices"` // paths of the container's character devices

	// Intended is the user that the image was built for, if more is known than Passwd and Group.
	Intended *accounts.Intended `toml:"-"`
}

// World is what a decision depends on besides the container. It is the host's, or stands in for it.
type World struct {
	Groups *policy.HostGroups
	People func(*policy.Policy) *policy.People
	Device func(path string) (gid uint32, ok bool)
}

// Engines returns the engines that rules can name. The log has further ones, by their own names.
func Engines() []string {
	var names []string
	for _, o := range engines.Origins() {
		names = append(names, o.Name)
	}
	return names
}

// EngineNames lists Engines for a sentence.
func EngineNames() string {
	names := Engines()
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// origin returns where the container would come from. It fails for members that a container of that engine can't have.
func (c *Container) origin() (*policy.Origin, error) {
	root := c.Root
	switch {
	case root != "" && c.Engine != "":
		return nil, fmt.Errorf("engine %q and root %q mean the same\nhint: use one of them", c.Engine, root)
	case c.Engine != "":
		at := slices.IndexFunc(engines.Origins(), func(o *engines.Origin) bool { return o.Name == c.Engine })
		if at < 0 {
			return nil, fmt.Errorf("unknown engine %q\nhint: give %s", c.Engine, EngineNames())
		}
		root = strings.ReplaceAll(engines.Origins()[at].Example, "{namespace}", c.Namespace)
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

// Run returns the decision about the container at a time. An id in a range is the one that the container gets if it is free.
func (c *Container) Run(p *policy.Policy, w World, now time.Time) (*decision.Decision, error) {
	o, err := c.origin()
	if err != nil {
		return nil, err
	}
	f := &policy.Facts{
		Now: now, ID: c.ID, Bundle: o.Bundle, Origin: o, Seen: true, User: spec.User{UID: c.UID, GID: c.GID, Groups: c.Groups}, Env: c.Env, Cwd: "/",
		Container:  &spec.Container{Namespaces: []spec.Namespace{{Type: "mount"}}, Annotations: c.Annotations},
		Own:        idmap.Pair{UID: idmap.Map{{Size: 1<<32 - 1}}, GID: idmap.Map{{Size: 1<<32 - 1}}},
		HostGroups: w.Groups, Accounts: &accounts.Files{Passwd: lines(c.Passwd), Group: lines(c.Group)}, Project: &c.Project,
		Isolated: new(bool), Intended: &accounts.Intended{}, Devices: []policy.Device{}, Volumes: []policy.OwnedVolume{}, Prepares: &policy.Identity{},
	}
	if len(c.Passwd) > 0 {
		*f.Intended = f.Accounts.BuiltFor()
	}
	if c.Intended != nil {
		f.Intended = c.Intended
	}
	for _, path := range c.Devices {
		gid, ok := w.Device(path)
		f.Devices = append(f.Devices, policy.Device{Path: path, GID: gid, Known: ok})
	}
	rule := p.InForce(f)
	d := p.Settle(f, func(m *decision.Missing) error {
		if m.People {
			f.People = w.People(rule)
		}
		if m.Lease != nil {
			f.Leases = append(f.Leases, example(*m.Lease))
		}
		return nil
	})
	if d.Source == policy.Fixed && d.Mode != policy.Off && c.UID == 0 && len(c.Passwd) == 0 && slices.Contains(rule.Sources, policy.Image) {
		d.Notes = append(d.Notes, "an image that was built for an account of its own runs as that one instead, which only its files tell")
	}
	if d.Mode == policy.Off {
		d.Identity = &policy.Identity{UID: c.UID, GID: c.GID, Groups: c.Groups}
	}
	return &d, nil
}

// example returns an id that an owner may get.
func example(l decision.Lease) policy.Foreseen {
	var err error
	l.ID, err = lease.Of(l).Example(l.Owner)
	return policy.Foreseen{Lease: l, Fault: err}
}

func lines(all []string) []byte {
	var b []byte
	for _, l := range all {
		b = append(append(b, l...), '\n')
	}
	return b
}
