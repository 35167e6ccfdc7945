// SPDX-License-Identifier: Apache-2.0

// Package apply carries plans out. It is the only package that writes during a call under a policy: leases of ids,
// owners of files, the names, the record, config.json, the log, and the copy of the policy. internal/plan decides what
// is written.
//
//	apply.go  a plan for a container, in an order that is safe whenever it is interrupted
//	lease.go  the ids of ranges that a decision needs
//	give.go   owners in the container's layer and its volumes
//	log.go    the line of the log
//	good.go   the copy of a good policy
package apply

import (
	"fmt"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// step is one action of a plan.
type step struct {
	name string
	do   func() error
}

// Container carries a plan out, except for the leases, which come before (Take). If it fails or is killed, config.json
// is either the old or the new one, and no record matches a config.json other than the decision's.
//
// It returns the notes that should also go to the engine's log: their subject shows only long after the container has
// started.
func Container(p *plan.Plan, dir *bundle.Dir, owners trusted.Owners) (warnings []string, err error) {
	if p.Reclaim != nil && p.Decision.Mode == decision.Rewrite {
		return nil, fmt.Errorf("the owner of the bundle %q changed again while it was being read", dir.Path)
	}
	for _, s := range steps(p, dir, owners, &warnings) {
		if err := s.do(); err != nil {
			return warnings, err
		}
	}
	return warnings, nil
}

// steps returns the actions in an order that ends with config.json: until then the old one is in place, and no record
// matches it.
func steps(p *plan.Plan, dir *bundle.Dir, owners trusted.Owners, warnings *[]string) []step {
	note := func(done given) {
		d := &p.Decision
		d.Notes, d.RootVolumes = append(d.Notes, done.notes...), done.rootVolumes
		*warnings = done.warnings
	}
	seal := func(config ...[]byte) step {
		return step{"record", func() error { return seal(dir, &p.Decision, config) }}
	}
	if p.Decision.Mode != decision.Rewrite {
		if p.Reclaim != nil { // a record there would belong to another user
			return nil
		}
		all := []step{seal(p.Config)}
		if p.Watched != nil {
			all = slices.Insert(all, 0, step{"volumes", func() error {
				note(watch(p.Watched, &p.Decision, dir.Path, owners))
				return nil
			}})
		}
		return all
	}
	all := []step{{"owners", func() error {
		if p.Give != nil && !p.Again {
			note(give(p.Give, &p.Decision, dir.Path, owners))
		}
		return nil
	}}}
	for _, file := range []struct {
		name string
		data []byte
	}{{record.Passwd, p.Passwd}, {record.Group, p.Group}} {
		all = append(all, step{file.name, func() error {
			if file.data == nil {
				return dir.Remove(file.name)
			}
			return dir.Replace(file.name, file.data, 0o644, p.Label)
		}})
	}
	if p.Again {
		return append(all, seal(p.Parts...), step{"sweep", func() error { dir.Sweep(); return nil }},
			step{"config", func() error { return dir.Replace(bundle.Config, p.Rewritten(), 0o600, "") }})
	}
	return append(all,
		step{"kept", func() error { return dir.Remove(record.Before) }}, // left by an earlier start
		seal(p.Parts...),
		step{"sweep", func() error { dir.Sweep(); return nil }},
		step{"config", func() error { return dir.ReplaceKeeping(bundle.Config, p.Parts, 0o600, record.Before) }})
}

// seal writes the record of a config.json with these bytes, given in parts.
func seal(dir *bundle.Dir, d *decision.Decision, config [][]byte) (err error) {
	if d.Start, err = proc.StartTime("self"); err != nil { // the next runtime is this same process
		return err
	}
	d.Config = record.Digest(config...)
	return record.Write(dir, d)
}

// Reclaim takes back a bundle that the engine has given to the container's root. What was read from it before doesn't
// count.
func Reclaim(p *plan.Plan, dir *bundle.Dir) error { return dir.Reclaim(p.Reclaim.UID, p.Reclaim.GID) }
