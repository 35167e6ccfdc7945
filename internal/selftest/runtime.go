// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limit is the time limit for each step.
const Limit = 30 * time.Second

// Runtime is a runtime under test.
type Runtime struct {
	Binary string
	Policy string // the policy file; "": the binary's default, or a runtime that has none
	Dir    string // where to create the bundle; "": one of the usual places
	User   uint32 // the user that the container requests
}

// Try creates a container that requests root and everything that could lead to it, and tries to become root in it, from
// inside and by an exec. It removes what it created. It fails if no container could be started.
func (r Runtime) Try(ctx context.Context) (all []Finding, err error) {
	at, err := place(r.Dir)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(at, ".nonroot-selftest-") // of mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := trial{Runtime: r, dir: dir, id: "nonroot-selftest-" + strings.ToLower(rand.Text()[:12])}
	if err := t.prepare(); err != nil {
		return nil, fmt.Errorf("prepare a container in %q: %w", dir, err)
	}
	defer func() { err = errors.Join(err, t.remove()) }()
	return t.run(ctx)
}

type trial struct {
	Runtime
	dir string
	id  string
}

func (t *trial) prepare() error {
	for _, d := range []string{"rootfs", "state"} {
		if err := os.Mkdir(filepath.Join(t.dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := makeRootfs(filepath.Join(t.dir, "rootfs")); err != nil {
		return err
	}
	config, err := json.Marshal(tempting(t.User))
	if err != nil {
		return err
	}
	process, err := json.Marshal(processOf(0, see))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(t.dir, "config.json"), config, 0o600),
		os.WriteFile(filepath.Join(t.dir, "process.json"), process, 0o600),
	)
}

// command returns a call of the runtime.
func (t *trial) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"--root", filepath.Join(t.dir, "state")}
	if t.Policy != "" {
		all = append([]string{"--nonroot-config", t.Policy}, all...)
	}
	cmd := exec.CommandContext(ctx, t.Binary, append(all, args...)...)
	cmd.Dir = t.dir
	return cmd
}

// run creates and starts the container like an engine, reads its answer, and runs an exec in it.
func (t *trial) run(ctx context.Context) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	stay, hold, err := os.Pipe() // the container exits when hold is closed
	if err != nil {
		return nil, err
	}
	defer hold.Close() // nothing is written
	out, err := os.Create(filepath.Join(t.dir, "out"))
	if err != nil {
		return nil, err
	}
	defer out.Close() // read by its name
	said, err := os.Create(filepath.Join(t.dir, "err"))
	if err != nil {
		return nil, err
	}
	defer said.Close() // likewise
	create := t.command(ctx, "create", "--bundle", t.dir, t.id)
	create.Stdin, create.Stdout, create.Stderr = stay, out, said
	err = create.Run()
	_ = stay.Close() // nothing was written
	if err != nil {
		return nil, t.failed("create", err, t.said())
	}
	if text, err := t.command(ctx, "start", t.id).CombinedOutput(); err != nil {
		return nil, t.failed("start", err, string(text))
	}
	w, err := t.answer(ctx)
	if err != nil {
		return nil, err
	}
	return append(judge(w), t.execAsRoot(ctx)), nil
}

// answer waits for the single line that the container prints.
func (t *trial) answer(ctx context.Context) (*Witness, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(t.dir, "out"))
		if err != nil {
			return nil, err
		}
		if bytes.HasSuffix(text, []byte("\n")) {
			w := &Witness{}
			if err := json.Unmarshal(text, w); err != nil {
				return nil, fmt.Errorf("read the container's answer %q: %w", text, err)
			}
			return w, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the container said nothing within %s; on stderr it said %q", Limit, t.said())
		case <-tick.C:
		}
	}
}

// execAsRoot requests root with every capability, like "docker exec -u 0 --privileged".
func (t *trial) execAsRoot(ctx context.Context) Finding {
	const what = "exec as uid 0"
	var stderr bytes.Buffer
	cmd := t.command(ctx, "exec", "--process", filepath.Join(t.dir, "process.json"), t.id)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return notMade(what, stderr.String())
	}
	return statusFinding(what, out)
}

// notMade judges a call that started no process. Our own refusal keeps the promise; any other failure proves nothing.
func notMade(what, said string) Finding {
	if strings.Contains(said, `nonroot-runc: container "`) { // more than the program's path
		return Finding{What: what, Detail: "refused: " + strings.TrimSpace(said)}
	}
	return Finding{What: what, Unsure: true, Detail: "it could not be tried: " + strings.TrimSpace(said)}
}

// statusFinding judges a process that printed its status.
func statusFinding(what string, out []byte) Finding {
	s := &Status{}
	if err := json.Unmarshal(out, s); err != nil || len(s.UID) == 0 || len(s.GID) == 0 {
		return Finding{What: what, Unsure: true, Detail: fmt.Sprintf("its answer can't be read: %q", out)}
	}
	return one(what, s)
}

func (t *trial) said() string {
	text, err := os.ReadFile(filepath.Join(t.dir, "err"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (t *trial) failed(verb string, err error, said string) error {
	return fmt.Errorf("%s %s: %w: it says %q", t.Binary, verb, err, strings.TrimSpace(said))
}

// remove deletes the container if it exists. It uses its own context, because it also runs after an interrupt.
func (t *trial) remove() error {
	if _, err := os.Stat(filepath.Join(t.dir, "state", t.id)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	if out, err := t.command(ctx, "delete", "--force", t.id).CombinedOutput(); err != nil {
		return t.failed("delete", err, string(out))
	}
	return nil
}

// everyCapability has the engines' default capabilities, and the most harmful others.
var everyCapability = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP", "CAP_SYS_ADMIN",
	"CAP_SYS_PTRACE",
}

// tempting returns a config.json that requests root, with capabilities, group 0 and new privileges, and without seccomp.
func tempting(uid uint32) *specs.Spec {
	return &specs.Spec{
		Version: "1.0.2",
		Process: processOf(uid, Stay),
		Root:    &specs.Root{Path: "rootfs"},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=64k"}},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.MountNamespace},
			{Type: specs.NetworkNamespace},
			{Type: specs.PIDNamespace},
			{Type: specs.IPCNamespace},
			{Type: specs.UTSNamespace},
		}},
	}
}

func processOf(uid uint32, what string) *specs.Process {
	return &specs.Process{
		User: specs.User{UID: uid, GID: uid, AdditionalGids: []uint32{0}},
		Args: []string{program, Verb, what},
		Env:  []string{"PATH=/"},
		Cwd:  "/",
		Capabilities: &specs.LinuxCapabilities{
			Bounding: everyCapability, Effective: everyCapability, Permitted: everyCapability,
		},
	}
}
