// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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

	path string // the log that is followed; "": none
	stop func() // stops following it, and waits for the end

	told map[string]time.Time // names of recent events, so that a container in a restart loop costs no requests
	late []lateEvent          // about pods that the API server does not know yet
}

// lateEvent is an event whose pod is missing: the kubelet creates the API object of a static pod after starting it.
type lateEvent struct {
	line  *podevents.Line
	event podevents.Event
	until time.Time
}

// Limits on late events. They are only in memory, and lost if the agent ends.
const (
	waits   = 2 * time.Minute
	waiting = 256
	askLate = 2 * time.Second
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

// follow follows another log, or none if path is "".
func (e *events) follow(ctx context.Context, path string) {
	if path == e.path {
		return
	}
	if e.stop != nil {
		e.stop()
	}
	e.path, e.stop = path, nil
	if path == "" {
		slog.Warn("the policy has no log: there are no events on pods\nhint: set log.file")
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
		e.read(ctx, path)
	}()
}

const cursorFile = "cursor.json"

// How often files are checked even if inotify reports nothing, because the directory may have been replaced. Without
// inotify, more often.
const (
	lookLog   = 30 * time.Second
	lookBlind = 5 * time.Second
)

// read processes new lines until it is stopped. Its position is kept on the host, with the log.
func (e *events) read(ctx context.Context, path string) {
	var cursor follow.Cursor
	err := e.host.Do(func() error {
		data, err := os.ReadFile(filepath.Join(stateDir, cursorFile))
		cursor = follow.ParseCursor(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		slog.Warn("how far the log was read is not known: it is followed from its end", "cause", err)
	}
	log := follow.Open(path, cursor)
	log.Settle = time.Second
	defer log.Close()
	var changed <-chan struct{}
	err = e.host.Do(func() error {
		c, end, err := follow.Watch(path)
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
	lost := 0
	for ctx.Err() == nil {
		before, _ := json.Marshal(log.Cursor())
		err := e.host.Do(func() error {
			err := log.Read(func(line []byte) error { return e.tell(ctx, line) })
			after, broken := json.Marshal(log.Cursor())
			if broken == nil && string(after) != string(before) {
				broken = keep(cursorFile, after)
			}
			if err == nil {
				err = rotate(path)
			}
			return errors.Join(err, broken)
		})
		if err != nil && ctx.Err() == nil {
			slog.Warn("the log is read on later", "cause", err)
		}
		e.metrics.lost.Add(float64(log.Lost - lost))
		lost = log.Lost
		e.tellLate(ctx)
		var soon <-chan time.Time
		if len(e.late) > 0 {
			soon = time.After(askLate)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-soon:
		case <-tick.C:
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

// tell creates the event for one line. If the API server does not accept it, the line will be read again.
func (e *events) tell(ctx context.Context, text []byte) error {
	line, err := podevents.Parse(text)
	if err != nil {
		return nil // a truncated line, from a full disk
	}
	for _, event := range podevents.Of(line) {
		if err := e.send(ctx, line, event); err != nil {
			return err
		}
	}
	m := e.metrics
	m.decisions.WithLabelValues(bound(m.namespaces, line.Namespace), line.Event, string(line.Mode), bound(m.rules, line.Rule)).Inc()
	if line.Event == "create" && line.Duration > 0 {
		m.create.Observe(float64(line.Duration) / 1e6)
	}
	return nil
}

// tellLate creates events for pods that have become known, and drops those that have waited too long.
func (e *events) tellLate(ctx context.Context) {
	var still []lateEvent
	for _, l := range e.late {
		pod := e.cluster.pod(l.line.Namespace, l.line.Pod)
		if pod != nil && e.sendOn(ctx, pod, l.line, l.event) == nil || time.Now().After(l.until) {
			continue
		}
		still = append(still, l)
	}
	e.late = still
}

func (e *events) send(ctx context.Context, line *podevents.Line, event podevents.Event) error {
	pod := e.pod(ctx, line.Namespace, line.Pod)
	if pod != nil {
		return e.sendOn(ctx, pod, line, event)
	}
	// The pod is gone and nobody would see the event, or the API server is unreachable or doesn't know the pod yet.
	if err := e.limit.Wait(ctx); err != nil {
		return err
	}
	if err := e.cluster.answers(ctx, line.Namespace, line.Pod); err != nil {
		return fmt.Errorf("an event on the pod %s/%s waits for the API server: %w", line.Namespace, line.Pod, err)
	}
	if len(e.late) < waiting {
		e.late = append(e.late, lateEvent{line, event, time.Now().Add(waits)})
	}
	return nil
}

func (e *events) sendOn(ctx context.Context, pod *metav1.PartialObjectMetadata, line *podevents.Line, event podevents.Event) error {
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

// pod gives the watch a moment to deliver a pod that is new.
func (e *events) pod(ctx context.Context, namespace, name string) *metav1.PartialObjectMetadata {
	for range 20 {
		if pod := e.cluster.pod(namespace, name); pod != nil {
			return pod
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}
