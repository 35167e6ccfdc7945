// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// guardFlags begin with the one that asks for the guard.
func guardFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "guard", Usage: "put nonroot-runc in the place of runc, so that --runtime runc is governed as well"},
		&cli.StringFlag{Name: "builds", Usage: "with the guard, how image builds run: off (unchanged) or rewrite (without root), `RULE`"},
	}
}

// planRunc handles only the guard.
func planRunc(r request) (plan, error) {
	var p plan
	if os.Geteuid() != 0 && !r.flags.Bool("dry-run") {
		return p, r.errNeedsRoot("runc is not yours")
	}
	d, err := findDockerd()
	if err != nil {
		return p, err
	}
	file, err := d.configFile()
	if err != nil {
		return p, err
	}
	daemon, err := configure.Open(file)
	if err != nil {
		return p, err
	}
	return p, p.guard(r, d, daemon.Data)
}

// addGuard adds the guard to Docker's plan if it was asked for, and its removal to the removal of the last
// registration.
func (p *plan) addGuard(r request, d dockerd, c configure.Change) error {
	asked := r.flags.Bool("guard")
	if r.flags.IsSet("builds") && !asked {
		return errors.New("--builds belongs to --guard")
	}
	last := r.undo && !r.keepName && !c.Nothing() && c.Next.Receipt == nil
	if r.undo && !asked && !last {
		return p.guardStays(c)
	}
	switch {
	case !asked && !last:
		return nil
	case os.Geteuid() == 0:
		return p.guard(r, d, c.Data)
	case asked:
		return errors.New("--guard needs root")
	}
	return nil // without root there is no guard
}

// guardStays says that the guard is removed together with the last name.
func (p *plan) guardStays(c configure.Change) error {
	if c.Next.Receipt == nil || os.Geteuid() != 0 {
		return nil
	}
	file, err := configure.Open(policy.DefaultFile)
	if err != nil || file.Receipt == nil {
		return err
	}
	if _, on := file.Receipt.Notes[guardName]; on {
		names := slices.Sorted(maps.Keys(c.Next.Receipt.Notes))
		p.advice = append(p.advice, fmt.Sprintf("the guard stays while a runtime is registered, and %q still is: nonroot-ctl configure runc --uninstall removes it now", names))
	}
	return nil
}

// guardName is the receipt's name for the table in the policy file.
const guardName = "guard"

// guard changes the policy first, so that a build in between has its rule already. What the policy's receipt doesn't
// list is somebody else's, and not undone.
func (p *plan) guard(r request, d dockerd, daemonJSON []byte) error {
	file, err := configure.Open(policy.DefaultFile)
	if err != nil {
		return err
	}
	if r.undo {
		return p.removeGuard(r, file)
	}
	path, err := configure.FindRunc(configure.Directories)
	if err != nil {
		return err
	}
	build, err := r.builds(file, d, daemonJSON)
	if err != nil {
		return err
	}
	c, err := file.Register(build, configure.Runtime{Name: guardName})
	if err != nil {
		return err
	}
	if _, err := policy.Parse(file.Path, c.Next.Data); err != nil {
		return fmt.Errorf("the changed policy would be refused: %w", err)
	}
	if err := p.changePolicy(r, c); err != nil {
		return err
	}
	g := configure.Guard{Runc: path, Wrapper: r.binary}
	done, err := g.Installed()
	if err != nil || done {
		return err
	}
	p.steps = append(p.steps, step{fmt.Sprintf("move %s to %s.distrib, and make it a link to %s\n", path, path, r.binary), g.Install})
	return nil
}

// changePolicy adds the step that changes the policy file. A pinned file is pinned again, so that the present content
// is pinned at each moment, as in policy apply; a change that somebody else has made since it was pinned is not
// covered up by that.
func (p *plan) changePolicy(r request, c configure.Change) error {
	pins, err := pin.Read(r.owners)
	if err != nil {
		return err
	}
	if !pins.Has(c.Path) || c.Nothing() {
		p.steps = append(p.steps, changing(c))
		return nil
	}
	if err := pins.Check(c.Path, record.Digest(c.Data)); err != nil {
		return fmt.Errorf("change the policy %q: %w", c.Path, err)
	}
	p.steps = append(p.steps, step{string(c.Diff()) + fmt.Sprintf("pin %s again in %s\n", c.Path, pin.File), func() error {
		next := ""
		if c.Next.Data != nil {
			next = record.Digest(c.Next.Data)
		}
		_, err := pin.Replacing(r.owners, c.Path, next, c.Apply)
		return err
	}})
	return nil
}

func (p *plan) removeGuard(r request, file configure.File) error {
	if file.Receipt == nil {
		return nil
	}
	if _, ours := file.Receipt.Notes[guardName]; !ours {
		return nil
	}
	if path, err := configure.FindRunc(configure.Directories); err == nil {
		g := configure.Guard{Runc: path}
		if err := g.Removable(); err != nil {
			return err
		}
		p.steps = append(p.steps, step{fmt.Sprintf("put %s.distrib back as %s\n", path, path), g.Remove})
	}
	c, err := file.Unregister(configure.Build{}, guardName)
	if err != nil {
		return err
	}
	return p.changePolicy(r, c)
}

// dataRoot is where dockerd keeps its data, free of links, as the rule for builds needs it: according to the running
// daemon, else its flag and its file.
func dataRoot(d dockerd, daemonJSON []byte) (string, error) {
	root, err := configure.DataRoot(daemonJSON)
	if err != nil {
		return "", err
	}
	if flag, set := d.flag("--data-root"); set {
		root = flag
	}
	if d.pid != 0 {
		if out, err := osexec.Command(engines.Docker.Client, "info", "--format", "{{.DockerRootDir}}").Output(); err == nil && filepath.IsAbs(strings.TrimSpace(string(out))) {
			return resolved(strings.TrimSpace(string(out)))
		}
	}
	remaps, err := configure.Remaps(daemonJSON)
	if _, flag := d.flag("--userns-remap"); err == nil && (remaps || flag) {
		err = errors.New("dockerd runs containers in a user namespace (userns-remap), and only a running dockerd knows the directory of their data\nhint: start it first")
	}
	if err != nil {
		return "", err
	}
	return resolved(root)
}

// resolved is a path without links, as far as it exists.
func resolved(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) && path != "/" {
		dir, err := resolved(filepath.Dir(path))
		return filepath.Join(dir, filepath.Base(path)), err
	}
	return real, err
}

// builds is the mode for builds: from the command line, else the policy, else the answer to a question.
func (r request) builds(file configure.File, d dockerd, daemonJSON []byte) (configure.Build, error) {
	root, err := dataRoot(d, daemonJSON)
	if err != nil {
		return configure.Build{}, err
	}
	b := configure.Build{Bundles: []string{filepath.Join(root, engines.Docker.Builds.Dir)}}
	mode := r.flags.String("builds")
	if mode == "" && file.Data != nil {
		now, err := policy.Parse(file.Path, file.Data)
		if err != nil {
			return b, err
		}
		if len(now.Build.Bundles) > 0 {
			mode = string(now.Build.Mode)
		}
	}
	if mode == "" {
		if mode, err = askBuilds(); err != nil {
			return b, err
		}
	}
	switch mode {
	case "off":
		b.Off = true
	case "rewrite":
	default:
		return b, fmt.Errorf("--builds is %q, which is neither off nor rewrite", mode)
	}
	return b, nil
}

// askBuilds asks on a terminal.
func askBuilds() (string, error) {
	if !isTerminal(os.Stdin) {
		return "", errors.New("choose what happens to image builds, which call runc, too: --builds off (they run as root, as before) or --builds rewrite (most Dockerfiles then fail at their first RUN)")
	}
	fmt.Fprint(os.Stderr, "Image builds (BuildKit) call runc, too.\n"+
		"  off      they run as root, as before\n"+
		"rewrite  they run as another user; most Dockerfiles then fail at their first RUN\n"+
		"off or rewrite? ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(answer), nil
}
