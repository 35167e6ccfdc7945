// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

const verbUpdate = "update"

// withoutDevices removes the list of devices from the new limits of a crun container. containerd's CRI plugin sends the
// list of the engine's own config.json with each change of a limit, and crun would reopen what was closed (SECURITY.md
// C1). runc ignores it.
func withoutDevices(cmd *runcargs.Command) error {
	if cmd.ID != "" { // otherwise crun may find one in a spelling of its own
		e, err := facts.Find(cmd.Root, cmd.RootSet, cmd.ID, facts.AnyCaller())
		if errors.Is(err, runc.ErrNoState) {
			return nil // the runtime reports it
		}
		if err == nil {
			if e.Match(); e.State.Kind == runc.Runc || e.Record != nil && e.Record.Mode.Exempts() {
				return nil
			}
		}
	}
	return cmd.ReplaceResources(func(file string) (string, error) {
		data, err := resources(file)
		if err == nil {
			data, err = spec.WithoutDevices(data)
		}
		if err != nil {
			return "", wrap(err, "read the resources %q", file)
		}
		return sealed("resources.json", data, cmd)
	})
}

// resources reads a file, or for "-" the standard input.
func resources(file string) ([]byte, error) {
	if file != "-" {
		return trusted.ReadFile(file, facts.AnyCaller().Owners)
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, trusted.MaxSize+1))
	if err == nil && len(data) > trusted.MaxSize {
		err = trusted.ErrTooLarge
	}
	return data, err
}
