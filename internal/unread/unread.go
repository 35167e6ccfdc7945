// SPDX-License-Identifier: Apache-2.0

// Package unread has the error for a file that can't be checked, with its line. All readers of such files return it.
package unread

import "fmt"

// Error is the reason why a file can't be checked.
type Error struct {
	File   int // of several that are read together; 0: the first
	Line   int // 0: unknown
	Err    error
	Parsed bool // the syntax is valid, but not the content
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return e.Err.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }
