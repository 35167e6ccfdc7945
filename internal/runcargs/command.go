// SPDX-License-Identifier: Apache-2.0

// Package runcargs reads and writes the command lines of OCI runtimes: argv -> Command -> argv. Nothing else looks at
// argv. What a command means for a container belongs to internal/policy, where the runtime is to internal/runc.
//
// One table (table.go) has the flags of runc 1.1 to 1.6 and of crun 1.8 and later. The runtimes' own parsers differ
// from each other and between versions: urfave/cli v1 (runc until 1.5), urfave/cli v3 (runc 1.6), glibc's argp
// (crun). What they read differently is refused or normalized here, and a governed verb is re-emitted from what was
// understood, in a spelling that all of them read in the same way. So the runtime can't see another bundle, id or
// root than the policy did.
//
// Spellings that are understood: --name=value, --name value, the same with one dash and with the short name; --flag,
// --flag=true, --flag=false (the words of strconv.ParseBool); flags of create, run, restore and start after the id;
// "--" as the end of flags. That is urfave's grammar. What only argp understands (-bDIR, -dt, --bund) is refused.
package runcargs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind says what has to happen before the runtime may see a command line.
type Kind int

const (
	// Govern starts a process: create, run, restore, exec. It is the zero value, so that a Command that was never
	// filled in is not let through.
	Govern Kind = iota
	// Gate lets a process start that create has made: start.
	Gate
	// Passthrough starts nothing: kill, delete, state, --version, ... and --help of any verb.
	Passthrough
)

// The verbs that are governed or pass the gate.
const (
	VerbCreate  = "create"
	VerbRun     = "run"
	VerbRestore = "restore"
	VerbExec    = "exec"
	VerbStart   = "start"
)

// Command is one command line, parsed. Parse makes it; the caller may replace
// Bundle and Process by the paths that it has checked, and emits it with Argv.
type Command struct {
	Kind Kind
	// Verb is the runtime's sub-command; empty where there is none
	// (--version, --help, nothing at all).
	Verb string

	// NonrootConfig and NonrootRuntime are --nonroot-config and --nonroot-runtime; empty if not set (an empty value
	// is an error).
	NonrootConfig  string
	NonrootRuntime string

	// Root is the runtime's --root as it was written (maybe relative); RootSet says that it was set. A Root that is
	// set is not empty, except for a Passthrough.
	Root    string
	RootSet bool
	// Log is --log, empty for stderr. crun also accepts file:PATH, journald:ID and syslog:ID there
	// (src/libcrun/error.c), so it's not always a path.
	Log string
	// LogFormat is --log-format as it was written: "text", "json", or empty for text.
	LogFormat     string
	Debug         bool
	SystemdCgroup bool

	// ID is the container's id: [A-Za-z0-9_+.-]+, not beginning with "-", neither "." nor "..". Never empty for
	// Govern and Gate. For a Passthrough it is empty if it can't be told.
	ID string

	// Bundle is --bundle of create, run and restore; "." where it is missing or
	// empty, as runc reads it (utils.go, setupSpec). Empty for other verbs.
	Bundle string
	// PidFile and ConsoleSocket are as they were written, empty if not set.
	PidFile       string
	ConsoleSocket string
	Detach        bool
	// PreserveFDs is the number of descriptors from 3 on (and after LISTEN_FDS)
	// that the container gets, 0 to MaxPreserveFDs.
	PreserveFDs int

	// Process is the path of exec's process document, from --process. Both
	// runtimes then read nothing else: they ignore the command and the flags of
	// ExecFlags (runc exec.go, getProcess; crun src/exec.c), and so does Parse.
	Process string
	// Exec is the process that exec's flags and command describe. After Parse,
	// exec has either Process or Exec. Argv never emits anything of it: the caller
	// writes a document and sets Process.
	Exec *ExecFlags

	globals  []setting // global plumbing without a field of its own
	plumbing []setting // the verb's plumbing without a field of its own
	raw      []string  // Passthrough: the words that are passed on
}

// ExecFlags is what exec's flags and command ask of a process, uninterpreted. Empty strings and nil mean that a flag
// was not set: then the container's own process decides (runc exec.go, getProcess).
type ExecFlags struct {
	// Args is the command, at least one word.
	Args []string
	// User is --user; ParseUser reads it.
	User string
	// AdditionalGids are --additional-gids, which the runtime appends to the process's own.
	AdditionalGids []uint32
	// Caps are --cap, capabilities to be added.
	Caps []string
	// Env are --env, KEY=VALUE, which the runtime appends to the process's own.
	Env []string
	Cwd string
	// Tty is --tty. If it is not set that means false, whatever the container's process has.
	Tty bool
	// NoNewPrivs is --no-new-privs; nil: not set.
	NoNewPrivs   *bool
	Apparmor     string
	ProcessLabel string
}

// MaxPreserveFDs bounds --preserve-fds: the kernel's default limit of open files (fs.nr_open). So checking each
// descriptor comes to an end.
const MaxPreserveFDs = 1 << 20

// setting is one flag with its value; for a boolean, the value is "true".
type setting struct {
	opt   *option
	value string
}

// append adds the flag in the one spelling that all parsers read in the same way: --name=value, and a bare --name for
// a boolean, as argp accepts no "=" there.
func (s setting) append(argv []string) []string {
	if s.opt.kind == boolean {
		return append(argv, "--"+s.opt.name)
	}
	return append(argv, "--"+s.opt.name+"="+s.value)
}

// Argv returns the runtime's command line, without argv[0]. For a Passthrough it is the original one without our own
// options. Otherwise it is made from the fields, flags first, with the id as the last word; without --no-new-keyring,
// and for exec without the command and without any flag of ExecFlags. For an exec whose Process is empty it is a line
// that every runtime refuses.
func (c *Command) Argv() []string {
	if c.Kind == Passthrough {
		return c.raw
	}
	argv := c.appendGlobals(make([]string, 0, 14+len(c.globals)+len(c.plumbing)))
	argv = append(argv, c.Verb)
	if c.Kind == Govern {
		argv = c.appendPlumbing(argv)
	}
	return append(argv, c.ID)
}

// Asked returns a command line with everything that was asked for, for an exec that the policy exempts: Argv would
// leave its flags out. It is made from the fields, too: the other kind of runtime could read the original line as one
// for another container ("exec -process f c sh" is process file f of c to runc, and "rocess" of f to crun).
func (c *Command) Asked() []string {
	if c.Kind == Passthrough || c.Exec == nil {
		return c.Argv()
	}
	argv := c.appendPlumbing(append(c.appendGlobals(nil), c.Verb))
	return append(append(c.Exec.append(argv), c.ID), c.Exec.Args...)
}

// ReplaceResources replaces the file that crun's update reads, by --resources, by another one. What crun could take
// for that flag in a spelling of its own is refused (glibc, argp: abbreviations).
func (c *Command) ReplaceResources(other func(file string) (string, error)) (err error) {
	for i := 0; i < len(c.raw) && err == nil; i++ {
		switch word := c.raw[i]; {
		case word == "-r" || word == "--resources":
			if i++; i < len(c.raw) {
				c.raw[i], err = other(c.raw[i])
			}
		case strings.HasPrefix(word, "--resources="):
			var file string
			if file, err = other(strings.TrimPrefix(word, "--resources=")); err == nil {
				c.raw[i] = "--resources=" + file
			}
		case strings.HasPrefix(word, "-r") || strings.HasPrefix(word, "--r") && !isGlobalRoot(word):
			return fmt.Errorf("flag %s means different things to different runtimes\nhint: write --resources=FILE", quote(word))
		}
	}
	return err
}

// isGlobalRoot reports whether the flag stands before the command's name.
func isGlobalRoot(word string) bool {
	return word == "--root" || strings.HasPrefix(word, "--root=") || word == "--rootless" || strings.HasPrefix(word, "--rootless=")
}

// NoCgroups reports whether crun is to create no cgroup for the container. Only in one does the kernel have a list of
// devices.
func (c *Command) NoCgroups() bool {
	return slices.ContainsFunc(c.globals, func(s setting) bool { return s.opt.name == "cgroup-manager" && s.value == "disabled" })
}

// append adds the flags that describe the process.
func (e *ExecFlags) append(argv []string) []string {
	argv = appendText(argv, "--user=", e.User)
	for _, g := range e.AdditionalGids {
		argv = append(argv, "--additional-gids="+strconv.FormatUint(uint64(g), 10))
	}
	for _, v := range e.Caps {
		argv = append(argv, "--cap="+v)
	}
	for _, v := range e.Env {
		argv = append(argv, "--env="+v)
	}
	argv = appendText(argv, "--cwd=", e.Cwd)
	argv = appendBool(argv, "--tty", e.Tty)
	if e.NoNewPrivs != nil {
		argv = appendBool(argv, "--no-new-privs", *e.NoNewPrivs)
		argv = appendBool(argv, "--no-new-privs=false", !*e.NoNewPrivs) // crun has no such spelling and refuses it
	}
	argv = appendText(argv, "--apparmor=", e.Apparmor)
	return appendText(argv, "--process-label=", e.ProcessLabel)
}

// appendGlobals adds what stands before the verb. --rootless comes before --root: crun 1.8 takes both for the root
// (src/crun.c, options), and the last one wins.
func (c *Command) appendGlobals(argv []string) []string {
	for _, s := range c.globals {
		if s.opt.name == "rootless" {
			argv = s.append(argv)
		}
	}
	argv = appendText(argv, "--root=", c.Root)
	argv = appendText(argv, "--log=", c.Log)
	argv = appendText(argv, "--log-format=", c.LogFormat)
	argv = appendBool(argv, "--debug", c.Debug)
	argv = appendBool(argv, "--systemd-cgroup", c.SystemdCgroup)
	for _, s := range c.globals {
		if s.opt.name != "rootless" {
			argv = s.append(argv)
		}
	}
	return argv
}

// appendPlumbing adds the flags of a governed verb.
func (c *Command) appendPlumbing(argv []string) []string {
	argv = appendText(argv, "--bundle=", c.Bundle)
	argv = appendText(argv, "--process=", c.Process)
	argv = appendText(argv, "--pid-file=", c.PidFile)
	argv = appendText(argv, "--console-socket=", c.ConsoleSocket)
	argv = appendBool(argv, "--detach", c.Detach)
	if c.PreserveFDs != 0 {
		argv = append(argv, "--preserve-fds="+strconv.Itoa(c.PreserveFDs))
	}
	for _, s := range c.plumbing {
		argv = s.append(argv)
	}
	return argv
}

func appendText(argv []string, flag, value string) []string {
	if value == "" {
		return argv
	}
	return append(argv, flag+value)
}

func appendBool(argv []string, flag string, value bool) []string {
	if !value {
		return argv
	}
	return append(argv, flag)
}
