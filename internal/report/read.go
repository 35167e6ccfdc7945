// SPDX-License-Identifier: Apache-2.0

// Package report makes of logs of decisions (docs/log.md) what administrators, managers and monitoring want to know.
//
//	read.go      logs -> lines
//	summary.go   lines -> numbers, in bounded memory
//	page.go      numbers -> one HTML page
//	metrics.go   numbers -> node-exporter's text format
package report

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Line is what a report takes of a line.
type Line struct {
	Time      time.Time   `json:"time"`
	Event     string      `json:"event"`
	Mode      policy.Mode `json:"mode"`
	Rule      string      `json:"rule"`
	ID        string      `json:"id"`
	Engine    string      `json:"engine"`
	Namespace string      `json:"namespace"`
	Pod       string      `json:"pod"`
	Image     string      `json:"image"`
	Name      string      `json:"name"`
	From      *struct {
		UID uint32 `json:"uid"`
	} `json:"from"`
	Reason  string `json:"reason"`
	Audited string `json:"audited"`
	Profile string `json:"profile"`
	Policy  string `json:"policy_sha256"`
	Version string `json:"version"`
}

var events = []string{"create", "run", "restore", "exec", "start"}

var modes = []policy.Mode{policy.Rewrite, policy.Refuse, policy.Audit, policy.Off}

func parse(text []byte) (*Line, bool) {
	l := &Line{}
	err := json.Unmarshal(text, l)
	return l, err == nil && !l.Time.IsZero() && slices.Contains(events, l.Event) && slices.Contains(modes, l.Mode)
}

// beginning begins each line and stands nowhere else in one (auditlog.Line).
var beginning = []byte(`{"time":"`)

// Read calls a function with each line of a log and says how many were malformed. Behind what a full disk has left of a
// line, one that follows without a line's end is found all the same. Empty lines count for nothing. What is compressed by
// gzip is read as what it was.
func Read(from io.Reader, each func(*Line)) (malformed int, err error) {
	in := bufio.NewReaderSize(from, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return 0, err
		}
		in = bufio.NewReaderSize(unzipped, 64<<10)
	}
	for {
		text, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // nothing that was logged is that long
			text = nil
			if _, err = in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
				malformed++
			}
		}
		malformed += readText(text, each)
		if errors.Is(err, io.EOF) {
			return malformed, nil
		}
		if err != nil {
			return malformed, err
		}
	}
}

// readText reads the lines in a text that has no line's end within: one, none, or some that are not whole.
func readText(text []byte, each func(*Line)) (malformed int) {
	text = bytes.TrimSpace(text)
	for len(text) > 0 {
		end := len(text)
		if next := bytes.Index(text[1:], beginning); next >= 0 {
			end = next + 1
		}
		if l, ok := parse(text[:end]); ok {
			each(l)
		} else {
			malformed++
		}
		text = text[end:]
	}
	return malformed
}

// ReadFile reads a log, or where the name is "-" what comes on stdin.
func ReadFile(name string, each func(*Line)) (malformed int, err error) {
	in := os.Stdin
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return 0, err
		}
		defer in.Close() //nolint:errcheck // nothing was written
	}
	if malformed, err = Read(in, each); err != nil {
		return malformed, fmt.Errorf("read %q: %w", name, err)
	}
	return malformed, nil
}

// rotated ends the names that logrotate gives to old logs, with and without dateext, which has the hour where it is hourly
// (logrotate(8), dateformat).
var rotated = regexp.MustCompile(`^(\.\d+|-\d{8}(\d\d|-\d+)?)(\.gz|(\.xz|\.zst|\.bz2|\.lz4|\.Z))?$`)

// Rotated lists a log and those that were rotated away from it, by logrotate. What is there compressed and uncompressed, as
// while logrotate is at work, is listed once. What is compressed by other means than gzip can't be read, and is listed apart.
func Rotated(log string) (names, unread []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(log))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(log))
		if !ok || !e.Type().IsRegular() {
			continue
		}
		switch parts := rotated.FindStringSubmatch(suffix); {
		case suffix == "", parts != nil && parts[4] == "":
			names = append(names, log+suffix)
		case parts != nil:
			unread = append(unread, log+suffix)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		plain, zipped := strings.CutSuffix(n, ".gz")
		return zipped && slices.Contains(names, plain)
	})
	if len(names)+len(unread) == 0 {
		return nil, nil, fmt.Errorf("there is no %q, nor one that was rotated: has anything been decided since log.file was set?", log)
	}
	return names, unread, nil
}
