// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// setupCommand asks what a first installation has to know, and runs the commands that follow from the answers.
func setupCommand() *cli.Command {
	return &cli.Command{
		Name:      "setup",
		Usage:     "register nonroot-runc with the engines of this machine: asks, shows the changes, makes and checks them",
		UsageText: "nonroot-ctl setup [options]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "don't ask; answers without an option are the proposed ones"},
			&cli.StringSliceFlag{Name: "engine", Usage: "only set up `ENGINE`: docker, containerd, podman or crio; may be repeated"},
			&cli.StringFlag{Name: "mode", Usage: "the policy's `MODE`: audit (containers run as before, and a log says what would change) or rewrite"},
			&cli.StringFlag{Name: "default", Usage: "make it the default of the engines, `ANSWER`: yes, or no (containers request it by name)"},
			&cli.StringFlag{Name: "guard", Usage: "put nonroot-runc in the place of runc, `ANSWER`: no, or how image builds run: off (unchanged) or rewrite"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show the changes without making them"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON; with --yes, as nothing is asked"},
		},
		Action: runSetup,
	}
}

// configurable are the engines that configure knows.
var configurable = []*engines.Engine{&engines.Docker, &engines.Containerd, &engines.Podman, &engines.CRIO}

// auditLog is where setup has decisions logged in mode audit, which would be useless without a log.
const auditLog = "/var/log/nonroot-runc.log"

// setup is the answers to the questions.
type setup struct {
	c        *cli.Context
	out      io.Writer     // for people; discarded with --json
	in       *bufio.Reader // nil: answers are not asked for
	engines  []string
	mode     policy.Mode
	standard bool
	guard    string // "": none; else the mode for builds

	text    string // the policy to put in force; "": it is unchanged
	absent  bool   // there is no policy file at present
	dockers bool   // a dockerd is running
	shown   bool   // the changes were shown, and are not shown again
}

// command is one of this program's own command lines.
type command struct {
	words []string
	stdin string // its standard input; "": none
}

// here is a shell's here-document with the command's standard input.
func (c *command) here() string {
	if c.stdin == "" {
		return ""
	}
	return " <<'END'\n" + strings.TrimSuffix(c.stdin, "\n") + "\nEND"
}

// alreadyShown is in the metadata of an app whose commands do what their own --dry-run has just shown: they print
// only what that did not.
const alreadyShown = "already shown"

func wasShown(c *cli.Context) bool { return c.App.Metadata[alreadyShown] == true }

func runSetup(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("setup takes options only, but %q is an argument\nhint: see nonroot-ctl setup --help", c.Args().First())
	}
	if os.Geteuid() != 0 {
		return errors.New("setup needs root\nhint: sudo nonroot-ctl setup; for Podman of your own: nonroot-ctl configure podman --set-default")
	}
	s := &setup{c: c, out: c.App.Writer}
	if c.Bool("json") {
		s.out = io.Discard
	}
	if c.Bool("json") && !c.Bool("yes") {
		return errors.New("setup --json asks no questions\nhint: --yes accepts the defaults; --mode, --engine, --default and --guard each answer one")
	}
	if !c.Bool("yes") {
		if !isTerminal(os.Stdin) {
			return errors.New("setup asks questions, and standard input is not a terminal\nhint: --yes accepts the defaults; --mode, --engine, --default and --guard each answer one")
		}
		s.in = bufio.NewReader(os.Stdin)
	}
	if err := s.ask(); err != nil {
		return err
	}
	if err := s.policy(); err != nil {
		return err
	}
	commands := s.commands()
	s.say("\nWhat follows is what these commands do:\n")
	for _, one := range commands {
		s.say("  nonroot-ctl %s%s\n", strings.Join(one.words, " "), one.here())
	}
	for _, one := range commands {
		s.say("\n")
		if err := s.run(one, "--dry-run"); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return s.printed(commands)
	}
	if c.Bool("dry-run") {
		return nil
	}
	yes, err := s.question("\nDo it", "", "yes", "yes", "no")
	if err != nil {
		return err
	}
	if yes != "yes" {
		return errors.New("nothing was changed")
	}
	s.say("\n")
	s.shown = true
	for _, one := range commands {
		if err := s.run(one); err != nil {
			return fmt.Errorf("nonroot-ctl %s: %w", strings.Join(one.words, " "), err)
		}
	}
	s.shown = false
	s.say("\nTo undo it:\n")
	for _, line := range s.undo() {
		s.say("  %s\n", line)
	}
	return s.check()
}

// setUp is the JSON of setup.
type setUp struct {
	Commands []ran          `json:"commands"` // in the order in which they ran
	Undo     []string       `json:"undo"`     // the commands that undo them
	Checks   []doctor.Check `json:"checks"`   // doctor's; empty after a dry run
	DryRun   bool           `json:"dry_run"`  // nothing was changed
}

// ran is a command of setup's.
type ran struct {
	Command string `json:"command"`
	Stdin   string `json:"stdin"`  // its standard input, such as a policy; "": none
	Result  any    `json:"result"` // what it prints with --json
}

// printed runs the commands and doctor, or their dry run, and prints the outcome of each as JSON.
func (s *setup) printed(commands []command) error {
	said := setUp{Commands: []ran{}, Undo: s.undo(), Checks: []doctor.Check{}, DryRun: s.c.Bool("dry-run")}
	for _, one := range commands {
		done := ran{Command: s.c.App.Name + " " + strings.Join(one.words, " "), Stdin: one.stdin}
		var more []string
		if said.DryRun {
			more = append(more, "--dry-run")
		}
		if err := s.decoded(&done.Result, one, more...); err != nil {
			return fmt.Errorf("%s: %w", done.Command, err)
		}
		said.Commands = append(said.Commands, done)
	}
	var failed error
	if !said.DryRun {
		failed = s.decoded(&said.Checks, s.doctor())
	}
	return errors.Join(printJSON(s.c.App.Writer, said), failed)
}

// decoded runs a command, and decodes what it prints as JSON.
func (s *setup) decoded(to any, one command, more ...string) error {
	var b bytes.Buffer
	s.out = &b
	defer func() { s.out = io.Discard }()
	err := s.run(one, append(more, "--json")...)
	if b.Len() == 0 {
		return err
	}
	return errors.Join(json.Unmarshal(b.Bytes(), to), err)
}

func (s *setup) say(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// run runs a command, with more options.
func (s *setup) run(one command, more ...string) error {
	a := app()
	a.Writer, a.ErrWriter = s.out, s.c.App.ErrWriter
	a.Reader = strings.NewReader(one.stdin)
	a.Metadata = map[string]any{alreadyShown: s.shown}
	return a.Run(arranged(a, slices.Concat([]string{a.Name}, one.words, more)))
}

// ask finds the engines, and asks what the command line leaves open.
func (s *setup) ask() error {
	d, err := findDockerd()
	if err != nil {
		return err
	}
	s.dockers = d.pid != 0
	if err := s.askEngines(); err != nil {
		return err
	}
	mode, err := s.question("Mode: audit (containers run as before, a log says what would change) or rewrite (no process is root)", "mode", "rewrite", "audit", "rewrite")
	if err != nil {
		return err
	}
	s.mode = policy.Mode(mode)
	standard, err := s.question("The default of these engines? With no, only containers that name it have it", "default", "yes", "yes", "no")
	if err != nil {
		return err
	}
	s.standard = standard == "yes"
	if !slices.Contains(s.engines, engines.Docker.Config.Command) {
		if s.c.IsSet("guard") && s.c.String("guard") != "no" {
			return errors.New("--guard belongs to docker\nhint: nonroot-ctl configure runc")
		}
		return nil
	}
	guard, err := s.question("Put nonroot-runc in the place of runc, so that \"docker run --runtime runc\" is governed, too? Image builds call runc, too: off (they still run as root), rewrite (most Dockerfiles fail), or no guard", "guard", "no", "no", "off", "rewrite")
	if guard != "no" {
		s.guard = guard
	}
	return err
}

// askEngines chooses from the engines that are installed. A containerd that only serves Docker needs no registration:
// it runs no pods.
func (s *setup) askEngines() error {
	asked := s.c.StringSlice("engine")
	for _, name := range asked {
		if !slices.ContainsFunc(configurable, func(e *engines.Engine) bool { return e.Config.Command == name }) {
			return fmt.Errorf("unknown engine %q\nhint: name docker, containerd, podman or crio", name)
		}
	}
	for _, e := range configurable {
		name := e.Config.Command
		if len(asked) > 0 {
			if slices.Contains(asked, name) {
				s.engines = append(s.engines, name)
			}
			continue
		}
		if !doctor.Installed(e) {
			continue
		}
		propose := "yes"
		if doctor.OnlyDocker(e) {
			propose = "no"
		}
		use, err := s.question("Set up "+name, "", propose, "yes", "no")
		if err != nil {
			return err
		}
		if use == "yes" {
			s.engines = append(s.engines, name)
		} else if s.in == nil {
			s.say("%s is left out, as it only serves Docker here (--engine %s takes it in)\n", name, name)
		}
	}
	if len(s.engines) == 0 {
		return errors.New("there is no engine to set up: docker, containerd, podman and crio were tried\nhint: install one first")
	}
	return nil
}

// question asks for one of the answers; an empty line is the proposed one. An option of the command line answers it
// in advance; with --yes, the proposal does.
func (s *setup) question(text, option, propose string, answers ...string) (string, error) {
	if option != "" && s.c.IsSet(option) {
		given := s.c.String(option)
		if !slices.Contains(answers, given) {
			return "", fmt.Errorf("--%s is %q\nhint: it is %s", option, given, strings.Join(answers, " or "))
		}
		return given, nil
	}
	if s.in == nil {
		return propose, nil
	}
	for {
		s.say("%s? (%s) [%s] ", text, strings.Join(answers, ", "), propose)
		line, err := s.in.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("read the answer: %w", err)
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		if answer == "" {
			return propose, nil
		}
		// A letter is enough if it can only mean one answer.
		var meant []string
		for _, a := range answers {
			if strings.HasPrefix(a, answer) {
				meant = append(meant, a)
			}
		}
		if len(meant) == 1 {
			return meant[0], nil
		}
	}
}

// policy prepares the policy that the mode needs. One with settings belongs to its author, and is not changed.
func (s *setup) policy() error {
	owners := trusted.CallersOwners(nil)
	text, err := trusted.ReadPath(policy.DefaultFile, owners)
	s.absent = errors.Is(err, fs.ErrNotExist)
	if err != nil && !s.absent {
		return fmt.Errorf("read the policy: %w", err)
	}
	now, err := policy.Parse(policy.DefaultFile, text)
	if err != nil {
		return err
	}
	if now.Mode == s.mode {
		return nil
	}
	if says(text) {
		return fmt.Errorf("the policy %q has mode %q\nhint: set mode = %q in a copy, and apply it: nonroot-ctl policy apply COPY", policy.DefaultFile, now.Mode, s.mode)
	}
	s.text = fmt.Sprintf("mode = %q\n\n[log]\nfile = %q\n", s.mode, auditLog)
	if len(bytes.TrimSpace(text)) > 0 {
		s.text += "\n" + string(text)
	}
	return nil
}

// says reports whether a policy contains more than comments.
func says(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}

// commands are the command lines that carry it out.
func (s *setup) commands() []command {
	var all []command
	if s.text != "" {
		all = append(all, command{[]string{"policy", "apply", "-"}, s.text})
	}
	for _, name := range s.engines {
		words := []string{"configure", name}
		if s.standard {
			words = append(words, "--set-default")
		}
		if name == engines.Docker.Config.Command {
			if s.guard != "" {
				words = append(words, "--guard", "--builds", s.guard)
			}
			if s.dockers {
				words = append(words, "--reload")
			}
		}
		all = append(all, command{words: words})
	}
	return all
}

// undo returns the commands that undo everything.
func (s *setup) undo() (all []string) {
	for _, name := range s.engines {
		all = append(all, "nonroot-ctl configure "+name+" --uninstall")
	}
	switch {
	case s.text == "":
	case s.absent:
		all = append(all, "rm "+policy.DefaultFile)
	default:
		all = append(all, "nonroot-ctl policy apply --rollback")
	}
	return all
}

// doctor checks the result. In mode audit it reports what is not enforced yet.
func (s *setup) doctor() command {
	if s.mode == policy.Audit {
		return command{words: []string{"doctor", "--audit"}}
	}
	return command{words: []string{"doctor"}}
}

func (s *setup) check() error {
	check := s.doctor()
	s.say("\nnonroot-ctl %s:\n", strings.Join(check.words, " "))
	if err := s.run(check); err != nil || s.mode != policy.Audit {
		return err
	}
	s.say("\nContainers run as before, and each decision is a line in %s. Sum them up:\n  nonroot-ctl report %s\n", auditLog, auditLog)
	return nil
}
