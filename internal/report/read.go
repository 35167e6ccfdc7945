// SPDX-License-Identifier: Apache-2.0

// Package report turns logs of decisions (docs/log.md) into summaries for administrators, managers and monitoring. It reads
// only logs. Writing them belongs in internal/auditlog, and what runs now in internal/ps.
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

// beginning is how each line starts; it occurs nowhere else in a line (auditlog.Line).
var beginning = []byte(`{"time":"`)

// Read calls each with every line of a log, in order, and returns how many lines were malformed. It also finds a line that
// follows a truncated one without a line break, which is what a full disk leaves. Empty lines are ignored. Input compressed
// by gzip is decompressed.
//
// Lines are parsed by one goroutine per processor; each is never called concurrently.
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
	// Both channels are bounded, which bounds memory. ordered has the chunks in the order of the log.
	waiting, ordered := make(chan *chunk, workers), make(chan *chunk, 2*workers)
	spare := make(chan []byte, 3*workers) // buffers for reuse
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

// chunk is a number of lines of a log.
type chunk struct {
	text      []byte // with their line breaks; the log's last line may lack it
	lines     []*Line
	malformed int
	done      chan struct{}
}

// longest is the maximum length of a line with its line break, plus one. Logged lines are shorter than that.
const (
	longest   = 64 << 10
	chunkSize = 256 << 10
)

// chunks splits a log at line breaks. A line that is too long counts as one malformed line.
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

// lines parses text without a line break, which may hold one line, none, or truncated ones.
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

// ReadFile reads a log, or stdin if the name is "-".
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

// rotated matches what logrotate appends to a log's name, with and without dateext; an hourly log has the hour in it
// (logrotate(8), dateformat).
var rotated = regexp.MustCompile(`^(\.\d+|-\d{8}(\d\d|-\d+)?)(\.gz|(\.xz|\.zst|\.bz2|\.lz4|\.Z))?$`)

// Rotated lists a log and the logs that logrotate made of it. If one exists both compressed and uncompressed, because
// logrotate is at work, it is listed once. Logs that are compressed by anything but gzip can't be read, and are listed in
// unread.
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
