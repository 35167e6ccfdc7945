// SPDX-License-Identifier: Apache-2.0

// Command nonroot-ctl is for people: it registers nonroot-runc with engines, checks that nothing gets around it, and
// explains what became of a container. It exists so that the runtime needs no verbs of its own and stays small: what
// needs heavier libraries is here.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/learn"
)

func main() {
	a := app()
	if err := a.Run(arranged(a, os.Args)); err != nil {
		var status exitStatus
		if errors.As(err, &status) {
			os.Exit(int(status))
		}
		complain(os.Stderr, err)
		os.Exit(1)
	}
}

// exitStatus ends the program with that status, after everything was said. It is not a cli.ExitCoder: the failure of
// an engine's command line (*exec.ExitError) is one, and has to be reported.
type exitStatus int

// Error is for callers who treat it as a failure.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// app has one file for each verb.
func app() *cli.App {
	a := &cli.App{
		Name:  "nonroot-ctl",
		Usage: "register nonroot-runc with engines, check it, explain and report what it did",
		Commands: []*cli.Command{
			checkCommand(), configCommand(), configureCommand(), doctorCommand(), explainCommand(), learnCommand(), policyCommand(), psCommand(), reportCommand(), setupCommand(),
			versionCommand(), volumesCommand(), insideCommand(), selfTestCommand(), completeCommand(),
		},
		Flags: []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "print the version"}},
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				return runVersion(c)
			}
			if c.Args().Present() {
				return fmt.Errorf("unknown command %q\nhint: nonroot-ctl help lists the commands", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		OnUsageError:   misused,
		ExitErrHandler: func(*cli.Context, error) {}, // only main ends the program
	}
	everyCommand(a.Commands, func(c *cli.Command) {
		if c.OnUsageError == nil {
			c.OnUsageError = misused
		}
	})
	return a
}

func everyCommand(all []*cli.Command, do func(*cli.Command)) {
	for _, c := range all {
		do(c)
		everyCommand(c.Subcommands, do)
	}
}

// misused says what is wrong with an option, instead of printing the whole help.
func misused(c *cli.Context, err error, _ bool) error {
	name, path, known := c.App.Name, c.App.Name, c.App.Flags
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		path, known = c.Command.HelpName, c.Command.Flags
	}
	given, undefined := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !undefined {
		return fmt.Errorf("%w\nhint: see %s --help", err, path)
	}
	given = strings.TrimLeft(given, "-")
	if near := strings.TrimLeft(cli.SuggestFlag(known, given, true), "-"); near != "" {
		return fmt.Errorf("unknown option %q\nhint: did you mean %s? see %s --help", dashed(given), dashed(near), path)
	}
	return fmt.Errorf("unknown option %q\nhint: see %s --help", dashed(given), path)
}

// dashed is an option as it is written on a command line.
func dashed(name string) string { return strings.Repeat("-", min(len(name), 2)) + name }

// arranged moves all options before the arguments, as the library wants them: people write them anywhere. After "--"
// nothing is an option, nor after the engine that learn is to run.
func arranged(a *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	out, rest := args[:1:1], args[1:]
	verb, known, commands := "", a.Flags, a.Commands
	for len(rest) > 0 {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(rest[0]) })
		if i < 0 {
			break
		}
		verb = commands[i].Name
		out, rest, known, commands = append(out, rest[0]), rest[1:], commands[i].Flags, commands[i].Subcommands
	}
	if len(commands) > 0 { // a verb is missing: the library knows what to say
		return args
	}
	var operands []string
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			operands = append(operands, rest...)
			rest = nil
		case len(word) < 2 || word[0] != '-':
			operands = append(operands, word)
			if verb == "learn" && len(operands) == 1 && learn.IsEngine(word) {
				operands, rest = append(operands, rest...), nil
			}
		default:
			out = append(out, word)
			if takesValue(known, word) && len(rest) > 0 {
				out, rest = append(out, rest[0]), rest[1:]
			}
		}
	}
	if len(operands) > 0 {
		out = append(append(out, "--"), operands...)
	}
	return out
}

// takesValue reports whether the word is an option, and the next word its value.
func takesValue(known []cli.Flag, word string) bool {
	name := strings.TrimLeft(word, "-")
	for _, f := range known {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		takes, ok := f.(cli.DocGenerationFlag)
		return ok && takes.TakesValue()
	}
	return false
}
