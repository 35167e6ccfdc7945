// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/ps"
)

// psCommand lists what runs as root in containers.
func psCommand() *cli.Command {
	return &cli.Command{
		Name:      "ps",
		Usage:     "list what runs as root in containers now, whatever started it, and why it may",
		UsageText: "nonroot-ctl ps [options]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "also list containers that are not root"},
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with 2 if anything runs as root in a container"},
			&cli.StringSliceFlag{Name: "root", Usage: "also look for containers in this state `DIR` of a runtime (its --root)"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runPs,
	}
}

// foundRoot is the exit status of ps --exit-code.
const foundRoot = 2

func runPs(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("ps takes no arguments, but %q is one\nhint: see nonroot-ctl ps --help", c.Args().First())
	}
	stop := working(c.App.ErrWriter, "looking at every process")
	l, err := ps.List(ps.Options{All: c.Bool("all"), States: c.StringSlice("root")})
	stop()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, l)
	} else {
		err = printListing(c.App.Writer, l)
	}
	if err == nil && c.Bool("exit-code") && l.Processes > 0 {
		return exitStatus(foundRoot)
	}
	return err
}

func printListing(to io.Writer, l *ps.Listing) error {
	p := &printer{}
	for _, c := range l.Containers {
		p.line("%s", painted(to, map[bool]*color.Color{true: good, false: bad}[c.Governed], calledOf(c)))
		p.line("  why: %s", shown(c.Why))
		for _, one := range c.Processes {
			p.line("  pid %d (%d inside), %s, %s: %s", one.PID, one.InnerPID, one.Role, who(one), words(one.Command[:min(len(one.Command), 8)]))
		}
	}
	if l.Processes == 0 {
		p.line("nothing runs as root in a container")
	} else {
		p.line("%s as root", counted(l.Processes, "process")+map[bool]string{true: " runs", false: " run"}[l.Processes == 1])
	}
	if l.Unread > 0 {
		p.line("%s could not be inspected", counted(l.Unread, "process"))
	}
	_, err := io.WriteString(to, wrapped(to, p.String()))
	return err
}

// calledOf is the name that people use for a container.
func calledOf(c *ps.Container) string {
	var b strings.Builder
	b.WriteString(map[bool]string{true: "(unknown engine)", false: shown(c.Engine)}[c.Engine == ""])
	for _, part := range []struct{ what, value string }{
		{"namespace", c.Namespace}, {"pod", c.Pod}, {"container", c.Container}, {"name", c.Name}, {"image", c.Image}, {"id", c.ID},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s %q", part.what, part.value)
		}
	}
	return b.String()
}

// who describes the user of a process, on both sides of a user namespace.
func who(p *ps.Process) string {
	text := "uid " + strings.Trim(fmt.Sprint(p.UIDs), "[]")
	if fmt.Sprint(p.UIDs) != fmt.Sprint(p.InnerUIDs) {
		text += " (inside " + strings.Trim(fmt.Sprint(p.InnerUIDs), "[]") + ")"
	}
	switch {
	case p.HostRoot:
		text += ", ROOT"
	case p.InnerRoot:
		text += ", root inside only"
	}
	return text
}
