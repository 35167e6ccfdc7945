// SPDX-License-Identifier: Apache-2.0

// Command nonroot-ctl is for people: it registers nonroot-runc with engines, checks that nothing gets around it, and
// explains what became of a container. The runtime itself has no verbs of its own and stays small; what needs heavier
// libraries is here.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

func main() {
	if err := app().Run(os.Args); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "nonroot-ctl: %s\n", shown(strings.TrimSuffix(line, "\n")))
		}
		os.Exit(1)
	}
}

// app has one file for each verb.
func app() *cli.App {
	return &cli.App{
		Name:     "nonroot-ctl",
		Usage:    "register nonroot-runc with engines, check it, explain and report what it did",
		Commands: []*cli.Command{configureCommand(), doctorCommand(), explainCommand(), learnCommand(), policyCommand(), reportCommand(), insideCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("there is no command %q: nonroot-ctl help lists those there are", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		ExitErrHandler: func(*cli.Context, error) {}, // main alone ends the program
	}
}
