// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// versionCommand says which builds are installed.
func versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "print the versions of nonroot-ctl and nonroot-runc",
		UsageText: "nonroot-ctl version [options]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "binary", Usage: "inspect the nonroot-runc at `PATH`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runVersion,
	}
}

// versions is the JSON of version, documented in nonroot-ctl(8).
type versions struct {
	version.Info
	Runtime *doctor.Program `json:"runtime,omitempty"` // nonroot-runc; nil: none
}

// runVersion reads the runtime's file instead of running it: its --version is runc's.
func runVersion(c *cli.Context) error {
	v := versions{Info: version.Get()}
	if file := doctor.FindRuntime(c.String("binary")); file != "" {
		found, err := doctor.ReadProgram(file)
		if err != nil {
			return err
		}
		v.Runtime = found
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, v)
	}
	p := &printer{}
	p.line("nonroot-ctl %s", build(v.Info))
	switch {
	case v.Runtime == nil:
		p.line("nonroot-runc is not installed")
	default:
		p.line("nonroot-runc %s, %q", build(v.Runtime.Info), v.Runtime.Path)
	}
	_, err := io.WriteString(c.App.Writer, p.String())
	return err
}

func build(i version.Info) string {
	text := shown(i.Version)
	if i.Commit != "" {
		text += ", commit " + shown(i.Commit)
	}
	return text + ", " + shown(i.Go)
}
