// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestFold: long lines break at blanks and keep their indent; colours take no columns, and commands stay in one piece.
func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"short\n":                 "short\n",
		"no end":                  "no end",
		"one two three four\n":    "one two\n    three\n    four\n",
		"  one two three four":    "  one two\n      three\n      four",
		"\x1b[32mok  \x1b[0m a b": "\x1b[32mok  \x1b[0m a b",
		"hint: one two three\n    see: docs/page.md#T1 x\n": "hint: one two three\n    see: docs/page.md#T1 x\n",
		"onelongword12345\n":   "onelongword12345\n",
		"a  b\n\nc\n":          "a  b\n\nc\n",
		"key  one two three\n": "key  one\n     two\n     three\n",
		"key  onelongword12":   "key  onelongword12",
		"größer größer":        "größer\n    größer",
	} {
		if got := fold(text, 10); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
