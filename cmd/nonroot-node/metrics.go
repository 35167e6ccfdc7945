// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// metrics are the agent's Prometheus metrics. Labels are bounded, because otherwise anyone who may create namespaces could
// fill a server's memory.
type metrics struct {
	registry *prometheus.Registry

	decisions  *prometheus.CounterVec
	create     prometheus.Histogram
	valid      *prometheus.GaugeVec
	inForce    *prometheus.GaugeVec
	faulty     *prometheus.GaugeVec
	selfTest   prometheus.Gauge
	nodeReady  prometheus.Gauge
	restarts   prometheus.Counter
	told       *prometheus.CounterVec
	lost       prometheus.Counter
	dropped    prometheus.Counter
	namespaces map[string]bool
	rules      map[string]bool
	refused    map[string]string // digests of the policies that were reported as invalid, with an event

	isReady atomic.Bool  // of the agent
	alive   atomic.Int64 // when the last round ended, in Unix time
}

// maxLabels is the maximum number of distinct values for namespaces and for rules.
const maxLabels = 200

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), namespaces: map[string]bool{}, rules: map[string]bool{}, refused: map[string]string{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nonroot_node_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "nonroot_node_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.decisions = counter("decisions_total", "Decisions about containers and processes in them.", "namespace", "event", "mode", "rule")
	m.told = counter("events_total", "Events on pods.", "reason")
	m.lost = counter("log_gaps_total", "Times that lines of the log were gone before they were read.").WithLabelValues()
	m.dropped = counter("late_dropped_total", "Lines about pods that the API server did not know, dropped as too many waited.").WithLabelValues()
	m.restarts = counter("restarts_total", "Restarts of the CRI daemon.").WithLabelValues()
	m.valid = gauge("policy_valid", "1: the policy of the ConfigMap is in force; 0: it was refused, or there is none, and the previous one is.", "policy")
	m.faulty = gauge("policy_refused", "1: the policy of the ConfigMap is refused for what is there; line 0: for another cause.", "policy", "line", "column")
	m.inForce = gauge("policy_info", "The policy in force.", "policy", "sha256")
	m.selfTest = gauge("self_test_passed", "1: the last self-test passed.").WithLabelValues()
	m.nodeReady = gauge("ready", "1: the node is labelled as ready.").WithLabelValues()
	gauge("info", "The version.", "version").WithLabelValues(version.Short()).Set(1)
	m.create = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "nonroot_node_create_seconds", Help: "How long nonroot-runc takes for a create, without the next runtime.",
		Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1},
	})
	m.registry.MustRegister(m.create)
	m.alive.Store(time.Now().Unix())
	return m
}

// bound returns a label's value, or "other" for every new one beyond the maximum.
func bound(known map[string]bool, value string) string {
	if !known[value] {
		if len(known) >= maxLabels {
			return "other"
		}
		known[value] = true
	}
	return value
}

// policy notes what is in force, and why the ConfigMap's is not; nil: it is.
func (m *metrics) policy(key string, refused error, p *policy.Policy) {
	value := 1.0
	m.faulty.DeletePartialMatch(prometheus.Labels{"policy": key})
	if refused != nil {
		value = 0
		var at policy.Fault // the zero position, if it is about none
		if fault := (*policy.Fault)(nil); errors.As(refused, &fault) {
			at = *fault
		}
		m.faulty.WithLabelValues(key, strconv.Itoa(at.Line), strconv.Itoa(at.Column)).Set(1)
	}
	m.valid.WithLabelValues(key).Set(value)
	m.inForce.DeletePartialMatch(prometheus.Labels{"policy": key})
	if p != nil {
		m.inForce.WithLabelValues(key, p.Digest).Set(1)
	}
}

// ready records whether the node is ready, and whether the agent is. Kubernetes rolls the DaemonSet out by the latter.
func (m *metrics) ready(node, agent bool) {
	value := 0.0
	if node {
		value = 1
	}
	m.nodeReady.Set(value)
	m.isReady.Store(agent)
	m.alive.Store(time.Now().Unix())
}

// around is how long a round may take in addition to a restart and its rollback.
const around = 11 * time.Minute

// serve serves the metrics and the probes until the context ends: /healthz fails if rounds stop, /readyz if the agent is not
// ready. A round contains at most a restart and its rollback, each of which takes at most restartLimit. If another program of
// the host has the port, the agent works on without it and tries again.
func (m *metrics) serve(ctx context.Context, address string, restartLimit time.Duration) {
	stuck := 2*restartLimit + around
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", answer(func() bool { return time.Since(time.Unix(m.alive.Load(), 0)) < stuck }))
	mux.HandleFunc("/readyz", answer(m.isReady.Load))
	var open atomic.Int32
	server := &http.Server{
		Handler: mux, MaxHeaderBytes: 16 << 10,
		ReadTimeout: connectionLimit, WriteTimeout: connectionLimit, IdleTimeout: connectionLimit,
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if open.Add(1) > connections {
					_ = c.Close() // nothing was read
				}
			case http.StateClosed, http.StateHijacked:
				open.Add(-1)
			}
		},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	for {
		listener, err := net.Listen("tcp", address)
		if err == nil {
			err = server.Serve(listener)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return
		}
		slog.Warn("metrics and probes are not served yet", "cause", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(listenAgain):
		}
	}
}

const listenAgain = 5 * time.Second

// Limits on connections, because every process of the node can make them.
const (
	connections     = 64
	connectionLimit = 5 * time.Second
)

func answer(good func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if !good() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}
