// SPDX-License-Identifier: Apache-2.0

// Package govern decides what becomes of a container, from its bundle as it lies on disk, and makes the new config.json.
// It only reads: the runtime carries the outcome out, nonroot-ctl explains it. What a file stands for:
//
//	policy.go    which policy a call goes by, and whose files it trusts
//	govern.go    Bundle -> Facts -> Decision -> rewritten spec
//	facts.go     what the decision rests on
//	userns.go    the container's own user namespace
//	rewrite.go   home, names and the new config.json
package govern

import (
	"errors"
	"fmt"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// Call is a call that makes a container out of a bundle.
type Call struct {
	ID      string // the container's
	Caller  Caller
	Policy  *policy.Policy // as it was read
	Root    string         // the runtime's --root, absolute; "": none was named
	Bundle  *bundle.Dir
	Runtime string // the next runtime's path

	// Keep makes of a file descriptor one that the next runtime inherits and the container doesn't get.
	Keep func(fd int) (int, error)

	inForce *policy.Policy             // what of the policy holds for this container, once that is known
	taken   map[policy.Lease]policy.ID // the ids of ranges that were taken for it; the keys' own ID is 0
}

// InForce is what of the policy holds for the container. As long as that can't be told, because a rule could be for it and
// Decide has not come so far, or because others have a hand in the bundle by whose place a build is known, nothing exempts
// it.
func (c *Call) InForce() *policy.Policy {
	if c.inForce != nil {
		return c.inForce
	}
	p := c.Policy
	if len(p.Rules) == 0 && p.ForBundle(c.Bundle.Path) == p {
		return p
	}
	q := *p
	q.Mode = policy.Rewrite
	return &q
}

// Outcome is what is decided about a bundle, and what carries it out.
type Outcome struct {
	Record     *record.Record // but for the digest of the config.json that it will belong to
	Config     []byte         // config.json as it was found; where the mode exempts, it stays
	Rewritten  []byte         // the new one; nil where there can be none
	Plan       *homedir.Plan  // home and names that belong to it; nil likewise
	Again      bool           // config.json was a rewritten one already
	MountLabel string         // the SELinux label for files that are mounted
	Adapt      *Adaption      // what is to be done to the container's layer and volumes; nil: nothing
	leases     []policy.Lease // the ids of ranges that it rests on, to be taken
	Given      *Root          // to whom the engine has given the bundle: it has to be taken back, and decided about again; nil: to nobody
}

// Root is the root of a container's user namespace, as the caller's ids.
type Root struct{ UID, GID uint32 }

// Decide looks at the bundle, decides, plans home and names, and makes the new config.json. It writes nothing. Where it
// fails, there is to be no container; the outcome then holds what was known by that time, and is nil where nothing was.
func (c *Call) Decide() (*Outcome, error) {
	config, given, err := readConfig(c.Bundle)
	if err != nil {
		return nil, err
	}
	p := c.Policy.ForBundle(c.Bundle.Path)
	if len(p.Rules) == 0 {
		c.inForce = p
	}
	r := &record.Record{ID: c.ID, Time: time.Now().UTC(), Policy: p.File, Profile: p.Profile, Digest: p.Digest, Version: version.Short(), Runtime: c.Runtime}
	o := &Outcome{Record: r, Config: config, Given: given}
	if p.Mode == policy.Off && len(p.Rules) == 0 { // whatever the document says
		return o.exempt(p), nil
	}
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return o, fmt.Errorf("read %q: %w", c.Bundle.Join(bundle.Config), err)
	}
	container, err := doc.Container()
	if err != nil {
		return o, fmt.Errorf("read %q: %w", c.Bundle.Join(bundle.Config), err)
	}
	p = p.For(policy.OriginOf(c.Root, c.Bundle.Path, container.Annotations), r.Time)
	c.inForce = p
	if p.Mode == policy.Off {
		return o.exempt(p), nil
	}
	f, err := c.facts(p, doc, container)
	if err != nil {
		return o, err
	}
	defer f.image.Close() //nolint:errcheck // nothing was written
	o.MountLabel = f.Container.MountLabel
	if old, err := record.Read(c.Bundle); err == nil && old.Enforced() {
		its, rewritten := old.ID == c.ID, old.Matches(old.ID, config)
		if its {
			f.last = old.Identity
		}
		if rewritten {
			f.before = old.Identity
		}
		if its && rewritten {
			o.Again, f.User = true, spec.User(old.Asked) // what counts is what was asked for before
		}
	}
	d := p.Decide(&f.Facts)
	r.Mode, r.Rule, r.Reason, r.Source, r.Dropped, r.Notes = d.Mode, d.Rule, d.Reason, d.Source, d.Dropped, d.Notes
	o.leases = d.Leases
	r.Asked = policy.Identity{UID: f.User.UID, GID: f.User.GID, Groups: f.User.Groups}
	if d.Mode == policy.Refuse {
		return o, errors.New(d.Reason)
	}
	r.Identity = &d.Identity
	r.Audited = p.Audited(&f.Facts, &d)
	if d.Mode == policy.Rewrite {
		o.Adapt = c.adapt(p, f, &d)
		if hint := f.hint(doc, &d.Identity); hint != "" {
			r.Notes = append(r.Notes, hint)
		}
	}
	o.Plan, o.Rewritten, err = c.rewrite(p, f, &d, r, doc)
	if d.Mode == policy.Rewrite && err == nil {
		r.Notes = append(r.Notes, f.obstacles(o.Adapt, o.Plan, r.Identity)...)
	}
	if d.Mode == policy.Audit {
		if r.Reason == "" && err != nil {
			r.Reason = err.Error()
		}
		return o, nil
	}
	return o, err
}

// exempt is the outcome where the container stays as it is.
func (o *Outcome) exempt(p *policy.Policy) *Outcome {
	o.Record.Mode, o.Record.Rule, o.Record.Reason = policy.Off, p.Rule, p.Reason
	return o
}

// readConfig reads config.json of a bundle that nobody else has a hand in, or of one that was given to the container's own
// root, and says so.
func readConfig(dir *bundle.Dir) ([]byte, *Root, error) {
	unguarded := dir.Guarded()
	config, err := dir.Read(bundle.Config)
	if unguarded != nil {
		if err == nil {
			if root := mappedRoot(config); root != nil && dir.Given(root.UID) == nil {
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

// mappedRoot is the root of the user namespace that a config.json asks for; nil: it asks for none, or gives it no root.
func mappedRoot(config []byte) *Root {
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
	return &Root{uid, gid}
}
