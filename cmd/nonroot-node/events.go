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
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nonroot-runc/nonroot-runc/internal/follow"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
)

// events tells the owners of pods what the log says of them: each workload once of each thing.
type events struct {
	cluster *cluster
	host    *host
	metrics *metrics
	limit   *rate.Limiter

	logs map[string]string // by the policy's key, the log in which its decisions are now; "": none
	stop func()            // ends the reading, and waits for its end; nil: nothing is read

	unread unread
	kept   string               // what of it is on the host
	told   map[string]time.Time // names of events, so that a container that is made again and again costs no request
}

// unread is what is still to be told. It is on the host, and survives the agent.
type unread struct {
	Logs []followed `json:"logs"`
	Late []late     `json:"late,omitempty"` // oldest first
}

// followed is a log that is read: one in which decisions are now, or that of a policy before, as long as a container that began under it may
// still write.
type followed struct {
	Path   string        `json:"path"`
	Cursor follow.Cursor `json:"cursor"`
	Until  time.Time     `json:"until,omitzero"` // zero: a policy in force names it

	file *follow.File // nil: not open yet
	lost int          // gaps that were counted
}

// late is a line about a pod that the API server did not know: the kubelet tells of a static pod only once it has started it.
type late struct {
	Line  json.RawMessage `json:"line"`
	Until time.Time       `json:"until"`
}

const unreadFile = "unread.json"

// Bounds of what waits.
const (
	waits   = 2 * time.Minute
	waiting = 256
	askLate = 2 * time.Second
	outlive = time.Minute // how long a log is read after the policy has named another
)

// Bounds: a node starts with fifty events at once, and goes on with five a second; what is more waits in the log. Of what was told,
// so many are remembered; the API server knows the others by their names.
const (
	perSecond  = 5
	atOnce     = 50
	remembered = 4096
	// again is how long the API server keeps an event by default (kube-apiserver, --event-ttl): then it is told anew.
	again = time.Hour
)

func newEvents(c *cluster, h *host, m *metrics) *events {
	return &events{cluster: c, host: h, metrics: m, limit: rate.NewLimiter(perSecond, atOnce), told: map[string]time.Time{}}
}

// follow has the decisions of a policy read from a log, "" for none, beside what is unread of those before. It comes before the policy is
// in force: what is in the log by then is not news, and all that comes is.
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

// recall reads what the agent before has left. It is called on the host.
func (e *events) recall() error {
	data, err := os.ReadFile(filepath.Join(stateDir, unreadFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var u unread
	if err == nil {
		err = json.Unmarshal(data, &u)
	}
	if err == nil {
		e.unread = u
	}
	return err
}

// turnTo has the logs of the policies followed, and no others for long. It is called on the host.
func (e *events) turnTo() error {
	now := map[string]bool{}
	for _, path := range e.logs {
		now[path] = path != ""
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
	for path, is := range now {
		if !is {
			continue
		}
		log := follow.Open(path, follow.Cursor{})
		if err := log.Read(func([]byte) error { return nil }); err != nil {
			slog.Warn("the log is followed from its end, wherever that is when it can be read", "file", path, "cause", err)
		}
		e.unread.Logs = append(e.unread.Logs, followed{Path: path, Cursor: log.Cursor()})
		log.Close()
	}
	return e.keep()
}

// keep notes what is unread, where that has changed. It is called on the host.
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

// Files are looked at again after this time whatever inotify says: a directory may be another one by now. Without it, more often.
const (
	lookLog   = 30 * time.Second
	lookBlind = 5 * time.Second
)

// read hands over what comes, until it is told to end or nothing is left to read.
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
		if len(e.unread.Late) > 0 {
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

// readLogs tells of what is new in each log, and leaves those that are read to their ends and not written any more. It is called on the
// host.
func (e *events) readLogs(ctx context.Context) error {
	var still []followed
	var failed []error
	for i := range e.unread.Logs {
		l := &e.unread.Logs[i]
		if l.file == nil {
			l.file = follow.Open(l.Path, l.Cursor)
			l.file.Settle = time.Second
		}
		ended := !l.Until.IsZero() && time.Now().After(l.Until)
		err := l.file.Read(func(line []byte) error { return e.tell(ctx, line) })
		l.Cursor = l.file.Cursor()
		e.metrics.lost.Add(float64(l.file.Lost - l.lost))
		l.lost = l.file.Lost
		if err == nil && l.Until.IsZero() {
			err = rotate(l.Path)
		}
		if err == nil && ended {
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

// maxLog is the length from which the log is renamed, so that it fills no node: with the one before, twice that stays. The runtime opens
// it for each line.
const maxLog = 64 << 20

func rotate(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < maxLog {
		return nil // none is there yet, or it is somebody's device
	}
	return os.Rename(path, path+".1")
}

// tell tells of one line. It fails where the API server did not take it, so that the line is read again.
func (e *events) tell(ctx context.Context, text []byte) error {
	line, err := podevents.Parse(text)
	if err != nil {
		return nil // half a line, from a full disk
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

// tellLate tells of pods that have become known, and gives the others up in their time.
func (e *events) tellLate(ctx context.Context) {
	var still []late
	for _, l := range e.unread.Late {
		line, err := podevents.Parse(l.Line)
		if err != nil || time.Now().After(l.Until) {
			continue
		}
		if pod := e.cluster.pod(line.Namespace, line.Pod); pod == nil || e.sendOn(ctx, pod, line) != nil {
			still = append(still, l)
		}
	}
	e.unread.Late = still
}

func (e *events) send(ctx context.Context, line *podevents.Line, text []byte) error {
	if len(podevents.Of(line)) == 0 {
		return nil
	}
	if pod := e.pod(ctx, line.Namespace, line.Pod); pod != nil {
		return e.sendOn(ctx, pod, line)
	}
	// It is gone, and with it who would look; or the API server is away, or has not been told of it.
	if err := e.limit.Wait(ctx); err != nil {
		return err
	}
	if err := e.cluster.answers(ctx, line.Namespace, line.Pod); err != nil {
		return fmt.Errorf("an event on the pod %s/%s waits for the API server: %w", line.Namespace, line.Pod, err)
	}
	all := append(e.unread.Late, late{bytes.Clone(text), time.Now().Add(waits)})
	if len(all) > waiting {
		// Those that have waited longest are the likeliest to be of pods that are gone.
		e.metrics.dropped.Inc()
		all = all[1:]
	}
	e.unread.Late = all
	return nil
}

// sendOn tells of a line what was not told before.
func (e *events) sendOn(ctx context.Context, pod *metav1.PartialObjectMetadata, line *podevents.Line) error {
	for _, event := range podevents.Of(line) {
		if err := e.sendOne(ctx, pod, line, event); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) sendOne(ctx context.Context, pod *metav1.PartialObjectMetadata, line *podevents.Line, event podevents.Event) error {
	workload := pod.UID
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind != "Node" { // a static pod's
		workload = owner.UID
	}
	// With the namespace: an owner is what whoever makes the pod says it is, in their own namespace alone.
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
		slog.Warn("an event is not taken", "namespace", pod.Namespace, "pod", pod.Name, "cause", err) // a namespace that ends
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

// pod waits a little for the watch to tell of a pod that has just come.
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
