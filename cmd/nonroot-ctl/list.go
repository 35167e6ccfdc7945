// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
)

// needed is the exit status of configure list --exit-code if something needs nonroot-runc.
const needed = 2

// listCommand lists what needs nonroot-runc's program. A package's removal script asks it first.
func listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the registrations, and the containers that run under nonroot-runc", HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with 2 if there are any"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: listRegistrations,
	}
}

// needs is the JSON of configure list.
type needs struct {
	Registrations []doctor.Registration `json:"registrations"`
	Containers    []dependent           `json:"containers"`
}

// dependent is a container that runs with nonroot-runc.
type dependent struct {
	Engine string `json:"engine"` // "": unknown
	ID     string `json:"id"`
	Name   string `json:"name"` // the name that people use
}

func listRegistrations(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("configure list takes no arguments, but %q is one", c.Args().First())
	}
	d, err := findDockerd()
	if err != nil {
		return err
	}
	file, err := d.configFile()
	if err != nil {
		return err
	}
	u := needs{Containers: []dependent{}}
	if u.Registrations, err = doctor.Registrations(context.Background(), file); err != nil {
		return err
	}
	running, err := ps.List(ps.Options{All: true})
	if err != nil {
		return err
	}
	for _, found := range running.Containers {
		if found.Governed {
			u.Containers = append(u.Containers, dependent{found.Engine, found.ID, found.Called()})
		}
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, u)
	} else {
		err = u.print(c.App.Writer)
	}
	if err == nil && c.Bool("exit-code") && len(u.Registrations)+len(u.Containers) > 0 {
		return exitStatus(needed)
	}
	return err
}

// print says how to remove each.
func (u *needs) print(to io.Writer) error {
	var b strings.Builder
	for _, r := range u.Registrations {
		what := ""
		if r.Default {
			what = ", the default"
		}
		undo := "nonroot-ctl configure " + r.Engine + " --uninstall"
		switch {
		case r.Engine == guarding:
			what = ", the guard"
		case r.Name != defaultName:
			undo += " --runtime-name " + r.Name
		}
		fmt.Fprintf(&b, "%s: %q (%q)%s\n  hint: %s\n", r.Engine, r.Name, r.Program, what, shown(undo))
	}
	for _, one := range u.Containers {
		engine := one.Engine
		if engine == "" {
			engine = "engine not known"
		}
		fmt.Fprintf(&b, "container %q (%s) runs with nonroot-runc\n  hint: stop it, and remove it\n", one.Name, shown(engine))
	}
	if b.Len() == 0 {
		b.WriteString("no engine's configuration leads to nonroot-runc, and no container runs with it\n")
	}
	_, err := io.WriteString(to, wrapped(to, b.String()))
	return err
}
