// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
