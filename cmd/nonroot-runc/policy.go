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

// loadPolicy reads the policy that this call goes by.
func loadPolicy(cmd *runcargs.Command, c facts.Caller) (*policy.Policy, error) {
	return facts.PolicyForOne(cmd.NonrootConfig, os.Args[0], c.Owners)
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
func nextRuntime(cmd *runcargs.Command, candidates []string, c facts.Caller) (string, error) {
	if cmd.NonrootRuntime != "" {
		candidates = []string{cmd.NonrootRuntime}
	}
	return runc.Find(candidates, c.Owners)
}

// laterRuntime is where a call goes on to that makes no container: to the runtime that the record of the container names (nil:
// there is none), else to the policy's, if it can be read, else to one of the built-in search. A runtime may have been updated
// or moved since, and a broken policy must not stop anyone; but where the state tells which kind of runtime has made the
// container, another kind is not asked. The policy is only asked for its runtimes where the record's is gone.
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

// kindOf says which kind of runtime a program's name is one of; "": any.
func kindOf(name string) runc.Kind {
	for _, kind := range []runc.Kind{runc.Crun, runc.Runc} {
		if strings.Contains(filepath.Base(name), string(kind)) {
			return kind
		}
	}
	return ""
}
