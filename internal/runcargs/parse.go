// SPDX-License-Identifier: Apache-2.0

package runcargs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Messages are lower case, name what was found in quotes and what to do, and
// avoid the phrases that engines turn into exit codes (cmd/nonroot-runc/message.go).

// Parse reads a command line without argv[0].
//
// The Command is never nil. Where an error is returned it holds what could be read
// until then, above all Log and LogFormat, so that the error can be written to the
// engine's log; it must not be run.
//
// Global flags are read up to the verb. For a Passthrough, flags that nobody
// knows are the runtime's business, as long as it is sure which word is the
// verb: "--unknown=x kill" goes on, "--unknown create kill" does not.
func Parse(args []string) (*Command, error) {
	c := &Command{}
	s := &scanner{args: args, in: inGlobal}
	strict, err := c.parseGlobals(s)
	if err != nil {
		return c, err
	}
	if c.Kind == Passthrough || len(s.rest()) == 0 {
		// --version, --help or no verb at all: whatever follows has no effect in any runtime.
		c.Kind = Passthrough
		return c, nil
	}
	name := s.next()
	v := findVerb(name)
	if v == nil {
		return c, unknownVerb(name)
	}
	c.Verb, c.Kind = v.name, v.kind
	if v.in == inUpdate && strict != nil {
		// What it changes is looked at, so it must be sure which container that is.
		return c, fmt.Errorf("%s: %w", v.name, strict)
	}
	if v.kind == Passthrough {
		c.raw = append(append(c.raw, name), s.rest()...)
		c.guess(v, s)
		return c, nil
	}
	c.raw = nil
	if strict == nil {
		strict = c.parseVerb(v, s)
	}
	if strict != nil {
		return c, fmt.Errorf("%s: %w", v.name, strict)
	}
	return c, nil
}

func unknownVerb(name string) error {
	if name == "mounts" {
		return errors.New(`"mounts" is refused: it changes the mounts of a running container without the policy`)
	}
	return fmt.Errorf("unknown command %s\nhint: use one that runc or crun documents; one of a newer runtime needs a newer nonroot-runc", quote(name))
}

// scanner walks over the words of a command line.
type scanner struct {
	args []string
	pos  int
	in   scope     // where the current word stands
	seen []setting // the flags read so far that may stand only once
}

func (s *scanner) rest() []string { return s.args[s.pos:] }

func (s *scanner) next() string {
	s.pos++
	return s.args[s.pos-1]
}

// isFlag tells whether a word is a flag where flags are expected. A lone "-" is
// none for any of the parsers.
func isFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

// flagError is what is wrong with a flag.
type flagError struct {
	msg string
	// unsure: it's not known whether the flag takes the next word, so nothing
	// after it can be read.
	unsure bool
}

func (e *flagError) Error() string { return e.msg }

// isUnsure tells whether nothing after the flag can be read.
func isUnsure(err error) bool {
	var e *flagError
	return errors.As(err, &e) && e.unsure
}

// splitFlag divides a word as Go's package flag does (FlagSet.parseOne): one or two
// dashes, a name, and maybe "=" and a value. The name is empty where that
// package sees a syntax error.
func splitFlag(word string) (name, value string, hasValue bool) {
	name = strings.TrimPrefix(word[1:], "-")
	if name == "" || name[0] == '-' || name[0] == '=' {
		return "", "", false
	}
	return strings.Cut(name, "=")
}

// flag reads the flag at the current word, and its value. The setting has its
// option wherever the table has it, also beside an error.
func (s *scanner) flag() (setting, error) {
	word := s.next()
	name, value, hasValue := splitFlag(word)
	o := lookup(s.in, name)
	if o == nil {
		if o = s.abbreviated(word, name); o == nil {
			return setting{}, s.unknown(word, name, hasValue)
		}
		set, err := s.valued(o, word, value, hasValue)
		if err == nil {
			err = &flagError{"unknown flag " + quote("--"+name) + ": flags must be spelled out\nhint: write --" + o.name, false}
		}
		return set, err
	}
	return s.valued(o, word, value, hasValue)
}

// abbreviated finds the flag that crun takes an abbreviation for, nil if there is none, or several (getopt_long(3)): to runc it
// is an unknown flag. Where flags are checked it is an error beside the setting; elsewhere crun goes by it, and so must what is
// looked for in its place.
func (s *scanner) abbreviated(word, name string) *option {
	if name == "" || !strings.HasPrefix(word, "--") {
		return nil
	}
	var found *option
	for i := range options {
		if o := &options[i]; o.in&s.in != 0 && o.by&crun != 0 && strings.HasPrefix(o.name, name) {
			if found != nil && found.name == "root" && o.name == "rootless" {
				continue // to crun 1.8 they are one flag (src/crun.c, options)
			}
			if found != nil {
				return nil
			}
			found = o
		}
	}
	return found
}

// valued gives a flag its value: from its own word, or the next one.
func (s *scanner) valued(o *option, word, value string, hasValue bool) (setting, error) {
	switch {
	case o.kind == boolean:
		return boolSetting(o, value, hasValue)
	case hasValue:
		return setting{o, value}, nil
	case len(s.rest()) == 0:
		return setting{o, ""}, &flagError{"flag " + quote(word) + " needs a value", true}
	}
	value = s.next()
	if s.in&reordered != 0 && strings.HasPrefix(value, "-") {
		return setting{o, value}, &flagError{"the value " + quote(value) + " of " + quote(word) +
			` begins with "-", which runc's versions read differently: write --` + o.name + "=VALUE", true}
	}
	return setting{o, value}, nil
}

// boolSetting reads the words that Go's package flag takes for a boolean.
// --help=false and the like are refused: they do nothing but mislead.
func boolSetting(o *option, value string, hasValue bool) (setting, error) {
	if !hasValue {
		return setting{o, "true"}, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil || o.fate == inform {
		return setting{o, "false"}, &flagError{"flag --" + o.name + " can't have the value " + quote(value), false}
	}
	return setting{o, strconv.FormatBool(b)}, nil
}

// unknown explains a flag that the table doesn't have in this place.
func (s *scanner) unknown(word, name string, hasValue bool) *flagError {
	hint := "\nhint: flags must be spelled out as runc or crun document them"
	switch o := lookup(inGlobal, name); {
	case name == "":
		hint = ": that is not the spelling of a flag"
	case o != nil:
		hint = "\nhint: it belongs in front of the command's name"
	case word[1] != '-' && lookup(s.in, name[:1]) != nil:
		hint = "\nhint: write short flags one by one, and a value as a separate word"
	}
	flag, _, _ := strings.Cut(word, "=")
	return &flagError{"unknown flag " + quote(flag) + "" + hint, !hasValue}
}

// once notes a flag and refuses a second one that could mean something else. It counts
// -b and --bundle as the same: in urfave v1 they are an error together, in v3 and
// argp the last one wins.
func (s *scanner) once(f setting) error {
	if f.opt.kind == list {
		return nil
	}
	for _, p := range s.seen {
		if p.opt != f.opt || f.opt.kind == boolean && p.value == f.value {
			continue
		}
		return &flagError{"flag --" + f.opt.name + " appears more than once\nhint: give it once", false}
	}
	s.seen = append(s.seen, f)
	return nil
}

// parseGlobals reads what stands in front of the verb. strict is an error for
// governed verbs and the gate only, err one for all.
func (c *Command) parseGlobals(s *scanner) (strict, err error) {
	c.raw = make([]string, 0, len(s.args))
	for len(s.rest()) > 0 {
		from := s.pos
		if word := s.rest()[0]; word == "--" {
			c.raw = append(c.raw, s.next())
			break
		} else if !isFlag(word) {
			break
		}
		f, ferr := s.flag()
		if ferr == nil {
			ferr = s.once(f)
		}
		if isUnsure(ferr) || ferr != nil && f.opt != nil && f.opt.fate == own {
			return nil, ferr
		}
		if f.opt != nil {
			ferr = first(ferr, c.setGlobal(f))
		}
		if f.opt != nil && f.opt.fate == own {
			if ferr != nil {
				return nil, ferr
			}
			continue
		}
		c.raw = append(c.raw, s.args[from:s.pos]...)
		strict = first(strict, ferr)
	}
	return first(strict, c.checkGlobals()), nil
}

// first returns the first of two errors.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// setGlobal takes over a global flag. Of two, the last one counts, as in every
// runtime: that matters where a Passthrough repeats one.
func (c *Command) setGlobal(f setting) error {
	on := f.value == "true"
	switch f.opt.name {
	case "nonroot-config":
		c.NonrootConfig = f.value
	case "nonroot-runtime":
		c.NonrootRuntime = f.value
	case "root":
		c.Root, c.RootSet = f.value, true
	case "log":
		c.Log = f.value
	case "log-format":
		c.LogFormat = f.value
	case "debug":
		c.Debug = on
	case "systemd-cgroup":
		c.SystemdCgroup = on
	default:
		switch {
		case f.opt.fate != inform && f.value != "":
			c.globals = append(c.globals, f)
		case f.opt.fate == inform && on:
			c.Kind = Passthrough
		}
		return nil
	}
	if f.opt.fate == own && f.value == "" {
		return &flagError{"flag --" + f.opt.name + " has an empty value\nhint: name a file or leave it out", false}
	}
	return nil
}

// checkGlobals refuses what the runtimes understand differently.
func (c *Command) checkGlobals() error {
	if c.RootSet && c.Root == "" {
		// runc: the working directory (utils.go, reviseRootDir); crun: its default.
		return errors.New("flag --root has an empty value\nhint: name a directory or leave it out")
	}
	for _, f := range c.globals {
		if f.opt.name == "cgroup-manager" && c.SystemdCgroup {
			// crun: the last one wins (src/crun.c, parse_opt).
			return errors.New("flags --cgroup-manager and --systemd-cgroup exclude each other\nhint: set one of them")
		}
		if f.opt.name == "rootless" && !c.RootSet {
			// crun 1.8: it names the root (src/crun.c, options), and another container of the same id is found there.
			return errors.New("flag --rootless is set without --root, and crun 1.8 takes it for an abbreviation of that\nhint: set both, or leave it out")
		}
	}
	return nil
}

// parseVerb reads what follows a governed verb or start.
func (c *Command) parseVerb(v *verb, s *scanner) error {
	s.in = v.in
	var words []string
	for flags := true; len(s.rest()) > 0; {
		word := s.rest()[0]
		if flags && word == "--" {
			// The end of flags for all runtimes: package flag (parseOne), urfave v3
			// (command_parse.go), getopt. After the id of create, runc 1.1 and crun
			// would count it as an argument; nothing else can be meant than its end.
			flags = false
			s.next()
			continue
		}
		if !flags || !isFlag(word) {
			words = append(words, s.next())
			if v.in == inExec {
				// The rest is the command, whatever it looks like: runc exec.go
				// (SkipArgReorder; 1.6: StopOnNthArg 1), crun src/exec.c (ARGP_IN_ORDER).
				words = append(words, s.rest()...)
				break
			}
			continue
		}
		f, err := s.flag()
		if err == nil {
			err = s.once(f)
		}
		if err != nil {
			return err
		}
		if f.opt.fate == inform {
			c.informs()
			return nil
		}
		if err := c.setVerbFlag(f); err != nil {
			return err
		}
	}
	return c.finish(v, words)
}

// informs turns the command into one that asks for a governed verb's help. It's
// re-emitted without anything else, so that no runtime can find a container in it.
func (c *Command) informs() {
	*c = Command{
		Kind: Passthrough, Verb: c.Verb,
		NonrootConfig: c.NonrootConfig, NonrootRuntime: c.NonrootRuntime,
		Root: c.Root, RootSet: c.RootSet, Log: c.Log, LogFormat: c.LogFormat,
		Debug: c.Debug, SystemdCgroup: c.SystemdCgroup, globals: c.globals,
	}
	c.raw = append(c.appendGlobals(nil), c.Verb, "--help")
}

// setVerbFlag takes over a flag of a governed verb. Empty paths count as not given, as in
// runc; crun would fail on them.
func (c *Command) setVerbFlag(f setting) error {
	switch f.opt.fate {
	case drop:
		return nil
	case refuse:
		return fmt.Errorf("flag --%s is refused: the container's configuration has to be config.json in the bundle", f.opt.name)
	case credential:
		return c.setExecFlag(f)
	}
	switch f.opt.name {
	case "bundle":
		c.Bundle = f.value
	case "process":
		if f.value == "" {
			// runc: not given; crun: an empty path.
			return errors.New("flag --process has an empty value\nhint: name a file or leave it out")
		}
		c.Process = f.value
	case "pid-file":
		c.PidFile = f.value
	case "console-socket":
		c.ConsoleSocket = f.value
	case "detach":
		c.Detach = f.value == "true"
	case "preserve-fds":
		n, err := parseDecimal(f.value, MaxPreserveFDs)
		if err != nil {
			return fmt.Errorf("flag --preserve-fds: %w", err)
		}
		c.PreserveFDs = int(n) // #nosec G115 -- parseDecimal has bounded it
	case "cgroup":
		// crun leads the process to another container's cgroup by it, or the host's, whose list of devices is open (SECURITY.md
		// C1). runc refuses it.
		if slices.Contains(strings.FieldsFunc(f.value, func(r rune) bool { return r == '/' || r == ':' }), "..") {
			return fmt.Errorf("flag --cgroup has the value %s, which leads out of the container's cgroup\nhint: name one below it", quote(f.value))
		}
		c.addPlumbing(f)
	default:
		c.addPlumbing(f)
	}
	return nil
}

// addPlumbing keeps a flag that is only handed on. false and empty are what a
// runtime has by itself, and a repeated boolean is one.
func (c *Command) addPlumbing(f setting) {
	if f.opt.kind == boolean {
		if f.value != "true" {
			return
		}
		for _, p := range c.plumbing {
			if p == f {
				return
			}
		}
	}
	if f.value != "" || f.opt.kind == list {
		c.plumbing = append(c.plumbing, f)
	}
}

// setExecFlag takes over a flag that describes exec's process.
func (c *Command) setExecFlag(f setting) error {
	if c.Exec == nil {
		c.Exec = &ExecFlags{}
	}
	e, on := c.Exec, f.value == "true"
	switch f.opt.name {
	case "user":
		if f.value == "" {
			// runc: not given; crun: strtol reads 0.
			return errors.New("flag --user has an empty value\nhint: write UID or UID:GID")
		}
		e.User = f.value
	case "additional-gids":
		id, err := parseID(f.value)
		if err != nil {
			return fmt.Errorf("flag --additional-gids: %w", err)
		}
		e.AdditionalGids = append(e.AdditionalGids, id)
	case "cap":
		e.Caps = append(e.Caps, f.value)
	case "env":
		e.Env = append(e.Env, f.value)
	case "cwd":
		e.Cwd = f.value
	case "tty":
		e.Tty = on
	case "no-new-privs":
		e.NoNewPrivs = &on
	case "apparmor":
		e.Apparmor = f.value
	case "process-label":
		e.ProcessLabel = f.value
	}
	return nil
}

// finish checks the words that are no flags, and what has to be there.
func (c *Command) finish(v *verb, words []string) error {
	if len(words) == 0 {
		return errors.New("there is no container id")
	}
	if err := checkID(words[0]); err != nil {
		return err
	}
	c.ID = words[0]
	if v.in == inExec {
		return c.finishExec(words[1:])
	}
	if len(words) > 1 {
		return fmt.Errorf("unexpected argument %s after the container id %s", quote(words[1]), quote(words[0]))
	}
	if v.in != inStart && c.Bundle == "" {
		c.Bundle = "."
	}
	return nil
}

// finishExec decides between the process document and the command.
func (c *Command) finishExec(command []string) error {
	if len(command) > 0 && strings.TrimSpace(command[0]) == "" {
		// runc 1.6 does not count it as the word at which flags end, and reads flags in what follows, --process
		// and --user among them (urfave v3, command_parse.go).
		return errors.New("the command after the container id is blank\nhint: name what to run")
	}
	if c.Process != "" {
		c.Exec = nil
		return nil
	}
	if len(command) == 0 {
		return errors.New("there is neither a command nor --process\nhint: name what to run after the container id")
	}
	if strings.TrimSpace(command[0]) == "--" {
		// runc until 1.5 and crun run a program called "--" (package flag and argp stop
		// at the id), runc 1.6 takes it as the end of flags, blanks around it or not (ibidem).
		return errors.New("\"--\" after the container id means different things to different versions of runc\nhint: leave it out, or put it before the id")
	}
	if c.Exec == nil {
		c.Exec = &ExecFlags{}
	}
	c.Exec.Args = command
	return nil
}

// guess finds the container's id of a Passthrough, and global flags behind the
// verb, which runc 1.6 takes. Where it is not sure, it leaves them.
func (c *Command) guess(v *verb, s *scanner) {
	if v.noID {
		return
	}
	s.in = v.in | inGlobal
	id := ""
	for flags := true; len(s.rest()) > 0; {
		word := s.rest()[0]
		if !flags || !isFlag(word) || word == "--" {
			s.next()
			switch {
			case flags && word == "--":
				flags = false
			case word == "", !flags && isFlag(word) && v.in != inPs:
				return // runc's versions differ on where those belong
			case id == "":
				id = word
				flags = flags && v.in != inPs // what follows is for the ps program
			}
			continue
		}
		f, err := s.flag()
		if late := id != "" && !strings.Contains(word, "=") && len(s.rest()) > 0 && !isFlag(s.rest()[0]); late && f.opt != nil && f.opt.kind == boolean {
			return // runc 1.1 puts both in front of the id (urfave/cli 1.22.1, command.go: reorderArgs)
		}
		switch {
		case f.opt != nil && err != nil:
			return // such as a flag without its value: to runc 1.1, which puts it in front, the id is that
		case f.opt == nil:
			// An unknown flag can't change an id in front of it; behind it, runc's versions differ on what is a flag.
			flags = false
			if id == "" || len(s.rest()) > 0 && v.in != inPs {
				return
			}
		case f.opt.kind != boolean && strings.HasPrefix(f.value, "-") && !strings.Contains(word, "=") && (id != "" || len(f.value) > 1):
			return // such a value is another flag, or a word, to some of runc's versions
		case f.opt.name == "regex", f.opt.fate == inform:
			return
		case f.opt.in == inGlobal && id != "":
			return // to crun, and runc until 1.5, it is a word too many
		case f.opt.in == inGlobal && f.opt.fate == forward:
			_ = c.setGlobal(f) // a bad value is the runtime's business here
		}
	}
	if checkID(id) == nil {
		c.ID = id
	}
}

// checkID accepts what runc takes as a container's id (libcontainer/factory_linux.go,
// validateID), less a leading "-", which looks like a flag. crun takes more: the
// narrower one counts.
func checkID(id string) error {
	ok := id != "" && id != "." && id != ".." && id[0] != '-'
	for i := 0; ok && i < len(id); i++ {
		ch := id[i]
		ok = ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' ||
			ch == '_' || ch == '+' || ch == '-' || ch == '.'
	}
	if !ok {
		return fmt.Errorf("invalid container id %s\nhint: use letters, digits and _+-. only, and no - in front", quote(id))
	}
	return nil
}

// quote shows a word of the command line in a message, bounded.
func quote(s string) string {
	const limit = 200
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "..."
	}
	return strconv.Quote(s)
}
