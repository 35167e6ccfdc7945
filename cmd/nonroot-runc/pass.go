// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// passOn hands a call on that starts no process, as it came. It needs the next runtime's path and nothing else: a
// broken policy must never keep anyone from killing or deleting a container.
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
	c := govern.AnyCaller()
	if cmd.NonrootRuntime != "" {
		return nextRuntime(cmd, nil, c)
	}
	candidates := policy.Default().Runtimes
	if cmd.ID != "" {
		if k, err := existing(cmd, c); err == nil { // without a record or a sound bundle the state's kind still counts
			return k.runtime(cmd, candidates, c)
		}
	}
	if p, err := loadPolicy(cmd, c); err == nil {
		candidates = p.Runtimes
	}
	return nextRuntime(cmd, candidates, c)
}
