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
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/hostns"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// asNode is the environment variable that has this program restart an engine's daemon instead of running tests. Its value is
// the engine.
const asNode = "NONROOT_NODE_RESTARTS"

func TestMain(m *testing.M) {
	engine, ok := os.LookupEnv(asNode)
	if !ok {
		os.Exit(m.Run())
	}
	if err := restarts(engine); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// restarts restarts the daemon like an agent that shares the host's pid namespace.
func restarts(engine string) error {
	ns, err := hostns.Of("/run/systemd/private")
	if errors.Is(err, os.ErrNotExist) {
		ns, err = hostns.Of("/run/dbus/system_bus_socket")
	}
	if err != nil {
		return err
	}
	defer ns.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := &host{options: options{engine: engine}, Namespace: ns}
	return h.restartDaemon(ctx)
}

// TestRestartUnit: a real systemd restarts the daemon's service, over the bus or over its own socket, in the namespace that
// the agent found. Errors there are reported. Without systemd, the error says what to do.
func TestRestartUnit(t *testing.T) {
	testkit.NeedRoot(t)
	for _, bus := range []string{"bus", "no bus"} {
		t.Run(bus, func(t *testing.T) {
			dir, restart := bootSystemd(t, bus)
			for want := 1; want <= 2; want++ {
				if said, err := restart("containerd"); err != nil {
					t.Fatalf("%v: %s", err, said)
				}
				if starts, err := os.ReadFile(filepath.Join(dir, "starts")); err != nil || len(starts) != want {
					t.Fatalf("%d starts, %v; expected %d", len(starts), err, want)
				}
			}
			testkit.Write(t, dir, map[string]string{"broken": ""})
			if said, err := restart("containerd"); err == nil || !strings.Contains(said, `"containerd.service" ended as "failed"`) {
				t.Errorf("a service that does not start: %v, %s", err, said)
			}
			if said, err := restart("crio"); err == nil || !strings.Contains(said, "crio.service not found") {
				t.Errorf("a service that is not there: %v, %s", err, said)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if _, err := os.Stat("/run/systemd/private"); err == nil {
			t.Skip("this machine has a systemd")
		}
		ns, err := hostns.Own()
		if err != nil {
			t.Fatal(err)
		}
		defer ns.Close()
		h := &host{options: options{engine: "containerd"}, Namespace: ns}
		if err := h.restartDaemon(t.Context()); err == nil || !strings.Contains(err.Error(), "hint: where there is no systemd") {
			t.Errorf("%v", err)
		}
	})
}

// bootSystemd starts systemd and waits until it is up. It ends with its control group when the test ends. restart runs this
// program on that host, because systemd checks who sends a request.
func bootSystemd(t *testing.T, bus string) (dir string, restart func(engine string) (said string, err error)) {
	dir = t.TempDir()
	var said bytes.Buffer
	cmd := osexec.Command("testdata/systemd", dir, bus)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 10 * time.Second // processes that are still ending may keep the pipe open
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if group, err := os.ReadFile(filepath.Join(dir, "cgroup")); err == nil {
			if err := removeGroups(strings.TrimSpace(string(group))); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("systemd: %s", said.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "up")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come up")
		}
	}
	// unshare has one child, which is systemd.
	child, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return dir, func(engine string) (string, error) {
		cmd := osexec.CommandContext(t.Context(), "nsenter", "--target", strings.TrimSpace(string(child)), "--mount", "--pid", os.Args[0])
		cmd.Env = append(os.Environ(), asNode+"="+engine)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
}

// removeGroups removes a control group and its children, once their processes have ended.
func removeGroups(group string) error {
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var groups []string
		err := filepath.WalkDir(group, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return err
		})
		if errors.Is(err, os.ErrNotExist) && len(groups) == 0 {
			return nil
		}
		for i := range groups {
			if err := unix.Rmdir(groups[len(groups)-1-i]); err != nil {
				last = fmt.Errorf("remove %s: %w", groups[len(groups)-1-i], err)
			}
		}
	}
	return last
}
