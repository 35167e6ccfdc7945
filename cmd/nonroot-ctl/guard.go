// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engine"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// guardFlags begin with the one that asks for the guard.
func guardFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "guard", Usage: "put nonroot-runc in the place of runc, so that --runtime runc is governed, too"},
		&cli.StringFlag{Name: "builds", Usage: "with the guard: BuildKit's containers run as they are (`off`) or as others do (rewrite)"},
	}
}

// planRunc is the guard alone.
func planRunc(r request) (plan, error) {
	var p plan
	return p, p.guard(r, nil)
}

// addGuard adds the guard to docker's plan where it was asked for, and its removal to docker's removal.
func (p *plan) addGuard(r request, daemonJSON []byte) error {
	if !r.undo && !r.flags.Bool("guard") {
		if r.flags.IsSet("builds") {
			return errors.New("--builds belongs to --guard")
		}
		return nil
	}
	if os.Geteuid() != 0 {
		if r.undo {
			return nil // without root there is none
		}
		return errors.New("--guard needs root")
	}
	return p.guard(r, daemonJSON)
}

// guardName is the receipt's name for the table in the policy file.
const guardName = "guard"

// guard changes the policy first: a build that comes in between has its rule then.
func (p *plan) guard(r request, daemonJSON []byte) error {
	file, err := engine.Open(policy.DefaultFile)
	if err != nil {
		return err
	}
	path, err := engine.FindRunc(engine.Folders)
	if r.undo {
		if err == nil {
			if g := (engine.Guard{Runc: path}); g.Touched() {
				p.steps = append(p.steps, step{fmt.Sprintf("put %s.distrib back as %s\n", path, path), g.Remove})
			}
		}
		if file.Receipt == nil {
			return nil
		}
		c, err := file.Unregister(engine.Build{}, guardName)
		p.steps = append(p.steps, changing(c))
		return err
	}
	if err != nil {
		return err
	}
	build, err := r.builds(file, daemonJSON)
	if err != nil {
		return err
	}
	c, err := file.Register(build, engine.Runtime{Name: guardName})
	if err != nil {
		return err
	}
	if _, err := policy.Parse(file.Path, c.Next.Data); err != nil {
		return fmt.Errorf("the policy would become one that is refused: %w", err)
	}
	p.steps = append(p.steps, changing(c))
	g := engine.Guard{Runc: path, Wrapper: r.binary}
	done, err := g.Installed()
	if err != nil || done {
		return err
	}
	p.steps = append(p.steps, step{fmt.Sprintf("move %s to %s.distrib, and make it a link to %s\n", path, path, r.binary), g.Install})
	return nil
}

// builds is what the command line, else the policy, else the answer to a question says of builds.
func (r request) builds(file engine.File, daemonJSON []byte) (engine.Build, error) {
	root, err := engine.DataRoot(daemonJSON)
	if err != nil {
		return engine.Build{}, err
	}
	b := engine.Build{Bundles: filepath.Join(root, "buildkit", "executor")}
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
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err != nil {
		return "", errors.New("say what becomes of image builds, which call runc, too: --builds off (they run as root, as before) or --builds rewrite (most Dockerfiles then fail at their first RUN)")
	}
	fmt.Fprint(os.Stderr, "Image builds (BuildKit) call runc, too.\n"+
		"  off      they run as root, as before\n"+
		"  rewrite  they run as somebody else; most Dockerfiles then fail at their first RUN\n"+
		"off or rewrite? ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(answer), nil
}
