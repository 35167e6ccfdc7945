// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	osexec "os/exec"

	"github.com/nonroot-runc/nonroot-runc/internal/engine"
)

// planCRIO writes a drop-in.
func planCRIO(r request) (plan, error) {
	file, err := r.configFile(func() (string, error) { return "/etc/crio/crio.conf.d/zz-" + r.Name + ".conf", nil })
	if err != nil {
		return plan{}, err
	}
	c, err := r.change(file, engine.CRIO{})
	if err != nil {
		return plan{}, err
	}
	return plan{
		steps:  []step{changing(c)},
		check:  func() error { return askCRIO(c) },
		advice: []string{"CRI-O takes it over by a restart: systemctl restart crio; containers go on running"},
	}, nil
}

// askCRIO lets CRI-O say what it makes of the file: its command "config" reads and checks one before it prints it.
func askCRIO(c engine.Change) error {
	program, err := osexec.LookPath("crio")
	if err != nil || c.Next.Data == nil {
		return nil
	}
	return c.Candidate(func(file string) error {
		var stderr bytes.Buffer
		cmd := osexec.Command(program, "--config", file, "--config-dir", "", "config")
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("CRI-O refuses what %q would become: %s: it was left as it is", c.Path, bytes.TrimSpace(stderr.Bytes()))
		}
		return nil
	})
}
