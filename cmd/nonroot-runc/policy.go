// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// loadPolicy reads the policy that this call goes by.
func loadPolicy(cmd *runcargs.Command, c govern.Caller) (*policy.Policy, error) {
	return govern.Policy(cmd.NonrootConfig, os.Args[0], c.Owners)
}

// root is the runtime's --root as rules see it: the directory by which an engine is known. The working directory is the engine's,
// too.
func root(cmd *runcargs.Command) string {
	if !cmd.RootSet {
		return ""
	}
	abs, err := filepath.Abs(cmd.Root)
	if err != nil {
		return "" // no rule then takes it for an engine's
	}
	return abs
}

// nextRuntime is where a call goes on to: the runtime that the command line names, else the first candidate that is one.
func nextRuntime(cmd *runcargs.Command, candidates []string, c govern.Caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		candidates = []string{cmd.NonrootRuntime}
	}
	return runc.Find(candidates, c.Owners)
}

// existing finds what is known of a container that was created before. Its record names the runtime that it was
// created with; else its state file says which kind it was. Another one would not know the container, or worse: "runc
// delete --force" on crun's container deletes the state and leaves the process alive.
func existing(cmd *runcargs.Command, c govern.Caller) (*known, error) {
	state, err := runc.ReadState(cmd.Root, cmd.RootSet, cmd.ID, c.Owners)
	if err != nil {
		return nil, err
	}
	k := &known{state: state}
	if k.bundle, k.unsound = bundle.Open(state.Bundle, c.Owners); k.unsound == nil {
		k.unsound = k.bundle.Guarded()
	}
	if k.unsound == nil {
		k.record, _ = record.Read(k.bundle) // one that can't be read is none
	}
	return k, nil
}

// known is a container that was created before.
type known struct {
	state   *runc.State
	bundle  *bundle.Dir
	unsound error          // why nothing in the bundle can be trusted
	unsure  bool           // a later call, which failed, has left a record of a rewrite, maybe in place of the container's own
	record  *record.Record // nil: none. It names the runtime, but is only binding if it matches config.json
}

// inForce is what of the policy holds for the container, whose config.json is given. Where that can't be told, because a
// rule could be for it, nothing exempts it.
func (k *known) inForce(cmd *runcargs.Command, p *policy.Policy, config []byte) *policy.Policy {
	dir := k.state.Bundle
	if k.bundle != nil {
		dir = k.bundle.Path
	}
	p = p.ForBundle(dir)
	if len(p.Rules) == 0 {
		return p
	}
	if doc, err := spec.ParseConfig(config); err == nil {
		if c, err := doc.Container(); err == nil {
			return p.For(policy.OriginOf(root(cmd), dir, c.Annotations), time.Now())
		}
	}
	q := *p
	q.Mode, q.Existing = policy.Rewrite, policy.Rewrite
	return &q
}

// laterRuntime is where a call goes on to that makes no container: to the runtime that the record of the container names (nil:
// there is none), else to the policy's, if it can be read, else to one of the built-in search. A runtime may have been updated
// or moved since, and a broken policy must not stop anyone; but where the state tells which kind of runtime has made the
// container, another kind is not asked. The policy is only asked for its runtimes where the record's is gone.
func laterRuntime(cmd *runcargs.Command, k *known, policys func() []string, c govern.Caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		return nextRuntime(cmd, nil, c)
	}
	var tried []string
	if k != nil && k.record != nil && k.record.ID == cmd.ID {
		tried = append(tried, k.record.Runtime)
		if runtime, err := nextRuntime(cmd, tried, c); err == nil {
			return runtime, nil
		}
	}
	var others []string
	for _, name := range append(policys(), policy.Default().Runtimes...) {
		switch kind := kindOf(name); {
		case slices.Contains(tried, name):
		case k == nil || kind == k.state.Kind:
			tried = append(tried, name)
		case kind == "":
			others = append(others, name)
		}
	}
	return nextRuntime(cmd, append(tried, others...), c)
}

// kindOf says which kind of runtime a program's name is one of; "": any.
func kindOf(name string) runc.Kind {
	for _, kind := range []runc.Kind{runc.Crun, runc.Runc} {
		if strings.Contains(filepath.Base(name), string(kind)) {
			return kind
		}
	}
	return ""
}

// matching is the record, if it belongs to the bundle's present config.json, whose bytes it gives, too.
func (k *known) matching(cmd *runcargs.Command) (*record.Record, []byte, error) {
	if k.unsound != nil {
		return nil, nil, wrap(k.unsound, "trust the bundle %q", k.state.Bundle)
	}
	config, err := k.bundle.Read(bundle.Config)
	if err != nil {
		return nil, nil, wrap(err, "read the bundle %q", k.bundle.Path)
	}
	if !k.record.Matches(cmd.ID, config) {
		return nil, config, nil
	}
	if !k.record.Precedes(k.state.Start) {
		k.unsure = k.record.Enforced()
		return nil, config, nil
	}
	return k.record, config, nil
}
