// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nonroot-ctl": main})
}

// TestConfigure runs the behaviours in testdata/configure, one file each, without any engine's program in PATH: what real
// ones make of it is in test/bats. A wrapper that can be registered is $WORK/bin/nonroot-runc. Their own commands:
//
//	tree DIR NAME...        below the directory are exactly these files and directories
//	replace FILE OLD NEW    edits a file
//	mode FILE MODE          the file has this mode
func TestConfigure(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/configure",
		Setup: func(e *testscript.Env) error {
			commands, _, _ := strings.Cut(e.Getenv("PATH"), string(os.PathListSeparator))
			e.Setenv("PATH", commands)
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
			if err := os.Mkdir(filepath.Join(e.WorkDir, "bin"), 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(e.WorkDir, "bin/nonroot-runc"), []byte("#!/bin/sh\n"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"tree": tree, "replace": replace, "mode": mode},
	})
}

func tree(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	var got []string
	ts.Check(filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && name != dir {
			rel, _ := filepath.Rel(dir, name)
			got = append(got, rel)
		}
		return err
	}))
	want := slices.Clone(args[1:])
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(got, want) == neg {
		ts.Fatalf("below %s are %s", args[0], fmt.Sprintf("%q", got))
	}
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	old := ts.ReadFile(args[0])
	if neg || !strings.Contains(old, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(old, args[1], args[2])), 0o644))
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	st, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", st.Mode()); (got == args[1]) == neg {
		ts.Fatalf("%s has the mode %s", args[0], got)
	}
}

// TestConfigureEngines: each engine with a known configuration format can be configured, and the error for a missing engine lists it.
func TestConfigureEngines(t *testing.T) {
	command := configureCommand()
	for _, e := range engines.All {
		known := e.Config.Format != 0
		has := slices.ContainsFunc(command.Subcommands, func(c *cli.Command) bool { return c.Name == e.Config.Command })
		if known != has {
			t.Errorf("%s: its format is known: %t, and configure knows it: %t", e.Name, known, has)
		}
		if said := command.Action(cli.NewContext(cli.NewApp(), flag.NewFlagSet("", flag.PanicOnError), nil)).Error(); known && !strings.Contains(said, e.Config.Command) {
			t.Errorf("configure without an engine says %q, without %q", said, e.Config.Command)
		}
	}
}
