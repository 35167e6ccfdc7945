// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// planGenerated leaves config.toml to k3s or RKE2. Since 2026 it imports a directory for drop-ins (k3s pull request
// 13680); before that, the registration goes into the template.
func planGenerated(r request, main configure.File, maker string) (plan, error) {
	d, err := findContainerd(main, ownContainerd(main.Path)...)
	if err != nil { // k3s' own containerd is not asked if that is impossible
		d, err = findContainerd(main)
	}
	if err != nil {
		return plan{}, err
	}
	file := configure.TemplateOf(main.Path, d.format.Version)
	template, err := configure.Open(file)
	if err != nil {
		return plan{}, err
	}
	format := configure.Template{Containerd: d.format}
	var p plan
	// An existing registration stays where it is. In containerd 1, a drop-in replaces all of the plugin's settings.
	if imports := (configure.Imports{Main: main.Path, DropIn: dropIn(main, r.Name)}); !format.Has(template.Data, r.Name) &&
		d.release.Major >= 2 && imports.Covered(main.Data) {
		p, err = d.planDropIn(r, main)
	} else {
		p, err = d.planTemplate(r, main, template, format)
	}
	if err != nil {
		return plan{}, err
	}
	unit := cmp.Or(maker, "k3s")
	p.advice = append(p.advice, fmt.Sprintf("%s reads it when it is restarted: systemctl restart %s, %s-agent or %s-server; containers go on running", unit, unit, unit, unit))
	return p.standingFor(r, d), nil
}

// ownContainerd is the containerd of k3s and RKE2, below the data directory with the configuration.
func ownContainerd(main string) []string {
	data := filepath.Join(filepath.Dir(main), "..", "..", "..")
	program := engines.Containerd.Config.Program
	return []string{filepath.Join(data, "data/current/bin", program), filepath.Join(data, "bin", program)}
}

func (d containerd) planTemplate(r request, main, template configure.File, format configure.Template) (plan, error) {
	c, err := r.change(template.Path, format)
	if err != nil {
		return plan{}, err
	}
	if err := r.unneeded(c, func() ([]configure.Dependent, error) { return r.containerdDependents(d) }); err != nil {
		return plan{}, err
	}
	return plan{steps: []step{changing(c)}, check: func() error {
		rendered, err := format.Rendered(main.Data, c.Next.Data, r.Name)
		if err != nil {
			return err
		}
		whole := configure.Change{File: main, Next: configure.Content{Data: rendered}}
		if d.program == "" {
			_, err := configure.ParseContainerd(rendered)
			return err
		}
		return whole.Candidate(func(candidate string) error { return d.accepts(r, candidate) })
	}}, nil
}
