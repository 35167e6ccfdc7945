// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
)

// restartUnit has the host's systemd restart a service, and waits until it is done. It uses the system bus, or systemd's own
// socket if there is no bus. It must be called in the host's mount namespace, which has both.
func restartUnit(ctx context.Context, name string) error {
	unit := name + ".service"
	systemd, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("ask the host's systemd to restart %q: %w\nhint: where there is no systemd, name a command that restarts the CRI daemon (restart.command)", unit, err)
	}
	defer systemd.Close()
	ended := make(chan string, 1)
	// "replace" is systemctl's default: it replaces a queued job of the unit.
	if _, err := systemd.RestartUnitContext(ctx, unit, "replace", ended); err != nil {
		return fmt.Errorf("have systemd restart %q: %w", unit, err)
	}
	select {
	case result := <-ended:
		if result != "done" {
			return fmt.Errorf("systemd's restart of %q ended as %q\nhint: journalctl -u %s, on the node", unit, result, name)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("systemd has not restarted %q: %w", unit, ctx.Err())
	}
}
