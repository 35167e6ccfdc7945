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
	Config []byte             // config.json as it is now; nil: it can't be read, or trusted
	Left   *decision.Decision // the record that lies there, whatever it belongs to: it names the runtime; nil: none

	caller Caller
	root   string
	rule   *policy.Policy
	dir    *bundle.Dir
	doc    *spec.Document // config.json; nil: nobody has looked
	bad    error          // why it can't be read as one
}

// Find finds what is known of a container that was created before. Its record names the runtime that it was created with; else
// its state file says which kind it was. Another one would not know the container, or worse: "runc delete --force" on crun's
// container deletes the state and leaves the process alive.
//
// root is the runtime's --root as the call has it; rootSet says that it has one. Where the bundle is not root's alone, what lies in
// it counts for nothing, and the facts say why.
func Find(root string, rootSet bool, id string, caller Caller) (*Existing, error) {
	state, err := runc.ReadState(root, rootSet, id, caller.Owners)
	if err != nil {
		return nil, err
	}
	e := &Existing{State: state, caller: caller}
	e.ID, e.Bundle, e.Own = id, state.Bundle, caller.Own
	if rootSet {
		// As rules see it: the working directory is the engine's, too. One that can't be told is nobody's.
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
	e.Left, _ = record.Read(e.dir) // one that can't be read is none
	return e, nil
}

// Match reads config.json, and says by it whether the record is binding.
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

// document is config.json, read once.
func (e *Existing) document() (*spec.Document, error) {
	if e.doc == nil && e.bad == nil {
		e.doc, e.bad = spec.ParseConfig(e.Config)
	}
	return e.doc, e.bad
}

// By looks where the container comes from, as far as the policy asks for it. A config.json that can't be read is nobody's.
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

// Rule is what of the policy holds for the container. By has to be called before.
func (e *Existing) Rule() *policy.Policy { return e.rule }

// Exec is what an exec asks for.
type Exec struct {
	Process string              // a process file; "": none
	Flags   *runcargs.ExecFlags // what the command line changes in the container's own process
	Unfit   error               // what the call's descriptors have against it
}

// GatherExec reads what a decision about a further process rests on, and gives the process that is asked for. Where the container
// is exempt, or its bundle can't be trusted, it reads no more than who is asked for.
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
		return doc, nil // it goes on, whatever it asks for
	}
	if err != nil {
		return nil, err
	}
	return doc, e.gather()
}

func (e *Existing) gather() error {
	e.Accounts = &accounts.Files{}
	if e.Record.Enforced() {
		// The names that the container sees, from the copies in its bundle: its own file system is in use, and hostile by now. A
		// container without them got none; its record's notes say why.
		e.Accounts.Passwd, _ = e.dir.Read(record.Passwd)
		e.Accounts.Group, _ = e.dir.Read(record.Group)
	}
	// runc before 1.3 looks numbers of groups up as names in /etc/group, which is the image's there (SECURITY.md A3). A container
	// that was given some, without a copy, has no such file, and can make none.
	given := e.Record.Enforced() && len(e.Record.Identity.Groups) > 0
	e.NamedGroups = e.State.Kind == runc.Runc && e.Accounts.Group == nil && !given
	var err error
	if e.State.Alive() { // else the runtime has a message and an exit status of its own for it
		if e.UserNamespace, err = e.State.UserNamespace(); err != nil {
			return err
		}
	}
	// One that the first process has made for itself is not the container's: no runtime goes there.
	if e.UserNamespace != nil && !e.hasUserNamespace() {
		e.UserNamespace, e.Nested = nil, true
	}
	if !e.Record.Enforced() && !e.Nested {
		e.Process, e.ProcessFault = e.State.InitCredentials()
	}
	return nil
}

// hasUserNamespace says that the container has a user namespace of its own, by its config.json; one that can't be read may have.
func (e *Existing) hasUserNamespace() bool {
	doc, err := e.document()
	if err != nil {
		return true
	}
	c, err := doc.Container()
	return err != nil || slices.ContainsFunc(c.Namespaces, func(n spec.Namespace) bool { return n.Type == "user" })
}

// GatherStart reads what a decision about a created container's first process rests on.
func (e *Existing) GatherStart() {
	e.Act = policy.Start
	if e.Unsound == nil && !e.rule.Exempts(&e.Facts) {
		e.Process, e.ProcessFault = e.State.InitCredentials()
	}
}

// Settle decides, and gathers what the decision asks for, until it is final.
func (e *Existing) Settle(p *policy.Policy) decision.Decision {
	return p.Settle(&e.Facts, e.missing)
}

// missing gathers what a decision about an existing container can ask for.
func (e *Existing) missing(m *decision.Missing) error {
	if m.HostGroups {
		e.HostGroups = HostGroups()
	}
	if m.Accounts {
		e.Accounts = &accounts.Files{}
	}
	return nil
}

// processDocument is the process that is asked for: the engine's file, or the container's own process with what the command line
// changes in it.
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
