// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	osexec "os/exec"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// planContainerd edits config.toml, or writes a drop-in and imports it there: in containerd 1, a drop-in replaces all
// of the plugin's settings (containerd#5837).
func planContainerd(r request) (plan, error) {
	if err := r.notHere(&engines.Containerd.Config); err != nil {
		return plan{}, err
	}
	file, err := r.configFile(func() (string, error) { return engines.Containerd.Config.Files[0], nil })
	if err != nil {
		return plan{}, err
	}
	main, err := configure.Open(file)
	if err != nil {
		return plan{}, err
	}
	if maker, made := configure.Maker(main.Path, main.Data); made {
		return planGenerated(r, main, maker)
	}
	d, err := findContainerd(main, engines.Containerd.Config.Program)
	if err != nil {
		return plan{}, err
	}
	inPlace, err := d.inPlace(main.Data, r.Name)
	if err != nil {
		return plan{}, fmt.Errorf("%s: %w", file, err)
	}
	var p plan
	if inPlace {
		p, err = d.planInPlace(r, file)
	} else {
		p, err = d.planDropIn(r, main)
	}
	if err != nil {
		return plan{}, err
	}
	p.advice = append(p.advice, "containerd reads it when it is restarted: systemctl restart containerd; containers go on running")
	return p.standingFor(r, d), nil
}

// standingFor says what happens to the runtime that the new one replaces.
func (p plan) standingFor(r request, d containerd) plan {
	stood, binary := d.format.StandsFor(r.Name)
	if r.Default {
		binaries, fallback := d.format.Runtimes()
		p.warnings = append(p.warnings, r.displaced(fallback, binaries[fallback])...)
		return p
	}
	switch {
	case r.undo || binary == "" || filepath.Base(binary) == "runc" || configure.IsOurs(binary):
	case runc.Wraps(binary):
		p.advice = append(p.advice, fmt.Sprintf("it has the options of %q, which is a wrapper: for pods with GPUs, %s", stood, runc.WrapperHint))
	default:
		p.advice = append(p.advice, fmt.Sprintf("it has the options of %q, whose binary is %q: if nonroot-runc is to call that, name it under runtimes in the policy", stood, binary))
	}
	return p
}

// containerd is the daemon's program, if it is installed, and its effective configuration.
type containerd struct {
	program string
	release configure.Release
	format  configure.Containerd
}

// findContainerd asks the first of the programs that exists.
func findContainerd(main configure.File, programs ...string) (containerd, error) {
	version := 2
	if main.Data != nil {
		v, err := configure.ContainerdVersion(main.Data)
		if err != nil {
			return containerd{}, fmt.Errorf("%s: %w", main.Path, err)
		}
		version = v
	}
	d := containerd{}
	for _, program := range programs {
		if path, err := osexec.LookPath(program); err == nil {
			d.program = path
			break
		}
	}
	text := main.Data
	if d.program != "" {
		out, err := d.print("--version")
		if err != nil {
			return d, fmt.Errorf("ask %s for its version: %w", d.program, err)
		}
		if d.release, err = configure.ParseRelease(string(out)); err != nil {
			return d, fmt.Errorf("ask %s for its version: %w", d.program, err)
		}
		args := []string{"--config", main.Path, "config", "dump"}
		if main.Data == nil { // 1.6 dumps nothing if the file does not exist
			args = []string{"config", "default"}
		}
		if text, err = d.print(args...); err != nil {
			return d, fmt.Errorf("containerd does not read %q as it is: %w", main.Path, err)
		}
	}
	if main.Data == nil && d.release.Major >= 2 {
		version = 3
	}
	effective, err := configure.ParseContainerd(text)
	if err != nil {
		return d, fmt.Errorf("%s: %w", main.Path, err)
	}
	if d.release.Major == 0 && version >= 3 {
		d.release.Major = 2 // containerd 1 refuses that version
	}
	d.format = configure.Containerd{Version: version, Effective: effective, Replaces: d.release.Major < 2}
	return d, nil
}

// print is what containerd prints of a configuration.
func (d containerd) print(args ...string) ([]byte, error) {
	return ask.Run(context.Background(), nil, d.program, args...)
}

// inPlace reports whether config.toml itself has to be edited. What was registered there under containerd 1 stays there
// under containerd 2.
func (d containerd) inPlace(main []byte, name string) (bool, error) {
	if d.release.Major < 2 {
		return true, nil
	}
	tree, err := configure.ParseContainerd(main)
	if err != nil {
		return false, err
	}
	binaries, _ := configure.Containerd{Effective: tree}.Runtimes()
	_, there := binaries[name]
	return there, nil
}

func (d containerd) planInPlace(r request, file string) (plan, error) {
	c, err := r.change(file, d.format)
	if err != nil {
		return plan{}, err
	}
	if err := r.unneeded(c, func() ([]configure.Dependent, error) { return r.containerdDependents(d) }); err != nil {
		return plan{}, err
	}
	return plan{steps: []step{changing(c)}, check: func() error {
		if d.program == "" || c.Next.Data == nil {
			return nil
		}
		return c.Candidate(func(candidate string) error { return d.accepts(r, candidate) })
	}}, nil
}

func (d containerd) planDropIn(r request, main configure.File) (plan, error) {
	imports := configure.Imports{Main: main.Path, DropIn: dropIn(main, r.Name)}
	dropped, err := r.change(imports.DropIn, d.format)
	if err != nil {
		return plan{}, err
	}
	if err := r.unneeded(dropped, func() ([]configure.Dependent, error) { return r.containerdDependents(d) }); err != nil {
		return plan{}, err
	}
	named, err := r.change(main.Path, imports)
	if err != nil {
		return plan{}, err
	}
	if r.undo { // what config.toml imports must exist
		return plan{steps: []step{changing(named), changing(dropped)}}, nil
	}
	return plan{steps: []step{changing(dropped), changing(named)}, check: func() error {
		if d.program == "" {
			return nil
		}
		return dropped.Candidate(func(candidate string) error {
			data, _, err := configure.Imports{Main: main.Path, DropIn: candidate}.Add(main.Data, r.Runtime, configure.Note{})
			if err != nil {
				return err
			}
			whole := configure.Change{File: main, Next: configure.Content{Data: data}}
			return whole.Candidate(func(candidate string) error { return d.accepts(r, candidate) })
		})
	}}, nil
}

// dropIn is the drop-in's path: in a directory that config.toml imports already, else in conf.d, which 2.2 and later
// import in the file that they write themselves. If two drop-ins set the default, the one whose name comes last wins.
func dropIn(main configure.File, name string) string {
	file := engines.Containerd.Config.DropIn(name)
	for _, dir := range configure.ImportedDirectories(main.Path, main.Data) {
		if path := filepath.Join(dir, file); (configure.Imports{Main: main.Path, DropIn: path}).Covered(main.Data) {
			return path
		}
	}
	return filepath.Join(filepath.Dir(main.Path), "conf.d", file)
}

// accepts lets containerd read its future configuration, and compares it with the present one: only the runtime may
// differ.
func (d containerd) accepts(r request, candidate string) error {
	out, err := d.print("--config", candidate, "config", "dump")
	if err != nil {
		return fmt.Errorf("containerd refuses what its configuration would become, which was left as it is: %w", err)
	}
	tree, err := configure.ParseContainerd(out)
	if err != nil {
		return fmt.Errorf("read what containerd makes of its configuration: %w", err)
	}
	after := configure.Containerd{Effective: tree}
	now, fallback := after.Runtimes()
	before, _ := d.format.Runtimes()
	for name := range before {
		if _, stays := now[name]; !stays && name != r.Name {
			return fmt.Errorf("containerd would lose the runtime %q: its configuration was left as it is", name)
		}
	}
	switch binary, there := now[r.Name]; {
	case r.undo && !r.keepName && there:
		return fmt.Errorf("containerd would still have the runtime %q, from another file that it imports: its configuration was left as it is", r.Name)
	case !r.undo && !there && d.release.Major >= 2 && d.format.Version < 2:
		// 2.0 to 2.2 warn of unknown keys and go on; 2.3 reads them again.
		return fmt.Errorf("this containerd ignores the runtimes of a configuration of version 1: its configuration was left as it is"+
			"\nhint: begin the file with version = 2, and write [plugins.%q ...] in place of [plugins.%s ...]", engines.CRITable(2)[1], engines.CRITable(1)[1])
	case !r.undo && !there:
		return fmt.Errorf("containerd would not see the runtime %q: its configuration was left as it is", r.Path)
	case !r.undo && binary != r.Path:
		return fmt.Errorf("containerd would not see the runtime %q, but %q in its place: its configuration was left as it is", r.Path, binary)
	case r.Default && !r.undo && fallback != r.Name:
		return fmt.Errorf("containerd would keep the default %q, which a file that it reads later sets: its configuration was left as it is", fallback)
	}
	if _, there := now[fallback]; !there {
		return fmt.Errorf("containerd would have the default %q and no such runtime: its configuration was left as it is", fallback)
	}
	return nil
}
