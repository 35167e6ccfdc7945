// SPDX-License-Identifier: Apache-2.0

// Package unread is why a file that is to be checked is not read, and where. Every reader of such files has this one type of error.
package unread

import "fmt"

// Error is a file that is not read whole.
type Error struct {
	Line   int // 0: none
	Err    error
	Parsed bool // the file can be read: it is what it says that nothing can be made of
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return e.Err.Error()
}

// Unwrap is what was found.
func (e *Error) Unwrap() error { return e.Err }
