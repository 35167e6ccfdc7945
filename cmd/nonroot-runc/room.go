// SPDX-License-Identifier: Apache-2.0

package main

// room grows the stack at once to the size that a call needs. Otherwise it would grow four times, from 4 kB to 32 kB, and each
// time the Go runtime allocates pages and copies all frames. The stack grows by whole frames (runtime.newstack), so
// one large frame is enough, and variables of a branch that is not taken are not cleared.
//
//go:noinline
func room(use bool) (n byte) {
	if use {
		var frame [16 << 10]byte
		for i := range frame {
			frame[i] = n
			n++
		}
		for i := range frame {
			n ^= frame[i]
		}
	}
	return n
}
