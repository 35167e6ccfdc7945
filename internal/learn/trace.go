// SPDX-License-Identifier: Apache-2.0

// Package learn watches which system calls the kernel denies to a container, and says what in a policy would change
// that. Plans (internal/plan) say what a container gets anyway; nothing here changes a policy.
//
// It uses ptrace(2), as only that shows both what a call was about and how it ended. A seccomp notification comes
// before the kernel has decided (seccomp_unotify(2)), and fanotify reports what was opened, not what its mode denied
// (fanotify(7)). The kernel is asked to stop the container's threads at denied calls only (stops_amd64.go). If it
// can't, they stop twice at each call.
package learn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// Denied is a system call that failed as isDenial defines it.
type Denied struct {
	Name  string // its name in the kernel's table, or "call 512" if there is no table for the architecture
	Args  [6]uint64
	Errno unix.Errno
	TID   int    // the thread, which is stopped while it is examined
	Comm  string // the program's short name (proc(5), comm)
	Paths []string
}

// Seen is what was observed of a container while it was watched.
type Seen struct {
	Late      bool  // the container's first program had started before
	EachCall  error // why it was stopped at each of its calls, which is slow; nil: only at denied ones
	Processes int
	Ended     bool
	Status    unix.WaitStatus // of the container's first process, if it has ended
	Programs  []Program
}

// Program is a program in the container that is worth reporting.
type Program struct {
	Name   string // the kernel's name for it (proc(5), comm), or the path of its file, which is setuid
	Setuid bool
	Status int // its exit status, if not 0
}

// maxPrograms limits how many programs are kept.
const maxPrograms = 256

// Trace watches a process and its descendants until the last has ended or the context is done; then they keep running
// unwatched. The runtime's own process, which becomes the container's program, is watched only from that moment on.
//
// It keeps a thread of its own, as only the thread that attached may make the other requests (ptrace(2)). Once
// everything is watched, begin is called, if it is not nil; it may take as long as the container's start.
func Trace(ctx context.Context, pid int, begin func() error, denied func(*Denied)) (*Seen, error) {
	return trace(ctx, pid, begin, denied, stopAtDenials)
}

func trace(ctx context.Context, pid int, begin func() error, denied func(*Denied), ask func() (*stops, error)) (*Seen, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		seen *Seen
		err  error
	}
	done, attached := make(chan result, 1), make(chan struct{})
	onThread(func() {
		t := tracer{first: pid, threads: map[int]*thread{}, denied: denied}
		if t.stops, t.EachCall = ask(); t.stops != nil {
			defer t.stops.close()
		}
		err := t.attach()
		if err == nil {
			close(attached)
			err = t.loop(ctx)
		}
		t.letGo()
		done <- result{&t.Seen, err}
	})
	select {
	case r := <-done:
		return r.seen, r.err
	case <-attached:
	}
	if begin != nil {
		if err := begin(); err != nil {
			cancel()
			<-done
			return nil, fmt.Errorf("start the container: %w", err)
		}
	}
	r := <-done
	return r.seen, r.err
}

// onThread runs a function in a thread that ends with it: with the thread, the kernel releases everything that it
// watched. The process's first thread won't do: Go parks it for good instead of ending it (runtime, mexit), and
// everything would stay stopped.
func onThread(run func()) {
	go func() {
		runtime.LockOSThread() // not unlocked except on the first thread: so it ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			run()
			return
		}
		other := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(other)
			run()
		}()
		<-other // as long as this thread is locked, the other goroutine runs on a different one
		runtime.UnlockOSThread()
	}()
}

type tracer struct {
	Seen
	first   int
	threads map[int]*thread
	begun   bool // the container's own program runs
	denied  func(*Denied)
	stops   *stops // nil: each thread stops at each call
}

// thread is a watched thread.
type thread struct {
	known   bool // it has stopped before
	stops   bool // at denied calls only
	watched watched
	inCall  bool // for one that stops at each call
	call
}

// call is a system call.
type call struct {
	arch uint32 // as audit has it (AUDIT_ARCH_*)
	nr   uint64
	args [6]uint64
}

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT

// attach attaches to each thread of the process, until no new one appears.
func (t *tracer) attach() error {
	for found := true; found; {
		found = false
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.first))
		if err != nil {
			return fmt.Errorf("look at the container's first process: %w", err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || t.threads[tid] != nil {
				continue
			}
			if err := seize(tid); errors.Is(err, unix.ESRCH) {
				continue
			} else if err != nil {
				return fmt.Errorf("watch the container's first process: %w", err)
			}
			t.threads[tid] = &thread{}
			found = true
		}
	}
	t.Processes = 1
	t.Late = !waits(t.first)
	t.begun = t.Late
	return nil
}

// waits reports whether a process is the runtime's own, waiting for the container's start: it has the fifo open that
// announces the start (runc, libcontainer/standard_init_linux.go; crun, src/libcrun/container.c). The program that it
// becomes does not.
func waits(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(open, func(fd os.DirEntry) bool {
		to, err := os.Readlink(path.Join(dir, fd.Name()))
		return err == nil && path.Base(to) == "exec.fifo"
	})
}

func seize(tid int) error {
	// The wrappers of x/sys accept no options here.
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0, 0); errno != 0 {
		return errno
	}
	return unix.PtraceInterrupt(tid)
}

// loop handles one stop after the other.
func (t *tracer) loop(ctx context.Context) error {
	for idle := 0; len(t.threads) > 0; {
		var status unix.WaitStatus
		// Don't wait for children of other threads, such as the engine's command line.
		tid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return fmt.Errorf("wait for the container: %w", err)
		case tid == 0:
			if ctx.Err() != nil {
				return nil
			}
			rest(&idle)
		default:
			idle = 0
			if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) { // killed meanwhile: its end follows
				return fmt.Errorf("watch thread %d: %w", tid, err)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return nil
}

// rest waits briefly, and longer if nothing has happened for some time. A busy container's next call comes within
// microseconds, and no sleep is that short.
func rest(idle *int) {
	const patience = 2000
	if *idle++; *idle <= patience {
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // it can't fail
		return
	}
	time.Sleep(min(time.Duration(*idle-patience)*10*time.Microsecond, time.Millisecond))
}

// stopped examines a stopped thread and lets it continue.
func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	if status.Exited() || status.Signaled() {
		if tid == t.first {
			t.Ended, t.Status = true, status
		}
		t.forget(tid)
		return nil
	}
	th := t.threads[tid]
	if th == nil { // a child's first stop may come before its parent's
		th = &thread{}
		t.threads[tid] = th
	}
	t.meet(tid, th)
	signal, event := status.StopSignal(), int(status)>>16
	switch {
	case signal == unix.SIGTRAP|0x80:
		return errors.Join(t.call(tid, th), goOn(tid, th, 0))
	case event == 0 && th.stops && ours(tid, signal):
		return errors.Join(t.denial(tid), goOn(tid, th, 0))
	case event == unix.PTRACE_EVENT_EXEC:
		t.exec(tid)
		return goOn(tid, th, 0)
	case event == unix.PTRACE_EVENT_EXIT:
		t.ends(tid)
		return goOn(tid, th, 0)
	case event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK:
		t.Processes++
		return goOn(tid, th, 0)
	case event == unix.PTRACE_EVENT_STOP && (signal == unix.SIGSTOP || signal == unix.SIGTSTP || signal == unix.SIGTTIN || signal == unix.SIGTTOU):
		// The whole process was stopped: it stays so until it gets SIGCONT.
		_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_LISTEN, uintptr(tid), 0, 0, 0, 0)
		return errnoOr(errno)
	case event != 0 || signal == unix.SIGSTOP && unstoppable(tid):
		return goOn(tid, th, 0)
	}
	return goOn(tid, th, int(signal)) // a signal of the container's own
}

// meet makes a thread stop at its denied calls; it is called at the thread's first stop, before its first call.
func (t *tracer) meet(tid int, th *thread) {
	if th.known {
		return
	}
	th.known = true
	if t.stops == nil {
		return
	}
	var err error
	th.watched, err = t.stops.add(tid)
	if th.stops = err == nil; err != nil && t.EachCall == nil && !errors.Is(err, os.ErrNotExist) { // killed meanwhile
		t.EachCall = fmt.Errorf("watch thread %d: %w", tid, err)
	}
}

func (t *tracer) forget(tid int) {
	if th := t.threads[tid]; th != nil && th.stops {
		th.watched.remove()
	}
	delete(t.threads, tid)
}

// fieldOf returns the value in a file of lines such as "Tgid: 1"; "" if it is missing.
func fieldOf(text []byte, name string) string {
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// goOn lets a thread continue until its next stop.
func goOn(tid int, th *thread, signal int) error {
	if th.stops {
		return unix.PtraceCont(tid, signal)
	}
	return unix.PtraceSyscall(tid, signal)
}

// ours reports whether a thread was stopped because a call was denied: the kernel itself sends no other SIGSTOP, and
// identifies itself as the sender (sigaction(2), si_code).
func ours(tid int, signal unix.Signal) bool {
	const byKernel = 0x80 // SI_KERNEL
	if signal != unix.SIGSTOP {
		return false
	}
	info, err := signalInfo(tid)
	return err == nil && binary.NativeEndian.Uint32(info[8:]) == byKernel
}

// denial reports the call that a thread returns from.
func (t *tracer) denial(tid int) error {
	c, result, err := lastCall(tid)
	if err != nil {
		return err
	}
	// After sigreturn(2) the result is that of the interrupted call, and there is no number.
	if failed := unix.Errno(-result); c.nr != noCall && t.begun && isDenial(failed) { // #nosec G115 -- a call's result
		t.tell(tid, &c, failed)
	}
	return nil
}

// letGo detaches from all threads, so that they continue on their own. If the watching thread just ended, those stopped
// at a denied call at that moment would stay stopped.
func (t *tracer) letGo() {
	if t.stops == nil {
		return
	}
	t.stops.end()
	for tid := range t.threads {
		_ = unix.PtraceInterrupt(tid) // it may have ended
	}
	// A thread that does not stop is in the kernel, for example waiting for a child by vfork, and not in a call that
	// was denied.
	const patience = 100 * time.Millisecond
	for until := time.Now().Add(patience); len(t.threads) > 0 && time.Now().Before(until); {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return
		case tid == 0:
			time.Sleep(time.Millisecond)
		default:
			until = time.Now().Add(patience)
			if t.leave(tid, status) {
				delete(t.threads, tid)
			}
		}
	}
}

// leave lets a stopped thread go for good, unless another of our stops is still to come.
func (t *tracer) leave(tid int, status unix.WaitStatus) bool {
	if status.Exited() || status.Signaled() {
		if tid == t.first {
			t.Ended, t.Status = true, status
		}
		return true
	}
	signal := status.StopSignal()
	if isOurs := ours(tid, signal); isOurs || int(status)>>16 != 0 || signal == unix.SIGTRAP|0x80 || signal == unix.SIGSTOP && unstoppable(tid) {
		signal = 0
		if !isOurs && stopPending(tid) {
			return unix.PtraceCont(tid, 0) != nil
		}
	}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(tid), 0, uintptr(signal), 0, 0)
	return errno == 0 || errno == unix.ESRCH
}

// stopPending reports whether a SIGSTOP is pending for this thread alone, as ours are (proc(5), status: SigPnd).
func stopPending(tid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return false
	}
	pending, err := strconv.ParseUint(fieldOf(status, "SigPnd"), 16, 64)
	return err == nil && pending&(1<<(unix.SIGSTOP-1)) != 0
}

// unstoppable reports whether a SIGSTOP would have no effect if the thread were not watched: it belongs to the first
// process of a pid namespace, and the signal comes from within (pid_namespaces(7)). The kernel passes it to a tracer
// all the same, and then obeys the tracer.
func unstoppable(tid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return false
	}
	if ids := strings.Fields(fieldOf(status, "NStgid")); len(ids) == 0 || ids[len(ids)-1] != "1" {
		return false
	}
	// The sender's id as in the thread's namespace: 0 is a process outside of it.
	info, err := signalInfo(tid)
	return err == nil && binary.NativeEndian.Uint32(info[16:]) != 0
}

// signalInfo returns the siginfo_t of the signal at which a thread has stopped, in its 64-bit form
// (asm-generic/siginfo.h).
func signalInfo(tid int) (info [128]byte, err error) {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(&info[0])), 0, 0) // #nosec G103 -- the kernel fills a siginfo_t of 128 bytes
	return info, errnoOr(errno)
}

func errnoOr(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// exec handles an execve: the calling thread continues as the process's first one, and all others have ended.
func (t *tracer) exec(tid int) {
	if tid == t.first {
		t.begun = true
	}
	t.threads[tid].inCall = true // its end is still to come
	t.threads[tid].nr = noCall
	exe := fmt.Sprintf("/proc/%d/exe", tid)
	var st unix.Stat_t
	if t.begun && unix.Stat(exe, &st) == nil && st.Mode&unix.S_ISUID != 0 {
		if name, err := os.Readlink(exe); err == nil {
			t.saw(Program{Name: name, Setuid: true})
		}
	}
	if former, err := unix.PtraceGetEventMsg(tid); err == nil && int(former) != tid {
		t.forget(int(former))
	}
}

// ends handles a thread that is about to end, and still has its name.
func (t *tracer) ends(tid int) {
	code, err := unix.PtraceGetEventMsg(tid)
	status := unix.WaitStatus(code) // #nosec G115 -- as wait4(2) has it
	if err != nil || !t.begun || status.ExitStatus() <= 0 {
		return
	}
	t.saw(Program{Name: commOf(tid), Status: status.ExitStatus()})
}

// commOf returns the short name of the program that a thread runs; the thread must be stopped.
func commOf(tid int) string {
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid)) // it exists while the thread is stopped
	return strings.TrimSuffix(string(comm), "\n")
}

func (t *tracer) saw(p Program) {
	if len(t.Programs) < maxPrograms && !slices.Contains(t.Programs, p) {
		t.Programs = append(t.Programs, p)
	}
}

const noCall = ^uint64(0)

// infoOfCall is the kernel's struct ptrace_syscall_info.
type infoOfCall [88]byte

func (i *infoOfCall) arch() uint32       { return binary.NativeEndian.Uint32(i[4:]) }
func (i *infoOfCall) word(at int) uint64 { return binary.NativeEndian.Uint64(i[at:]) }

// syscallInfo returns what the kernel reports about a stopped thread (ptrace(2), PTRACE_GET_SYSCALL_INFO).
func syscallInfo(tid int) (info infoOfCall, err error) {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info[0])), 0, 0) // #nosec G103 -- the kernel fills a buffer of the length that it is given
	return info, errnoOr(errno)
}

// call handles a stop before or after a system call.
func (t *tracer) call(tid int, th *thread) error {
	info, err := syscallInfo(tid)
	if err != nil {
		return err
	}
	switch info[0] {
	case unix.PTRACE_SYSCALL_INFO_ENTRY:
		th.inCall, th.arch, th.nr = true, info.arch(), info.word(24)
		for i := range th.args {
			th.args[i] = info.word(32 + 8*i)
		}
	case unix.PTRACE_SYSCALL_INFO_EXIT:
		was := *th
		th.inCall = false
		// A call that was under way at the time of attaching is not known.
		if failed := unix.Errno(-int64(info.word(24))); was.inCall && was.nr != noCall && info[32] != 0 && t.begun && isDenial(failed) { // #nosec G115 -- a signed number in a register; is_error
			t.tell(tid, &was.call, failed)
		}
	}
	return nil
}

// isDenial reports whether a call may have failed for lack of a right, or at a mount of ours: a full home, and passwd,
// which is read-only. Locking memory beyond the limit requires a right (ENOMEM).
func isDenial(failed unix.Errno) bool {
	return failed == unix.EACCES || failed == unix.EPERM || failed == unix.EROFS || failed == unix.ENOSPC || failed == unix.ENOMEM
}

// writes lists calls that matter for their file if there is no space.
var writes = []string{"write", "writev", "pwrite64", "pwritev", "pwritev2", "fallocate", "ftruncate", "ftruncate64", "sendfile", "copy_file_range", "splice"}

func (t *tracer) tell(tid int, c *call, failed unix.Errno) {
	d := Denied{Name: callName(c.arch, c.nr), Args: c.args, Errno: failed, TID: tid}
	if failed == unix.ENOMEM && !isLock(d.Name) {
		return
	}
	d.Comm = commOf(tid)
	args := fileArgs[d.Name]
	if failed == unix.ENOSPC && slices.Contains(writes, d.Name) {
		args = file
	}
	for _, arg := range args {
		if p, ok := arg.path(tid, &d.Args); ok {
			d.Paths = append(d.Paths, p)
		}
	}
	if d.Name == "connect" || d.Name == "bind" {
		if p, ok := sockaddrPath(tid, d.Args[1], d.Args[2]); ok {
			d.Paths = []string{p}
		}
	}
	t.denied(&d)
}

// tables holds those of the architectures that a machine of one of them can run.
var tables = []*arch.Info{arch.X86_64, arch.I386, arch.AARCH64, arch.ARM}

const x32 = 0x40000000 // __X32_SYSCALL_BIT of asm/unistd.h

func callName(of uint32, nr uint64) string {
	for _, table := range tables {
		if uint32(table.ID) != of { // 32 bits, though an int there
			continue
		}
		if table == arch.X86_64 {
			nr &^= x32
		}
		if name, ok := table.SyscallNumbers[int(min(nr, 1<<20))]; ok {
			return name
		}
	}
	return fmt.Sprintf("call %d", nr)
}

// fileArg describes which arguments of a call are a path, or an open file.
type fileArg struct {
	directory int // the directory that a relative path counts from; -1: the working directory
	name      int // -1: it is about the directory itself
}

var (
	first  = []fileArg{{-1, 0}}
	second = []fileArg{{-1, 1}}
	at     = []fileArg{{0, 1}}
	file   = []fileArg{{0, -1}}

	fileArgs = map[string][]fileArg{
		"open": first, "creat": first, "mkdir": first, "rmdir": first, "unlink": first, "chmod": first, "chown": first, "lchown": first,
		"access": first, "execve": first, "stat": first, "lstat": first, "newlstat": first, "stat64": first, "lstat64": first, "statfs": first,
		"truncate": first, "truncate64": first, "utime": first, "utimes": first, "mknod": first, "chdir": first, "chroot": first,
		"readlink": first, "umount2": first, "setxattr": first, "lsetxattr": first, "chown32": first, "lchown32": first, "inotify_add_watch": second,
		"openat": at, "openat2": at, "mkdirat": at, "unlinkat": at, "fchmodat": at, "fchmodat2": at, "fchownat": at, "faccessat": at,
		"faccessat2": at, "execveat": at, "newfstatat": at, "fstatat64": at, "statx": at, "utimensat": at, "futimesat": at, "mknodat": at,
		"readlinkat": at, "name_to_handle_at": at,
		"ioctl": file, "fchmod": file, "fchown": file, "fchown32": file, "fsetxattr": file, "fchdir": file, "getdents64": file, "getdents": file,
		"rename": {{-1, 0}, {-1, 1}}, "link": {{-1, 0}, {-1, 1}}, "symlink": second, "mount": second,
		"renameat": {{0, 1}, {2, 3}}, "renameat2": {{0, 1}, {2, 3}}, "linkat": {{0, 1}, {2, 3}}, "symlinkat": {{1, 2}},
	}
)

// path returns what the argument names, as the container sees it. Memory may have changed since the call: the path is
// only reported to people, and nothing is decided by it.
func (a fileArg) path(tid int, args *[6]uint64) (string, bool) {
	base := "cwd"
	if a.directory >= 0 && int32(args[a.directory]) != unix.AT_FDCWD { // #nosec G115 -- an int, of which a register may have more
		base = fmt.Sprintf("fd/%d", int32(args[a.directory])) // #nosec G115 -- likewise
	}
	named := ""
	if a.name >= 0 {
		var ok bool
		if named, ok = readString(tid, args[a.name]); !ok {
			return "", false
		}
	}
	if path.IsAbs(named) {
		return path.Clean(named), true
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", tid, base))
	if err != nil || !path.IsAbs(dir) {
		return "", false // a pipe, a socket
	}
	return path.Join(dir, named), true
}

// readString reads up to a NUL, page by page, as the next one may not be there.
func readString(tid int, from uint64) (string, bool) {
	var text []byte
	for len(text) < unix.PathMax {
		buf := make([]byte, 4096-from%4096)
		local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
		n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(from), Len: len(buf)}}, 0)
		if err != nil || n <= 0 {
			return "", false
		}
		if end := strings.IndexByte(string(buf[:n]), 0); end >= 0 {
			return string(append(text, buf[:end]...)), true
		}
		text = append(text, buf[:n]...)
		from += uint64(n)
	}
	return "", false
}

// sockaddrPort returns the port of an address of the internet families (ip(7), ipv6(7): both have it at the same
// place).
func sockaddrPort(tid int, from uint64) (int, bool) {
	var buf [4]byte
	local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
	if n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(from), Len: len(buf)}}, 0); err != nil || n != len(buf) {
		return 0, false
	}
	family := binary.NativeEndian.Uint16(buf[:])
	return int(binary.BigEndian.Uint16(buf[2:])), family == unix.AF_INET || family == unix.AF_INET6
}

// sockaddrPath returns the path of an address of the family AF_UNIX (unix(7)), as the thread finds it; false for
// another family, or an abstract name.
func sockaddrPath(tid int, from, length uint64) (string, bool) {
	buf := make([]byte, min(length, 2+108))
	if len(buf) < 4 {
		return "", false
	}
	local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
	if n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(from), Len: len(buf)}}, 0); err != nil || n != len(buf) {
		return "", false
	}
	name, _, _ := strings.Cut(string(buf[2:]), "\x00")
	if binary.NativeEndian.Uint16(buf) != unix.AF_UNIX || name == "" {
		return "", false
	}
	if path.IsAbs(name) {
		return path.Clean(name), true
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", tid))
	return path.Join(dir, name), err == nil && path.IsAbs(dir)
}
