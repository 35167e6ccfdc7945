// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// question is a command line that the wrapper would hand on, with what it must be read as.
type question struct {
	line    []string
	compare func(*reading) string // what differs, or ""
	kind    string                // for the figures
}

// questions are what the wrapper would hand on after it has read c in the line that came.
func (o *oracle) questions(c *runcargs.Command, came []string) []question {
	if c.Kind == runcargs.Passthrough {
		return []question{{c.Argv(), o.passes(c), "handed on as it came"}}
	}
	var all []question
	if c.Exec != nil {
		// The process that the flags describe, where a policy exempts it.
		all = append(all, question{c.Asked(), o.governs(c, c.Exec, false), "an exempt exec"})
	}
	d := *c
	if c.Exec != nil {
		d.Process, d.Exec = "/proc/self/fd/9", nil // as cmd/nonroot-runc does (sealed)
	}
	all = append(all, question{d.Argv(), o.governs(&d, nil, true), "governed"})
	if !o.crun && !slices.ContainsFunc(came, func(w string) bool { return strings.Contains(w, "nonroot-") }) {
		// What came was meant as it was understood. crun reads some spellings of urfave's in another way; it doesn't get them.
		all = append(all, question{came, o.governs(c, c.Exec, false), "governed, as it came"})
	}
	return all
}

// passes wants a line that nobody governs not to start a process, and to be about the container that was told. That crun takes
// --rootless for --root is as it would be without the wrapper.
func (o *oracle) passes(c *runcargs.Command) func(*reading) string {
	return func(r *reading) string {
		switch {
		case !r.acts:
			return ""
		case slices.Contains(governed, r.verb) || r.verb == "init":
			return "it starts a process"
		case r.verb != c.Verb:
			return "it is another command"
		case len(r.args) > 0 && strings.HasPrefix(r.args[0], "-"):
			return "" // runc 1.3 and 1.5 take a flag that they don't know for kill's id; there is no such container
		case c.ID != "" && (len(r.args) == 0 || r.args[0] != c.ID):
			return "it is another container"
		case slices.ContainsFunc(r.args, func(w string) bool { return strings.HasPrefix(w, "--root") }):
			return "" // behind the id, only runc 1.6 takes it for the root; to the others it is a word too many
		case c.ID == "":
			return "" // of no container, no state is looked for, below whatever root
		case c.RootSet && r.get("g.root") != c.Root && !(o.crun && slices.ContainsFunc(c.Argv(), isRootless)):
			return "it is another root"
		}
		return ""
	}
}

// isRootless tells whether argp may read a word as --rootless, or as --root in short.
func isRootless(word string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	return strings.HasPrefix(word, "--ro") && strings.HasPrefix("rootless", name) && name != "root"
}

// governs wants a governed command, or start, to be read as it was understood. exec are the flags that describe a process;
// without them, no such flag may be there. ours: the line is ours, with what the wrapper leaves out left out.
func (o *oracle) governs(c *runcargs.Command, exec *runcargs.ExecFlags, ours bool) func(*reading) string {
	return func(r *reading) string {
		if !r.acts {
			return ""
		}
		args := []string{c.ID}
		if exec != nil {
			args = append(args, exec.Args...)
		}
		if !ours && c.Process != "" {
			args = r.args[:min(1, len(r.args))] // beside --process, the command is ignored
			if len(args) == 0 || args[0] != c.ID {
				args = []string{c.ID}
			}
			r.args = r.args[:len(args)]
		}
		if r.verb != c.Verb || !slices.Equal(r.args, args) {
			return fmt.Sprintf("want %s %q", c.Verb, args)
		}
		want := map[string]string{
			"g.root": c.Root, "g.log": c.Log, "g.log-format": c.LogFormat, "g.debug": one(c.Debug),
			"f.process": c.Process, "f.pid-file": c.PidFile, "f.console-socket": c.ConsoleSocket,
			"f.detach": one(c.Detach), "f.bundle": c.Bundle, "f.preserve-fds": "",
		}
		if c.PreserveFDs != 0 {
			want["f.preserve-fds"] = strconv.Itoa(c.PreserveFDs)
		}
		if c.SystemdCgroup {
			want["g.systemd-cgroup"] = "1"
		}
		if ours {
			want["f.config"], want["f.no-new-keyring"] = "", ""
		}
		for key, value := range want {
			got := r.get(key)
			if key == "f.bundle" && got == "" && value == "." {
				got = "." // setupSpec stays where it is
			}
			if got != value {
				return fmt.Sprintf("%s is %q, want %q", key, got, value)
			}
		}
		if !ours && exec == nil {
			return ""
		}
		return o.describes(r, exec)
	}
}

func one(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// describes compares exec's process.
func (o *oracle) describes(r *reading, exec *runcargs.ExecFlags) string {
	if exec == nil {
		exec = &runcargs.ExecFlags{}
	}
	var gids []string
	for _, g := range exec.AdditionalGids {
		gids = append(gids, strconv.FormatUint(uint64(g), 10))
	}
	lists := map[string][]string{"f.cap": exec.Caps, "f.env": exec.Env, "f.additional-gids": gids}
	for key, want := range lists {
		// Of several, some versions of urfave/cli leave out an empty one.
		got, want := filled(r.values[key]), filled(want)
		if key == "f.additional-gids" {
			// urfave/cli 1.22.16 has each twice, as the flag has two names: the same groups all the same.
			got, want = slices.Compact(slices.Sorted(slices.Values(got))), slices.Compact(slices.Sorted(slices.Values(want)))
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("%s is %q, want %q", key, r.values[key], want)
		}
	}
	privs := ""
	if exec.NoNewPrivs != nil {
		privs = "0"
		if *exec.NoNewPrivs {
			privs = "1"
		}
	}
	user := exec.User
	if o.crun && user != "" {
		// crun has read it; the wrapper's reading goes into a document of its own. What it doesn't read, it refuses.
		uid, gid, err := runcargs.ParseUser(user)
		if err != nil {
			user = r.get("f.user")
		} else {
			user = fmt.Sprintf("%d:%d", uid, value(gid))
		}
	}
	for key, want := range map[string]string{
		"f.user": user, "f.cwd": exec.Cwd, "f.tty": one(exec.Tty), "f.apparmor": exec.Apparmor, "f.process-label": exec.ProcessLabel, "f.no-new-privs": privs,
	} {
		if got := r.get(key); got != want {
			return fmt.Sprintf("%s is %q, want %q", key, got, want)
		}
	}
	return ""
}

func filled(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

func value(id *uint32) uint32 {
	if id == nil {
		return 0
	}
	return *id
}
