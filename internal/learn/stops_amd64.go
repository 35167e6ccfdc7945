// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stops makes the kernel stop watched threads when a system call has failed as isDenial defines it, and only then. It
// is a program at the tracepoint sys_exit, which every call of every process passes: it looks the thread up, and sends
// SIGSTOP to a watched one. The tracer sees it before the call returns.
//
// A seccomp filter with SECCOMP_RET_TRACE would not do. It can't be removed, and without a tracer its calls fail with
// ENOSYS: a container that keeps running would break. A call that the engine's own filter denies never reaches it, as
// the stricter of two filters wins (seccomp(2)). A root process without no_new_privs could not get one. And it stops at
// each call that names a file, denied or not.
type stops map[space]*program

// space identifies a pid namespace by its file (namespaces(7)). A thread stays in one for life, and both sides know its
// id there, wherever this program runs.
type space struct{ device, inode uint64 }

// program is the loaded program for one pid namespace.
type program struct {
	watched int // a map of process and thread ids
	code    int
	link    int // the attachment to the tracepoint; closing it removes it. -1: removed
}

// The kernel's helpers, by number (linux/bpf.h, BPF_FUNC_*).
const (
	mapLookupElem       = 1
	sendSignalThread    = 117 // since Linux 5.6
	getNsCurrentPidTgid = 120 // since Linux 5.7
)

// maxWatched limits how many threads of a namespace are watched at a time. Further ones are stopped at each call.
const maxWatched = 1 << 16

// instruction is the kernel's struct bpf_insn.
type instruction struct {
	code      uint8
	registers uint8 // the destination in the lower half, the source in the upper one
	offset    int16
	immediate int32
}

// atExit returns the program's code. Its argument is the call's registers and result (register 1: two 64-bit numbers).
// A 32-bit call may have its result in 32 bits, so the program checks only these; the tracer checks all of it.
func atExit(in space, watched int) []instruction {
	const (
		load    = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_DW
		number  = unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW // of 64 bits, the upper half in an instruction of its own
		set     = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
		move    = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
		add     = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
		ifIs    = unix.BPF_JMP32 | unix.BPF_JEQ | unix.BPF_K
		ifNot   = unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K
		ifZero  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		notZero = unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K
		call    = unix.BPF_JMP | unix.BPF_CALL
		exit    = unix.BPF_JMP | unix.BPF_EXIT
		stack   = 10 // the register that points to the end of the stack
	)
	low := func(n uint64) int32 { return int32(uint32(n)) } // #nosec G115 -- half of a number
	high := func(n uint64) int32 { return int32(n >> 32) }  // #nosec G115 -- the other half
	return []instruction{
		{load, 1<<4 | 6, 8, 0}, // r6 = the result
		{ifIs, 6, 4, -int32(unix.EPERM)},
		{ifIs, 6, 3, -int32(unix.EROFS)},
		{ifIs, 6, 2, -int32(unix.ENOSPC)},
		{ifIs, 6, 1, -int32(unix.ENOMEM)},
		{ifNot, 6, 17, -int32(unix.EACCES)}, // to the end
		// Thread and process ids as in this namespace: eight bytes on the stack. For threads of another namespace the
		// helper fails: jump to the end.
		{number, 1, 0, low(in.device)},
		{0, 0, 0, high(in.device)},
		{number, 2, 0, low(in.inode)},
		{0, 0, 0, high(in.inode)},
		{move, stack<<4 | 3, 0, 0},
		{add, 3, 0, -8},
		{set, 4, 0, 8},
		{call, 0, 0, getNsCurrentPidTgid},
		{notZero, 0, 8, 0},
		{number, unix.BPF_PSEUDO_MAP_FD<<4 | 1, 0, int32(watched)}, // #nosec G115 -- a descriptor
		{0, 0, 0, 0},
		{move, stack<<4 | 2, 0, 0},
		{add, 2, 0, -8},
		{call, 0, 0, mapLookupElem},
		{ifZero, 0, 2, 0}, // not watched: to the end
		{set, 1, 0, int32(unix.SIGSTOP)},
		{call, 0, 0, sendSignalThread},
		{set, 0, 0, 0}, // the end
		{exit, 0, 0, 0},
	}
}

// stopAtDenials needs root, or CAP_BPF and CAP_PERFMON, and Linux 5.7.
func stopAtDenials() (*stops, error) {
	s := &stops{}
	own, err := spaceOf("self")
	if err == nil {
		_, err = s.program(own)
	}
	if err != nil {
		return nil, fmt.Errorf("have the kernel tell of denied calls only: %w", err)
	}
	return s, nil
}

func spaceOf(pid string) (space, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+pid+"/ns/pid", &st); err != nil {
		return space{}, err
	}
	// Inside, the kernel has another form of device numbers than outside (linux/kdev_t.h, MKDEV).
	return space{uint64(unix.Major(st.Dev))<<20 | uint64(unix.Minor(st.Dev)), st.Ino}, nil
}

// program returns the program for a namespace, loading it on demand.
func (s *stops) program(in space) (*program, error) {
	if p := (*s)[in]; p != nil {
		return p, nil
	}
	p := &program{-1, -1, -1}
	if err := p.load(in); err != nil {
		p.close()
		return nil, err
	}
	(*s)[in] = p
	return p, nil
}

func (p *program) load(in space) (err error) {
	if p.watched, err = bpf(unix.BPF_MAP_CREATE, &struct{ kind, key, value, entries, flags uint32 }{
		unix.BPF_MAP_TYPE_HASH, 8, 1, maxWatched, unix.BPF_F_NO_PREALLOC,
	}); err != nil {
		return err
	}
	code, license := atExit(in, p.watched), []byte("Apache-2.0\x00") // it calls nothing that is for the GPL only
	if p.code, err = bpf(unix.BPF_PROG_LOAD, &struct {
		kind, count           uint32
		instructions, license unsafe.Pointer
	}{
		unix.BPF_PROG_TYPE_RAW_TRACEPOINT, uint32(len(code)), unsafe.Pointer(&code[0]), unsafe.Pointer(&license[0]), // #nosec G103 G115 -- the kernel reads what these point to, and no more
	}); err != nil {
		return err
	}
	at := []byte("sys_exit\x00")
	p.link, err = bpf(unix.BPF_RAW_TRACEPOINT_OPEN, &struct {
		name unsafe.Pointer
		code uint64 // 32 bits in the kernel's struct, then 32 unused ones
	}{unsafe.Pointer(&at[0]), uint64(p.code)}) // #nosec G103 G115 -- the kernel reads a name that ends with 0; a descriptor
	return err
}

// watched is the registration of a thread that is to stop.
type watched struct {
	by *program
	id [2]uint32 // the kernel's struct bpf_pidns_info: thread and process
}

// add makes a thread stop from now on.
func (s *stops) add(tid int) (w watched, err error) {
	in, err := spaceOf(strconv.Itoa(tid))
	if err != nil {
		return w, err
	}
	if w.by, err = s.program(in); err != nil {
		return w, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return w, err
	}
	for i, name := range []string{"NSpid", "NStgid"} {
		ids := strings.Fields(fieldOf(status, name)) // of one namespace after the other, its own the last
		if len(ids) == 0 {
			return w, fmt.Errorf("/proc/%d/status has no %s", tid, name)
		}
		id, err := strconv.ParseUint(ids[len(ids)-1], 10, 31) //lint:allow a process id
		if err != nil {
			return w, err
		}
		w.id[i] = uint32(id)
	}
	value := uint8(1)
	_, err = bpf(unix.BPF_MAP_UPDATE_ELEM, &element{uint64(w.by.watched), unsafe.Pointer(&w.id), unsafe.Pointer(&value), 0}) // #nosec G103 G115 -- of the sizes that the map has; a descriptor
	return w, err
}

// remove unregisters a thread that has ended. Ids are assigned in turn, so its id is reused only much later.
func (w *watched) remove() {
	_, _ = bpf(unix.BPF_MAP_DELETE_ELEM, &element{watched: uint64(w.by.watched), key: unsafe.Pointer(&w.id)}) // #nosec G103 G115 -- as above; it may not be there
}

type element struct {
	watched    uint64 // the map: 32 bits in the kernel's struct, and as much again that is unused
	key, value unsafe.Pointer
	flags      uint64
}

// end stops watching: no thread stops any more.
func (s *stops) end() {
	for _, p := range *s {
		p.end()
	}
}

func (s *stops) close() {
	for _, p := range *s {
		p.close()
	}
}

func (p *program) end() {
	if p.link >= 0 {
		_ = unix.Close(p.link) // nothing was written
	}
	p.link = -1
}

func (p *program) close() {
	p.end()
	for _, fd := range []int{p.code, p.watched} {
		if fd >= 0 {
			_ = unix.Close(fd) // likewise
		}
	}
}

// bpf is bpf(2). The kernel treats members that an attribute lacks as zero.
func bpf[T any](command uintptr, attribute *T) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(attribute)), unsafe.Sizeof(*attribute)) // #nosec G103 -- the kernel is told how long it is
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil // #nosec G115 -- a descriptor, or 0
}

// lastCall returns the call that a thread returns from, which its registers still contain, and its result.
func lastCall(tid int) (c call, result int64, err error) {
	// unix.PtraceGetRegs uses PTRACE_GETREGSET, which answers in the form of the thread's own program: a 32-bit one has
	// other members. PTRACE_GETREGS answers in the form of the caller (arch/x86/kernel/ptrace.c).
	var r unix.PtraceRegs
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(&r)), 0, 0); errno != 0 { // #nosec G103 -- the kernel fills the struct that it has this call for
		return c, 0, errno
	}
	info, err := syscallInfo(tid)
	if err != nil {
		return c, 0, err
	}
	c.arch, c.nr = info.arch(), r.Orig_rax
	if c.arch == unix.AUDIT_ARCH_I386 {
		c.args = [6]uint64{r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.Rbp}
		return c, int64(int32(r.Rax)), nil // #nosec G115 -- a register of 32 bits
	}
	c.args = [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	return c, int64(r.Rax), nil // #nosec G115 -- a signed number in a register
}
