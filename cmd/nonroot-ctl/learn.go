// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/learn"
)

// learnCommand runs a container once and says what it was denied.
func learnCommand() *cli.Command {
	return &cli.Command{
		Name:      "learn",
		Usage:     "run a container once, watch what it is denied, and print the policy lines that would give it",
		ArgsUsage: "BUNDLE-DIR",
		UsageText: "nonroot-ctl learn [options] -- docker run ... | podman run ...\nnonroot-ctl learn [options] BUNDLE-DIR",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "for", Usage: "watch no longer than `TIME` (30s); the container goes on", DefaultText: "until it ends"},
			&cli.StringFlag{Name: "policy", Usage: "print what would be added to the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "runtime", Value: "nonroot-runc", Usage: "the `BINARY` that runs a bundle"},
			&cli.StringSliceFlag{Name: "docker-exec-root", Usage: "dockerd's --exec-root `DIR`"},
			&cli.StringSliceFlag{Name: "containerd-state", Usage: "containerd's state `DIR`"},
			&cli.StringFlag{Name: "output", Usage: "write what was learned to `FILE`, apart from what the container prints"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runLearn,
	}
}

func runLearn(c *cli.Context) error {
	if c.NArg() == 0 {
		return errors.New("learn takes a command line (-- docker run ...) or a bundle's folder")
	}
	p, err := readPolicy(c.String("policy"), c.IsSet("policy"))
	if err != nil {
		return err
	}
	var out io.Writer = c.App.Writer
	if name := c.String("output"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // what could not be written was said then
		out = f
	}
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	container, end, err := startToLearn(ctx, c)
	if err != nil {
		return err
	}
	defer end()
	mounts, err := container.Mounts()
	if err != nil {
		return err
	}
	groups := &host.Groups{File: host.GroupFile, Privileges: p.Privileged}
	a := &learn.Advisor{Policy: p, Mounts: mounts, Privileged: groups.Privileged}
	if limit := c.Duration("for"); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	began := time.Now()
	seen, err := learn.Trace(ctx, container.Pid, container.Go, a.Denied)
	if err != nil {
		return err
	}
	l := learned{Seen: seen, Seconds: time.Since(began).Seconds(), Findings: a.Findings(), Lines: a.Lines(), More: a.More}
	if c.Bool("json") {
		return printJSON(out, l.forJSON())
	}
	return l.print(out)
}

// startToLearn gives the container and what is to be done in the end.
func startToLearn(ctx context.Context, c *cli.Context) (*learn.Container, func(), error) {
	if c.NArg() == 1 {
		binary, err := exec.LookPath(c.String("runtime"))
		if err != nil {
			return nil, nil, err
		}
		dir, err := filepath.Abs(c.Args().First())
		if err != nil {
			return nil, nil, err
		}
		b := &learn.Bundle{Dir: dir, Runtime: binary}
		container, err := b.Start(ctx)
		return container, func() { _ = b.Remove() }, err // it says why itself
	}
	e, err := learn.ParseEngine(c.Args().Slice())
	if err != nil {
		return nil, nil, err
	}
	e.ExecRoots, e.States = or(c.StringSlice("docker-exec-root"), dockerExecRoots), or(c.StringSlice("containerd-state"), containerdStates)
	container, err := e.Start(ctx)
	return container, func() { e.Wait(ctx) }, err
}

// learned is what there is to say.
type learned struct {
	*learn.Seen
	Seconds  float64
	Findings []*learn.Finding
	Lines    []string
	More     int
}

func (l *learned) ended() string {
	switch {
	case !l.Ended:
		return "it goes on"
	case l.Status.Signaled():
		return fmt.Sprintf("it was ended by signal %d", l.Status.Signal())
	}
	return fmt.Sprintf("it ended with %d", l.Status.ExitStatus())
}

func (l *learned) forJSON() any {
	return struct {
		Late      bool             `json:"late"`
		Processes int              `json:"processes"`
		Seconds   float64          `json:"seconds"`
		Ended     bool             `json:"ended"`
		Status    string           `json:"status"`
		Findings  []*learn.Finding `json:"findings"`
		More      int              `json:"more,omitempty"`
		Policy    []string         `json:"policy"`
	}{l.Late, l.Processes, l.Seconds, l.Ended, l.ended(), list(l.Findings), l.More, list(l.Lines)}
}

// list is one that JSON has as [], not null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func (l *learned) print(to io.Writer) error {
	p := &printer{}
	p.line("watched    %d processes for %.1f s; %s", l.Processes, l.Seconds, l.ended())
	if l.Late {
		p.line("           the container's first program had begun before it could be watched: its first calls were not seen")
	}
	p.heading("denied")
	for _, f := range l.Findings {
		p.line("  %s %q: %s", f.Kind, f.What, shown(f.Why))
		p.line("    %s by %s, %d times", shown(strings.Join(f.Calls, ", ")), words(f.By), f.Count)
	}
	if l.More > 0 {
		p.line("  and %d more", l.More)
	}
	if len(l.Findings) == 0 {
		p.line("  nothing")
	}
	p.heading("policy lines")
	for _, line := range l.Lines {
		p.line("  %s", line)
	}
	if len(l.Lines) == 0 {
		p.line("  none that would give it")
	}
	_, err := io.WriteString(to, p.String())
	return err
}
