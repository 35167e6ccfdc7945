// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// FuzzMessage: whatever an error says that has forgotten to quote, nothing of it acts on a terminal or is long.
func FuzzMessage(f *testing.F) {
	f.Add("a\x1b[31m\u009b\u202e\u2066\r\nb", "id\x1b\u202e")
	f.Add(strings.Repeat("\U000e0001", 9000), strings.Repeat("x", 9000))
	f.Add("\xff\x00", "")
	f.Fuzz(func(t *testing.T, text, id string) {
		msg := message(&runcargs.Command{ID: id, Kind: runcargs.Govern}, errors.New(text))
		if !utf8.ValidString(msg) || strings.ContainsFunc(msg, func(r rune) bool { return !strconv.IsPrint(r) }) || len(msg) > 3*maxMessage {
			t.Errorf("%q, %q: %q", text, id, msg)
		}
	})
}
