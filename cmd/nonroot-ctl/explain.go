// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/locate"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// explainCommand says what becomes, or became, of a container, and why.
func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what becomes of a container, why, and what it may trip over",
		ArgsUsage: "BUNDLE-DIR",
		UsageText: "nonroot-ctl explain [options] BUNDLE-DIR\nnonroot-ctl explain [options] --docker NAME | --containerd NAMESPACE/ID | --podman NAME",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "docker", Usage: "explain the running container `NAME` of Docker"},
			&cli.StringFlag{Name: "containerd", Usage: "explain the task `NAMESPACE/ID` of containerd"},
			&cli.StringFlag{Name: "podman", Usage: "explain the container `NAME` of Podman"},
			&cli.StringFlag{Name: "policy", Usage: "decide by the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "profile", Usage: "decide by the policy of the binary nonroot-runc.`NAME`"},
			&cli.StringFlag{Name: "root", Usage: "the runtime's --root, `DIR`, by which rules know engines"},
			&cli.StringFlag{Name: "docker-host", Usage: "the daemon to ask, as docker's --host `ADDRESS`"},
			&cli.StringSliceFlag{Name: "docker-exec-root", Usage: "dockerd's --exec-root `DIR`"},
			&cli.StringSliceFlag{Name: "containerd-state", Usage: "containerd's state `DIR`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runExplain,
	}
}

func runExplain(c *cli.Context) error {
	found, err := whichContainer(c)
	if err != nil {
		return needsRoot(c, err)
	}
	o := explain.Options{
		Policy: c.String("policy"), Profile: c.String("profile"), Root: c.String("root"), Running: found.Running, Runtime: found.Runtime,
	}
	if namespace, _, ok := strings.Cut(c.String("containerd"), "/"); ok && o.Root == "" {
		o.Root = engines.ShimRoot(namespace)
	}
	for _, n := range found.Ports {
		o.Ports = append(o.Ports, explain.Port{Number: n, From: "the image or its user exposes it"})
	}
	report, err := explain.Bundle(found.Bundle, o)
	if err != nil {
		return needsRoot(c, err)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, report)
	}
	return printReport(c.App.Writer, report)
}

// whichContainer is the one that the command line names, in one way and no more.
func whichContainer(c *cli.Context) (*locate.Container, error) {
	named := c.NArg()
	for _, flag := range []string{"docker", "containerd", "podman"} {
		if c.IsSet(flag) {
			named++
		}
	}
	if named != 1 {
		return nil, errors.New("explain takes one container: a bundle's directory, or one of --docker, --containerd and --podman")
	}
	if c.IsSet("policy") && c.IsSet("profile") {
		return nil, errors.New("--policy and --profile exclude each other")
	}
	states := or(c.StringSlice("containerd-state"), engines.Docker.Bundles.States)
	switch {
	case c.IsSet("docker"):
		return locate.Docker(c.Context, c.String("docker"), c.String("docker-host"), dockerExecRoots(c, c.String("docker-host")), states)
	case c.IsSet("containerd"):
		return locate.Containerd(c.String("containerd"), states[0])
	case c.IsSet("podman"):
		return locate.Podman(c.Context, c.String("podman"))
	}
	name := c.Args().First()
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) && !strings.Contains(name, "/") {
		return nil, fmt.Errorf("there is no bundle %q here\nhint: for a container, name its engine: --docker %s, --podman %s or --containerd NAMESPACE/ID", name, shown(name), shown(name))
	}
	return &locate.Container{Bundle: name}, nil
}

// dockerExecRoots are those that the command line names, else where daemons have theirs; host is the client's -H, "": as its environment
// has it.
func dockerExecRoots(c *cli.Context, host string) []string {
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	return or(c.StringSlice("docker-exec-root"), engines.DockerExecRoots(os.Getenv("XDG_RUNTIME_DIR"), host))
}

// needsRoot words why somebody who is not root finds nothing: engines' bundles are root's. What rootless Podman has is its
// user's own.
func needsRoot(c *cli.Context, err error) error {
	if os.Geteuid() == 0 || !errors.Is(err, os.ErrPermission) {
		return err
	}
	return fmt.Errorf("the bundles of containers are root's (%w)\nhint: run nonroot-ctl %s as root, with sudo", err, c.Command.Name)
}

// or is the first list, if it has something in it.
func or(given, usual []string) []string {
	if len(given) > 0 {
		return given
	}
	return usual
}

// printReport writes a report for people. What is not of our own making is quoted: nothing of a container's reaches the
// terminal as it is.
func printReport(to io.Writer, r *explain.Report) error {
	p := &printer{}
	p.line("bundle     %q", r.Bundle)
	if r.Container != "" {
		p.line("container  %q", r.Container)
	}
	switch r.When {
	case explain.Before:
		p.line("when       before creation: a dry run with the policy in force, nothing is written")
	default:
		p.line("when       after creation: from the record in the bundle")
	}
	p.asked(r.Asked)
	p.decided(&r.Decided)
	p.heading("difference in config.json")
	if r.Partial {
		p.line("  config.json from before was not kept; this is what the record knows of it")
	}
	for _, c := range r.Changes {
		p.line("  %s", change(c))
	}
	if len(r.Changes) == 0 {
		p.line("  none")
	}
	p.heading("what it may trip over")
	for _, t := range r.Problems {
		p.line("  %s %q: %s", t.Kind, t.Where, apart(t.Detail, "    "))
	}
	if len(r.Problems) == 0 {
		p.line("  nothing that was looked for: home, working directory, volumes, ports, setuid files, entrypoint")
	}
	if len(r.Notes) > 0 {
		p.heading("notes")
		for _, n := range r.Notes {
			p.line("  %s", apart(n, "    "))
		}
	}
	_, err := io.WriteString(to, p.String())
	return err
}

type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) heading(s string) { p.line("\n%s", s) }

func (p *printer) asked(a *explain.Asked) {
	p.heading("asked")
	if a == nil {
		p.line("  config.json can't be read")
		return
	}
	p.line("  user             %d:%d, groups %s", a.UID, a.GID, groups(a.Groups))
	p.line("  command          %s in %q", words(a.Args), a.Cwd)
	if a.Partial {
		p.line("  what follows is as it is since the rewrite:")
	}
	p.line("  capabilities     %s", words(a.Capabilities))
	p.line("  noNewPrivileges  %v", a.NoNewPrivileges)
	p.line("  seccomp          %v", a.Seccomp)
	for _, s := range a.Privileged {
		p.line("  privileged       %s", shown(s))
	}
}

func (p *printer) decided(d *explain.Decided) {
	p.heading("decided")
	if d.Mode == "" {
		d.Mode = "none"
	}
	p.line("  mode             %s", d.Mode)
	if d.Reason != "" {
		p.line("  reason           %s", apart(d.Reason, "                   "))
	}
	if d.Identity != nil {
		p.line("  user             %d:%d, groups %s", d.Identity.UID, d.Identity.GID, groups(d.Identity.Groups))
		p.line("  source           %s: %s", d.Source, policy.Source(d.Source).Sentence())
	}
	if len(d.Dropped) > 0 {
		p.line("  groups dropped   %s", groups(d.Dropped))
	}
	if d.Home != "" {
		of := "the image's own"
		if d.Mounted {
			of = "a tmpfs of its own"
		}
		p.line("  name, home       %q, %q (%s)", d.Name, d.Home, of)
	}
	if d.Rule != "" {
		p.line("  rule             %q", d.Rule)
	}
	if d.Policy != "" {
		p.line("  policy           %q", d.Policy)
	} else {
		p.line("  policy           the built-in one")
	}
	if d.Runtime != "" {
		p.line("  runtime          %q", d.Runtime)
	}
}

func change(c explain.Change) string {
	switch {
	case c.Asked == "":
		return fmt.Sprintf("+ %s: %s", c.What, shown(c.Decided))
	case c.Decided == "":
		return fmt.Sprintf("- %s: %s", c.What, shown(c.Asked))
	}
	return fmt.Sprintf("~ %s: %s -> %s", c.What, shown(c.Asked), shown(c.Decided))
}

func groups(all []uint32) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(all), "[]")
}

func words(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, " ")
}
