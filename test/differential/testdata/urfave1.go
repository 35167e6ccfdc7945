// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli"
)

func quiet() {
	cli.ErrWriter = io.Discard
	cli.OsExiter = func(int) { panic(exited{}) }
	cli.HelpPrinter = func(io.Writer, string, interface{}) {}
	cli.VersionPrinter = func(*cli.Context) {}
}

func split(name string) (long, short string) {
	for _, n := range strings.Split(name, ",") {
		if n = strings.TrimSpace(n); len(n) == 1 {
			short = n
		} else {
			long = n
		}
	}
	return long, short
}

func list(verb string, flags []cli.Flag) {
	for _, f := range flags {
		long, short := split(f.GetName())
		kind := "text"
		if _, ok := f.(cli.BoolFlag); ok {
			kind = "boolean"
		}
		fmt.Fprintf(listing, "%s\t%s\t%s\t%s\n", verb, long, short, kind)
	}
}

func reached(c *cli.Context) error {
	if listing != nil {
		list("", c.App.Flags)
		for _, command := range c.App.Commands {
			list(command.Name, command.Flags)
		}
		return nil
	}
	say("verb", c.Command.Name)
	for _, a := range c.Args() {
		say("arg", a)
	}
	for _, f := range c.App.Flags {
		name, _ := split(f.GetName())
		if !c.GlobalIsSet(name) {
			continue
		}
		switch f.(type) {
		case cli.StringFlag:
			say("g."+name, c.GlobalString(name))
		case cli.BoolFlag:
			if c.GlobalBool(name) {
				say("g."+name, "1")
			}
		default:
			panic(fmt.Sprintf("--%s has a kind of its own", name))
		}
	}
	for _, f := range c.Command.Flags {
		name, _ := split(f.GetName())
		key := "f." + name
		switch f.(type) {
		case cli.StringSliceFlag:
			for _, v := range c.StringSlice(name) {
				say(key, v)
			}
			continue
		case cli.Int64SliceFlag:
			for _, v := range c.Int64Slice(name) {
				say(key, strconv.FormatInt(v, 10))
			}
			continue
		}
		if !c.IsSet(name) { // which lists that were given by their short name are not
			continue
		}
		switch f.(type) {
		case cli.StringFlag:
			say(key, c.String(name))
		case cli.BoolFlag:
			if c.Bool(name) {
				say(key, "1")
			} else if name == "no-new-privs" {
				say(key, "0") // exec.go asks whether it is set
			}
		case cli.IntFlag:
			if n := c.Int(name); n != 0 {
				say(key, strconv.Itoa(n))
			}
		case cli.DurationFlag:
			say(key, c.Duration(name).String())
		default:
			panic(fmt.Sprintf("--%s has a kind of its own", name))
		}
	}
	return nil
}
