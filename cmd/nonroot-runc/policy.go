// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// caller is what is known of the process that calls: whose files it may trust, and its own user namespace.
type caller struct {
	own    idmap.Pair
	owners bundle.Owners
}

// anyCaller leaves out the caller's id maps, which calls that decide nothing don't need.
func anyCaller() caller { return caller{owners: bundle.CallersOwners(nil)} }

func lookAtCaller() (caller, error) {
	own, err := idmap.Own()
	return caller{own, bundle.CallersOwners(own.UID)}, err
}

// profile is the part of a binary's name behind "nonroot-runc.": so engines that can't pass arguments choose among
// several policies.
func profile() (name string, has bool) {
	return strings.CutPrefix(filepath.Base(os.Args[0]), "nonroot-runc.")
}

// loadPolicy reads the policy at each call, so that there is nothing to reload. A file that others could have written
// is not one of the administrator's (SECURITY.md E12).
func loadPolicy(cmd *runcargs.Command, c caller) (*policy.Policy, error) {
	file, must := policy.DefaultFile, false
	switch name, has := profile(); {
	case cmd.NonrootConfig != "":
		file, must = cmd.NonrootConfig, true
	case has:
		file, must = policy.ProfileFile(name), true
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	data, err := bundle.ReadGuarded(file, c.owners)
	if errors.Is(err, unix.ENOENT) && !must {
		return policy.Default(), nil
	}
	if err != nil {
		return nil, wrap(err, "read the policy %q", file)
	}
	p, err := policy.Parse(file, data)
	return p, wrap(err, "read the policy")
}

// nextRuntime is where a call goes on to: the runtime that the command line names, else the first candidate that is one.
func nextRuntime(cmd *runcargs.Command, candidates []string, c caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		candidates = []string{cmd.NonrootRuntime}
	}
	return runc.Find(candidates, c.owners)
}

// existing finds what is known of a container that was created before. Its record names the runtime that it was
// created with; else its state file says which kind it was. Another one would not know the container, or worse: "runc
// delete --force" on crun's container deletes the state and leaves the process alive.
func existing(cmd *runcargs.Command, c caller) (*known, error) {
	state, err := runc.ReadState(cmd.Root, cmd.RootSet, cmd.ID, c.owners)
	if err != nil {
		return nil, err
	}
	k := &known{state: state}
	if k.bundle, k.unsound = bundle.Open(state.Bundle, c.owners); k.unsound == nil {
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
	record  *record.Record // nil: none. It names the runtime, but is only binding if it matches config.json
}

// runtime is the runtime that made the container.
func (k *known) runtime(cmd *runcargs.Command, candidates []string, c caller) (string, error) {
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
	return k.record, config, nil
}
