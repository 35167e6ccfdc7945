// SPDX-License-Identifier: Apache-2.0

// Command floor does nothing but become the next program: what any Go program in front of the runtime costs.
package main

import (
	"os"
	"syscall"
)

var next string // set by the linker

func main() { panic(syscall.Exec(next, os.Args, os.Environ())) }
