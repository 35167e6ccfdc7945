// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Container is a container that was created and is about to start.
type Container struct {
	Pid    int
	Bundle string
	Podman bool // Podman created it
	// Go starts it, if the engine does not.
	Go func() error
}

// Limits for finding a container's process.
const (
	limit   = 10 * time.Minute // in total: an image may have to be pulled
	created = time.Minute      // after the engine has created the container
	started = 2 * time.Second  // after its command line has ended without an error
)

// Files are the container's mounts, and the path of its rootfs on the host.
func (c *Container) Files() (mounts []Mount, rootfs string, err error) {
	data, err := os.ReadFile(filepath.Join(c.Bundle, "config.json"))
	if err != nil {
		return nil, "", err
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, "", fmt.Errorf("read config.json of %q: %w", c.Bundle, err)
	}
	if s.Root != nil {
		if rootfs = s.Root.Path; !filepath.IsAbs(rootfs) {
			rootfs = filepath.Join(c.Bundle, rootfs)
		}
	}
	for _, m := range s.Mounts {
		kind := m.Type
		if slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") {
			kind = "bind"
		}
		mounts = append(mounts, Mount{m.Destination, m.Source, kind})
	}
	return mounts, rootfs, nil
}

// Record returns the decision about the container; nil if nonroot-runc did not create it.
func (c *Container) Record(owners trusted.Owners) (*decision.Decision, error) {
	dir, err := bundle.Open(c.Bundle, owners)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	r, err := record.Read(dir)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return r, err
}

// Asked returns the capabilities that the engine asked for, which are all that root would have had; nil if they are
// unknown.
func (c *Container) Asked(owners trusted.Owners) ([]string, error) {
	dir, err := bundle.Open(c.Bundle, owners)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	data, err := dir.Read(record.Before)
	if err != nil {
		if data, err = dir.Read(bundle.Config); err != nil {
			return nil, err
		}
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil || s.Process == nil || s.Process.Capabilities == nil {
		return nil, nil //nolint:nilerr // as said
	}
	return append([]string{}, s.Process.Capabilities.Bounding...), nil
}

// Host returns the -H of the command line; "" if there is none.
func (e *Engine) Host() string {
	for i, arg := range e.Args {
		switch {
		case arg == "run":
			return ""
		case (arg == "-H" || arg == "--host") && i+1 < len(e.Args):
			return e.Args[i+1]
		case strings.HasPrefix(arg, "--host="):
			return strings.TrimPrefix(arg, "--host=")
		case strings.HasPrefix(arg, "-H="):
			return strings.TrimPrefix(arg, "-H=")
		}
	}
	return ""
}

// Engine is a command line of Docker or Podman that runs a container.
type Engine struct {
	Args              []string // "docker", "run", ...
	ExecRoots, States []string // as for engines.Bundles.Of
	Aside             bool     // standard input is not read, and its output goes to standard error

	run   *exec.Cmd
	ended chan error
	id    string // the container's, once it is known
}

// notRun lists commands after which a "run" among the arguments means something else.
var notRun = []string{"exec", "compose", "create", "start", "build", "buildx"}

// IsEngine reports whether a program is an engine whose command lines ParseEngine understands.
func IsEngine(program string) bool {
	name := filepath.Base(program)
	return name == engines.Docker.Client || name == engines.Podman.Client
}

// ParseEngine refuses a command line that does not run a container.
func ParseEngine(args []string) (*Engine, error) {
	if !IsEngine(args[0]) {
		return nil, fmt.Errorf("%q is not a command line that is known\nhint: write \"docker run\" or \"podman run\" and what follows, or name a bundle's directory", args[0])
	}
	at := slices.Index(args, "run")
	if at < 0 || slices.ContainsFunc(args[1:at], func(arg string) bool { return slices.Contains(notRun, arg) }) {
		return nil, fmt.Errorf("%q has no \"run\": learn watches a container from its start", strings.Join(args, " "))
	}
	for _, arg := range args[at:] {
		if arg == "--cidfile" || strings.HasPrefix(arg, "--cidfile=") {
			return nil, errors.New("leave out --cidfile: learn needs it itself, to know the container")
		}
	}
	return &Engine{Args: args}, nil
}

// Start runs the command line, and returns its container as soon as it exists. Podman and Docker start it some tens of
// milliseconds later, whatever happens here.
func (e *Engine) Start(ctx context.Context) (*Container, error) {
	dir, err := os.MkdirTemp("", "nonroot-learn-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory of temporary files; it is not in the way
	cidfile := filepath.Join(dir, "id")
	candidates, err := e.candidates(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.Index(e.Args, "run") + 1
	args := slices.Concat(e.Args[1:at], []string{"--cidfile", cidfile}, e.Args[at:])
	e.run = exec.Command(e.Args[0], args...) // it does not end with the context: the terminal sends it an interrupt
	connect(e.run, e.Aside)
	if err := e.run.Start(); err != nil {
		return nil, err
	}
	e.ended = make(chan error, 1)
	go func() {
		e.ended <- e.run.Wait()
		close(e.ended)
	}()
	ended := e.ended

	deadline := time.Now().Add(limit)
	id := ""
	for {
		if id == "" {
			text, _ := os.ReadFile(cidfile) // it may not exist yet
			if len(text) >= 64 {
				id = strings.TrimSpace(string(text))
				e.id = id
				deadline = time.Now().Add(created)
			}
		}
		if id != "" {
			for _, c := range candidates(id) {
				if pid, ok := readPid(c.pidFile); ok {
					return &Container{Pid: pid, Bundle: c.bundle, Podman: filepath.Base(e.Args[0]) == engines.Podman.Client}, nil
				}
			}
		}
		select {
		case err := <-ended:
			if id == "" || err != nil {
				return nil, fmt.Errorf("%s ended before there was a container to watch: %w", e.Args[0], errOr(err))
			}
			// A detached container was started by then. An attached one has ended, and no longer exists.
			ended, deadline = nil, time.Now().Add(started)
		case <-ctx.Done():
			if !e.Aside { // otherwise it is removed, however it handles the signal
				e.Wait(ctx)
			}
			return nil, fmt.Errorf("wait for the container: %w", ctx.Err())
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			for _, c := range candidates(id) {
				if _, err := os.Lstat(c.pidFile); errors.Is(err, os.ErrPermission) {
					return nil, fmt.Errorf("find the container's process: %w; the container is left running", err)
				}
			}
			return nil, errors.New("the container's process is not found: is the daemon on this machine, where is its --exec-root, and may this user see it? The container is left as it is")
		}
	}
}

// connect passes our own input and output to a program; aside: no input, and no standard output.
func connect(cmd *exec.Cmd, aside bool) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if aside {
		cmd.Stdin, cmd.Stdout = nil, os.Stderr
	}
}

// Remove ends the container if the engine still has it, removes it with the volumes that were created for it, and waits
// until its command line has ended. It has a time limit of its own, as it has to run after an interrupt, too. A
// container that no longer exists is not an error.
func (e *Engine) Remove() error {
	if e.ended == nil {
		return nil // it was never started
	}
	var err error
	if e.id == "" {
		_ = e.run.Process.Signal(unix.SIGTERM) // it may have ended by itself
	} else {
		args := slices.Concat(e.Args[1:slices.Index(e.Args, "run")], []string{"rm", "--force", "--volumes", e.id})
		_, err = ask.Run(context.Background(), nil, e.Args[0], args...)
	}
	var failure *ask.Failure
	if errors.As(err, &failure) && slices.ContainsFunc([]string{"no such container", "no container with", "already in progress"}, func(gone string) bool {
		return strings.Contains(strings.ToLower(failure.Said), gone)
	}) {
		err = nil
	}
	<-e.ended //nolint:errcheck // how it ended does not matter
	return err
}

// afterSignal is how long to wait for a command line after signalling it.
const afterSignal = 5 * time.Second

// Wait waits until the command line has ended, and signals it when the context is done. It returns false if the command
// keeps running: the engine passes the signal to the container's first process, which signals without a handler don't
// end (pid_namespaces(7)).
func (e *Engine) Wait(ctx context.Context) bool {
	select {
	case <-e.ended: //nolint:errcheck // likewise
		return true
	case <-ctx.Done():
	}
	_ = e.run.Process.Signal(unix.SIGTERM) // it may have ended by itself
	select {
	case <-e.ended: //nolint:errcheck // likewise
		return true
	case <-time.After(afterSignal):
		return false
	}
}

// ID returns the container's id; "" if it is unknown.
func (e *Engine) ID() string { return e.id }

func errOr(err error) error {
	if err == nil {
		return errors.New("it started no container")
	}
	return err
}

// DockerRuntime returns the name under which nonroot-runc is registered: the default runtime, if that is nonroot-runc,
// else the first one.
func DockerRuntime(ctx context.Context) (string, error) {
	out, err := ask.Docker(ctx, "", nil, "info", "--format", "{{json .}}")
	if err != nil {
		return "", err
	}
	var info struct {
		DefaultRuntime string
		Runtimes       map[string]struct{ Path string }
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return "", fmt.Errorf("docker info: %w", err)
	}
	var ours []string
	for name, r := range info.Runtimes {
		if base := filepath.Base(r.Path); base == "nonroot-runc" || strings.HasPrefix(base, "nonroot-runc.") {
			ours = append(ours, name)
		}
	}
	slices.Sort(ours)
	switch {
	case slices.Contains(ours, info.DefaultRuntime):
		return info.DefaultRuntime, nil
	case len(ours) > 0:
		return ours[0], nil
	}
	return "", errors.New("none of Docker's runtimes is nonroot-runc\nhint: nonroot-ctl configure docker registers it; --runtime NAME names another one")
}

type candidate struct{ bundle, pidFile string }

// candidates are where the pid of a container's first process is written by the time that it is created: containerd's
// shim has its runtime write init.pid (containerd, pkg/process/init.go), Podman's monitor the file pidfile (conmon
// --container-pidfile).
func (e *Engine) candidates(ctx context.Context) (func(id string) []candidate, error) {
	if filepath.Base(e.Args[0]) == engines.Docker.Client {
		return func(id string) (all []candidate) {
			for _, b := range engines.Docker.Bundles.Of(id, e.ExecRoots, e.States) {
				all = append(all, candidate{b, filepath.Join(b, engines.Docker.Bundles.PIDFile)})
			}
			return all
		}, nil
	}
	out, err := ask.Run(ctx, nil, e.Args[0], "info", "--format", "{{.Store.RunRoot}}\n{{.Store.GraphRoot}}\n{{.Store.GraphDriverName}}")
	if err != nil {
		return nil, err
	}
	store := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(store) != 3 {
		return nil, fmt.Errorf("podman info says %q of its store", out)
	}
	return func(id string) []candidate {
		sub := engines.StorageBundle(store[2], id)
		return []candidate{{filepath.Join(store[1], sub), filepath.Join(store[0], sub, engines.Podman.Bundles.PIDFile)}}
	}, nil
}

func readPid(name string) (int, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && pid > 1
}

// Bundle is a bundle that is run without an engine.
type Bundle struct {
	Dir     string
	Runtime string // nonroot-runc's binary
	Owners  trusted.Owners
	Args    []string // replaces config.json's process.args; nil: unchanged
	Aside   bool     // as in Engine

	id  string
	was map[string][]byte // the original files that the runtime overwrites; nil: there was none
}

// Start creates the container.
func (b *Bundle) Start(ctx context.Context) (*Container, error) {
	dir, err := os.MkdirTemp("", "nonroot-learn-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory of temporary files; it is not in the way
	b.id = strings.ToLower(filepath.Base(dir))
	if err := b.remember(); err != nil {
		return nil, err
	}
	if err := b.setProcess(); err != nil {
		return nil, errors.Join(err, b.restore())
	}
	pidFile := filepath.Join(dir, "pid")
	if err := b.command(ctx, "create", "--bundle", b.Dir, "--pid-file", pidFile, b.id).Run(); err != nil {
		// An interrupted start may leave a waiting container; usually there is none, so a failure is not worth a
		// message.
		remove := b.command(context.Background(), "delete", "--force", b.id)
		remove.Stderr = nil
		_ = remove.Run()
		return nil, errors.Join(fmt.Errorf("%s create: %w", b.Runtime, err), b.restore())
	}
	pid, ok := readPid(pidFile)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s create wrote no pid", b.Runtime), b.Remove())
	}
	return &Container{Pid: pid, Bundle: b.Dir, Go: func() error { return b.command(ctx, "start", b.id).Run() }}, nil
}

// setProcess writes a command line into config.json, and removes a terminal, which would have no user; Remove restores
// the file.
func (b *Bundle) setProcess() error {
	was := b.was[bundle.Config]
	config := withoutTerminal(was)
	if b.Args != nil {
		var err error
		if config, err = withArgs(config, b.Args); err != nil {
			return err
		}
	}
	if bytes.Equal(config, was) {
		return nil
	}
	dir, err := bundle.Open(b.Dir, b.Owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(bundle.Config, config, 0o600, "")
}

// withArgs returns a config.json with other process.args; the rest keeps its bytes.
func withArgs(config []byte, args []string) ([]byte, error) {
	if _, err := spec.ParseConfig(config); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	first, last, ok := valueAt(config, "/process/args")
	if !ok {
		return nil, errors.New("config.json has no process.args for which another command could stand")
	}
	return slices.Concat(config[:first], text, config[last:]), nil
}

// withoutTerminal returns a config.json that asks for no terminal. An unreadable one stays: the runtime refuses it.
func withoutTerminal(config []byte) []byte {
	first, last, ok := valueAt(config, "/process/terminal")
	if !ok || string(config[first:last]) != "true" {
		return config
	}
	return slices.Concat(config[:first], []byte("false"), config[last:])
}

// valueAt returns the position of the value of a name in a JSON text.
func valueAt(text []byte, pointer jsontext.Pointer) (first, last int, ok bool) {
	in := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := in.ReadToken(); err != nil {
			return 0, 0, false
		}
		if in.StackPointer() == pointer {
			break // the name
		}
	}
	value, err := in.ReadValue()
	if err != nil {
		return 0, 0, false
	}
	last = int(in.InputOffset())
	return last - len(value), last, true
}

// Remove ends what is left of the container, and restores the bundle: otherwise the rewritten config.json would be the
// request of the next start.
func (b *Bundle) Remove() error {
	return errors.Join(b.command(context.Background(), "delete", "--force", b.id).Run(), b.restore())
}

// remember keeps the files that the runtime is about to overwrite. If one can't be read, the runtime refuses the
// bundle, and overwrites nothing.
func (b *Bundle) remember() error {
	dir, err := bundle.Open(b.Dir, b.Owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	b.was = map[string][]byte{}
	for _, name := range []string{bundle.Config, record.File, record.Passwd, record.Group, record.Before} {
		data, err := dir.Read(name)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		b.was[name] = data
	}
	return nil
}

func (b *Bundle) restore() error {
	dir, err := bundle.Open(b.Dir, b.Owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	var errs []error
	for name, was := range b.was {
		switch now, err := dir.Read(name); {
		case was == nil:
			errs = append(errs, dir.Remove(name))
		case err != nil || !bytes.Equal(now, was):
			errs = append(errs, dir.Replace(name, was, 0o600, ""))
		}
	}
	return errors.Join(errs...)
}

func (b *Bundle) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.Runtime, args...)
	connect(cmd, b.Aside)
	return cmd
}
