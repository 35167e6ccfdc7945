// SPDX-License-Identifier: Apache-2.0

package main

// room makes the stack as large as a call needs, at once. It would else grow four times, from 4 kB to 32 kB, and each time the
// runtime takes fresh pages and walks and copies all frames. The stack grows by whole frames (runtime.newstack), so that one
// large frame is enough, and what is declared in a branch that is not taken is not cleared.
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
