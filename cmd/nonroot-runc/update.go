// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

const verbUpdate = "update"

// withoutDevices takes the list of devices out of the new limits of a crun container. containerd's part for Kubernetes sends the
// one of the engine's own config.json along with each change of a limit, and crun opens by it what was closed (SECURITY.md C1).
// runc does not look at it.
func withoutDevices(cmd *runcargs.Command) error {
	if cmd.ID != "" { // else crun may find one, by a spelling of its own
		k, err := existing(cmd, govern.AnyCaller())
		if errors.Is(err, runc.ErrNoState) {
			return nil // the runtime says so
		}
		if err == nil {
			if r, _, err := k.matching(cmd); k.state.Kind == runc.Runc || err == nil && r != nil && r.Mode.Exempts() {
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
		return bundle.ReadFile(file, govern.AnyCaller().Owners)
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, bundle.MaxSize+1))
	if err == nil && len(data) > bundle.MaxSize {
		err = bundle.ErrTooLarge
	}
	return data, err
}
