// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// passOn passes a call that starts no process on unchanged. It needs only the next runtime's path: a broken policy must
// never keep a container from being killed or deleted.
func passOn(cmd *runcargs.Command) error {
	runtime, err := anyRuntime(cmd)
	if err == nil && cmd.Verb == verbUpdate {
		err = withoutDevices(cmd)
	}
	if err != nil {
		return err
	}
	return become(runtime, cmd.Argv())
}

func anyRuntime(cmd *runcargs.Command) (string, error) {
	c := facts.AnyCaller().Remember()
	var e *facts.Existing
	if cmd.ID != "" {
		e, _ = facts.Find(cmd.Root, cmd.RootSet, cmd.ID, c) // nil: the container is unknown, or nothing about it can be read
	}
	return laterRuntime(cmd, e, func() []string {
		p, err := loadPolicy(cmd, c)
		if err != nil {
			return nil
		}
		return p.Runtimes
	}, c)
}
