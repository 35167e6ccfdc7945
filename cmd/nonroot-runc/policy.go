// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// loadPolicy reads the policy for this call.
func loadPolicy(cmd *runcargs.Command, c facts.Caller) (*policy.Policy, error) {
	return facts.PolicyForOne(cmd.NonrootConfig, os.Args[0], c.Owners)
}

// root returns the runtime's --root as rules see it: the directory that identifies an engine. A relative one starts at
// the engine's working directory.
func root(cmd *runcargs.Command) string {
	if !cmd.RootSet {
		return ""
	}
	abs, err := filepath.Abs(cmd.Root)
	if err != nil {
		return "" // no rule then matches it as an engine's
	}
	return abs
}

// nextRuntime returns the next runtime of a call: the one that the command line names, else the first candidate that
// exists.
func nextRuntime(cmd *runcargs.Command, candidates []string, c facts.Caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		candidates = []string{cmd.NonrootRuntime}
	}
	return runc.Find(candidates, c.Owners)
}

// laterRuntime returns the next runtime of a call that creates no container: the one in the container's record (nil:
// there is none), else the policy's, if the policy can be read, else one of the built-in search. A runtime may have
// been updated or moved, and a broken policy must not stop any call; but if the container's state tells which kind of
// runtime created it, no other kind is called. The policy is only read if the record's runtime no longer exists.
func laterRuntime(cmd *runcargs.Command, e *facts.Existing, policys func() []string, c facts.Caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		return nextRuntime(cmd, nil, c)
	}
	var tried []string
	if e != nil && e.Left != nil && e.Left.ID == cmd.ID {
		tried = append(tried, e.Left.Runtime)
		if runtime, err := nextRuntime(cmd, tried, c); err == nil {
			return runtime, nil
		}
	}
	var others []string
	for _, name := range append(policys(), policy.Default().Runtimes...) {
		switch kind := kindOf(name); {
		case slices.Contains(tried, name):
		case e == nil || kind == e.State.Kind:
			tried = append(tried, name)
		case kind == "":
			others = append(others, name)
		}
	}
	return nextRuntime(cmd, append(tried, others...), c)
}

// kindOf returns the kind of runtime that a program's name suggests; "" for any.
func kindOf(name string) runc.Kind {
	for _, kind := range []runc.Kind{runc.Crun, runc.Runc} {
		if strings.Contains(filepath.Base(name), string(kind)) {
			return kind
		}
	}
	return ""
}
