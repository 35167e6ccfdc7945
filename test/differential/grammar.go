// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// grammar makes command lines of the flags that the runtimes define, all versions' together.
type grammar struct {
	flags map[string][]option // by verb; "" are the global ones
	verbs []string
}

// own are the flags of nonroot-runc, which go in front of the verb.
var own = []option{{"", "nonroot-config", "", "text"}, {"", "nonroot-runtime", "", "text"}}

func newGrammar(oracles []*oracle) *grammar {
	g := &grammar{flags: map[string][]option{}}
	add := func(f option) {
		if !slices.ContainsFunc(g.flags[f.verb], func(h option) bool { return h.name == f.name }) {
			g.flags[f.verb] = append(g.flags[f.verb], f)
		}
		if f.verb != "" && !slices.Contains(g.verbs, f.verb) {
			g.verbs = append(g.verbs, f.verb)
		}
	}
	for _, o := range oracles {
		for _, f := range o.flags {
			add(f)
		}
	}
	for _, f := range own {
		add(f)
	}
	for _, v := range []string{"start", "state", "pause", "resume", "features", "help", "h", "init", "mounts"} {
		if !slices.Contains(g.verbs, v) {
			g.verbs = append(g.verbs, v)
		}
	}
	slices.Sort(g.verbs)
	return g
}

// governed are the verbs that a start of a process needs; most lines are about them.
var governed = []string{"create", "run", "restore", "exec", "start"}

// Words that look like something else, for values, ids and stray arguments.
var (
	words = []string{
		"/b", "/b", "/evil", "b", ".", "..", "", "-", "--", "---", "-b", "--bundle", "--bundle=/evil", "-b=/evil", "-p", "--process=/evil",
		"-u", "--root=/evil", "--root", "--help", "-h", "--version", "-v", "--no-pivot", "-d", "--detach", "-1", "=", "=x", "a=b", "a,b", ",",
		"create", "run", "exec", "start", "kill", "help", "h", "init", "c", "c2", "true", "false", "0", "1", "ü", "\xff", " ", "x y", "\n", "\t",
		"/a/very/long/" + strings.Repeat("path/", 60), "config.json", "--config=/evil", "-?", "--usage", "-V", "%s", "$HOME", "*", "--=x", "-=x",
	}
	ids = []string{
		"c", "c", "c", "c", "c", "c2", "a.b", "_", "+", "create", "exec", "run", "help", "h", "init", "0", "true", "false", "c-1", "-", "--", "-c",
		"--bundle", "..", ".", "a/b", "", "ü", "c=1", "c,d", " c", "c\n", "../c", strings.Repeat("x", 300),
	}
	paths    = []string{"/b", "/b2", "b", "./b", "/run/x y/b", "/b=c", "/b,c", "ü", "/proc/self/fd/9", "../b"}
	numbers  = []string{"0", "1", "3", "00", "010", "0x10", "1e3", "-1", "+1", "1048576", "1048577", "4294967296", "99999999999999999999", "", " 1", "1_0", "0b1", "0o7"}
	booleans = []string{"true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False", "yes", "no", "", "on", "2", " true"}
	byName   = map[string][]string{
		"preserve-fds": numbers, "user": {"0", "1", "0:0", "1:1", "1000:1000", "", "+0", "-1", "4294967296", "root", "00", "0x0", " 0", "1:", ":1", "0:0:0", "1,2"},
		"additional-gids": {"0", "1", "1000", "1,2", "0,0", "-1", "4294967295", "4294967296", "0x0", "00", " 0", "", "1_0"},
		"cap":             {"CAP_SYS_ADMIN", "CAP_A,CAP_B", "", "ALL", "cap_chown"}, "env": {"A=B", "A=1,2", "", "=", "-x", "A"},
		"log-format": {"text", "json", "", "xml"}, "rootless": {"true", "false", "auto", "", "x"}, "cgroup-manager": {"systemd", "cgroupfs", "disabled", "x"},
		"cgroup":              {"/b", "memory:b", "../b", "..", "a/../../b", "memory:/..", ""},
		"manage-cgroups-mode": {"soft", "full", "strict", "ignore", "x"}, "empty-ns": {"network", "ipc", "a,b"}, "interval": {"5s", "1m", "x"},
	}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// chance is true in n of 100 cases.
func chance(r *rand.Rand, n int) bool { return r.IntN(100) < n }

// line makes a command line. wild, in percent, is how much of it is out of the way.
func (g *grammar) line(r *rand.Rand) []string {
	wild := pick(r, []int{0, 0, 2, 2, 5, 15, 50})
	var line []string
	for range r.IntN(3) {
		line = append(line, g.flag(r, "", wild)...)
	}
	if chance(r, wild) {
		line = append(line, "--")
	}
	verb := pick(r, governed)
	if chance(r, 25) {
		verb = pick(r, g.verbs)
	}
	if chance(r, wild/4) {
		verb = pick(r, words)
	}
	line = append(line, verb)

	// What follows is put together of groups, which then change places.
	var groups [][]string
	n := r.IntN(4)
	for range n {
		where := verb
		if chance(r, wild/3) {
			where = pick(r, append(g.verbs, ""))
		}
		groups = append(groups, g.flag(r, where, wild))
	}
	if chance(r, 4) || chance(r, wild/2) {
		groups = append(groups, []string{"--"})
	}
	id := []string{pick(r, ids[:10])}
	if chance(r, wild) {
		id = []string{pick(r, ids)}
	}
	if chance(r, 97) {
		groups = append(groups, id)
	}
	if verb == "exec" && chance(r, 80) {
		command := []string{pick(r, []string{"sh", "id", "/bin/x"})}
		for range r.IntN(3) {
			command = append(command, pick(r, words))
		}
		if chance(r, wild) {
			command[0] = pick(r, words)
		}
		groups = append(groups, command)
	}
	if chance(r, wild/2) {
		groups = append(groups, []string{pick(r, words)})
	}
	if chance(r, 30) {
		r.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	}
	line = append(line, slices.Concat(groups...)...)
	if chance(r, wild/4) && len(line) > 0 {
		// A word is lost, doubled, or another one.
		switch i := r.IntN(len(line)); r.IntN(3) {
		case 0:
			line = slices.Delete(line, i, i+1)
		case 1:
			line = slices.Insert(line, i, line[i])
		default:
			line[i] = pick(r, words)
		}
	}
	return line
}

// flag makes the words of one flag of a verb, in any spelling.
func (g *grammar) flag(r *rand.Rand, verb string, wild int) []string {
	of := g.flags[verb]
	if len(of) == 0 {
		return []string{pick(r, words)}
	}
	f := pick(r, of)
	if chance(r, 25) { // those that matter most
		for _, n := range []string{"bundle", "process", "root", "user"} {
			if i := slices.IndexFunc(of, func(f option) bool { return f.name == n }); i >= 0 {
				f = of[i]
			}
		}
	}
	name, dashes := f.name, "--"
	if f.short != "" && chance(r, 40) {
		name, dashes = f.short, "-"
	}
	if chance(r, 10) {
		dashes = pick(r, []string{"-", "--"})
	}
	if chance(r, wild/3) {
		dashes = pick(r, []string{"---", "", "-", "- "})
	}
	if chance(r, wild/3) && len(name) > 2 {
		name = name[:1+r.IntN(len(name)-1)] // argp takes what is unambiguous
	}
	if chance(r, wild/5) {
		name = pick(r, []string{strings.ToUpper(name), name + "x", "no-" + name, strings.ReplaceAll(name, "-", "_"), name + " "})
	}
	if f.kind != "text" {
		return boolFlag(r, of, dashes+name, wild)
	}
	value := g.value(r, f, wild)
	switch {
	case chance(r, wild/4):
		return []string{dashes + name} // nothing follows, or something else
	case chance(r, wild/4):
		return []string{dashes + name + value} // -bDIR
	case chance(r, 50):
		return []string{dashes + name + "=" + value}
	default:
		return []string{dashes + name, value}
	}
}

func boolFlag(r *rand.Rand, of []option, word string, wild int) []string {
	switch {
	case chance(r, wild/4): // several short ones in one word
		for range 1 + r.IntN(2) {
			word += pick(r, of).short
		}
		return []string{word}
	case chance(r, wild/4):
		return []string{word, pick(r, booleans)}
	case chance(r, 20):
		return []string{word + "=" + pick(r, booleans[:12])}
	case chance(r, wild):
		return []string{word + "=" + pick(r, booleans)}
	}
	return []string{word}
}

func (g *grammar) value(r *rand.Rand, f option, wild int) string {
	if chance(r, wild) {
		return pick(r, words)
	}
	from := paths
	if v, ok := byName[f.name]; ok {
		from = v
		if wild == 0 {
			from = v[:2]
		}
	}
	return pick(r, from)
}

// plain makes a line as engines write them: each flag spelled out and once, in front of the id. It must be taken.
func (g *grammar) plain(r *rand.Rand) []string {
	verb := pick(r, governed)
	line := g.plainFlags(r, "")
	line = append(line, verb)
	flags := g.plainFlags(r, verb)
	line = append(line, flags...)
	line = append(line, pick(r, ids[:18]))
	if verb == "exec" && !slices.ContainsFunc(flags, namesProcess) {
		line = append(line, "sh", "-c", "id")
	}
	return line
}

func namesProcess(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return name == "--process" || name == "-p"
}

// refusedFlags are refused on purpose, whatever their spelling (internal/runcargs/table.go).
var refusedFlags = []string{"config", "network-lock", "cgroup-manager", "rootless", "version"}

func (g *grammar) plainFlags(r *rand.Rand, verb string) []string {
	var line []string
	seen := map[string]bool{}
	for range r.IntN(4) {
		if len(g.flags[verb]) == 0 {
			return nil
		}
		f := pick(r, g.flags[verb])
		if slices.Contains(refusedFlags, f.name) || seen[f.name] {
			continue
		}
		seen[f.name] = true
		from := paths
		if v, ok := byName[f.name]; ok {
			from = v[:2]
		}
		switch value := pick(r, from); {
		case f.kind != "text" && f.short != "" && chance(r, 30):
			line = append(line, "-"+f.short)
		case f.kind != "text":
			line = append(line, "--"+f.name)
		case f.short != "" && chance(r, 30):
			line = append(line, "-"+f.short, value)
		case chance(r, 50):
			line = append(line, "--"+f.name+"="+value)
		default:
			line = append(line, "--"+f.name, value)
		}
	}
	return line
}
