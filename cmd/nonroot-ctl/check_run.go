// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/check"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/learn"
	"github.com/nonroot-runc/nonroot-runc/internal/targets"
)

// ranFor is how long a container is watched by default. Most services have started by then.
const ranFor = 30 * time.Second

// runFlags are the flags of check --run.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "run", Usage: "run the image or bundle `NAME` once under nonroot-runc, and report what it was denied"},
		&cli.DurationFlag{Name: "for", Value: ranFor, Usage: "with --run, end the container after `TIME`"},
		&cli.StringFlag{Name: "runtime", Usage: "with --run, `RUNTIME`: nonroot-runc's path for a bundle, its registered name for an image", DefaultText: "the one that is registered"},
		&cli.StringSliceFlag{Name: "docker-exec-root", Usage: "with --run, dockerd's --exec-root `DIR`"},
		&cli.StringSliceFlag{Name: "containerd-state", Usage: "with --run, containerd's state `DIR`"},
	}
}

// checkRun starts a container once, records what it was denied, and removes it.
func checkRun(c *cli.Context, o check.Options) (r check.Result, err error) {
	name := c.String("run")
	if c.Bool("fix") {
		return r, errors.New("--run and --fix exclude each other\nhint: fix the Dockerfile, build it, and run the image")
	}
	if c.Duration("for") <= 0 {
		return r, errors.New("--for has to be longer than nothing\nhint: write a time such as 30s")
	}
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	started, cancel := context.WithTimeout(ctx, time.Minute+c.Duration("for"))
	defer cancel()
	c.Context = started
	container, remove, err := startToCheck(c, name)
	if err != nil {
		return r, needsRootToLearn(err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	l, err := watched(ctx, container, o.Policy, c.Duration("for"))
	if err != nil {
		return r, err
	}
	if ctx.Err() != nil {
		return r, errors.New("it was interrupted, and the container is removed")
	}
	if !l.Governed {
		return r, fmt.Errorf("nonroot-runc did not make the container of %q, or the policy leaves it as it is: what it is denied is not known\nhint: nonroot-ctl doctor says whether the engine has the runtime; --runtime names it", name)
	}
	return check.Ran(name, check.Run{
		Identity: *l.Identity, Seconds: l.Seconds, Ended: l.Ended, Status: l.Status, Late: l.Late, Denied: l.Findings, More: l.More, Lines: l.Lines, Notes: l.Notes, AskedHome: l.AskedHome,
	}), nil
}

// startToCheck starts the container, and returns how to remove it. An image has to be in the engine already: nothing is fetched.
func startToCheck(c *cli.Context, name string) (container *learn.Container, remove func() error, err error) {
	engine, image, ok := ofEngine(name)
	if !ok {
		return startBundle(c, name)
	}
	args := []string{engine}
	runtime := c.String("runtime")
	if engine == engines.Podman.Client && runtime != "" {
		args = append(args, "--runtime", runtime)
	}
	args = append(args, "run", "--rm", "--pull=never")
	if engine == engines.Docker.Client {
		if runtime == "" {
			if runtime, err = learn.DockerRuntime(c.Context); err != nil {
				return nil, nil, err
			}
		}
		args = append(args, "--runtime", runtime)
	}
	e, err := learn.ParseEngine(slices.Concat(args, []string{image}, c.Args().Slice()))
	if err != nil {
		return nil, nil, err
	}
	e.Aside, e.ExecRoots, e.States = true, dockerExecRoots(c, ""), or(c.StringSlice("containerd-state"), engines.Docker.Bundles.States)
	if container, err = e.Start(c.Context); err != nil {
		return nil, nil, errors.Join(err, e.Remove())
	}
	return container, e.Remove, nil
}

func startBundle(c *cli.Context, name string) (*learn.Container, func() error, error) {
	found, err := targets.Find(name)
	if len(found.Targets) != 1 || found.Targets[0].Kind != targets.Bundle {
		if errors.Is(err, os.ErrNotExist) || err == nil || len(found.Targets) == 0 {
			err = fmt.Errorf("--run %q is neither a bundle's directory nor an image of an engine's\nhint: write docker-daemon:NAME or containers-storage:NAME; of an archive, docker load or podman load makes one", name)
		}
		return nil, nil, err
	}
	runtime := c.String("runtime")
	if runtime == "" {
		runtime = "nonroot-runc"
	}
	binary, err := exec.LookPath(runtime)
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return nil, nil, err
	}
	b := &learn.Bundle{Dir: dir, Runtime: binary, Owners: facts.AnyCaller().Owners, Aside: true}
	if c.Args().Present() {
		b.Args = c.Args().Slice()
	}
	container, err := b.Start(c.Context)
	return container, b.Remove, err
}
