// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Call is a request to create a container from a bundle.
type Call struct {
	Act     policy.Act // Create or Restored
	ID      string     // the container's
	Caller  Caller
	Policy  *policy.Policy // the whole policy
	Root    string         // the runtime's --root, absolute; "": not set
	Bundle  *bundle.Dir
	Runtime string // the next runtime's path; "": none is called

	Unfit     error // why the call's descriptors rule a container out
	NoCgroups bool  // the command line asks for no cgroup

	// Keep turns a file descriptor into one that the next runtime inherits and the container doesn't get; nil: no
	// runtime is started.
	Keep func(fd int) (int, error)

	// Taken lists the ids of ranges that were already taken for the container.
	Taken []decision.Lease
}

// Gathered holds everything that was gathered for a call.
type Gathered struct {
	policy.Facts
	Config []byte // config.json as it was found
	Given  *plan.Root

	call   *Call
	rule   *policy.Policy // the part of the policy that applies
	doc    *spec.Document // nil: not read yet
	image  *accounts.Image
	home   string // HOME of the environment
	join   string // the path at which the runtime finds the user namespace that was checked; "": none is joined
	shared []string
	again  bool             // config.json had been rewritten before
	before *policy.Identity // the identity that an earlier rewrite gave this config.json's user; nil: there was none
	last   *policy.Identity // the identity of the container's last start, if its bundle still exists; nil likewise

	lookedAtLast bool
	started      *policy.LastStart // the identity of its last start, from the container's own layer

	compared map[comparedVolume]bool // whether a volume will belong to the identity, cached: comparing one takes long

	written *decision.Decision // the decision that config.json was rewritten by; nil: it was not
}

// comparedVolume identifies a volume and the plan that would change its owner.
type comparedVolume struct {
	give   *plan.Give
	volume plan.Volume
}

// Gather reads the facts that every decision about a container needs. On an error, the facts gathered so far still show
// whether the container is exempt (policy.Failed); the result is nil if not even config.json could be read.
func (c *Call) Gather() (*Gathered, error) {
	g := &Gathered{call: c}
	g.Act, g.Now, g.ID, g.Bundle, g.Own = c.Act, time.Now().UTC(), c.ID, c.Bundle.Path, c.Caller.Own
	g.Unfit, g.NoCgroups = c.Unfit, c.NoCgroups
	if runc.Wraps(c.Runtime) {
		g.RewritingNext = c.Runtime
	}
	if err := policy.Unfit(&g.Facts); err != nil {
		g.Unguarded = true // nothing was read, so no rule and no place can exempt the container
		return g, err
	}
	var err error
	if g.Config, g.Given, err = readConfig(c.Bundle); err != nil {
		g.Unguarded = true
		return g, err
	}
	if p := c.Policy.InForce(&g.Facts); p.Mode == policy.Off && len(p.Rules) == 0 { // whatever the document says
		return g, nil
	}
	if g.doc, err = spec.ParseConfig(g.Config); err == nil {
		g.Container, err = g.doc.Container()
	}
	if err != nil {
		return g, fmt.Errorf("read %q: %w", c.Bundle.Join(bundle.Config), err)
	}
	g.Origin = policy.OriginOf(c.Root, g.Bundle, g.Container.Annotations)
	if g.rule = c.Policy.InForce(&g.Facts); g.rule.Mode == policy.Off {
		return g, nil
	}
	return g, g.container()
}

// container reads the facts that every decision needs.
func (g *Gathered) container() error {
	err := readProcess(&g.Facts, g.rule, g.doc)
	if err == nil {
		g.home, err = g.doc.Variable("HOME")
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", g.call.Bundle.Join(bundle.Config), err)
	}
	if g.UserNamespace, g.join, err = userNamespace(g.Container, g.call.Keep); err != nil {
		return err
	}
	if g.image, err = OpenImage(g.call.Bundle, g.Container, g.rule.Stubless); err != nil {
		return err
	}
	if err := g.surroundings(); err != nil {
		return err
	}
	g.earlier()
	return nil
}

// earlier reads the record: who the container was, and what was requested before config.json was rewritten.
func (g *Gathered) earlier() {
	old, err := record.Read(g.call.Bundle)
	if err != nil || !old.Enforced() {
		return
	}
	its, rewritten := old.ID == g.ID, record.Matches(old, old.ID, g.Config)
	if its {
		g.last = old.Identity
	}
	if rewritten {
		g.before, g.written = old.Identity, old
	}
	if its && rewritten {
		g.again, g.User = true, spec.User(*old.Asked)
	}
}

// Close closes the image.
func (g *Gathered) Close() {
	if g != nil && g.image != nil {
		_ = g.image.Close() // nothing was written
	}
}

// Settle decides, gathering missing facts until the decision is final.
func (g *Gathered) Settle() decision.Decision {
	return g.call.Policy.Settle(&g.Facts, g.missing)
}

// readConfig reads config.json of a bundle that only root can change, or of one that belongs to the root of the
// container's user namespace; it returns that root in the second case.
func readConfig(dir *bundle.Dir) ([]byte, *plan.Root, error) {
	unguarded := dir.CheckPath()
	config, err := dir.Read(bundle.Config)
	if unguarded != nil {
		if err == nil {
			if root := mappedRoot(config); root != nil && dir.OwnedBy(root.UID) == nil {
				return config, root, nil
			}
		}
		return nil, nil, fmt.Errorf("trust the bundle %q: %w", dir.Path, unguarded)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the bundle %q: %w", dir.Path, err)
	}
	return config, nil, nil
}

// mappedRoot returns the root of the user namespace that a config.json asks for; nil if it asks for none, or maps no
// root.
func mappedRoot(config []byte) *plan.Root {
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return nil
	}
	c, err := doc.Container()
	if err != nil {
		return nil
	}
	uid, isMapped := policy.FromSpec(c.UIDMap).Outside(0)
	gid, isGroupMapped := policy.FromSpec(c.GIDMap).Outside(0)
	if !isMapped || !isGroupMapped {
		return nil
	}
	return &plan.Root{UID: uid, GID: gid}
}
