// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Existing is a container that was created before.
type Existing struct {
	policy.Facts
	State  *runc.State
	Config []byte             // the present config.json; nil: it can't be read or trusted
	Left   *decision.Decision // the record in the bundle, even if it doesn't match: it names the runtime; nil: none

	caller Caller
	root   string
	rule   *policy.Policy
	dir    *bundle.Dir
	doc    *spec.Document // config.json; nil: not parsed yet
	bad    error          // why it can't be parsed
}

// Find reads what is known of an existing container. Its record names the runtime that created it; without a record,
// the state file shows which kind of runtime that was. Another runtime would not know the container, or do harm: "runc
// delete --force" on a container created by crun deletes the state and leaves the process alive.
//
// root is the runtime's --root as given on the command line; rootSet reports whether it was set. If users other than
// root can change the bundle, nothing in it counts, and the facts say why.
func Find(root string, rootSet bool, id string, caller Caller) (*Existing, error) {
	state, err := runc.ReadState(root, rootSet, id, caller.Owners)
	if err != nil {
		return nil, err
	}
	e := &Existing{State: state, caller: caller}
	e.ID, e.Bundle, e.Own = id, state.Bundle, caller.Own
	if rootSet {
		// Rules see an absolute path; a relative one starts at the engine's working directory. A path that can't be
		// resolved matches no rule.
		e.root, _ = filepath.Abs(root)
	}
	if e.dir, err = bundle.Open(state.Bundle, caller.Owners); err == nil {
		e.Bundle = e.dir.Path
		err = e.dir.CheckPath()
	}
	if err != nil {
		e.Unsound, e.Unguarded = fmt.Errorf("trust the bundle %q: %w", state.Bundle, err), true
		return e, nil
	}
	e.Left, _ = record.Read(e.dir) // an unreadable record counts as none
	return e, nil
}

// Match reads config.json and checks whether the record matches it.
func (e *Existing) Match() {
	if e.Unsound != nil {
		return
	}
	config, err := e.dir.Read(bundle.Config)
	if err != nil {
		e.Unsound = fmt.Errorf("read the bundle %q: %w", e.dir.Path, err)
		return
	}
	e.Config = config
	switch {
	case !record.Matches(e.Left, e.ID, config):
	case !record.Precedes(e.Left, e.State.Start):
		e.Unsure = e.Left.Enforced()
	default:
		e.Record = e.Left
	}
}

// document parses config.json once.
func (e *Existing) document() (*spec.Document, error) {
	if e.doc == nil && e.bad == nil {
		e.doc, e.bad = spec.ParseConfig(e.Config)
	}
	return e.doc, e.bad
}

// By determines where the container comes from, as far as the policy needs it. A container with an unreadable
// config.json has no origin.
func (e *Existing) By(p *policy.Policy) {
	e.Now = time.Now().UTC()
	if len(p.Rules) > 0 {
		if doc, err := e.document(); err == nil {
			if c, err := doc.Container(); err == nil {
				e.Origin = policy.OriginOf(e.root, e.Bundle, c.Annotations)
			}
		}
	}
	e.rule = p.InForce(&e.Facts)
}

// Rule returns the part of the policy that applies to the container. By must be called before.
func (e *Existing) Rule() *policy.Policy { return e.rule }

// Exec is what an exec requests.
type Exec struct {
	Process string              // a process file; "": none
	Flags   *runcargs.ExecFlags // what the command line changes in the container's own process
	Unfit   error               // why the call's descriptors rule the process out
}

// GatherExec reads the facts for a decision about a further process, and returns the requested process. If the
// container is exempt, or its bundle can't be trusted, it reads only the requested user.
func (e *Existing) GatherExec(x Exec) (*spec.Document, error) {
	e.Act, e.Unfit = policy.Exec, x.Unfit
	exempt := e.rule.Exempts(&e.Facts)
	if !exempt && (e.Unfit != nil || e.Unsound != nil) {
		return nil, nil
	}
	doc, err := e.processDocument(x)
	if err == nil {
		err = readProcess(&e.Facts, e.rule, doc)
		if err != nil {
			err = fmt.Errorf("read the process: %w", err)
		}
	}
	if exempt {
		return doc, nil // it goes ahead, whatever it requests
	}
	if err != nil {
		return nil, err
	}
	return doc, e.gather()
}

func (e *Existing) gather() error {
	e.Accounts = &accounts.Files{}
	if e.Record.Enforced() {
		// Read the names as the container sees them from the copies in its bundle: its own file system is in use, and
		// may be hostile by now. A container without copies has no names; its record's notes say why.
		e.Accounts.Passwd, _ = e.dir.Read(record.Passwd)
		e.Accounts.Group, _ = e.dir.Read(record.Group)
	}
	// Before 1.3, runc looks group numbers up as names in /etc/group, which comes from the image (SECURITY.md A3). A
	// container with groups but without a copy of that file has no such file, and can't create one.
	given := e.Record.Enforced() && len(e.Record.Identity.Groups) > 0
	e.NamedGroups = e.State.Kind == runc.Runc && e.Accounts.Group == nil && !given
	var err error
	if e.State.Alive() { // if it is not, the runtime has its own message and exit status
		if e.UserNamespace, err = e.State.UserNamespace(); err != nil {
			return err
		}
	}
	// A user namespace that the first process created is not the container's: no runtime enters it.
	if e.UserNamespace != nil && !e.hasUserNamespace() {
		e.UserNamespace, e.Nested = nil, true
	}
	if !e.Record.Enforced() && !e.Nested {
		e.Process, e.ProcessFault = e.State.InitCredentials()
	}
	return nil
}

// hasUserNamespace reports whether config.json gives the container a user namespace. It assumes so if the file can't be
// read.
func (e *Existing) hasUserNamespace() bool {
	doc, err := e.document()
	if err != nil {
		return true
	}
	c, err := doc.Container()
	return err != nil || slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "user" })
}

// GatherStart reads the facts for a decision about a created container's first process.
func (e *Existing) GatherStart() {
	e.Act = policy.Start
	if e.Unsound == nil && !e.rule.Exempts(&e.Facts) {
		e.Process, e.ProcessFault = e.State.InitCredentials()
	}
}

// Settle decides, gathering missing facts until the decision is final.
func (e *Existing) Settle(p *policy.Policy) decision.Decision {
	return p.Settle(&e.Facts, e.missing)
}

// missing gathers the facts that a decision about an existing container may still need.
func (e *Existing) missing(m *decision.Missing) error {
	if m.HostGroups {
		e.HostGroups = HostGroups()
	}
	if m.Accounts {
		e.Accounts = &accounts.Files{}
	}
	return nil
}

// processDocument returns the requested process: the engine's process file, or the container's own process with the
// command line's changes.
func (e *Existing) processDocument(x Exec) (*spec.Document, error) {
	if x.Process != "" {
		data, err := trusted.ReadFile(x.Process, e.caller.Owners)
		if err != nil {
			return nil, fmt.Errorf("read the process file: %w", err)
		}
		doc, err := spec.ParseProcess(data)
		if err != nil {
			return nil, fmt.Errorf("read the process file %q: %w", x.Process, err)
		}
		return doc, nil
	}
	if e.Unsound != nil {
		return nil, e.Unsound
	}
	config, err := e.document()
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", e.dir.Join(bundle.Config), err)
	}
	doc, err := config.Process()
	if err != nil {
		return nil, err
	}
	flags, err := execFlags(x.Flags, doc)
	if err != nil {
		return nil, err
	}
	return doc, doc.Apply(flags)
}

func execFlags(f *runcargs.ExecFlags, doc *spec.Document) (spec.Flags, error) {
	flags := spec.Flags{
		Args: f.Args, Env: f.Env, Cwd: f.Cwd, Terminal: f.Tty,
		Apparmor: f.Apparmor, ProcessLabel: f.ProcessLabel,
	}
	if f.User == "" && len(f.AdditionalGids) == 0 {
		return flags, nil
	}
	user, err := doc.User()
	if err != nil {
		return flags, err
	}
	if f.User != "" {
		uid, gid, err := runcargs.ParseUser(f.User)
		if err != nil {
			return flags, err
		}
		user.UID = uid
		if gid != nil {
			user.GID = *gid
		}
	}
	user.Groups = append(user.Groups, f.AdditionalGids...)
	flags.User = &user
	return flags, nil
}
