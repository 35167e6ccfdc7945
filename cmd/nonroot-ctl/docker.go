// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

func dockerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "reload", Usage: "have dockerd reload its file (SIGHUP)"},
		&cli.BoolFlag{Name: "restart", Usage: "restart dockerd through systemd"},
	}
}

// planDocker edits daemon.json.
func planDocker(r request) (plan, error) {
	d, err := findDockerd()
	if err != nil {
		return plan{}, err
	}
	if err := d.here(r); err != nil {
		return plan{}, err
	}
	file, err := r.configFile(d.configFile)
	if err != nil {
		return plan{}, err
	}
	c, err := r.change(file, configure.Docker{})
	if err != nil {
		return plan{}, err
	}
	if err := r.unneeded(c, func() ([]configure.Dependent, error) { return r.dockerDependents(d, c.Data) }); err != nil {
		return plan{}, err
	}
	if err := d.conflicts(r); err != nil {
		return plan{}, err
	}
	before, program, err := configure.DockerDefault(c.Data)
	if err != nil {
		return plan{}, err
	}
	p := plan{warnings: r.displaced(before, program), steps: []step{changing(c)}, check: func() error { return askDockerd(c) }}
	if !c.Nothing() || r.flags.Bool("reload") || r.flags.Bool("restart") {
		if err := p.tellDockerd(r, d, configure.ReloadEnough(c.Data, c.Next.Data)); err != nil {
			return plan{}, err
		}
	}
	return p, p.addGuard(r, d, c)
}

// tellDockerd adds the step that makes dockerd notice the change.
func (p *plan) tellDockerd(r request, d dockerd, reloadEnough bool) error {
	switch {
	case r.flags.Bool("restart"):
		restart, err := restartStep("docker")
		if err != nil {
			return err
		}
		p.after = append(p.after, restart)
	case r.flags.Bool("reload") && !reloadEnough:
		return errors.New("dockerd keeps what was removed from daemon.json until it restarts\nhint: use --restart instead of --reload")
	case r.flags.Bool("reload"):
		if d.pid == 0 {
			return errors.New("no dockerd runs here that could be reloaded\nhint: leave --reload out")
		}
		p.after = append(p.after, step{fmt.Sprintf("reload dockerd (SIGHUP to %d)\n", d.pid), func() error {
			return syscall.Kill(d.pid, syscall.SIGHUP)
		}})
	case d.pid == 0:
		p.advice = append(p.advice, "no dockerd was found that runs (by its pid file): it reads the change when it starts")
	case reloadEnough:
		p.advice = append(p.advice, "dockerd reads it when it is reloaded: systemctl reload docker (or --reload here); containers go on running")
	default:
		p.advice = append(p.advice, "dockerd reads it when it is restarted: systemctl restart docker (or --restart here)")
	}
	return nil
}

// restartStep restarts a system service or, for an ordinary user, one of the user's own.
func restartStep(service string) (step, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return step{}, fmt.Errorf("no systemd runs here\nhint: restart %s by hand, and leave --restart out", service)
	}
	args := []string{"systemctl", "restart", service}
	if os.Geteuid() != 0 {
		args = []string{"systemctl", "--user", "restart", service}
	}
	return step{strings.Join(args, " ") + "\n", func() error {
		if out, err := osexec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
		}
		return nil
	}}, nil
}

// dockerd is the running daemon, if there is one.
type dockerd struct {
	pid  int
	args []string
}

// findDockerd finds it by its pid file, in the usual places (moby, cmd/dockerd/config_unix.go).
func findDockerd() (dockerd, error) {
	file := engines.Docker.Config.PIDFile
	if os.Geteuid() != 0 {
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			return dockerd{}, nil // rootless dockerd doesn't start without
		}
		file = filepath.Join(dir, filepath.Base(file))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return dockerd{}, nil // none is running
	}
	pid, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32) //lint:allow a process, no id
	if err != nil || pid <= 1 {
		return dockerd{}, fmt.Errorf("%q has no process id", file)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if err != nil || filepath.Base(args[0]) != engines.Docker.Config.Program {
		return dockerd{}, nil // the file is from before the last boot
	}
	return dockerd{int(pid), args[1:]}, nil
}

// here refuses if there is no Docker, and tells an ordinary user without a dockerd that changing the machine's needs
// root.
func (d dockerd) here(r request) error {
	if d.pid != 0 || r.flags.IsSet("config") {
		return nil
	}
	if os.Geteuid() == 0 {
		return r.notHere(&engines.Docker.Config)
	}
	mine, err := homeConfig(engines.Docker.Config.UserFiles[0])
	if err != nil {
		return err
	}
	if _, err := os.Stat(mine); err == nil {
		return nil
	}
	return r.errNeedsRoot("no dockerd of your own runs")
}

// flag returns the last value of a flag.
func (d dockerd) flag(name string) (value string, set bool) {
	for i, a := range d.args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			value, set = v, true
		} else if a == name && i+1 < len(d.args) {
			value, set = d.args[i+1], true
		}
	}
	return value, set
}

func (d dockerd) configFile() (string, error) {
	if file, ok := d.flag("--config-file"); ok {
		return file, nil
	}
	if os.Geteuid() != 0 {
		return homeConfig(engines.Docker.Config.UserFiles[0])
	}
	return engines.Docker.Config.Files[0], nil
}

// conflicts refuses what would keep dockerd from starting: a setting that is both a flag and in the file (moby,
// daemon/config, findConfigurationConflicts).
func (d dockerd) conflicts(r request) error {
	flags := []string{"--add-runtime"}
	if r.Default {
		flags = append(flags, "--default-runtime")
	}
	i := slices.IndexFunc(flags, func(f string) bool { _, set := d.flag(f); return set })
	if i < 0 || r.undo {
		return nil
	}
	return fmt.Errorf("dockerd runs with the flag %s, and does not start with the same setting in its file\nhint: move the flag's value to the file first", flags[i])
}

// askDockerd has dockerd check a file. 20.10 can't (the flag is new in 23.0).
func askDockerd(c configure.Change) error {
	program, err := osexec.LookPath(engines.Docker.Config.Program)
	if err != nil || c.Next.Data == nil {
		return nil
	}
	return c.Candidate(func(file string) error {
		_, err := ask.Run(context.Background(), nil, program, "--validate", "--config-file", file)
		if err == nil || strings.Contains(err.Error(), "unknown flag: --validate") {
			return nil
		}
		return fmt.Errorf("dockerd refuses what %q would become: %w: it was left as it is", c.Path, err)
	})
}
