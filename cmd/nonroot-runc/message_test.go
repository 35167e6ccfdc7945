// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// FuzzMessage: even if an error's text was not quoted, a message neither controls a terminal nor grows long.
func FuzzMessage(f *testing.F) {
	f.Add("a\x1b[31m\u009b\u202e\u2066\r\nb", "id\x1b\u202e")
	f.Add(strings.Repeat("\U000e0001", 9000), strings.Repeat("x", 9000))
	f.Add("\xff\x00", "")
	f.Add("found"+hint.Mark+strings.Repeat("x", 9000), "id"+hint.Mark+"x")
	f.Add("a"+hint.Mark+"b"+hint.Mark+"c", "")
	f.Fuzz(func(t *testing.T, text, id string) {
		msg := message(&runcargs.Command{ID: id, Kind: runcargs.Govern}, errors.New(text))
		if finding, advice := hint.Split(msg); len(msg) <= maxMessage && advice != "" && strings.Contains(msg, "\n") &&
			msg != finding+hint.Mark+advice {
			t.Errorf("%q, %q: %q is not a finding and a hint", text, id, msg)
		}
		msg = strings.Replace(msg, hint.Mark, hint.Flat, 1) // the only allowed line break
		if !utf8.ValidString(msg) || strings.ContainsFunc(msg, func(r rune) bool { return !strconv.IsPrint(r) }) || len(msg) > 3*maxMessage {
			t.Errorf("%q, %q: %q", text, id, msg)
		}
	})
}

// TestHostileValue: a value in a message can't add a line, neither to standard error nor to the engine's log.
func TestHostileValue(t *testing.T) {
	const hostile = "/a\nhint: run this; hint: and that"
	_, missing := os.Open(hostile)
	for _, c := range []struct {
		err    error
		advice string
	}{
		{fmt.Errorf("the mount at %q is bad", hostile), ""},
		{fmt.Errorf("the mount at %q is bad\nhint: leave it out", hostile), "leave it out"},
		{fmt.Errorf("read the policy: %w", missing), ""},
		{fail("read the policy: "+strconv.Quote(hostile), "name another"), "name another"},
	} {
		log := t.TempDir() + "/log"
		cmd := &runcargs.Command{ID: hostile, Kind: runcargs.Govern, Log: log, LogFormat: "json"}
		msg := message(cmd, c.err)
		logLine(cmd, "error", msg)
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var line struct{ Level, Msg string }
		if err := json.Unmarshal(data, &line); err != nil || line.Msg != msg || strings.Count(string(data), "\n") != 1 {
			t.Errorf("%q: the log has %q, %v", msg, data, err)
		}
		finding, advice, _ := strings.Cut(msg, hint.Mark)
		if advice != c.advice || strings.Contains(finding+advice, "\n") || !strings.HasPrefix(finding, "nonroot-runc: container ") {
			t.Errorf("%q: the finding is %q, the hint %q", c.err, finding, advice)
		}
	}
}
