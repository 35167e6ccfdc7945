// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/cri"
	"github.com/nonroot-runc/nonroot-runc/internal/follow"
	"github.com/nonroot-runc/nonroot-runc/internal/hostns"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// How often the node is checked. Files are checked by their inodes, more often if the kernel does not report changes or if
// something is still to be done; the daemon by one call; and the self-test runs a container.
const (
	lookFiles  = 5 * time.Second
	lookTold   = 30 * time.Second
	lookDaemon = time.Minute
	lookAll    = time.Hour
)

// agent is the agent's state.
type agent struct {
	options
	cluster *cluster
	daemon  *cri.Client
	host    *host
	metrics *metrics
	events  *events

	seen     string          // fingerprint of the files when they were last found right
	right    string          // the same, but also set by a round that failed for another reason
	changed  <-chan struct{} // receives when they have changed since; nil: the kernel does not report changes
	unwatch  func() error
	asked    time.Time // when the daemon was last checked
	tested   time.Time // when the self-test last passed; zero: it must be run
	gaveUp   string    // fingerprint for which a restart was rolled back; not tried again until it changes
	policies applied
	version  string    // of the ConfigMap that policies comes from
	policed  time.Time // when the files were last compared with it
}

func newAgent(o options) (*agent, error) {
	c, err := connect(o)
	if err != nil {
		return nil, err
	}
	daemon, err := cri.Dial(o.socket)
	if err != nil {
		return nil, err
	}
	m := newMetrics()
	return &agent{options: o, cluster: c, daemon: daemon, metrics: m}, nil
}

// run keeps the node ready until ctx ends. It undoes nothing then: pods continue, and the next version of the agent takes
// over.
func (a *agent) run(ctx context.Context) error {
	go a.metrics.serve(ctx, a.listen, a.limit)
	ns, err := a.findHost(ctx)
	if err != nil {
		return err
	}
	defer ns.Close()
	a.host = &host{options: a.options, Namespace: ns}
	if err := a.alone(ctx); err != nil {
		return err
	}
	if err := a.cluster.start(ctx); err != nil {
		return err
	}
	a.events = newEvents(a.cluster, a.host, a.metrics)
	for {
		a.step(ctx)
		next := lookFiles
		if a.seen != "" && a.changed != nil {
			next = lookTold
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next):
		case <-a.cluster.changed:
		case _, on := <-a.changed:
			if !on {
				a.changed = nil
			}
		}
	}
}

// watch asks the kernel to report changes to the files that the handlers depend on.
func (a *agent) watch() {
	if a.unwatch != nil {
		_ = a.unwatch()
	}
	a.changed, a.unwatch = nil, nil
	err := a.host.Do(func() (err error) {
		a.changed, a.unwatch, err = follow.Watch(a.host.watched()...)
		return err
	})
	if err != nil {
		slog.Warn("the installation's files are looked at every five seconds, as changes are not told", "cause", err)
	}
}

// findHost waits for the daemon, because an earlier agent may have been killed while restarting it.
func (a *agent) findHost(ctx context.Context) (*hostns.Namespace, error) {
	limited, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	for {
		ns, err := hostns.Of(a.socket)
		if err == nil {
			return ns, nil
		}
		select {
		case <-limited.Done():
			return nil, fmt.Errorf("find the host by the CRI daemon's socket: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// alone waits until no other agent works on the node. The previous one may still be running, if its pod was deleted by force.
// Only root can hold it up: the lock is on a directory that nobody else may open.
func (a *agent) alone(ctx context.Context) error {
	for said := false; ; said = true {
		if !a.remove {
			if err := a.host.Do(a.host.begin); err != nil {
				return fmt.Errorf("note what the node is without nonroot-runc: %w", err)
			}
		}
		locked, err := a.host.Lock(stateDir)
		if a.remove && errors.Is(err, fs.ErrNotExist) {
			return nil // no agent has begun
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) || locked {
			return err
		}
		if !said {
			slog.Info("waiting: another agent is still running on this node")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// step runs one round, and reports the node's state in the cluster.
func (a *agent) step(ctx context.Context) {
	if a.remove {
		a.report(ctx, a.takeBack(ctx))
		return
	}
	// If a new policy is bad, the older one and the node stay in service, and the error is reported on the ConfigMap. Even
	// without a new policy, files are compared every minute, because someone may have changed them.
	if v := a.cluster.policyVersion(); v != a.version || time.Since(a.policed) >= lookDaemon {
		a.policies, a.version, a.policed = a.policy(ctx), v, time.Now()
	}
	// Before any pod arrives: only the rest of this round sets the label.
	for _, h := range handlers {
		a.events.follow(ctx, h.key, a.policies.logs[h.key])
	}
	a.report(ctx, a.hold(ctx))
}

// errWaiting is for work that is not done yet, as opposed to an error.
var errWaiting = errors.New("waiting")

// hold makes the node ready, or returns why it is not.
func (a *agent) hold(ctx context.Context) error {
	files, err := a.host.fingerprint()
	if err != nil {
		return err
	}
	if files == a.seen && time.Since(a.tested) < lookAll {
		if time.Since(a.asked) < lookDaemon {
			return nil
		}
		// The files are unchanged since they were found right. But if someone restarted the daemon, it may have read other
		// files.
		if running, err := a.runs(ctx); err == nil && running {
			a.asked = time.Now()
			return nil
		}
	}
	if a.gaveUp != "" && a.gaveUp == files {
		return errors.New("the CRI daemon did not come back with the handler, and its configuration was put back\nhint: read the events of the node, fix what they name, and delete the agent's pod to try again")
	}
	if a.right != "" && files != a.right {
		if a.seen != "" {
			slog.Warn("files of the installation were changed by others")
		}
		a.tested = time.Time{}
		if !a.repair {
			return errors.New("files of the installation were changed by others\nhint: set repair, or delete the agent's pod to have them restored")
		}
	}
	if a.right != "" && !a.repair {
		// The files are right, but not what the daemon has read of them.
		if running, err := a.runs(ctx); err != nil || !running {
			a.seen = ""
			return errors.Join(err, errors.New("the CRI daemon no longer has the handlers\nhint: set repair, or restart it"))
		}
	}
	a.seen = ""
	if files, err = a.settle(ctx); err != nil {
		return err
	}
	a.asked, a.right = time.Now(), files
	if time.Since(a.tested) >= lookAll {
		if err := a.host.selfTest(ctx); err != nil {
			a.metrics.selfTest.Set(0)
			return fmt.Errorf("self-test: %w", err)
		}
		a.metrics.selfTest.Set(1)
		slog.Info("self-test passed")
		a.tested = time.Now()
	}
	a.seen = files
	return nil
}

// settle installs and registers until nothing is left to do. It returns the fingerprint from before the last check, so that
// a later change is found even if only the fingerprint is compared.
func (a *agent) settle(ctx context.Context) (files string, err error) {
	for range 5 {
		a.watch() // before the check, so that changes during it are reported
		if files, err = a.host.fingerprint(); err != nil {
			return "", err
		}
		installed, err := a.host.install()
		if err != nil {
			return "", fmt.Errorf("install the programs: %w", err)
		}
		if installed {
			slog.Info("programs installed", "directory", a.directory)
			a.tested = time.Time{}
		}
		registered, err := a.register(ctx)
		if err != nil {
			return "", err
		}
		if !installed && !registered {
			return files, nil
		}
	}
	return "", errors.New("files of the installation are changed again as soon as they are restored\nhint: make whatever else manages them leave them alone")
}

// register registers the handlers: first in the daemon's files, then by a restart in the running daemon. changed is false if
// there was nothing to do.
func (a *agent) register(ctx context.Context) (changed bool, err error) {
	registered, err := a.host.registered()
	if err != nil {
		return false, fmt.Errorf("look at the configuration of %s: %w", a.engine, err)
	}
	running, err := a.runs(ctx)
	if err != nil {
		return false, err
	}
	if registered && running {
		return false, nil
	}
	// The files may have them because an agent was killed half-way. Complete its work, or roll it back.
	if !registered && !running {
		if err := a.cluster.mayRestart(); err != nil {
			return false, err
		}
	}
	release, err := a.cluster.slot(ctx, a.limit)
	if err != nil {
		return false, err
	}
	defer release()
	var kept *configuration // nil: registered by an agent that was killed before it saw them run
	if !registered {
		err := a.host.Do(func() (err error) {
			kept, err = a.host.configuration()
			return err
		})
		if err != nil {
			return false, fmt.Errorf("look at the configuration of %s: %w", a.engine, err)
		}
		if err := a.host.register(); err != nil {
			return true, fmt.Errorf("register the handlers with %s: %w", a.engine, err)
		}
		slog.Info("handlers registered", "engine", a.engine)
	}
	if running {
		return true, nil // the handlers were already running from another file
	}
	slog.Info("restarting the CRI daemon", "by", a.host.restarter())
	failed := a.restartAndWait(ctx, true)
	if failed == nil {
		slog.Info("the CRI daemon is back, with the handlers")
		a.cluster.nodeEvent(ctx, false, "NonRootInstalled", fmt.Sprintf("%s was restarted and has the handlers of nonroot-runc %s", a.engine, version.Short()))
		return true, nil
	}
	if ctx.Err() != nil {
		return true, failed // nothing is waiting for it any more: the next agent checks again
	}
	slog.Warn("putting the configuration back", "cause", failed)
	if kept != nil {
		err = a.host.Do(func() error { return a.host.putBack(kept) })
	} else {
		err = a.host.unregister()
	}
	if err == nil {
		err = a.restartAndWait(ctx, false)
	}
	if files, broken := a.host.fingerprint(); broken == nil {
		a.gaveUp = files
	}
	message := fmt.Sprintf("%s did not come back with the handlers: %v; its configuration was put back", a.engine, failed)
	if err != nil {
		message = fmt.Sprintf("%s did not come back with the handlers: %v; nor without: %v", a.engine, failed, err)
	}
	a.cluster.nodeEvent(ctx, true, "NonRootRolledBack", message)
	return true, errors.New(message)
}

// runs reports whether the running daemon has every handler, with our binary.
func (a *agent) runs(ctx context.Context) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	state, err := a.daemon.State(limited)
	if err != nil {
		return false, err
	}
	for _, h := range handlers {
		if !state.Has(h.name, a.binary(h)) {
			return false, nil
		}
	}
	return true, nil
}

// restartAndWait restarts the daemon, and waits until it is ready, has the handlers (not needed for a rollback), and the
// node is ready.
func (a *agent) restartAndWait(ctx context.Context, handlers bool) error {
	limited, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	a.metrics.restarts.Inc()
	if err := a.host.restartDaemon(limited); err != nil {
		return err
	}
	for {
		last := a.back(limited, handlers)
		if last == nil {
			return nil
		}
		select {
		case <-limited.Done():
			return fmt.Errorf("after %v: %w", a.limit, last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (a *agent) back(ctx context.Context, handlers bool) error {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state, err := a.daemon.State(limited)
	switch {
	case err != nil:
		return err
	case !state.Ready:
		return errors.New("it is not ready")
	}
	if handlers {
		if has, err := a.runs(limited); err != nil || !has {
			return errors.Join(err, errors.New("it does not have the handlers"))
		}
	}
	return a.cluster.nodeReady()
}

// report reports the node's state in the cluster: by the label that RuntimeClasses select by, a condition and annotations.
func (a *agent) report(ctx context.Context, held error) {
	s := status{ready: held == nil && !a.remove, reason: "Ready", message: "containers of the handlers run without root", policies: a.policies}
	switch {
	case errors.Is(held, errWaiting):
		s.reason, s.message = "Waiting", held.Error()
	case held != nil:
		s.reason, s.message = "Failed", held.Error()
		slog.Warn("the node is not ready", "cause", held)
	case a.remove:
		s.reason, s.message = "Removed", "nothing of nonroot-runc is left on this node"
	}
	// An agent that is removing everything is as ready as it will get. If it were not, the rollout would not reach the other
	// nodes.
	a.metrics.ready(s.ready, s.ready || a.remove)
	if err := a.cluster.publish(ctx, s); err != nil {
		slog.Warn("the cluster was not told", "cause", err)
	}
}
