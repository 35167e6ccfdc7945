// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
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

// How long a namespace waits after the API server has not accepted an event: at first, and at most.
const (
	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// Limits on late lines.
const (
	waits   = 2 * time.Minute
	waiting = 256
	askLate = 2 * time.Second
)

// task is a line to create events for.
type task struct {
	line  *podevents.Line
	text  []byte
	place *place // where it is in the log, or
	late  *late
}

// late is a line whose pod is missing: the kubelet creates the API object of a static pod after starting it.
type late struct {
	Line  json.RawMessage `json:"line"`
	Until time.Time       `json:"until"`

	line *podevents.Line // nil: not parsed yet
}

// sender is the state of a namespace with something to tell.
type sender struct {
	busy  bool          // one of its lines is being told
	wait  time.Duration // the time between attempts, since one has failed
	again time.Time     // when the next attempt may begin
	held  bool          // a line waits for that
}

func (s *sender) idle() bool { return !s.busy && (s.wait == 0 || time.Since(s.again) > retryMost) }

// queue adds a task to those that are next. A namespace has one at a time, and the limiter serves them in the order in which they come:
// so namespaces take turns, and one that has to wait delays no other.
func (e *events) queue(next []task, t task) []task {
	var err error
	if t.line, err = podevents.Parse(t.text); err != nil {
		return next // it was parsed before
	}
	s := e.senders[t.line.Namespace]
	if s == nil {
		s = &sender{}
		e.senders[t.line.Namespace] = s
	}
	s.held = !s.busy && s.wait > 0 && time.Now().Before(s.again)
	if s.busy || s.held || slices.ContainsFunc(next, func(other task) bool { return other.line.Namespace == t.line.Namespace }) {
		return next
	}
	return append(next, t)
}

// lateTasks returns the late lines whose pods have become known, and drops those whose pods have not within their time. That may have
// passed before anyone looked, while no agent was running.
func (e *events) lateTasks() (next []task) {
	var still []*late
	for _, l := range e.unread.Late {
		if l.line == nil {
			var err error
			if l.line, err = podevents.Parse(l.Line); err != nil {
				continue
			}
		}
		pod := e.known(l.line)
		if pod == nil && time.Now().After(l.Until) {
			continue
		}
		still = append(still, l)
		if pod != nil {
			next = e.queue(next, task{text: l.Line, late: l})
		}
	}
	e.unread.Late = still
	return next
}

// result is what became of a task.
type result struct {
	task
	missing bool // the API server doesn't know the pod, or not yet
	err     error
}

// tell creates the events for one line.
func (e *events) tell(ctx context.Context, t task) result {
	if pod := e.pod(ctx, t.line); pod != nil {
		return result{t, false, e.sendOn(ctx, pod, t.line, podevents.Of(t.line))}
	}
	if t.late != nil {
		return result{t, true, nil}
	}
	// The pod is gone and nobody would see the event, or the API server is unreachable or doesn't know the pod yet.
	if err := e.limit.Wait(ctx); err != nil {
		return result{t, true, err}
	}
	if err := e.cluster.answers(ctx, t.line.Namespace, t.line.Pod); err != nil {
		return result{t, true, fmt.Errorf("an event on the pod %s/%s waits for the API server: %w", t.line.Namespace, t.line.Pod, err)}
	}
	return result{t, true, nil}
}

// settle passes over a line that was told. If the API server did not accept an event, the line stays the next of its namespace.
func (e *events) settle(r result) {
	s := e.senders[r.line.Namespace]
	s.busy = false
	switch {
	case errors.Is(r.err, context.Canceled):
		return
	case r.err != nil:
		if s.wait == 0 {
			slog.Warn("the events of a namespace wait", "namespace", r.line.Namespace, "cause", r.err)
		}
		s.wait = min(max(2*s.wait, retryFirst), retryMost)
		s.again = time.Now().Add(s.wait)
		return
	}
	s.wait = 0
	switch {
	case r.late != nil && !r.missing:
		e.unread.Late = slices.DeleteFunc(e.unread.Late, func(l *late) bool { return l == r.late })
	case r.late != nil:
	case bytes.Equal(r.place.line, r.text): // or else the place is another by now
		r.place.done, r.place.line = r.place.line, nil
		if r.missing {
			e.wait(r.text, r.line)
		}
	}
}

// wait keeps a line until its pod is known. If too many wait, the oldest of the namespace with the most is dropped: its pod is the most
// likely to be gone.
func (e *events) wait(text []byte, line *podevents.Line) {
	e.unread.Late = append(e.unread.Late, &late{text, time.Now().Add(waits), line})
	if len(e.unread.Late) <= waiting {
		return
	}
	count := map[string]int{}
	largest := line.Namespace
	for _, l := range e.unread.Late {
		if count[l.line.Namespace]++; count[l.line.Namespace] > count[largest] {
			largest = l.line.Namespace
		}
	}
	oldest := slices.IndexFunc(e.unread.Late, func(l *late) bool { return l.line.Namespace == largest })
	e.unread.Late = slices.Delete(e.unread.Late, oldest, oldest+1)
	e.metrics.dropped.Inc()
}

// told remembers the names of recent events, so that a container in a restart loop costs no requests.
type told struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (t *told) recently(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	since, known := t.at[name]
	return known && time.Since(since) < again
}

func (t *told) now(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.at) >= remembered {
		clear(t.at)
	}
	t.at[name] = time.Now()
}

// owes reports whether a line has an event that may not exist yet.
func (e *events) owes(line *podevents.Line) bool {
	events := podevents.Of(line)
	if len(events) == 0 {
		return false
	}
	pod := e.known(line)
	return pod == nil || slices.ContainsFunc(events, func(event podevents.Event) bool { return !e.told.recently(nameOf(pod, event)) })
}

// clocks is how far the clocks of the node and the API server may differ. Beyond that, a node would have no events.
const clocks = 10 * time.Minute

// known returns the pod of a line; nil: it is not known, or gone. One that was created long after the line is another pod of its name.
func (e *events) known(line *podevents.Line) *metav1.PartialObjectMetadata {
	pod := e.cluster.pod(line.Namespace, line.Pod)
	if pod == nil || line.Time.IsZero() || isStatic(pod) || pod.CreationTimestamp.Sub(line.Time) <= clocks {
		return pod
	}
	return nil
}

// isStatic reports whether the kubelet has the pod from a file. It creates the API object after starting it.
func isStatic(pod *metav1.PartialObjectMetadata) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "Node"
}

// nameOf returns an event's name. The namespace is part of it: whoever creates a pod can claim any owner, but only within their namespace.
func nameOf(pod *metav1.PartialObjectMetadata, event podevents.Event) string {
	workload := pod.UID
	if owner := metav1.GetControllerOf(pod); owner != nil && !isStatic(pod) {
		workload = owner.UID
	}
	return eventName(pod.Namespace, string(workload), event.Reason, event.Key)
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
	name := nameOf(pod, event)
	if e.told.recently(name) {
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
	e.told.now(name)
	return nil
}

// watchDelay is how long after a line's time the watch may deliver its pod.
const watchDelay = time.Second

// pod gives the watch a moment to deliver a pod that is new.
func (e *events) pod(ctx context.Context, line *podevents.Line) *metav1.PartialObjectMetadata {
	left := min(watchDelay-time.Since(line.Time), watchDelay) // the clock may have been set back since
	for until := time.Now().Add(left); ; {
		if pod := e.known(line); pod != nil || !time.Now().Before(until) {
			return pod
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}
