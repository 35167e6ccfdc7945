// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// Diff describes what a policy changes for the running containers when they are started again. Its JSON is documented
// in nonroot-ctl(8); members are added, never renamed.
type Diff struct {
	Changed    []Container `json:"changed"`
	Same       int         `json:"same"`
	Elsewhere  int         `json:"elsewhere"`  // those that use the policy of another file
	Ungoverned int         `json:"ungoverned"` // those that nonroot-runc has not decided about
	Unseen     []Unseen    `json:"not_looked_at"`
}

// Container is a container for which something changes.
type Container struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"` // the usual name: NAMESPACE/POD/CONTAINER, Docker's name, else the id
	Engine string   `json:"engine"`
	Before Decision `json:"before"`
	After  Decision `json:"after"`
	Parts  []string `json:"parts"` // the parts of config.json that differ besides the user
}

// Decision is the decision about a container by one of the policies.
type Decision struct {
	Mode     policy.Mode       `json:"mode"`
	Rule     string            `json:"rule"`
	Reason   string            `json:"reason"` // of a refusal or an exemption; in mode audit why it would be refused
	Identity *explain.Identity `json:"identity"`

	config []byte
}

// Unseen is a container that could not be examined.
type Unseen struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Compare decides about each running container by the current policy and by another one. It writes nothing.
func (t *Target) Compare(p *policy.Policy) (*Diff, error) {
	d := &Diff{Changed: []Container{}, Unseen: []Unseen{}}
	if t.InForce == nil {
		return d, fmt.Errorf("the changes are unknown, as the policy in force can't be read: %w", t.Broken)
	}
	caller, err := facts.LookAtCaller()
	if err != nil {
		return d, err
	}
	running, err := ps.List(ps.Options{All: true})
	if err != nil {
		return d, err
	}
	for _, c := range running.Containers {
		if err := t.compare(d, c, p, caller); err != nil {
			d.Unseen = append(d.Unseen, Unseen{c.Called(), err.Error()})
		}
	}
	return d, nil
}

func (t *Target) compare(d *Diff, c *ps.Container, p *policy.Policy, caller facts.Caller) error {
	if c.Bundle == "" {
		return errors.New(c.Why)
	}
	dir, err := bundle.Open(c.Bundle, caller.Owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	r, err := record.Read(dir)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && r.ID != c.ID:
		d.Ungoverned++
		return nil
	case err != nil:
		return err
	case r.Policy != t.File && (r.Policy != "" || t.File != policy.DefaultFile):
		d.Elsewhere++
		return nil
	}
	call := facts.Call{ID: c.ID, Caller: caller, Root: c.Root(), Bundle: dir, Runtime: r.Runtime}
	was, will := decide(call, t.InForce), decide(call, p)
	parts := auditlog.Look(will.config).Changed(auditlog.Look(was.config))
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "user" || part == "groups" })
	if was.same(&will) && len(parts) == 0 {
		d.Same++
		return nil
	}
	d.Changed = append(d.Changed, Container{c.ID, c.Called(), c.Engine, was, will, append([]string{}, parts...)})
	return nil
}

// decide makes the runtime's decision, without its consequences.
func decide(call facts.Call, p *policy.Policy) Decision {
	call.Policy = p
	o := govern.Container(&call)
	defer o.Close()
	r := &o.Decision
	d := Decision{Mode: r.Mode, Rule: r.Rule, Reason: r.Reason, config: o.Facts.Config}
	if id := r.Identity; id != nil {
		d.Identity = &explain.Identity{UID: id.UID, GID: id.GID, Groups: append([]uint32{}, id.Groups...)}
	}
	if d.Mode == policy.Rewrite && o.Plan != nil && o.Plan.Parts != nil {
		d.config = o.Plan.Rewritten()
	}
	return d
}

// same reports whether the decisions differ at most in the rule's name.
func (d *Decision) same(other *Decision) bool {
	if d.Mode != other.Mode || d.Reason != other.Reason || (d.Identity == nil) != (other.Identity == nil) {
		return false
	}
	a, b := d.Identity, other.Identity
	return a == nil || a.UID == b.UID && a.GID == b.GID && slices.Equal(a.Groups, b.Groups)
}

// String returns the decision in a few words.
func (d *Decision) String() string {
	who := ""
	if id := d.Identity; id != nil {
		who = fmt.Sprintf(" as %d:%d", id.UID, id.GID)
		if len(id.Groups) > 0 {
			who += fmt.Sprintf(" with groups %d", id.Groups)
		}
	}
	switch d.Mode {
	case policy.Rewrite:
		return "runs" + who
	case policy.Refuse:
		return "refused: " + d.Reason
	case policy.Audit:
		if d.Reason != "" {
			return "left as it is (mode audit; it would be refused: " + d.Reason + ")"
		}
		return "left as it is (mode audit; it would run" + who + ")"
	}
	return fmt.Sprintf("left as it is (mode %s: %q)", d.Mode, d.Reason)
}
