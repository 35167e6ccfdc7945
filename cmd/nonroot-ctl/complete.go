// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeCommand serves shells (packaging/completion). It prints the candidates for the last word of an unfinished command line, each in a
// line with a tab and its description. If any text can be there, such as a file's name, it prints nothing.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: "complete", Hidden: true, HideHelp: true,
		Action: func(c *cli.Context) error {
			for _, one := range candidates(app(), c.Args().Slice()) {
				if _, err := fmt.Fprintln(c.App.Writer, one); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// candidates returns the candidates for the last of the words after the program's name.
func candidates(a *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	last, words := words[len(words)-1], words[:len(words)-1]
	known, commands, operands := a.Flags, a.Commands, 0
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "--":
			return nil
		case strings.HasPrefix(word, "-"):
			if takesValue(known, word) {
				i++
				if i == len(words) {
					return nil // the last word is the option's value
				}
			}
		default:
			at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
			if at < 0 {
				operands++
				continue
			}
			known, commands = commands[at].Flags, commands[at].Subcommands
		}
	}
	var all []string
	offer := func(name, usage string) {
		if strings.HasPrefix(name, last) {
			all = append(all, name+"\t"+strings.ReplaceAll(usage, "`", ""))
		}
	}
	if strings.HasPrefix(last, "-") {
		for _, f := range known {
			described, ok := f.(cli.DocGenerationFlag)
			if !ok {
				continue
			}
			for _, name := range f.Names() {
				offer(dashed(name), described.GetUsage())
			}
		}
		return all
	}
	if operands > 0 {
		return nil
	}
	for _, c := range commands {
		if !c.Hidden {
			offer(c.Name, c.Usage)
		}
	}
	return all
}
