// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/nonroot-runc/nonroot-runc/internal/engine"
)

// planPodman writes a drop-in: the system's or, for an ordinary user, the user's own. Podman reads it at each call, and has
// no way to check it but that.
func planPodman(r request) (plan, error) {
	if err := r.notHere("podman", "/etc/containers"); err != nil {
		return plan{}, err
	}
	name := engine.PodmanDropIn(r.Name)
	file, err := r.configFile(func() (string, error) {
		if os.Geteuid() != 0 {
			return homeConfig("containers/containers.conf.d/" + name)
		}
		return "/etc/containers/containers.conf.d/" + name, nil
	})
	if err != nil {
		return plan{}, err
	}
	c, err := r.change(file, engine.Podman{})
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
