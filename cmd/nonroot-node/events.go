// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nonroot-runc/nonroot-runc/internal/follow"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
)

// events creates events for the owners of pods from the log: one per workload and subject.
type events struct {
	cluster *cluster
	host    *host
	metrics *metrics
	limit   *rate.Limiter

	logs map[string]string // by the policy's key, its log file; "": none
	stop func()            // stops reading, and waits for the end; nil: nothing is read

	unread unread
	kept   string               // as it is on the host
	told   map[string]time.Time // names of recent events, so that a container in a restart loop costs no requests
}

// unread is what is left to process. It is kept on the host, for the next agent.
type unread struct {
	Logs []followed `json:"logs"`
	Late []late     `json:"late,omitempty"` // oldest first
}

// followed is a log that is being read: that of a policy in force, or of a previous one while containers that started under it
// may still write to it.
type followed struct {
	Path   string        `json:"path"`
	Cursor follow.Cursor `json:"cursor"`
	Until  time.Time     `json:"until,omitzero"` // zero: a policy in force names it

	file *follow.File // nil: not open yet
	lost int          // gaps that the metric has counted
}

// late is a line whose pod is missing: the kubelet creates the API object of a static pod after starting it.
type late struct {
	Line  json.RawMessage `json:"line"`
	Until time.Time       `json:"until"`
}

const unreadFile = "unread.json"

// Limits on late lines and old logs.
const (
	waits   = 2 * time.Minute
	waiting = 256
	askLate = 2 * time.Second
	settle  = time.Second // how long a log that was renamed is still read before the next one
	outlive = time.Minute // how long a log is read after the policy has named another
)

// A node starts with a burst of fifty events, then creates five a second; the rest waits in the log. The agent remembers
// this many names; for older ones, the API server rejects the duplicate.
const (
	perSecond  = 5
	atOnce     = 50
	remembered = 4096
	// again is how long the API server keeps an event by default (kube-apiserver, --event-ttl). After that, it is created
	// again.
	again = time.Hour
)

func newEvents(c *cluster, h *host, m *metrics) *events {
	return &events{cluster: c, host: h, metrics: m, limit: rate.NewLimiter(perSecond, atOnce), told: map[string]time.Time{}}
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
	for i := range u.Late {
		if l := &u.Late[i]; l.Until.After(now.Add(waits)) {
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
	e.kept = string(data)
	return nil
}

// How often files are checked even if inotify reports nothing, because the directory may have been replaced. Without
// inotify, more often.
const (
	lookLog   = 30 * time.Second
	lookBlind = 5 * time.Second
)

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
	for ctx.Err() == nil && len(e.unread.Logs)+len(e.unread.Late) > 0 {
		err := e.host.Do(func() error {
			err := e.readLogs(ctx)
			e.tellLate(ctx)
			return errors.Join(err, e.keep())
		})
		if err != nil && ctx.Err() == nil {
			slog.Warn("the log is read on later", "cause", err)
		}
		var soon <-chan time.Time
		switch {
		case slices.ContainsFunc(e.unread.Logs, func(l followed) bool { return l.file != nil && l.file.Waits() }):
			soon = time.After(settle)
		case len(e.unread.Late) > 0:
			soon = time.After(askLate)
		}
		select {
		case <-ctx.Done():
		case _, on := <-changed:
			if !on {
				changed = nil
			}
		case <-soon:
		case <-tick.C:
		}
	}
}

// readLogs processes what is new in each log, and drops old logs that have been read to their end. It is called on the host.
func (e *events) readLogs(ctx context.Context) error {
	var still []followed
	var failed []error
	for i := range e.unread.Logs {
		l := &e.unread.Logs[i]
		if l.file == nil {
			l.file = follow.Open(l.Path, l.Cursor)
			l.file.Settle = settle
		}
		ended := !l.Until.IsZero() && time.Now().After(l.Until)
		err := l.file.Read(func(line []byte) error { return e.tell(ctx, line) })
		l.Cursor = l.file.Cursor()
		e.metrics.lost.Add(float64(l.file.Lost - l.lost))
		l.lost = l.file.Lost
		read := err == nil && !l.file.Waits()
		if read && l.Until.IsZero() {
			err = rotate(l.Path)
		}
		if read && ended {
			l.file.Close()
			continue
		}
		failed = append(failed, err)
		still = append(still, *l)
	}
	e.unread.Logs = still
	return errors.Join(failed...)
}

func (e *events) close() {
	for i := range e.unread.Logs {
		if l := &e.unread.Logs[i]; l.file != nil {
			l.file.Close()
			l.file, l.lost = nil, 0
		}
	}
}

// maxLog is the size at which the log is renamed, so that it can't fill a node: two files remain. The runtime opens the log
// for each line, and needs no signal.
const maxLog = 64 << 20

func rotate(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < maxLog {
		return nil // no log yet, or a device
	}
	return os.Rename(path, path+".1")
}

// tell creates the events for one line. If the API server does not accept one, the line will be read again.
func (e *events) tell(ctx context.Context, text []byte) error {
	line, err := podevents.Parse(text)
	if err != nil {
		return nil // a truncated line, from a full disk
	}
	if err := e.send(ctx, line, text); err != nil {
		return err
	}
	m := e.metrics
	m.decisions.WithLabelValues(bound(m.namespaces, line.Namespace), line.Event, string(line.Mode), bound(m.rules, line.Rule)).Inc()
	if line.Event == "create" && line.Duration > 0 {
		m.create.Observe(float64(line.Duration) / 1e6)
	}
	return nil
}

// tellLate creates events for pods that have become known, and drops lines whose pods have not within their time. That may have
// passed before anyone looked, while no agent was running.
func (e *events) tellLate(ctx context.Context) {
	var still []late
	for i, l := range e.unread.Late {
		line, err := podevents.Parse(l.Line)
		if err != nil {
			continue
		}
		pod := e.cluster.pod(line.Namespace, line.Pod)
		switch {
		case pod == nil && time.Now().After(l.Until):
		case pod == nil:
			still = append(still, l)
		case e.sendOn(ctx, pod, line, podevents.Of(line)) != nil: // the others would wait for the API server as long
			e.unread.Late = append(still, e.unread.Late[i:]...)
			return
		}
	}
	e.unread.Late = still
}

func (e *events) send(ctx context.Context, line *podevents.Line, text []byte) error {
	events := podevents.Of(line)
	if len(events) == 0 {
		return nil
	}
	if pod := e.pod(ctx, line); pod != nil {
		return e.sendOn(ctx, pod, line, events)
	}
	// The pod is gone and nobody would see the event, or the API server is unreachable or doesn't know the pod yet.
	if err := e.limit.Wait(ctx); err != nil {
		return err
	}
	if err := e.cluster.answers(ctx, line.Namespace, line.Pod); err != nil {
		return fmt.Errorf("an event on the pod %s/%s waits for the API server: %w", line.Namespace, line.Pod, err)
	}
	all := append(e.unread.Late, late{bytes.Clone(text), time.Now().Add(waits)})
	if len(all) > waiting {
		// The pods of the oldest lines are the most likely to be gone.
		e.metrics.dropped.Inc()
		all = all[1:]
	}
	e.unread.Late = all
	return nil
}

// sendOn creates the events of a line that do not exist yet.
func (e *events) sendOn(ctx context.Context, pod *metav1.PartialObjectMetadata, line *podevents.Line, events []podevents.Event) error {
	for _, event := range events {
		if err := e.sendOne(ctx, pod, line, event); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) sendOne(ctx context.Context, pod *metav1.PartialObjectMetadata, line *podevents.Line, event podevents.Event) error {
	workload := pod.UID
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind != "Node" { // static pods
		workload = owner.UID
	}
	// The namespace is part of the name: whoever creates a pod can claim any owner, but only within their namespace.
	name := eventName(pod.Namespace, string(workload), event.Reason, event.Key)
	if since, known := e.told[name]; known && time.Since(since) < again {
		return nil
	}
	if err := e.limit.Wait(ctx); err != nil {
		return err
	}
	about := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "namespace": pod.Namespace, "name": pod.Name, "uid": string(pod.UID),
	}
	if line.Container != "" {
		about["fieldPath"] = fmt.Sprintf("spec.containers{%s}", line.Container)
	}
	switch err := e.cluster.event(ctx, about, name, event); {
	case isFinal(err):
		slog.Warn("an event is not taken", "namespace", pod.Namespace, "pod", pod.Name, "cause", err) // such as a namespace that is being deleted
		return nil
	case err != nil:
		return err
	}
	e.metrics.told.WithLabelValues(event.Reason).Inc()
	if len(e.told) >= remembered {
		clear(e.told)
	}
	e.told[name] = time.Now()
	return nil
}

// watchDelay is how long after a line's time the watch may deliver its pod.
const watchDelay = time.Second

// pod gives the watch a moment to deliver a pod that is new.
func (e *events) pod(ctx context.Context, line *podevents.Line) *metav1.PartialObjectMetadata {
	left := min(watchDelay-time.Since(line.Time), watchDelay) // the clock may have been set back since
	for until := time.Now().Add(left); ; {
		if pod := e.cluster.pod(line.Namespace, line.Pod); pod != nil || !time.Now().Before(until) {
			return pod
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}
