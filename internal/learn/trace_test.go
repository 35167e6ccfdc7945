// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waiting starts a shell that does nothing until begin is called.
func waiting(tb testing.TB, script string) (cmd *exec.Cmd, begin func() error) {
	tb.Helper()
	cmd = exec.Command("sh", "-c", "read -r line; "+script)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return cmd, func() error {
		_, err := io.WriteString(in, "\n")
		return errors.Join(err, in.Close())
	}
}

// TestTrace watches programs as an ordinary user. A shell that is running already is "late": all of its calls count.
func TestTrace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root")
	}
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A relative path, used by a grandchild, and one with a directory's descriptor; a signal, a stop and its
	// continuation.
	cmd := exec.Command("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "sh", "-c",
		`read -r line; cd "$1" || exit 9; (cat secret & wait); trap 'echo' USR1; kill -USR1 $$; sh -c 'kill -STOP $$' & sleep 0.2; kill -CONT $!; wait $!; rm -r . 2>/dev/null; exit 5`, "sh", dir)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []Denied
	seen, err := Trace(t.Context(), cmd.Process.Pid, in.Close, func(d *Denied) { all = append(all, *d) })
	if err != nil {
		t.Fatal(err)
	}
	if !seen.Late || !seen.Ended || seen.Status.ExitStatus() != 5 || seen.Processes < 4 {
		t.Errorf("%+v", seen)
	}
	found := false
	for _, d := range all {
		if d.Comm == "cat" && d.Name == "openat" && d.Errno == unix.EACCES && len(d.Paths) == 1 && d.Paths[0] == filepath.Join(dir, "secret") {
			found = true
		}
	}
	if !found {
		t.Errorf("cat's open is not among %+v", all)
	}
	_ = cmd.Wait() // the tracer may have taken its status
}

// TestTraceEnds: when the context is done, all programs continue on their own.
func TestTraceEnds(t *testing.T) {
	cmd, begin := waiting(t, "while true; do sleep 0.01; done")
	defer cmd.Wait()         // it is killed
	defer cmd.Process.Kill() // likewise
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	seen, err := Trace(ctx, cmd.Process.Pid, begin, func(*Denied) {})
	if err != nil || seen.Ended || seen.Processes < 2 {
		t.Fatalf("%+v, %v", seen, err)
	}
	for range 100 {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if tracer := field(string(status), "TracerPid:"); tracer == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it is still traced")
}

// TestTraceFirst: the first process of a pid namespace can't be stopped from within, watched or not; from outside it
// can.
func TestTraceFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root")
	}
	cmd := exec.Command("sh", "-c", "read -r line; kill -STOP $$; read -r line; exit 3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()         // the tracer has taken its status
	defer cmd.Process.Kill() // it has ended, or must
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stopped := func() bool {
		time.Sleep(200 * time.Millisecond) // for the signal
		status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
		return err == nil && strings.Contains(field(string(status), "State:"), "stop")
	}
	begin := func() error {
		_, err := io.WriteString(in, "\n")
		if stopped() {
			t.Error("it was stopped from within")
		}
		err = errors.Join(err, cmd.Process.Signal(unix.SIGSTOP))
		if !stopped() {
			t.Error("it was not stopped from outside")
		}
		_, err2 := io.WriteString(in, "\n")
		return errors.Join(err, cmd.Process.Signal(unix.SIGCONT), err2)
	}
	seen, err := Trace(ctx, cmd.Process.Pid, begin, func(*Denied) {})
	if err != nil || !seen.Ended || seen.Status.ExitStatus() != 3 {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestTraceNobody(t *testing.T) {
	if _, err := Trace(t.Context(), 1<<30, nil, nil); err == nil {
		t.Error("a process that is not there was watched")
	}
}

// BenchmarkTrace compares a program of 200,000 system calls alone, watched, watched with stops at each call, and under
// strace, which shows its failed ones.
func BenchmarkTrace(b *testing.B) {
	const script = "exec dd if=/dev/zero of=/dev/null bs=1 count=100000 2>/dev/null"
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			cmd, begin := waiting(b, script)
			if err := errors.Join(begin(), cmd.Wait()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("watched", func(b *testing.B) {
		for b.Loop() {
			cmd, begin := waiting(b, script)
			var denied atomic.Int64
			if seen, err := Trace(b.Context(), cmd.Process.Pid, begin, func(*Denied) { denied.Add(1) }); err != nil || !seen.Ended || seen.EachCall != nil {
				b.Fatal(seen, err)
			}
			_ = cmd.Wait() // the tracer has taken its status
		}
	})
	b.Run("watched at each call", func(b *testing.B) {
		for b.Loop() {
			cmd, begin := waiting(b, script)
			each := func() (*stops, error) { return nil, errors.New("of the benchmark") }
			if seen, err := trace(b.Context(), cmd.Process.Pid, begin, func(*Denied) {}, each); err != nil || !seen.Ended {
				b.Fatal(seen, err)
			}
			_ = cmd.Wait() // likewise
		}
	})
	b.Run("strace", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("strace", "-f", "-Z", "-o", "/dev/null", "sh", "-c", script).Run(); err != nil {
				b.Skip(err)
			}
		}
	})
}
