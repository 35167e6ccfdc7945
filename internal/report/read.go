// SPDX-License-Identifier: Apache-2.0

// Package report turns logs of decisions (docs/log.md) into what administrators, managers and monitoring want to know. It reads
// logs and nothing else: how a line is written belongs in internal/auditlog, and what runs now in internal/ps.
//
//	read.go      logs -> lines, in parallel
//	line.go      a line, read as auditlog writes it, else by a decoder
//	summary.go   lines -> numbers, in bounded memory
//	page.go      numbers -> one HTML page
//	metrics.go   numbers -> node-exporter's text format
package report

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// beginning begins each line and stands nowhere else in one (auditlog.Line).
var beginning = []byte(`{"time":"`)

// Read calls a function with each line of a log, in their order, and says how many were malformed. Behind what a full disk
// has left of a line, one that follows without a line's end is found all the same. Empty lines count for nothing. What is
// compressed by gzip is read as what it was.
//
// Lines are parsed by as many goroutines as there are processors; the function is called by one at a time.
func Read(from io.Reader, each func(*Line)) (malformed int, err error) {
	in := bufio.NewReaderSize(from, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return 0, err
		}
		in = bufio.NewReaderSize(unzipped, 64<<10)
	}
	workers := runtime.GOMAXPROCS(0)
	// What is under way is bounded, and with it the memory: ordered holds the chunks as they came, so that they are told so.
	waiting, ordered := make(chan *chunk, workers), make(chan *chunk, 2*workers)
	spare := make(chan []byte, 3*workers) // the memory of chunks that were parsed
	for range workers {
		go func() {
			p := newParser()
			for c := range waiting {
				c.parse(p)
				select {
				case spare <- c.text[:0]:
				default:
				}
				close(c.done)
			}
		}()
	}
	var readErr error
	go func() {
		defer close(waiting)
		defer close(ordered)
		readErr = chunks(in, spare, func(c *chunk) {
			ordered <- c
			waiting <- c
		})
	}()
	for c := range ordered {
		<-c.done
		malformed += c.malformed
		for _, l := range c.lines {
			each(l)
		}
	}
	return malformed, readErr
}

// chunk is some lines of a log.
type chunk struct {
	text      []byte // lines, each with its end, but for the log's last one
	lines     []*Line
	malformed int
	done      chan struct{}
}

// longest is one byte more than a line may have, with its end: nothing that was logged is that long.
const (
	longest   = 64 << 10
	chunkSize = 256 << 10
)

// chunks divides a log at ends of lines. A line that is too long is malformed as a whole.
func chunks(in *bufio.Reader, spare <-chan []byte, each func(*chunk)) error {
	c := &chunk{done: make(chan struct{})}
	for {
		text, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			text = nil
			if _, err = in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
				c.malformed++
			}
		}
		if c.text == nil {
			select {
			case c.text = <-spare:
			default:
				c.text = make([]byte, 0, chunkSize)
			}
		}
		c.text = append(c.text, text...)
		if err != nil || len(c.text) > chunkSize-longest {
			each(c)
			c = &chunk{done: make(chan struct{})}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *chunk) parse(p *parser) {
	c.lines = make([]*Line, 0, bytes.Count(c.text, []byte{'\n'})+1)
	for text := range bytes.Lines(c.text) {
		c.malformed += p.lines(text, func(l *Line) { c.lines = append(c.lines, l) })
	}
}

// lines reads the lines in a text that has no line's end within: one, none, or some that are not whole.
func (p *parser) lines(text []byte, each func(*Line)) (malformed int) {
	text = bytes.TrimSpace(text)
	for len(text) > 0 {
		end := len(text)
		if next := bytes.Index(text[1:], beginning); next >= 0 {
			end = next + 1
		}
		if l, ok := p.parse(text[:end]); ok {
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
		defer in.Close() // nothing was written
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
