// SPDX-License-Identifier: Apache-2.0

// Package explain says what becomes of a container, and why: what was asked, what was decided by the code that the
// runtime itself decides with (internal/govern), what differs in config.json, and what the container may trip over. It
// writes nothing. Image and config.json are hostile; whoever prints a report has to quote what is in it.
package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// When a report was made, as seen from the container's creation.
const (
	Before = "before" // config.json is the engine's: the report is a dry run, with the policy in force
	After  = "after"  // config.json has been through the runtime: the report rests on the record
)

// Report is what there is to say about a container. Its JSON is documented in nonroot-ctl(8); members are added, never
// renamed.
type Report struct {
	Container string   `json:"container"` // its id; "" where none is known yet
	Bundle    string   `json:"bundle"`
	When      string   `json:"when"`
	Asked     *Asked   `json:"asked"` // null where config.json can't be read
	Decided   Decided  `json:"decided"`
	Changes   []Change `json:"changes"`
	Partial   bool     `json:"changes_partial"` // the record keeps only a part of what config.json was before
	Trips     []Trip   `json:"trips"`
	Notes     []string `json:"notes"`
}

// Identity is a process's user.
type Identity struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// Decided is the decision and where it comes from.
type Decided struct {
	Mode     string    `json:"mode"` // rewrite, refuse, audit or off
	Rule     string    `json:"rule"`
	Source   string    `json:"source"`
	Reason   string    `json:"reason"`   // of a refusal or an exemption; in audit mode why it would be refused
	Policy   string    `json:"policy"`   // the file; "" is the built-in one
	Identity *Identity `json:"identity"` // in audit mode the one that it would get; null where there is none
	Dropped  []uint32  `json:"dropped_groups"`
	Name     string    `json:"name"`
	Home     string    `json:"home"`
	Mounted  bool      `json:"home_mounted"`
	Runtime  string    `json:"runtime"` // known after creation
}

// Options is what is known of a container beside its bundle.
type Options struct {
	Policy  string // a policy file; "": the one that is in force
	Profile string // of a binary named nonroot-runc.NAME
	Root    string // the --root that its engine names, by which rules know the engine; "": none
	Running bool   // some runtime has created it
	Runtime string // by which, as the engine calls it; "": it doesn't say
	Ports   []Port // those that the image or the engine declares
}

// Bundle explains the container of a bundle's directory. It fails where the runtime would not even come to a decision for
// reasons that lie in the caller: no such directory, a policy that can't be read.
func Bundle(directory string, o Options) (*Report, error) {
	caller, err := govern.LookAtCaller()
	if err != nil {
		return nil, err
	}
	dir, err := bundle.Open(directory, caller.Owners)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	r := &Report{Bundle: dir.Path, When: Before, Changes: []Change{}, Trips: []Trip{}, Notes: []string{}}
	done, err := r.recorded(dir)
	if err != nil || done {
		return r, errors.Join(err, r.look(dir, caller, o, nil))
	}
	if o.Running {
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
	p, err := govern.Policy(o.Policy, binary, caller.Owners)
	if err != nil {
		return nil, err
	}
	return r, r.dryRun(&govern.Call{
		ID: r.Container, Caller: caller, Policy: p, Root: o.Root, Bundle: dir,
		Keep: func(fd int) (int, error) { return fd, nil }, // nothing is started
	}, o)
}

// recorded fills the report in from the record of a container that was rewritten. It says whether there is one that
// belongs to the present config.json.
func (r *Report) recorded(dir *bundle.Dir) (bool, error) {
	if dir.Guarded() != nil {
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
	if !rec.Matches(rec.ID, config) {
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
		then, r.Partial = before(now, rec, govern.Ours(dir)), true
	}
	r.Asked = asked(then)
	r.Asked.Partial = r.Partial
	r.Changes = changes(then, now)
	return true, nil
}

// kept is the config.json from before the rewrite; nil where there is none, or one that asked for somebody else.
func kept(dir *bundle.Dir, rec *record.Record) *specs.Spec {
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

// exempted is the report on a container that was left as it is.
func (r *Report) exempted(rec *record.Record, config []byte) (bool, error) {
	r.decided(rec)
	s, err := decode(config)
	if err != nil {
		return false, err
	}
	r.Asked = asked(s)
	return true, nil
}

// dryRun decides as the runtime would.
func (r *Report) dryRun(call *govern.Call, o Options) error {
	out, err := call.Decide()
	if out == nil {
		return err
	}
	rec := out.Record
	r.decided(rec)
	if err != nil {
		r.Decided.Mode, r.Decided.Reason = string(policy.Refuse), err.Error()
		if mode := call.InForce().Mode; mode.Exempts() {
			r.Decided.Mode = string(mode)
		}
	}
	was, bad := decode(out.Config)
	if bad != nil {
		return nil // the reason says it
	}
	r.Asked = asked(was)
	if rec.Mode != policy.Off && rec.Mode != "" { // "": it didn't come to a decision
		r.Asked.Identity = identity(rec.Asked) // of a config.json that is a rewritten one, what was asked for before
	}
	if out.Rewritten != nil {
		will, err := decode(out.Rewritten)
		if err != nil {
			return fmt.Errorf("read the new config.json: %w", err)
		}
		r.Changes = changes(was, will)
	}
	return r.look(call.Bundle, call.Caller, o, out)
}

func (r *Report) decided(rec *record.Record) {
	r.Decided = Decided{
		Mode: string(rec.Mode), Rule: rec.Rule, Source: string(rec.Source), Reason: rec.Reason, Policy: rec.Policy,
		Dropped: list(rec.Dropped), Name: rec.Name, Home: rec.Home, Mounted: rec.Mounted, Runtime: rec.Runtime,
	}
	if rec.Identity != nil {
		id := identity(*rec.Identity)
		r.Decided.Identity = &id
	}
	r.Notes = append(r.Notes, rec.Notes...)
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func identity(id policy.Identity) Identity { return Identity{id.UID, id.GID, list(id.Groups)} }

// list makes an empty list of none, for the sake of JSON.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// decode reads a config.json as runc does, after the strict parser has made sure that there is one way to read it.
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
