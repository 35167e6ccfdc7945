// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v3"
)

func quiet() {
	cli.ErrWriter = io.Discard
	cli.OsExiter = func(int) { panic(exited{}) }
	cli.HelpPrinter = func(io.Writer, string, any) {}
	cli.HelpPrinterCustom = func(io.Writer, string, any, map[string]any) {}
	cli.VersionPrinter = func(*cli.Command) {}
}

func split(f cli.Flag) (long, short string) {
	for _, n := range f.Names() {
		if len(n) == 1 {
			short = n
		} else {
			long = n
		}
	}
	return long, short
}

func list(verb string, flags []cli.Flag) {
	for _, f := range flags {
		long, short := split(f)
		kind := "text"
		if _, ok := f.(*cli.BoolFlag); ok {
			kind = "boolean"
		}
		fmt.Fprintf(listing, "%s\t%s\t%s\t%s\n", verb, long, short, kind)
	}
}

func reached(c *cli.Command) error {
	if listing != nil {
		list("", c.Root().Flags)
		for _, command := range c.Root().Commands {
			list(command.Name, command.Flags)
		}
		return nil
	}
	say("verb", c.Name)
	for _, a := range c.Args().Slice() {
		say("arg", a)
	}
	flags(c, "g.", c.Root().Flags)
	flags(c, "f.", c.Flags)
	return nil
}

func flags(c *cli.Command, prefix string, flags []cli.Flag) {
	for _, f := range flags {
		name, _ := split(f)
		if !c.IsSet(name) || name == "help" || name == "version" {
			continue
		}
		key := prefix + name
		switch f.(type) {
		case *cli.StringFlag:
			say(key, c.String(name))
		case *cli.BoolFlag:
			if c.Bool(name) {
				say(key, "1")
			} else if name == "no-new-privs" {
				say(key, "0") // exec.go asks whether it is set
			}
		case *cli.IntFlag:
			if n := c.Int(name); n != 0 {
				say(key, strconv.Itoa(n))
			}
		case *cli.DurationFlag:
			say(key, c.Duration(name).String())
		case *cli.StringSliceFlag:
			for _, v := range c.StringSlice(name) {
				say(key, v)
			}
		case *cli.Int64SliceFlag:
			for _, v := range c.Int64Slice(name) {
				say(key, strconv.FormatInt(v, 10))
			}
		default:
			panic(fmt.Sprintf("--%s has a kind of its own: %T", name, f))
		}
	}
}
