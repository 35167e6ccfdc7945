// SPDX-License-Identifier: Apache-2.0

// Package explain says what happens to a container, and why: what was requested, what was decided (by the same code
// that the runtime uses, internal/govern), what differs in config.json, and which obstacles the container may meet. It
// writes nothing. Image and config.json are hostile: a caller that prints a report must quote what comes from them.
package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// When a report was made, relative to the container's creation.
const (
	Before = "before" // config.json is the engine's: the report is a dry run with the current policy
	After  = "after"  // the runtime has written config.json: the report is based on the record
)

// Report is everything there is to say about a container. Its JSON is documented in nonroot-ctl(8); members are added,
// never renamed.
type Report struct {
	Container string    `json:"container"` // its id; "": not known yet
	Bundle    string    `json:"bundle"`
	When      string    `json:"when"`
	Answer    string    `json:"answer"` // the report in one sentence
	Asked     *Asked    `json:"asked"`  // null if config.json can't be read
	Decided   Decided   `json:"decided"`
	Changes   []Change  `json:"changes"`
	Would     []Change  `json:"would_change"`    // in mode audit: what enforcing would change
	Partial   bool      `json:"changes_partial"` // the record keeps only a part of the original config.json
	Problems  []Problem `json:"trips"`
	Notes     []string  `json:"notes"`
	Given     []string  `json:"-"` // directories of the image that will belong to the container's user from creation on

	ungoverned bool // it is running, and nonroot-runc did not decide about it
}

// Identity is a process's user.
type Identity struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// Decided is the decision with its reasons.
type Decided struct{ decision.Decision }

// MarshalJSON writes every member, even an empty one (decision.Explain).
func (d Decided) MarshalJSON() ([]byte, error) { return d.Append(nil, decision.Explain), nil }

// Options is what is known of a container besides its bundle.
type Options struct {
	Policy  string // a policy file; "": the current one
	Profile string // the policy of a binary named nonroot-runc.NAME
	Root    string // its engine's --root, by which rules know the engine; "": none
	Running bool   // a runtime has created it
	Runtime string // that runtime, as the engine calls it; "": the engine doesn't say
	Ports   []Port // those that the image or the engine declares
}

// Bundle explains the container in a bundle's directory. It fails if the runtime would not even reach a decision
// because of a mistake of the caller: no such directory, or a policy that can't be read.
func Bundle(directory string, o Options) (*Report, error) {
	r, err := report(directory, o)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.Problems, rank)
	r.Answer = r.answer()
	return r, nil
}

func report(directory string, o Options) (*Report, error) {
	caller, err := facts.LookAtCaller()
	if err != nil {
		return nil, err
	}
	dir, err := bundle.Open(directory, caller.Owners)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	r := &Report{Bundle: dir.Path, When: Before, Changes: []Change{}, Would: []Change{}, Problems: []Problem{}, Notes: []string{}}
	done, err := r.recorded(dir)
	audited := done && err == nil && r.Decided.Mode == decision.Audit
	if (err != nil || done) && !audited {
		return r, errors.Join(err, r.look(dir, caller, o, nil))
	}
	if o.Running && !audited {
		r.ungoverned = true
		by := ""
		if o.Runtime != "" {
			by = fmt.Sprintf(" (the engine's runtime for it is %q)", o.Runtime)
		}
		r.note("it runs already, and was NOT governed%s: this is what would become of it", by)
	}
	binary := "nonroot-runc"
	if o.Profile != "" {
		binary += "." + o.Profile
	}
	p, err := facts.Policy(o.Policy, binary, caller.Owners)
	if err != nil {
		return nil, err
	}
	call := &facts.Call{ID: r.Container, Caller: caller, Policy: p, Root: o.Root, Bundle: dir}
	if audited {
		return r, r.enforced(call, o)
	}
	return r, r.dryRun(call, o)
}

// enforced says what would change in a container that is only audited, by the current policy.
func (r *Report) enforced(call *facts.Call, o Options) error {
	out := govern.Container(call)
	defer out.Close()
	if out.Plan == nil || out.Plan.Parts == nil {
		return r.look(call.Bundle, call.Caller, o, nil) // the record says why
	}
	was, err := decode(out.Facts.Config)
	if err != nil {
		return err
	}
	will, err := decode(out.Plan.Rewritten())
	if err != nil {
		return fmt.Errorf("read the new config.json: %w", err)
	}
	r.Would = changes(was, will)
	return r.look(call.Bundle, call.Caller, o, out.Plan)
}

// recorded fills in the report from the record of a rewritten container. It reports whether there is one that matches
// the present config.json.
func (r *Report) recorded(dir *bundle.Dir) (bool, error) {
	if dir.CheckPath() != nil {
		return false, nil // the dry run says why
	}
	rec, err := record.Read(dir)
	if err != nil {
		if !errors.Is(err, unix.ENOENT) {
			r.note("the record can't be read, and counts for nothing: %v", err)
		}
		return false, nil
	}
	config, err := dir.Read(bundle.Config)
	if err != nil {
		return false, nil // likewise
	}
	if !record.Matches(rec, rec.ID, config) {
		r.note("the record belongs to an earlier config.json: this is a dry run")
		return false, nil
	}
	r.Container, r.When = rec.ID, After
	if !rec.Enforced() {
		return r.exempted(rec, config)
	}
	r.decided(rec)
	now, err := decode(config)
	if err != nil {
		return false, fmt.Errorf("read %q: %w", dir.Join(bundle.Config), err)
	}
	then := kept(dir, rec)
	if then == nil {
		then, r.Partial = before(now, rec, plan.Ours(dir.Path)), true
	}
	r.Asked = asked(then)
	r.Asked.Partial = r.Partial
	r.Changes = changes(then, now)
	return true, nil
}

// kept returns the config.json from before the rewrite; nil if there is none, or if it asked for a different user.
func kept(dir *bundle.Dir, rec *decision.Decision) *specs.Spec {
	config, err := dir.Read(record.Before)
	if err != nil {
		return nil
	}
	s, err := decode(config)
	if err != nil {
		return nil
	}
	if u := s.Process.User; u.UID != rec.Asked.UID || u.GID != rec.Asked.GID || !slices.Equal(u.AdditionalGids, rec.Asked.Groups) {
		return nil
	}
	return s
}

// exempted fills in the report on a container that was left unchanged.
func (r *Report) exempted(rec *decision.Decision, config []byte) (bool, error) {
	r.decided(rec)
	s, err := decode(config)
	if err != nil {
		return false, err
	}
	r.Asked = asked(s)
	return true, nil
}

// dryRun decides as the runtime would.
func (r *Report) dryRun(call *facts.Call, o Options) error {
	out := govern.Container(call)
	defer out.Close()
	d := &out.Decision
	r.decided(d)
	was, bad := decode(out.Facts.Config)
	if bad != nil {
		if out.Facts.Config == nil {
			return errors.New(d.Reason)
		}
		return nil // the reason says why
	}
	r.Asked = asked(was)
	if d.Asked != nil {
		r.Asked.Identity = identity(*d.Asked) // if config.json was rewritten: what was asked for before
	}
	if out.Plan != nil && out.Plan.Parts != nil {
		will, err := decode(out.Plan.Rewritten())
		if err != nil {
			return fmt.Errorf("read the new config.json: %w", err)
		}
		r.Changes = changes(was, will)
		if d.Mode == decision.Audit {
			r.Would = r.Changes
		}
	}
	return r.look(call.Bundle, call.Caller, o, out.Plan)
}

func (r *Report) decided(d *decision.Decision) {
	r.Decided = Decided{*d}
	r.Notes = append(r.Notes, d.Notes...)
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func identity(id policy.Identity) Identity { return Identity{id.UID, id.GID, list(id.Groups)} }

// list turns a nil list into an empty one, for JSON.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// decode reads a config.json as runc does, after the strict parser has made sure that it can only be read in one way.
func decode(config []byte) (*specs.Spec, error) {
	if _, err := spec.ParseConfig(config); err != nil {
		return nil, err
	}
	s := &specs.Spec{}
	if err := json.Unmarshal(config, s); err != nil {
		return nil, err
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	if s.Root == nil {
		s.Root = &specs.Root{}
	}
	return s, nil
}
