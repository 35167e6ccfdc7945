// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/nonroot-runc/nonroot-runc/internal/follow"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
)

// events creates events for the owners of pods from the log: one per workload and subject. Namespaces take turns, and those whose events are
// not accepted hold up no others. The log itself is the queue: each namespace that has to wait has its own place in it.
type events struct {
	cluster *cluster
	host    *host
	metrics *metrics
	limit   *rate.Limiter

	logs map[string]string // by the policy's key, its log file; "": none
	stop func()            // stops reading, and waits for the end; nil: nothing is read

	unread  unread
	kept    string             // as it is on the host
	keptAt  time.Time          // when
	senders map[string]*sender // by namespace: those with something to tell
	told    told
}

// unread is what is left to process. It is kept on the host, for the next agent.
type unread struct {
	Logs []followed `json:"logs"`
	Late []*late    `json:"late,omitempty"` // oldest first
}

// followed is a log that is being read: that of a policy in force, or of a previous one while containers that started under it
// may still write to it.
type followed struct {
	Path   string        `json:"path"`
	Cursor follow.Cursor `json:"cursor"`           // up to here, every line was seen
	Behind []*place      `json:"behind,omitempty"` // up to here, these namespaces were told
	Until  time.Time     `json:"until,omitzero"`   // zero: a policy in force names it

	file *follow.File // nil: not open yet
	lost int          // gaps that the metric has counted
}

// place is how far the lines of one namespace were told. All of its later lines in the log wait.
type place struct {
	Namespace string        `json:"namespace"`
	Cursor    follow.Cursor `json:"cursor"`

	file *follow.File // nil: not open yet
	lost int          // gaps that the metric has counted
	line []byte       // the next line to tell; nil: it has to be found
	done []byte       // the line at the cursor, if it was told
}

const unreadFile = "unread.json"

// Limits on places and old logs.
const (
	most    = 256         // places in a log. Few nodes have as many pods; one more namespace holds up the log
	settle  = time.Second // how long a log that was renamed is still read before the next one
	outlive = time.Minute // how long a log is read after the policy has named another
)

func newEvents(c *cluster, h *host, m *metrics) *events {
	return &events{cluster: c, host: h, metrics: m, limit: rate.NewLimiter(perSecond, atOnce), senders: map[string]*sender{}, told: told{at: map[string]time.Time{}}}
}

// follow sets a policy's log file, or none if path is "". The previous log is still read to its end. It must be called before
// the policy is in force: only lines that are written after the call count as new.
func (e *events) follow(ctx context.Context, policy, path string) {
	if log, known := e.logs[policy]; known && log == path {
		return
	}
	if e.stop != nil {
		e.stop()
		e.stop = nil
	}
	if path == "" {
		slog.Warn("the policy has no log: there are no events on its pods\nhint: set log.file", "key", policy)
	}
	if e.logs == nil {
		e.logs = map[string]string{}
		if err := e.host.Do(e.recall); err != nil {
			slog.Warn("what was unread is not known: the log is followed from its end", "cause", err)
		}
	}
	e.logs[policy] = path
	if err := e.host.Do(e.turnTo); err != nil {
		slog.Warn("the next agent will not know how far the log was read", "cause", err)
	}
	if len(e.unread.Logs)+len(e.unread.Late) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	e.stop = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		e.read(ctx)
	}()
}

// recall reads what the previous agent has left. It is called on the host.
func (e *events) recall() error {
	data, err := os.ReadFile(filepath.Join(stateDir, unreadFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var u unread
	if err == nil {
		err = json.Unmarshal(data, &u)
	}
	if err != nil {
		return err
	}
	// The clock may have been set back since.
	now := time.Now()
	for i := range u.Logs {
		if l := &u.Logs[i]; l.Until.After(now.Add(outlive)) {
			l.Until = now.Add(outlive)
		}
	}
	for _, l := range u.Late {
		if l.Until.After(now.Add(waits)) {
			l.Until = now.Add(waits)
		}
	}
	e.unread = u
	return nil
}

// turnTo makes the policies' logs those that are followed, and lets the others run out. It is called on the host.
func (e *events) turnTo() error {
	now := map[string]bool{}
	for _, path := range e.logs {
		if path != "" {
			now[path] = true
		}
	}
	for i := range e.unread.Logs {
		l := &e.unread.Logs[i]
		switch {
		case now[l.Path]:
			l.Until = time.Time{}
			delete(now, l.Path)
		case l.Until.IsZero():
			l.Until = time.Now().Add(outlive)
		}
	}
	for path := range now {
		log := follow.Open(path, follow.Cursor{})
		if err := log.Read(func([]byte) error { return nil }); err != nil {
			slog.Warn("the log is followed from its end, wherever that is when it can be read", "file", path, "cause", err)
		}
		e.unread.Logs = append(e.unread.Logs, followed{Path: path, Cursor: log.Cursor()})
		log.Close()
	}
	return e.keep()
}

// keep writes what is unread to the host, if it has changed. It is called on the host.
func (e *events) keep() error {
	data, err := json.Marshal(e.unread)
	if err != nil {
		return err
	}
	if string(data) == e.kept {
		return nil
	}
	if err := keep(unreadFile, data); err != nil {
		return err
	}
	e.kept, e.keptAt = string(data), time.Now()
	return nil
}

// How often files are checked even if inotify reports nothing, because the directory may have been replaced. Without
// inotify, more often.
const (
	lookLog   = 30 * time.Second
	lookBlind = 5 * time.Second
)

// keepOften is how often what is unread is written while events are created. After a crash, the API server rejects those that are created
// again.
const keepOften = time.Second

// read processes new lines until it is stopped, or no log is left.
func (e *events) read(ctx context.Context) {
	defer e.close()
	var changed <-chan struct{}
	err := e.host.Do(func() error {
		var paths []string
		for _, l := range e.unread.Logs {
			paths = append(paths, l.Path)
		}
		c, end, err := follow.Watch(paths...)
		if err == nil {
			changed = c
			context.AfterFunc(ctx, func() { _ = end() })
		}
		return err
	})
	if err != nil {
		slog.Warn("the log is looked at every five seconds only", "cause", err)
	}
	often := lookLog
	if changed == nil {
		often = lookBlind
	}
	tick := time.NewTicker(often)
	defer tick.Stop()
	results, running := make(chan result), 0
	for ctx.Err() == nil && len(e.unread.Logs)+len(e.unread.Late) > 0 {
		var next []task
		err := e.host.Do(func() (err error) {
			next, err = e.look()
			if len(next)+running == 0 || time.Since(e.keptAt) >= keepOften {
				err = errors.Join(err, e.keep())
			}
			return err
		})
		if err != nil {
			slog.Warn("the log is read on later", "cause", err)
		}
		for _, t := range next {
			e.senders[t.line.Namespace].busy = true
			running++
			go func() { results <- e.tell(ctx, t) }()
		}
		select {
		case <-ctx.Done():
		case _, on := <-changed:
			if !on {
				changed = nil
			}
		case r := <-results:
			running--
			e.settle(r)
		case <-e.soon():
		case <-tick.C:
		}
	}
	for ; running > 0; running-- {
		e.settle(<-results)
	}
	err = e.host.Do(func() error {
		_, err := e.look()
		return errors.Join(err, e.keep())
	})
	if err != nil {
		slog.Warn("the next agent will not know how far the log was read", "cause", err)
	}
}

// soon returns a channel that receives when something is to be done even if nothing changes; nil: never.
func (e *events) soon() <-chan time.Time {
	wait := time.Duration(-1)
	within := func(d time.Duration) {
		if d = max(0, d); wait < 0 || d < wait {
			wait = d
		}
	}
	if slices.ContainsFunc(e.unread.Logs, func(l followed) bool { return l.file != nil && l.file.Waits() }) {
		within(settle)
	}
	if len(e.unread.Late) > 0 {
		within(askLate)
	}
	for _, s := range e.senders {
		if s.held {
			within(time.Until(s.again))
		}
	}
	if wait < 0 {
		return nil
	}
	return time.After(wait)
}

// errFull is why no more of a log is read for now.
var errFull = errors.New("too many namespaces wait")

// look reads what is new in each log, drops old logs that have been read to their end, and returns the next line of each namespace that may be
// told. It is called on the host.
func (e *events) look() ([]task, error) {
	maps.DeleteFunc(e.senders, func(_ string, s *sender) bool { return s.idle() })
	for _, s := range e.senders {
		s.held = false
	}
	next := e.lateTasks()
	var still []followed
	var failed []error
	for i := range e.unread.Logs {
		l := &e.unread.Logs[i]
		if l.file == nil {
			l.file = follow.Open(l.Path, l.Cursor)
			l.file.Settle = settle
		}
		ended := !l.Until.IsZero() && time.Now().After(l.Until)
		err := l.file.Read(func(line []byte) error { return e.see(l, line) })
		l.Cursor = l.file.Cursor()
		e.lose(l.file, &l.lost)
		read := err == nil && !l.file.Waits()
		if errors.Is(err, errFull) {
			err = nil
		}
		failed = append(failed, err)
		next, err = e.behind(l, err == nil, next)
		failed = append(failed, err)
		if read && l.Until.IsZero() {
			failed = append(failed, e.rotate(l))
		}
		if read && ended && len(l.Behind) == 0 {
			l.file.Close()
			continue
		}
		still = append(still, *l)
	}
	e.unread.Logs = still
	return next, errors.Join(failed...)
}

// see counts a line, and gives its namespace a place in the log if there is something to tell.
func (e *events) see(l *followed, text []byte) error {
	line, err := podevents.Parse(text)
	if err != nil {
		return nil // a truncated line, from a full disk
	}
	if !slices.ContainsFunc(l.Behind, func(p *place) bool { return p.Namespace == line.Namespace }) && e.owes(line) {
		if len(l.Behind) >= most {
			return errFull
		}
		l.Behind = append(l.Behind, &place{Namespace: line.Namespace, file: l.file.Fork(), line: bytes.Clone(text)})
	}
	m := e.metrics
	m.decisions.WithLabelValues(bound(m.namespaces, line.Namespace), line.Event, string(line.Mode), bound(m.rules, line.Rule)).Inc()
	if line.Event == "create" && line.Duration > 0 {
		m.create.Observe(float64(line.Duration) / 1e6)
	}
	return nil
}

// behind adds the next line of each namespace that is behind. One that has read the log to its end gives up its place, unless the log could
// not be read. The log's own cursor may be further back, where it waits for a place: what it sees again has been told.
func (e *events) behind(l *followed, readable bool, next []task) ([]task, error) {
	var still []*place
	var failed []error
	for _, p := range l.Behind {
		if p.file == nil {
			p.file = follow.Open(l.Path, p.Cursor)
			p.file.Settle = settle
		}
		if p.line == nil {
			err := p.find(e.owes)
			failed = append(failed, err)
			e.lose(p.file, &p.lost)
			if p.line == nil && err == nil && readable && !p.file.Waits() {
				p.file.Close()
				continue
			}
		}
		p.Cursor = p.file.Cursor()
		still = append(still, p)
		if p.line != nil {
			next = e.queue(next, task{text: p.line, place: p})
		}
	}
	l.Behind = still
	return next, errors.Join(failed...)
}

var errFound = errors.New("found")

// find reads on to the namespace's next line for which a function reports that there is something to tell.
func (p *place) find(owes func(*podevents.Line) bool) error {
	done := p.done
	p.done = nil
	err := p.file.Read(func(text []byte) error {
		again := done != nil && bytes.Equal(done, text) // the line at the cursor may be another by now
		done = nil
		if again || !bytes.Contains(text, []byte(p.Namespace)) {
			return nil
		}
		if line, err := podevents.Parse(text); err != nil || line.Namespace != p.Namespace || !owes(line) {
			return nil //nolint:nilerr // a truncated line
		}
		p.line = bytes.Clone(text)
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// lose counts the gaps that are new.
func (e *events) lose(f *follow.File, counted *int) {
	e.metrics.lost.Add(float64(f.Lost - *counted))
	*counted = f.Lost
}

func (e *events) close() {
	for i := range e.unread.Logs {
		l := &e.unread.Logs[i]
		if l.file != nil {
			l.file.Close()
			l.file, l.lost = nil, 0
		}
		for _, p := range l.Behind {
			if p.file != nil {
				p.file.Close()
				*p = place{Namespace: p.Namespace, Cursor: p.Cursor}
			}
		}
	}
}

// maxLog is the size at which the log is renamed, so that it can't fill a node: two files remain. The runtime opens the log
// for each line, and needs no signal. While namespaces are behind in the older file, which would be replaced, the log grows on, up to
// maxBehind. Then they lose what they have not read of it.
const (
	maxLog    = 64 << 20
	maxBehind = 256 << 20
)

func (e *events) rotate(l *followed) error {
	info, err := os.Lstat(l.Path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < maxLog {
		return nil // no log yet, or a device
	}
	for _, p := range l.Behind {
		if p.Cursor.Inode == l.Cursor.Inode {
			continue
		}
		if info.Size() < maxBehind {
			return nil
		}
		p.file.Close()
		*p = place{Namespace: p.Namespace, Cursor: follow.Cursor{Inode: l.Cursor.Inode, Head: l.Cursor.Head}}
		e.metrics.lost.Inc()
	}
	return os.Rename(l.Path, l.Path+".1")
}
