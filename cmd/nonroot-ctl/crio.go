// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// planCRIO writes a drop-in.
func planCRIO(r request) (plan, error) {
	if err := r.notHere(&engines.CRIO.Config); err != nil {
		return plan{}, err
	}
	file, err := r.configFile(func() (string, error) {
		return filepath.Join(engines.CRIO.Config.DropIns, engines.CRIO.Config.DropIn(r.Name)), nil
	})
	if err != nil {
		return plan{}, err
	}
	c, err := r.change(file, configure.CRIO{})
	if err != nil {
		return plan{}, err
	}
	err = r.unneeded(c, func() ([]configure.Dependent, error) { return configure.CRIODependents(c.Data, r.Name, r.owners) })
	if err != nil {
		return plan{}, err
	}
	before, program, err := configure.CRIODefault(crioFiles(file))
	if err != nil {
		return plan{}, err
	}
	return plan{
		steps:    []step{changing(c)},
		warnings: r.displaced(before, program),
		check:    func() error { return askCRIO(c) },
		advice:   []string{"CRI-O reads it when it is restarted: systemctl restart crio; containers go on running"},
	}, nil
}

// crioFiles are the files that CRI-O reads, in order, except for the one that is written (cri-o,
// docs/crio.conf.d.5.md).
func crioFiles(but string) (texts [][]byte) {
	for _, pattern := range engines.CRIO.Config.Files {
		files, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && file != but {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// askCRIO has CRI-O check the file: its command "config" reads and checks one before it prints it.
func askCRIO(c configure.Change) error {
	program, err := osexec.LookPath(engines.CRIO.Config.Program)
	if err != nil || c.Next.Data == nil {
		return nil
	}
	return c.Candidate(func(file string) error {
		if _, err := ask.Run(context.Background(), nil, program, "--config", file, "--config-dir", "", "config"); err != nil {
			return fmt.Errorf("CRI-O refuses what %q would become: %w: it was left as it is", c.Path, err)
		}
		return nil
	})
}
