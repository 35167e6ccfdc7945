#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   Go 1.26.8, runtime.LockOSThread (as root)
# Guess:     a goroutine that locks its thread, has the thread join a namespace and ends without unlocking takes the thread with it, as
#            the documentation says ("the thread will be terminated"); nothing of the process is in that namespace afterwards
# What is:   so it is for every thread but the process's first one, which the runtime can't end and parks for good. Which thread a
#            goroutine gets is chance. After it was the first one, /proc/self, and what other programs see of the process in /proc/PID
#            (ns, root, cwd), is that of the namespace which was only visited; /proc/thread-self is the caller's
# Why here:  internal/proc and internal/hostns visit namespaces in this way, and what they compare with the caller's own is read by
#            thread-self; a test that read it by self failed once

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=go1.26.8
cat >go.mod <<'GO'
module first
go 1.26.0
GO
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// visit leaves the namespace of host names in a thread of its own, and ends with the thread locked.
func visit(done chan<- int) {
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
		panic(err)
	}
	done <- syscall.Gettid()
}

func there(tid int) bool {
	for range 100 {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid)); err != nil {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

func rest(first <-chan int) {
	other := make(chan int)
	go visit(other)
	tid := <-other
	fmt.Println("another thread is there afterwards:", there(tid))
	fmt.Println("the first thread is there afterwards:", there(<-first))
	self, _ := os.Readlink("/proc/self/ns/uts")
	own, _ := os.Readlink("/proc/thread-self/ns/uts")
	fmt.Println("self and thread-self show one namespace:", self == own)
	os.Exit(0)
}

// The goroutine of init and main is on the first thread where init locks it.
func init() { runtime.LockOSThread() }

func main() {
	first := make(chan int, 1)
	go rest(first)
	visit(first)
	runtime.Goexit()
}
GO
seen=$(go run .)
printf '%s\n' "$seen"
[[ $seen == 'another thread is there afterwards: false
the first thread is there afterwards: true
self and thread-self show one namespace: false' ]]
