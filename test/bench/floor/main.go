// SPDX-License-Identifier: Apache-2.0

// Command floor does nothing but become $NEXT: what any Go program in front of the runtime costs.
package main

import (
	"os"
	"syscall"
)

func main() { panic(syscall.Exec(os.Getenv("NEXT"), os.Args, os.Environ())) }
