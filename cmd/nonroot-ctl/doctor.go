// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/selftest"
)

// doctorCommand checks an installation, and tries to get around it.
func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "check the installation, and try to become root in a container",
		UsageText: "nonroot-ctl doctor [options]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "engine", Usage: "also run the self-test through `ENGINE`: docker, podman or containerd"},
			&cli.StringFlag{Name: "runtime-name", Value: defaultName, Usage: "the runtime's `NAME` in the engine"},
			&cli.StringFlag{Name: "binary", Usage: "check the nonroot-runc at `PATH`"},
			&cli.StringFlag{Name: "policy", Usage: "check the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "work-dir", Usage: "the `DIR` for the self-test's bundle"},
			&cli.StringFlag{Name: "docker-host", Usage: "the daemon's `ADDRESS`, like docker's --host"},
			&cli.BoolFlag{Name: "strict", Usage: "also fail if there are warnings"},
			&cli.BoolFlag{Name: "audit", Usage: "mode audit is intended: enforcing nothing is not a failure"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runDoctor,
	}
}

// insideCommand runs in the self-test's container.
func insideCommand() *cli.Command {
	return &cli.Command{
		Name:   selftest.Verb,
		Hidden: true,
		Action: func(c *cli.Context) error {
			return selftest.Inside(c.Args().First(), c.App.Reader, c.App.Writer)
		},
	}
}

// selfTestCommand runs only the self-test, for the node agent, which tests an installation of its own.
func selfTestCommand() *cli.Command {
	return &cli.Command{
		Name:   "self-test",
		Hidden: true,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return errors.New("name the nonroot-runc to test")
			}
			ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
			defer stop()
			all, err := selftest.Runtime{Binary: c.Args().First()}.Try(ctx)
			for _, f := range all {
				if f.Broken {
					err = errors.Join(err, fmt.Errorf("%s: %s", f.What, f.Detail))
				}
			}
			return err
		},
	}
}

func runDoctor(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("doctor takes no arguments, but %q is one\nhint: see nonroot-ctl doctor --help", c.Args().First())
	}
	var engine *engines.Engine
	if name := c.String("engine"); name != "" {
		i := slices.IndexFunc(selftest.Testable(), func(e *engines.Engine) bool { return e.Config.Command == name })
		if i < 0 {
			return fmt.Errorf("--engine is %q\nhint: the self-test runs through docker, podman or containerd; without --engine, every engine's configuration is checked", name)
		}
		engine = selftest.Testable()[i]
	}
	// The self-test's files are removed after an interrupt, too.
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer cancel()
	o := doctor.Options{
		Binary: c.String("binary"), Policy: c.String("policy"), WorkDir: c.String("work-dir"),
		Engine: engine, RuntimeName: c.String("runtime-name"), DockerHost: c.String("docker-host"),
		Audit: c.Bool("audit"),
	}
	for _, p := range []*string{&o.Binary, &o.Policy, &o.WorkDir} {
		if *p == "" {
			continue
		}
		var err error
		if *p, err = filepath.Abs(*p); err != nil { // the self-test runs in a directory of its own
			return err
		}
	}
	stop := working(c.App.ErrWriter, "checking the installation")
	checks, err := doctor.Run(ctx, o)
	stop()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, checks)
	} else {
		err = printChecks(c.App.Writer, checks)
	}
	return errors.Join(err, verdict(checks, c.Bool("strict")))
}

var colours = map[doctor.Status]*color.Color{doctor.Fail: bad, doctor.Warn: doubt, doctor.Note: passing, doctor.OK: good}

// printChecks prints a line for each check, and a hint below those that are not ok: failures first, then warnings and
// notes. JSON has them in the order in which they were made.
func printChecks(to io.Writer, checks []doctor.Check) error {
	var b strings.Builder
	of := map[doctor.Status]int{}
	for _, status := range []doctor.Status{doctor.Fail, doctor.Warn, doctor.Note, doctor.OK} {
		for _, c := range checks {
			if c.Status != status {
				continue
			}
			of[status]++
			word := string(c.Status)
			if c.Status == doctor.Fail {
				word = "FAIL"
			}
			fmt.Fprintf(&b, "%s %s: %s\n", painted(to, colours[c.Status], fmt.Sprintf("%-4s", word)), shown(c.Name), shown(c.Detail))
			if c.Hint != "" {
				fmt.Fprintf(&b, "     hint: %s\n", shown(c.Hint))
			}
		}
	}
	fmt.Fprintf(&b, "%s: %d ok, %s, %s, %d failed\n", counted(len(checks), "check"), of[doctor.OK], counted(of[doctor.Note], "note"), counted(of[doctor.Warn], "warning"), of[doctor.Fail])
	_, err := io.WriteString(to, wrapped(to, b.String()))
	return err
}

// verdict is an error, for exit status 1, if a check failed, or, with strict, was not ok.
func verdict(checks []doctor.Check, strict bool) error {
	failed, warned := 0, 0
	for _, c := range checks {
		switch c.Status {
		case doctor.Fail:
			failed++
		case doctor.Warn:
			warned++
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of %s failed", failed, counted(len(checks), "check"))
	case strict && warned > 0:
		return fmt.Errorf("%d of %s are not ok, which --strict treats as a failure", warned, counted(len(checks), "check"))
	}
	return nil
}
