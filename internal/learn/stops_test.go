// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestMain is also the program that the tests watch if no common program does what they need.
func TestMain(m *testing.M) {
	if what := os.Getenv("LEARN_PROGRAM"); what != "" {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // the end of the input will do, too
		programs[what]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	forbidden = "/proc/1/environ" // belongs to root
	nobody    = 65532
)

var programs = map[string]func(){
	// The program installs a filter of its own, as an engine's profile would: another filter would not see what it
	// denies.
	"filter": func() {
		become()
		runtime.LockOSThread()
		deny := []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number (seccomp(2), struct seccomp_data)
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MKDIRAT, Jt: 0, Jf: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		}
		prog := unix.SockFprog{Len: uint16(len(deny)), Filter: &deny[0]}
		must(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		must(unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0))
		_ = unix.Mkdirat(unix.AT_FDCWD, "/tmp/denied", 0o755)
		_ = unix.Mkdirat(unix.AT_FDCWD, "/denied-by-both", 0o755)
	},
	// Many threads at once, some of which end at once. A handler that returns from a signal restores the result of the
	// call that it interrupted (sigreturn(2)), which is not a further call.
	"threads": func() {
		signal.Notify(make(chan os.Signal, 1), unix.SIGALRM)
		_, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: unix.Timeval{Usec: 300}, Value: unix.Timeval{Usec: 300}})
		must(err)
		become()
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if runtime.LockOSThread(); i%2 == 0 {
					defer runtime.UnlockOSThread()
				}
				for range 25 {
					_, _ = unix.Open(forbidden, unix.O_RDONLY, 0)
				}
			})
		}
		all.Wait()
	},
	// Signals are blocked or ignored, and a child is created by vfork and ends at once.
	"signals": func() {
		become()
		runtime.LockOSThread()
		all := unix.Sigset_t{}
		for i := range all.Val {
			all.Val[i] = ^uint64(0)
		}
		must(unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil))
		_, _ = unix.Open(forbidden, unix.O_RDONLY, 0)
		_, _ = os.StartProcess("/proc/1/exe", nil, &os.ProcAttr{Dir: forbidden})
		// Not by setuid(3): with the race detector, glibc calls it in each thread, and their number varies.
		_, _, _ = unix.RawSyscall(unix.SYS_SETUID, 1234, 0, 0)
	},
}

// become makes the program an ordinary user, in all of its threads.
func become() {
	must(syscall.Setgroups(nil))
	must(syscall.Setresgid(nobody, nobody, nobody))
	must(syscall.Setresuid(nobody, nobody, nobody))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

// elf32 returns a 32-bit program that opens a file and exits with the result of open(2), negated.
func elf32(file string) []byte {
	const base, headers = 0x10000, 52 + 32
	code := []byte{
		0xb8, 5, 0, 0, 0, // mov eax, 5: open
		0xbb, 0, 0, 0, 0, // mov ebx, the name, which is set below
		0x31, 0xc9, // xor ecx, ecx
		0xcd, 0x80, // int 0x80
		0xf7, 0xd8, // neg eax
		0x89, 0xc3, // mov ebx, eax
		0xb8, 1, 0, 0, 0, // mov eax, 1: exit
		0xcd, 0x80, // int 0x80
	}
	binary.LittleEndian.PutUint32(code[6:], uint32(base+headers+len(code)))
	size := uint32(headers + len(code) + len(file) + 1)
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01" + strings.Repeat("\x00", 9))
	for _, field := range []any{
		uint16(2), uint16(3), uint32(1), uint32(base + headers), uint32(52), uint32(0), uint32(0), // elf(5), Elf32_Ehdr
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), size, size, uint32(5), uint32(0x1000), // Elf32_Phdr
	} {
		_ = binary.Write(&b, binary.LittleEndian, field) // to memory
	}
	b.Write(code)
	b.WriteString(file + "\x00")
	return b.Bytes()
}

// TestBothWays: with stops at denied calls only, the same denials of a program are seen as with stops at each call.
func TestBothWays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root")
	}
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		must(os.Chmod(d, 0o755))
	}
	must(os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
	must(os.WriteFile(filepath.Join(dir, "elf32"), elf32(forbidden), 0o755))
	shell := func(script string) func() *exec.Cmd {
		return func() *exec.Cmd {
			cmd := exec.Command("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "sh", "-c", "read -r line; "+script)
			cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
			return cmd
		}
	}
	own := func(what string) func() *exec.Cmd {
		return func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "LEARN_PROGRAM="+what)
			return cmd
		}
	}
	for name, c := range map[string]struct {
		command func() *exec.Cmd
		want    string // one of the denied calls
	}{
		"files":       {shell(`cat secret; echo x >secret; mkdir a; rm -f secret; ln secret b; touch secret; chmod 600 secret; ls /root; cd /root; ./elf32x`), "openat"},
		"ids":         {shell(`setpriv --reuid=0 true; setpriv --clear-groups true; chown 0 secret; mknod n c 1 3; chroot / true; unshare -m true; mount -t tmpfs x /mnt; kill -0 1; renice -n -5 $$`), "chroot"},
		"what starts": {shell(`exec ./secret`), "execve"},
		"children":    {shell(`for i in 1 2 3 4 5 6 7 8 9 10; do (cat secret & cat secret; wait) & done; wait`), "openat"},
		"signals":     {shell(`trap 'cat secret' USR1; kill -USR1 $$; (trap '' STOP TRAP SYS; cat secret); timeout 0.1 sh -c 'while :; do :; done'; cat secret`), "openat"},
		"32 bits":     {shell(`./elf32; test $? = 13 || test $? = 126`), ""}, // or the kernel runs no such program,
		"find":        {shell(`find /etc /root -maxdepth 1 -name '*.none'; tar cf /dev/null /etc/ssl /root`), "openat"},
		"perl":        {shell(`perl -e 'open F, "secret"; mkdir "/x"; $< = 0; kill 9, 1; fork; unlink "secret"; exec "/root/x"; wait'`), "mkdir"},
		"python": {shell(`python3 -c 'import threading,os,subprocess
def f():
  for i in range(20):
    try: open("secret")
    except OSError: pass
all = [threading.Thread(target=f) for i in range(10)]
[t.start() for t in all]; [t.join() for t in all]
try: subprocess.run(["./secret"])
except OSError: pass'`), "openat"},
		"a filter":       {own("filter"), "mkdirat"},
		"threads":        {own("threads"), "openat"},
		"blocked":        {own("signals"), "setuid"},
		"nothing at all": {shell(`true`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			each, status := seenOf(t, c.command(), func() (*stops, error) { return nil, errors.New("of the test") })
			only, status2 := seenOf(t, c.command(), stopAtDenials)
			if !slices.Equal(each, only) {
				t.Errorf("more often or less when stopped at denied calls only: %v", differences(each, only))
			}
			if status != status2 || status == 9<<8 {
				t.Errorf("it ended with %#x, and with %#x", status, status2)
			}
			if c.want != "" && !slices.ContainsFunc(only, func(s string) bool { return strings.HasPrefix(s, c.want+" ") }) {
				t.Errorf("%s is not among %q", c.want, only)
			}
		})
	}
}

// seenOf runs a program and sorts its denied calls.
func seenOf(t *testing.T, cmd *exec.Cmd, ask func() (*stops, error)) (all []string, status unix.WaitStatus) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen, err := trace(ctx, cmd.Process.Pid, in.Close, func(d *Denied) {
		if noDenial[d.Name] {
			return
		}
		args := ""
		if len(d.Paths) == 0 && d.Name != "kill" && d.Name != "setpriority" {
			args = fmt.Sprint(uint32(d.Args[0]))
		}
		all = append(all, fmt.Sprint(d.Name, " ", d.Errno, " ", d.Comm, " ", d.Paths, args))
	}, ask)
	if err != nil || !seen.Ended {
		t.Fatalf("%+v, %v", seen, err)
	}
	_ = cmd.Wait() // the tracer has taken its status
	slices.Sort(all)
	return numbers(all), seen.Status
}

// differences counts how much more often each text is in the second list than in the first one.
func differences(a, b []string) map[string]int {
	n := map[string]int{}
	for _, s := range a {
		n[s]--
	}
	for _, s := range b {
		n[s]++
	}
	maps.DeleteFunc(n, func(_ string, n int) bool { return n == 0 })
	return n
}

// numbers removes what differs between runs: the ids in /proc.
func numbers(all []string) []string {
	for i, s := range all {
		parts := strings.Split(s, "/proc/")
		for j := 1; j < len(parts); j++ {
			parts[j] = strings.TrimLeft(parts[j], "0123456789")
		}
		all[i] = strings.Join(parts, "/proc/")
	}
	slices.Sort(all)
	return all
}

// TestLetGo: a program that is denied a call at the moment when the watching ends keeps running.
func TestLetGo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root")
	}
	for range 20 {
		cmd := exec.Command("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "sh", "-c", "read -r line; for i in 1 2 3; do (while :; do true </proc/1/environ; done) 2>/dev/null & done; wait")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		who := map[int]int{}
		seen, err := Trace(ctx, cmd.Process.Pid, in.Close, func(d *Denied) {
			if who[d.TID]++; len(who) == 3 && who[d.TID] > 10 {
				cancel()
			}
		})
		cancel()
		if err != nil || seen.EachCall != nil {
			t.Errorf("%+v, %v", seen, err)
		}
		time.Sleep(20 * time.Millisecond) // for a signal that was on its way
		left := 0
		for _, pid := range group(t, cmd.Process.Pid) {
			status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
			if err != nil {
				continue
			}
			left++
			if state := fieldOf(status, "State"); strings.HasPrefix(state, "T") || strings.HasPrefix(state, "t") || fieldOf(status, "TracerPid") != "0" {
				t.Errorf("%d is left as %q", pid, state)
			}
		}
		if left < 4 {
			t.Errorf("of four processes %d are left", left)
		}
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait() // it was killed
	}
}

// group returns the processes of a process group.
func group(t *testing.T, id int) (all []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if of, err := unix.Getpgid(pid); err == nil && of == id {
				all = append(all, pid)
			}
		}
	}
	return all
}
