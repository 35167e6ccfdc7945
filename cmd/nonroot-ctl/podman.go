// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// planPodman writes a drop-in: the system's or, for an ordinary user, the user's own. Podman reads it at each call;
// there is no other way to have it checked.
func planPodman(r request) (plan, error) {
	if err := r.notHere(&engines.Podman.Config); err != nil {
		return plan{}, err
	}
	config := &engines.Podman.Config
	name := config.DropIn(r.Name)
	file, err := r.configFile(func() (string, error) {
		if os.Geteuid() != 0 {
			return homeConfig(filepath.Join(config.UserDropIns, name))
		}
		return filepath.Join(config.DropIns, name), nil
	})
	if err != nil {
		return plan{}, err
	}
	c, err := r.change(file, configure.Podman{})
	if err != nil {
		return plan{}, err
	}
	if err := r.unneeded(c, r.podmanDependents); err != nil {
		return plan{}, err
	}
	p := plan{steps: []step{changing(c)}}
	if other := os.Getenv("CONTAINERS_CONF"); other != "" && other != file {
		p.advice = append(p.advice, "CONTAINERS_CONF is set: with it, Podman reads "+other+" and nothing else")
	}
	return p, nil
}
