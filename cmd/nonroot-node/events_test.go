// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/nonroot-runc/nonroot-runc/internal/hostns"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
)

// answers is an API server for events on pods, which an admission webhook keeps from some namespaces. kubernetes/attacks.bats has a real one.
type answers struct {
	t    *testing.T
	url  string
	pods cache.Store
	log  string
	ns   *hostns.Namespace

	limit flowcontrol.RateLimiter // of the agent's requests; nil: its own

	mu     sync.Mutex
	status map[string]int // by namespace: what is answered instead of an event; 0: nothing is answered
	events []string       // accepted: "namespace reason"
	asked  map[string]int // requests by namespace
	again  int            // requests for events that exist
}

func newAnswers(t *testing.T) *answers {
	t.Helper()
	ns := ownHost(t)
	if err := unix.Mount("tmpfs", "/var/lib", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	a := &answers{t: t, pods: cache.NewStore(cache.MetaNamespaceKeyFunc), log: filepath.Join(t.TempDir(), "log"), ns: ns, status: map[string]int{}, asked: map[string]int{}}
	names := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		namespace := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/"), "/")[0]
		body, err := io.ReadAll(r.Body)
		a.mu.Lock()
		status, kept := a.status[namespace]
		a.asked[namespace]++
		a.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if kept && status == 0 {
			<-r.Context().Done()
			return
		}
		if r.Method == http.MethodGet { // pods
			fmt.Fprint(w, `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[]}`)
			return
		}
		var event struct {
			Metadata struct{ Name string }
			Message  string
		}
		if err != nil || json.Unmarshal(body, &event) != nil {
			t.Errorf("%s: %v", body, err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		switch {
		case kept:
		case names[event.Metadata.Name]:
			status = http.StatusConflict
			a.again++
		default:
			names[event.Metadata.Name] = true
			a.events = append(a.events, namespace+" "+event.Message[strings.LastIndex(event.Message, " ")+1:])
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(body)
			return
		}
		reason := "InternalError"
		if status == http.StatusConflict {
			reason = "AlreadyExists"
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"failed calling webhook"}`, reason, status)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// agent follows the log.
func (a *answers) agent() *events {
	a.t.Helper()
	c := &cluster{pods: a.pods}
	if err := c.clients(&rest.Config{Host: a.url, RateLimiter: a.limit}); err != nil {
		a.t.Fatal(err)
	}
	e := newEvents(c, &host{Namespace: a.ns}, newMetrics())
	e.follow(a.t.Context(), "config.toml", a.log)
	a.t.Cleanup(func() { e.stop() })
	return e
}

// keepFrom answers the events of a namespace with a status, 0: never. A negative one: they are accepted again.
func (a *answers) keepFrom(namespace string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status[namespace] = status; status < 0 {
		delete(a.status, namespace)
	}
}

// refused logs that pods are refused, for reasons of one word, and makes the pods known.
func (a *answers) refused(namespace string, reasons ...string) {
	a.t.Helper()
	file, err := os.OpenFile(a.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, reason := range reasons {
		pod := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: reason, UID: types.UID(reason)}}
		if err := a.pods.Add(pod); err != nil {
			a.t.Fatal(err)
		}
		fmt.Fprintf(file, `{"event":"create","mode":"refuse","namespace":%q,"pod":%q,"container":"c","reason":%q}`+"\n", namespace, reason, reason)
	}
	if err := file.Close(); err != nil {
		a.t.Fatal(err)
	}
}

// told waits until the events of a namespace are exactly these, in their order.
func (a *answers) told(within time.Duration, namespace string, reasons ...string) {
	a.t.Helper()
	until := time.Now().Add(within)
	for got := a.of(namespace); !slices.Equal(got, reasons); got = a.of(namespace) {
		if time.Now().After(until) {
			a.t.Fatalf("within %v, the events of %s are %q, where %q are meant", within, namespace, got, reasons)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (a *answers) of(namespace string) (reasons []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, event := range a.events {
		if reason, of := strings.CutPrefix(event, namespace+" "); of {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("r", i))
	}
	return all
}

// TestOneNamespaceKeepsNoOther: where the API server takes no events in one namespace, for example because a webhook for it is broken, those of
// the others don't wait. Its own are created once it takes them, each once, also after a restart of the agent.
func TestOneNamespaceKeepsNoOther(t *testing.T) {
	for name, status := range map[string]int{"refused": 500, "never answered": 0} {
		a := newAnswers(t)
		a.keepFrom("bad", status)
		e := a.agent()
		a.refused("bad", "b1", "b2")
		a.refused("good", "g1")
		a.refused("bad", "b3")
		a.refused("good", "g2")
		a.told(8*time.Second, "good", "g1", "g2")
		a.told(0, "bad")
		e.stop()
		a.refused("bad", "b4")
		a.refused("good", "g3")
		a.agent()
		a.told(8*time.Second, "good", "g1", "g2", "g3")
		a.keepFrom("bad", -1)
		a.refused("bad", "b5")
		a.told(30*time.Second, "bad", "b1", "b2", "b3", "b4", "b5")
		a.told(0, "good", "g1", "g2", "g3")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestOneNamespaceDelaysNoOther: a namespace with many events takes turns with the others, and none of its own is lost.
func TestOneNamespaceDelaysNoOther(t *testing.T) {
	a := newAnswers(t)
	e := a.agent()
	many, begun := numbered(3*atOnce), time.Now()
	a.refused("noisy", many...)
	for ; len(a.of("noisy")) < atOnce; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 4*time.Second {
			t.Fatalf("the first events are only %q", a.of("noisy"))
		}
	}
	a.refused("quiet", "q1")
	a.told(5*time.Second, "quiet", "q1")
	a.refused("quiet", "q2")
	a.told(5*time.Second, "quiet", "q1", "q2")
	n := len(a.of("noisy"))
	if most := atOnce + perSecond*int(time.Since(begun)/time.Second+1); n > most {
		t.Errorf("%d events, where %d at most are meant", n, most)
	}
	e.limit.SetLimit(rate.Inf)
	a.told(10*time.Second, "noisy", many...)
}

// TestManyNamespacesWait: more namespaces than have a place in the log lose nothing.
func TestManyNamespacesWait(t *testing.T) {
	a := newAnswers(t)
	a.limit = flowcontrol.NewFakeAlwaysRateLimiter()
	e := a.agent()
	e.limit.SetLimit(rate.Inf)
	all := numbered(most + 20)
	for _, namespace := range all {
		a.keepFrom(namespace, 500)
	}
	for _, reason := range []string{"one", "two"} {
		for _, namespace := range all {
			a.refused(namespace, namespace+reason)
		}
	}
	for tried := 0; tried < most; time.Sleep(10 * time.Millisecond) {
		a.mu.Lock()
		tried = len(a.asked)
		a.mu.Unlock()
	}
	e.stop()
	if n := len(e.unread.Logs[0].Behind); n != most {
		t.Errorf("%d namespaces have a place", n)
	}
	for _, namespace := range all {
		a.keepFrom(namespace, -1)
	}
	a.agent().limit.SetLimit(rate.Inf)
	for _, namespace := range all {
		a.told(20*time.Second, namespace, namespace+"one", namespace+"two")
	}
}

// TestNoEventIsLost in any order of lines, rotations, restarts, and namespaces with and without events.
func TestNoEventIsLost(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test's
		a := newAnswers(t)
		e, agents := a.agent(), 1
		e.limit.SetLimit(rate.Inf)
		a.refused("team-0", "first")
		a.told(3*time.Second, "team-0", "first")
		written := map[string][]string{"team-0": {"first"}}
		for i := range 150 {
			namespace := fmt.Sprint("team-", random.IntN(3))
			switch random.IntN(12) {
			case 0:
				if err := os.Rename(a.log, a.log+fmt.Sprint(".", 1000-i)); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			case 1:
				e.stop()
				e = a.agent()
				agents++
				e.limit.SetLimit(rate.Inf)
			case 2:
				a.keepFrom(namespace, 500)
			case 3:
				a.keepFrom(namespace, -1)
			case 4:
				time.Sleep(20 * time.Millisecond)
			default:
				reason := fmt.Sprint("line", i)
				written[namespace] = append(written[namespace], reason)
				a.refused(namespace, reason)
			}
		}
		e.stop()
		for namespace := range written {
			a.keepFrom(namespace, -1)
		}
		e = a.agent()
		e.limit.SetLimit(rate.Inf)
		for namespace, reasons := range written {
			a.told(10*time.Second, namespace, reasons...)
		}
		series(t, e.metrics, "nonroot_node_log_gaps_total", func(_ map[string]string, value float64) {
			if value != 0 {
				t.Errorf("%v gaps", value)
			}
		})
		// Nothing is behind, and no place is kept for nobody.
		time.Sleep(100 * time.Millisecond)
		if e.stop(); len(e.unread.Logs[0].Behind) != 0 {
			t.Errorf("behind is %+v", e.unread.Logs[0].Behind[0])
		}
		// An agent that ends may not know whether its last request of each namespace has reached the API server.
		if most := agents * len(written); a.again > most {
			t.Errorf("%d events were created again, where %d at most are meant", a.again, most)
		}
	}
}

// TestLateOfOthers: a namespace in which pods come and go fast does not displace the late lines of another.
func TestLateOfOthers(t *testing.T) {
	e := newEvents(nil, nil, newMetrics())
	wait := func(namespace, pod string) {
		e.wait([]byte(pod), &podevents.Line{Namespace: namespace, Pod: pod})
	}
	wait("quiet", "q1")
	for _, pod := range numbered(2 * waiting) {
		wait("noisy", pod)
	}
	wait("quiet", "q2")
	var pods []string
	for _, l := range e.unread.Late {
		pods = append(pods, l.line.Pod)
	}
	want := slices.Concat([]string{"q1"}, numbered(2 * waiting)[waiting+2:], []string{"q2"})
	if !slices.Equal(pods, want) {
		t.Errorf("%q wait, where %q are meant", pods, want)
	}
}

// TestSoon: what is held back is tried in time, and nothing else wakes the agent.
func TestSoon(t *testing.T) {
	e := newEvents(nil, nil, newMetrics())
	line := []byte(`{"event":"create","mode":"refuse","namespace":"n","pod":"p","reason":"r"}`)
	e.senders["n"] = &sender{wait: retryFirst, again: time.Now().Add(50 * time.Millisecond)}
	if e.soon() != nil {
		t.Error("it looks again without a cause")
	}
	if next := e.queue(nil, task{text: line}); len(next) != 0 {
		t.Error("it is tried at once")
	}
	select {
	case <-e.soon():
	case <-time.After(3 * time.Second):
		t.Error("it is not tried in time")
	}
	next := e.queue(nil, task{text: line})
	if len(next) != 1 || len(e.queue(next, task{text: line})) != 1 {
		t.Errorf("%d tasks", len(next))
	}
	if e.soon() != nil {
		t.Error("it looks again without a cause, after the attempt")
	}
}

// TestPolicyEventIsTriedAgain: if the API server does not accept the event about a refused policy, it comes later, and once.
func TestPolicyEventIsTriedAgain(t *testing.T) {
	a := newAnswers(t)
	c := &cluster{config: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	if err := c.clients(&rest.Config{Host: a.url}); err != nil {
		t.Fatal(err)
	}
	data := map[string]any{}
	for _, h := range handlers {
		data[h.key] = `mode = "of"`
	}
	if err := c.config.Add(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "policy", "namespace": "agents"}, "data": data}}); err != nil {
		t.Fatal(err)
	}
	of := &agent{cluster: c, host: &host{Namespace: a.ns}, metrics: newMetrics()}
	a.keepFrom("agents", 500)
	of.policy(t.Context())
	a.told(0, "agents")
	a.keepFrom("agents", -1)
	for range 2 {
		of.policy(t.Context())
		a.told(0, "agents", "off", "off") // the last of the words that mode may be
	}
	if a.again != 0 {
		t.Errorf("%d requests more than are meant", a.again)
	}
}
