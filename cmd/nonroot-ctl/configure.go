// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// configureCommand registers the runtime. Each engine has a planner, which reads and decides; one function, carryOut,
// writes for all of them.
func configureCommand() *cli.Command {
	common := []cli.Flag{
		&cli.StringFlag{Name: "runtime-name", Value: defaultName, Usage: "the runtime's `NAME` for the engine's users"},
		&cli.StringFlag{Name: "profile", Usage: "register the runtime with the policy /etc/nonroot-runc/`NAME`.toml"},
		&cli.BoolFlag{Name: "set-default", Usage: "make it the engine's default"},
		&cli.BoolFlag{Name: "keep-name", Usage: "with --uninstall: only restore the engine's default, and keep the name for containers that need it"},
		&cli.StringFlag{Name: "config", Usage: "the configuration `FILE` to edit or create"},
	}
	command := func(name, usage string, flags []cli.Flag, plan planner) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, HideHelpCommand: true, Flags: append(slices.Clone(flags),
				&cli.StringFlag{Name: "binary", Usage: "nonroot-runc's `PATH`, if it is not next to this program or in /usr/local/sbin"},
				&cli.BoolFlag{Name: "dry-run", Usage: "show the changes without making them"},
				&cli.BoolFlag{Name: "uninstall", Usage: "undo the registration"},
				&cli.BoolFlag{Name: "json", Usage: "print JSON"}),
			Action: func(c *cli.Context) error { return register(c, plan) },
		}
	}
	return &cli.Command{
		Name:            "configure",
		Usage:           "register nonroot-runc with an engine, or undo that",
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unknown engine %q\nhint: name docker, containerd, podman, crio or runc", c.Args().First())
			}
			return errors.New("name an engine: docker, containerd, podman, crio or runc")
		},
		Subcommands: []*cli.Command{
			command(engines.Docker.Config.Command, "edit daemon.json", slices.Concat(common, dockerFlags(), guardFlags()), planDocker),
			command(engines.Containerd.Config.Command, "write a drop-in, or edit config.toml", common, planContainerd),
			command(engines.Podman.Config.Command, "write a drop-in", common, planPodman),
			command(engines.CRIO.Config.Command, "write a drop-in", common, planCRIO),
			command(guarding, "put nonroot-runc in the place of runc (docker --guard without docker)", guardFlags()[1:], planRunc),
			listCommand(),
		},
	}
}

const (
	defaultName = "nonroot" // the runtime's, unless another one is set
	guarding    = "runc"    // the command that only handles the guard
)

// request is what the command line asks for.
type request struct {
	flags *cli.Context
	configure.Runtime
	binary  string
	profile string
	exempts bool // the profile's policy enforces nothing
	undo    bool
	// When undoing, the runtime's name stays
	keepName bool
	owners   trusted.Owners
}

// plan is what is to be done, in this order.
type plan struct {
	steps    []step
	warnings []string     // what the reader should know first
	check    func() error // asks the engine about the new file; nil: it can't be asked
	after    []step       // what makes the engine notice
	advice   []string     // what the reader has to do
}

// step is one action, announced by a text. Mere cleaning up is not announced.
type step struct {
	says string
	do   func() error
}

// changing is the step that changes a file.
func changing(c configure.Change) step { return step{string(c.Diff()), c.Apply} }

type planner func(request) (plan, error)

// register does, or shows, what the command line asks for.
func register(c *cli.Context, planned planner) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	r, err := requestOf(c)
	if err != nil {
		return err
	}
	p, err := planned(r)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		err = r.errNeedsRoot(err.Error())
	}
	if err != nil {
		return err
	}
	link, err := r.profileLink()
	if err != nil {
		return err
	}
	if link != nil {
		p.steps = append([]step{*link}, p.steps...)
	}
	if r.Default && r.exempts {
		p.warnings = append(p.warnings, fmt.Sprintf("warning: the policy of the profile %q enforces nothing, and this makes it the default: no container is governed but those that name another runtime", r.profile))
	}
	if c.Bool("json") {
		done := configured{Changes: []string{}, Warnings: append([]string{}, p.warnings...), Advice: []string{}, DryRun: c.Bool("dry-run")}
		for _, s := range p.steps {
			if s.says != "" {
				done.Changes = append(done.Changes, s.says)
			}
		}
		if len(done.Changes) > 0 {
			done.Advice = append(done.Advice, p.advice...)
		}
		if err := p.carryOut(io.Discard, done.DryRun, true); err != nil {
			return err
		}
		return printJSON(c.App.Writer, done)
	}
	return p.carryOut(c.App.Writer, c.Bool("dry-run"), wasShown(c))
}

// configured is the JSON of configure.
type configured struct {
	Changes  []string `json:"changes"`  // diffs of files, and links; empty: everything is in place already
	Warnings []string `json:"warnings"` // what the reader should know
	Advice   []string `json:"advice"`   // what is left to do, such as restarting the engine
	DryRun   bool     `json:"dry_run"`  // nothing was changed
}

// requestOf reads the command line. For a removal the wrapper need not exist any more.
func requestOf(c *cli.Context) (request, error) {
	r := request{
		flags: c, binary: c.String("binary"), profile: c.String("profile"), undo: c.Bool("uninstall"),
		owners: trusted.CallersOwners(nil),
	}
	r.Name, r.Default, r.keepName = c.String("runtime-name"), c.Bool("set-default"), c.Bool("keep-name")
	if r.keepName && !r.undo {
		return r, errors.New("--keep-name belongs to --uninstall")
	}
	if c.Command.Name != "runc" {
		if err := configure.CheckName(r.Name); err != nil {
			return r, err
		}
	}
	if r.undo {
		return r, nil
	}
	var err error
	if r.binary == "" {
		if r.binary, err = configure.FindBinary(); err != nil {
			return r, err
		}
	}
	if err := configure.CheckBinary(r.binary, r.owners); err != nil {
		return r, fmt.Errorf("nonroot-runc: %w", err)
	}
	r.Path = r.binary
	if r.profile != "" {
		r.Path = configure.Profile(r.binary, r.profile)
		r.exempts, err = r.checkPolicy()
		return r, err
	}
	return r, nil
}

// checkPolicy makes sure that the profile has a policy: without one, the runtime would refuse every container. It
// says whether the policy exempts them.
func (r request) checkPolicy() (exempts bool, err error) {
	if err := configure.CheckProfileName(r.profile); err != nil {
		return false, err
	}
	file := policy.ProfileFile(r.profile)
	data, err := trusted.ReadPath(file, r.owners)
	if errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("the profile %q has no policy\nhint: write %q first", r.profile, file)
	}
	if err != nil {
		return false, err
	}
	p, err := policy.Parse(file, data)
	return err == nil && p.Mode.Exempts(), err
}

// profileLink is the step that creates the profile's link; nil: there is nothing to do. The link stays when a
// registration is removed: containers that were created through it are still stopped and removed through it.
func (r request) profileLink() (*step, error) {
	if r.profile == "" || r.undo {
		return nil, nil
	}
	switch err := configure.CheckProfile(r.binary, r.profile); {
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return &step{
		"make the link " + r.Path + "\n",
		func() error { return configure.LinkProfile(r.binary, r.profile) },
	}, nil
}

// carryOut shows the plan, unless it was shown already, and then carries it out. Nothing is written before the engine
// was asked.
func (p plan) carryOut(w io.Writer, dry, shown bool) error {
	idle := !slices.ContainsFunc(p.steps, func(s step) bool { return s.says != "" })
	if !shown {
		p.show(w, idle)
	}
	if dry {
		return nil
	}
	if p.check != nil && !idle {
		if err := p.check(); err != nil {
			return err
		}
	}
	for _, s := range p.steps {
		if err := s.do(); err != nil {
			return err
		}
	}
	for _, s := range p.after {
		fmt.Fprint(w, s.says)
		if err := s.do(); err != nil {
			return err
		}
	}
	if !idle {
		for _, line := range p.advice {
			fmt.Fprintln(w, line)
		}
	}
	return nil
}

func (p plan) show(w io.Writer, idle bool) {
	for _, s := range p.steps {
		fmt.Fprint(w, s.says)
	}
	if idle {
		fmt.Fprintln(w, "nothing to change")
		return
	}
	for _, line := range p.warnings {
		fmt.Fprintln(w, line)
	}
}

// configFile is the file that --config names, else the engine's default.
func (r request) configFile(usual func() (string, error)) (string, error) {
	if name := r.flags.String("config"); name != "" {
		return name, nil
	}
	return usual()
}

// change plans the change of one file.
func (r request) change(file string, format configure.Format) (configure.Change, error) {
	f, err := configure.Open(file)
	if err != nil {
		return configure.Change{}, err
	}
	c, err := r.changed(f, format)
	if err == nil && !c.Nothing() && !r.flags.Bool("dry-run") && !writable(file) {
		err = r.errNeedsRoot(fmt.Sprintf("%q is not yours", file))
	}
	return c, err
}

func (r request) changed(f configure.File, format configure.Format) (configure.Change, error) {
	yielder, ok := format.(configure.Yielder)
	switch {
	case !r.undo:
		return f.Register(format, r.Runtime)
	case !r.keepName:
		return f.Unregister(format, r.Name)
	case ok:
		return f.Yield(yielder, r.Name)
	}
	return configure.Change{File: f, Next: f.Content}, nil // the registration stays, as containers need it
}

// writable reports whether the caller may replace a file, or create it and the directories above it.
func writable(file string) bool {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		err := unix.Access(dir, unix.W_OK)
		if !errors.Is(err, unix.ENOENT) {
			return err == nil
		}
	}
}

// displaced warns that nonroot-runc replaces another default, which then no longer has any effect.
func (r request) displaced(name, program string) []string {
	switch {
	case !r.Default || r.undo || name == "" || name == r.Name || configure.IsOurs(program):
		return nil
	case runc.Wraps(cmp.Or(program, name)):
		return []string{fmt.Sprintf("warning: the default was %q, without which containers get no GPUs: take this back by --uninstall, and %s", name, runc.WrapperHint)}
	case filepath.Base(cmp.Or(program, name)) == "runc":
		return nil
	}
	if program != "" {
		program = fmt.Sprintf(" (%q)", program)
	}
	return []string{fmt.Sprintf("warning: the default was %q%s: nonroot-runc calls it only if the policy names it under runtimes", name, program)}
}

// homeConfig is a file in the caller's own configuration directory (XDG Base Directory Specification).
func homeConfig(file string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the configuration directory: %w", err)
	}
	return dir + "/" + file, nil
}
