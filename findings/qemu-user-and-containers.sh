#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   Debian 12's qemu-user-static 1:7.2+dfsg-7+deb12u18+b2, Go 1.26.8, golang.org/x/sys v0.47.0 (as root, on amd64)
# Guess:     a program for arm64 under QEMU's user emulation has the machine's kernel: a system call that the kernel has since 5.6, and one
#            that starts a process in namespaces of its own, do there what they do without it
# What is:   openat2(2) is not implemented, as if the kernel were older; clone(2) with CLONE_NEWNS is an invalid argument, as the emulator
#            makes processes by a fork of its own, without flags. unshare(2) with the same flag works
# Why here:  a whole `run` of the runtime for arm64 can't be tried under the emulator: nonroot-runc refuses a kernel without openat2, and
#            starts nothing. hack/test-release runs the tests of the packages that need neither

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
version=1:7.2+dfsg-7+deb12u18+b2
chmod 755 .
apt-get download -qq -o APT::Sandbox::User=root "qemu-user-static=$version"
dpkg -x qemu-user-static_*.deb qemu
export GOTOOLCHAIN=go1.26.8 CGO_ENABLED=0 GOFLAGS=-mod=mod
cat >go.mod <<'GO'
module emulated
go 1.26.0
require golang.org/x/sys v0.47.0
GO
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 {
		return // the process in namespaces of its own
	}
	_, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH})
	fmt.Println("openat2:", err)
	// A static program needs no interpreter of its own: the emulator is started for it by name.
	args := append(os.Args[:0:0], "/proc/self/exe", "inside")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	err = cmd.Start()
	if err == nil {
		_ = cmd.Wait()
	}
	fmt.Println("clone with CLONE_NEWNS:", err)
	runtime.LockOSThread()
	fmt.Println("unshare with CLONE_NEWNS:", syscall.Unshare(syscall.CLONE_NEWNS))
}
GO
go build -o native .
GOARCH=arm64 go build -o emulated .
seen=$(
  echo "on the machine itself"
  ./native
  echo "emulated"
  qemu/usr/bin/qemu-aarch64-static ./emulated
)
printf '%s\n' "$seen"
[[ $seen == 'on the machine itself
openat2: <nil>
clone with CLONE_NEWNS: <nil>
unshare with CLONE_NEWNS: <nil>
emulated
openat2: function not implemented
clone with CLONE_NEWNS: fork/exec /proc/self/exe: invalid argument
unshare with CLONE_NEWNS: <nil>' ]]
