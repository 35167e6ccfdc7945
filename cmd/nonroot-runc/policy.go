// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
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

// root is the runtime's --root as rules see it: the folder by which an engine is known. The working folder is the engine's,
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

// runtime is the runtime that made the container.
func (k *known) runtime(cmd *runcargs.Command, candidates []string, c govern.Caller) (string, error) {
	var mine []string
	if k.record != nil && k.record.ID == cmd.ID {
		mine = append(mine, k.record.Runtime)
	}
	for _, name := range candidates {
		if strings.Contains(filepath.Base(name), string(k.state.Kind)) {
			mine = append(mine, name)
		}
	}
	return nextRuntime(cmd, append(mine, string(k.state.Kind)), c)
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
