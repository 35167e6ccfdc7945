#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   golang.org/x/sys v0.49.0, unix.PtraceGetRegs, on linux/amd64 with a kernel that runs programs of 32 bits
# Guess:     it fills its struct, whose members are the registers of 64 bits (Rip, Orig_rax), for any process, as
#            ptrace(PTRACE_GETREGS) does for a tracer of 64 bits
# What is:   it asks with PTRACE_GETREGSET, whose answer has the form of the watched process's own kind. For one of 32 bits that is
#            shorter, with other members in another order; the call succeeds, and Rip and Orig_rax are 0. How much the kernel has
#            written stands in the iovec, which the function keeps to itself
# Why here:  nonroot-ctl learn reads from these registers which system call was denied, and missed all those of programs of
#            32 bits, without an error

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir small
cat >small/main.go <<'GO'
package main

func main() {}
GO
cat >go.mod <<'MOD'
module example.org/registers

go 1.26.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	for _, name := range os.Args[1:] {
		cmd := exec.Command(name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true} // it stops after execve
		if err := cmd.Start(); err != nil {
			fmt.Println(name, "does not start:", err)
			os.Exit(2)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil {
			panic(err)
		}
		var set, old unix.PtraceRegs
		err := unix.PtraceGetRegs(cmd.Process.Pid, &set)
		_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(cmd.Process.Pid), 0, uintptr(unsafe.Pointer(&old)), 0, 0)
		fmt.Printf("%s: PtraceGetRegs: %v, Rip is 0: %v; PTRACE_GETREGS: %v, Rip is 0: %v\n", name, err, set.Rip == 0, errno == 0, old.Rip == 0)
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	}
}
GO
go get golang.org/x/sys@v0.49.0 2>/dev/null
GOARCH=386 CGO_ENABLED=0 go build -o of-32-bits ./small
CGO_ENABLED=0 go build -o of-64-bits ./small
CGO_ENABLED=0 go build -o registers .
./registers ./of-64-bits ./of-32-bits | tee seen
diff - seen <<'SEEN'
./of-64-bits: PtraceGetRegs: <nil>, Rip is 0: false; PTRACE_GETREGS: true, Rip is 0: false
./of-32-bits: PtraceGetRegs: <nil>, Rip is 0: true; PTRACE_GETREGS: true, Rip is 0: false
SEEN
