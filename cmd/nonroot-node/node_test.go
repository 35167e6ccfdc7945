// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"github.com/nonroot-runc/nonroot-runc/internal/cri"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/follow"
	"github.com/nonroot-runc/nonroot-runc/internal/hostns"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

func TestParse(t *testing.T) {
	t.Setenv("NODE_NAME", "n")
	t.Setenv("POD_NAMESPACE", "s")
	o, err := parse([]string{"-engine=crio", "-restart=sh -c true", "-restart-slots=3"})
	if err != nil || o.node != "n" || o.namespace != "s" || strings.Join(o.restart, "|") != "sh|-c|true" || o.slots != (slots{number: 3}) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parse(nil); err != nil || len(o.restart) != 0 || o.slots != (slots{number: 1}) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-engine=docker"}, {"-restart-slots=0"}, {"-restart-slots=0%"}, {"-restart-slots=101%"}, {"-restart-slots=%"}, {"-restart-slots=+5%"}, {"-restart-slots=1.5%"}, {"-restart-slots=-1"}, {"-directory=opt"}, {"-directory=/opt/"}, {"more"}, {"-node="}} {
		if o, err := parse(args); err == nil {
			t.Errorf("%q is %+v", args, o)
		}
	}
}

// TestShare: a percentage is at least one node, and never more than it says.
func TestShare(t *testing.T) {
	for text, want := range map[string]map[int]int{
		"3":    {0: 3, 1: 3, 5000: 3},
		"10%":  {0: 1, 1: 1, 9: 1, 10: 1, 19: 1, 20: 2, 5000: 500},
		"50%":  {2: 1, 3: 1, 4: 2},
		"100%": {0: 1, 1: 1, 2: 2, 7: 7},
	} {
		var s slots
		if err := s.Set(text); err != nil || s.String() != text {
			t.Errorf("%q is %v, %v", text, &s, err)
		}
		for nodes, n := range want {
			if got := s.of(nodes); got != n {
				t.Errorf("%s of %d nodes are %d, where %d are meant", text, nodes, got, n)
			}
		}
	}
}

func TestHeld(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	lease := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	}
	for _, c := range []struct {
		spec   map[string]any
		holder string
		taken  bool
	}{
		{nil, "", false},
		{map[string]any{"holderIdentity": ""}, "", false},
		{map[string]any{"holderIdentity": "a", "renewTime": "2026-03-04T11:59:00.000000Z", "leaseDurationSeconds": int64(61)}, "a", true},
		{map[string]any{"holderIdentity": "a", "renewTime": "2026-03-04T11:59:00.000000Z", "leaseDurationSeconds": int64(60)}, "a", false},
		// A Lease that can't be parsed does not let two nodes restart.
		{map[string]any{"holderIdentity": "a", "renewTime": "yesterday", "leaseDurationSeconds": int64(60)}, "a", true},
		{map[string]any{"holderIdentity": "a", "renewTime": "2026-03-04T11:59:00Z", "leaseDurationSeconds": "60"}, "a", true},
		{map[string]any{"holderIdentity": int64(1)}, "", true},
	} {
		if holder, taken := held(lease(c.spec), now); holder != c.holder || taken != c.taken {
			t.Errorf("%v: %q, %t", c.spec, holder, taken)
		}
	}
}

// TestTurns: a waiting node asks less and less often, and nodes that started together spread out.
func TestTurns(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	times := map[time.Time]bool{}
	for range 100 {
		var turn turn
		for _, most := range []time.Duration{5, 10, 20, 40, 60, 60} {
			turn.later(now)
			if wait := turn.at.Sub(now); wait < most*time.Second/2 || wait > most*time.Second {
				t.Errorf("%v, where at most %d s are meant", wait, most)
			}
		}
		times[turn.at] = true
	}
	if len(times) < 90 {
		t.Errorf("of a hundred nodes, %d ask at different times", len(times))
	}
	slots := map[int]int{}
	for i := range 1000 {
		slots[ownSlot(fmt.Sprintf("node-%d", i), 10)]++
	}
	for number := range 10 {
		if slots[number] < 50 {
			t.Errorf("slot %d is that of %d nodes of a thousand", number, slots[number])
		}
	}
	if ownSlot("node", 1) != 0 {
		t.Error("one slot is everybody's")
	}
}

// TestExempting: the agent's own container is exempt before any rule of the ConfigMap, and nothing else is.
func TestExempting(t *testing.T) {
	const mine = "[[rule]]\nname = \"a\"\nmode = \"refuse\"\nmatch.engine = [\"kubernetes\"]\n"
	for text, want := range map[string]string{
		"":                                "nonroot-node",
		"mode = \"refuse\"":               "nonroot-node",
		"home.size = \"1m\"\n" + mine:     "nonroot-node a",
		"[log]\nfile = \"/l\"\n\n" + mine: "nonroot-node a",
		"  [[rule]] # x\n" + strings.TrimPrefix(mine, "[[rule]]\n"):                                                    "nonroot-node a",
		strings.ReplaceAll(mine, `"a"`, `"nonroot-node"`):                                                              "",
		"[[rule]]\nname = \"a\"\nmode = \"off\"\nmatch.engine = [\"kubernetes\"]\nreason = \"\"\"\n[[rule]]\n\"\"\"\n": "nonroot-node a",
		"reason = \"\"\"\n[[rule]]\n\"\"\"\nmode = \"off\"\n" + mine:                                                   "nonroot-node a",
		"# [[rule]]\n\n\t[[ rule ]]\n" + strings.TrimPrefix(mine, "[[rule]]\n"):                                        "nonroot-node a",
		"[[rule]] # \r\n" + strings.TrimPrefix(mine, "[[rule]]\n"):                                                     "nonroot-node a",
	} {
		before, err := policy.Parse("config.toml", []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		p, now, err := exempting("config.toml", before, text, ownRule("agents"))
		if want == "" {
			if err == nil {
				t.Errorf("%q becomes %q", text, now)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var names []string
		for _, r := range p.Rules {
			names = append(names, r.Name)
		}
		if strings.Join(names, " ") != want || p.Mode != before.Mode {
			t.Errorf("%q has the rules %q, mode %v", text, names, p.Mode)
		}
		if rest := strings.Replace(now, strings.TrimSuffix(ownRule("agents"), "\n"), "", 1); strings.Join(strings.Fields(rest), " ") != strings.Join(strings.Fields(text), " ") {
			t.Errorf("%q becomes %q", text, now)
		}
		for _, c := range []struct {
			namespace, pod, container string
			exempt                    bool
		}{
			{"agents", "nonroot-node-x7k2p", "node", true},
			{"agents", "nonroot-node-x7k2p", "debugger", false},
			{"agents", "other", "node", false},
			{"team", "nonroot-node-x7k2p", "node", false},
		} {
			m := p.Rules[0].Match
			if got := m.Namespace.Take(c.namespace) && m.Pod.Take(c.pod) && m.Container.Take(c.container); got != c.exempt {
				t.Errorf("%+v: %t", c, got)
			}
		}
	}
}

// TestOwnRuleName: a rule with the name of the agent's is reported where the ConfigMap's text has it.
func TestOwnRuleName(t *testing.T) {
	const text = "mode = \"refuse\"\n\n[[rule]]\nname = \"a\"\n\n[[rule]]\n  name = \"nonroot-node\"\n"
	before, err := policy.Parse("config.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = exempting("config.toml", before, text, ownRule("agents"))
	if want := `config.toml:7:3: rule[2].name: "nonroot-node" is the name of the rule that exempts the agent`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// TestPolicyWithoutKey: a ConfigMap that has lost a policy, or has it under another key or in binaryData, is reported as
// wrong.
func TestPolicyWithoutKey(t *testing.T) {
	for _, h := range handlers {
		_, err := apply(&host{}, h, "", false, nil)
		var broken *brokenPolicy
		if !errors.As(err, &broken) || !strings.HasPrefix(err.Error(), h.key+": ") {
			t.Errorf("%s: %v", h.key, err)
		}
	}
}

func TestDiffering(t *testing.T) {
	now := map[string]string{"a": "1", "b": "2", "theirs": "x"}
	for _, c := range []struct{ want, differs map[string]any }{
		{map[string]any{"a": "1", "b": "2"}, map[string]any{}},
		{map[string]any{"a": "2", "c": "3", "b": nil, "d": nil}, map[string]any{"a": "2", "c": "3", "b": nil}},
	} {
		if got := differing(now, c.want); !maps.Equal(got, c.differs) {
			t.Errorf("%v: %v", c.want, got)
		}
	}
}

// TestNoRepair: without repair, others' changes stay, even while the daemon does not answer.
func TestNoRepair(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	o := options{programs: filepath.Join(dir, "image"), directory: filepath.Join(dir, "bin"), config: filepath.Join(dir, "config.toml"), engine: "containerd"}
	if err := os.Mkdir(o.programs, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(o.programs, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ns, err := hostns.Own()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	daemon, err := cri.Dial(filepath.Join(dir, "none.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close() // it does not exist
	a := &agent{options: o, host: &host{o, ns}, daemon: daemon, metrics: newMetrics()}
	if _, err := a.host.install(); err != nil {
		t.Fatal(err)
	}
	// As after a round that found everything right.
	if a.seen, err = a.host.fingerprint(); err != nil {
		t.Fatal(err)
	}
	a.right, a.tested = a.seen, time.Now()
	if err := a.hold(t.Context()); err == nil {
		t.Fatal("a daemon that does not answer is held for one that does")
	}
	if err := os.WriteFile(filepath.Join(o.directory, tool), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = a.hold(t.Context())
	if text, broken := os.ReadFile(filepath.Join(o.directory, tool)); broken != nil || string(text) != "theirs" || err == nil || !strings.Contains(err.Error(), "changed by others") {
		t.Errorf("%q, %v, %v", text, broken, err)
	}
}

// TestNodeNotReady: a node that is not ready before the restart would not be ready after it, and everything would be rolled
// back.
func TestNodeNotReady(t *testing.T) {
	node := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "n"},
		"status":   map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}}},
	}}
	c := &cluster{node: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	if err := c.node.Add(node); err != nil {
		t.Fatal(err)
	}
	if err := c.mayRestart(); !errors.Is(err, errWaiting) || !strings.Contains(err.Error(), "cni plugin not initialized") {
		t.Errorf("%v", err)
	}
	if err := unstructured.SetNestedSlice(node.Object, []any{map[string]any{"type": "Ready", "status": "True"}}, "status", "conditions"); err != nil {
		t.Fatal(err)
	}
	if err := c.mayRestart(); err != nil {
		t.Error(err)
	}
}

// TestBound: whoever may create namespaces can't create any number of labels.
func TestBound(t *testing.T) {
	known := map[string]bool{}
	for i := range 10 * maxLabels {
		bound(known, fmt.Sprint(i))
	}
	if len(known) != maxLabels || bound(known, "0") != "0" || bound(known, "new") != "other" {
		t.Errorf("%d labels", len(known))
	}
}

// TestPolicyMetrics: the metric says where a refused policy is wrong, and goes away with it.
func TestPolicyMetrics(t *testing.T) {
	m := newMetrics()
	refused := func() (all []string) {
		series(t, m, "nonroot_node_policy_refused", func(labels map[string]string, value float64) {
			all = append(all, fmt.Sprint(labels, value))
		})
		return all
	}
	for _, c := range []struct{ text, line, column string }{
		{"\n mode = \"of\"\n", "2", "2"},
		{"\n[[rule]]\n name = \"nonroot-node\"\n", "3", "2"},
		{"mode = \"audit\"\nhome.size = 3\n", "2", "1"},
		{"mode = \"audit\"", "", ""},
		{"[", "1", "1"},
	} {
		var err error
		if c.line != "" {
			_, err = apply(&host{}, handlers[0], c.text, true, nil)
		}
		m.policy("config.toml", err, nil)
		want := []string{fmt.Sprintf("map[column:%s line:%s policy:config.toml] 1", c.column, c.line)}
		if c.line == "" {
			want = nil
		}
		got := refused()
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, where %q is meant (%v)", c.text, got, want, err)
		}
	}
	m.policy("config.toml", errors.New("config.toml: there is none"), nil)
	if got := refused(); !slices.Equal(got, []string{"map[column:0 line:0 policy:config.toml] 1"}) {
		t.Errorf("%q", got)
	}
}

// TestConnections: whoever opens connections and does nothing costs the agent little memory, and keeps nobody from it for long.
func TestConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	go newMetrics().serve(t.Context(), address, time.Minute)
	answers := func() bool {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
		response, err := client.Get("http://" + address + "/healthz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}
	for begun := time.Now(); !answers(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 2*listenAgain {
			t.Fatal("it is not served")
		}
	}
	var closed atomic.Int32
	for range 3 * connections {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			_, _ = conn.Read(make([]byte, 1)) // until it is closed
			closed.Add(1)
		}()
	}
	for begun := time.Now(); closed.Load() < 2*connections; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > connectionLimit-time.Second {
			t.Fatalf("of %d connections, %d are closed", 3*connections, closed.Load())
		}
	}
	for begun := time.Now(); !answers(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > 2*connectionLimit {
			t.Fatal("others are kept away")
		}
	}
}

// ownHost makes the calling thread's mounts its own, and those of the host.
func ownHost(t *testing.T) *hostns.Namespace {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.OwnMounts(t)
	ns, err := hostns.Own()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// series calls a function with the labels and the value of each series of a metric.
func series(t *testing.T, m *metrics, name string, each func(labels map[string]string, value float64)) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, metric := range f.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			each(labels, metric.GetCounter().GetValue()+metric.GetGauge().GetValue())
		}
	}
}

// decided returns the namespaces of the counted decisions, one for each decision.
func decided(t *testing.T, m *metrics) (namespaces []string) {
	t.Helper()
	series(t, m, "nonroot_node_decisions_total", func(labels map[string]string, value float64) {
		namespaces = append(namespaces, slices.Repeat([]string{labels["namespace"]}, int(value))...)
	})
	slices.Sort(namespaces)
	return namespaces
}

// TestLogs: each line is read once, across changes of the log file and restarts of the agent. Late lines survive a restart, too.
func TestLogs(t *testing.T) {
	ns := ownHost(t)
	if err := unix.Mount("tmpfs", "/var/lib", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(log string, namespaces ...string) {
		t.Helper()
		file, err := os.OpenFile(filepath.Join(dir, log), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for _, namespace := range namespaces {
			fmt.Fprintf(file, `{"event":"create","mode":"off","namespace":%q}`+"\n", namespace)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var m *metrics
	agent := func() *events {
		m = newMetrics()
		return newEvents(&cluster{pods: cache.NewStore(cache.MetaNamespaceKeyFunc)}, &host{Namespace: ns}, m)
	}
	counted := func(want ...string) {
		t.Helper()
		var got []string
		for range 100 {
			if got = decided(t, m); slices.Equal(got, want) {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("read were the lines of %q, where %q are meant", got, want)
	}
	file := func(log string) string { return filepath.Join(dir, log) }
	write("a", "before")
	write("b", "before")
	e := agent()
	e.follow(t.Context(), "config.toml", file("a"))
	write("a", "a1")
	counted("a1")
	// The policy names another log; a container from before still writes to the old one.
	e.follow(t.Context(), "config.toml", file("b"))
	write("a", "a2")
	write("b", "b1")
	counted("a1", "a2", "b1")
	// A log that does not exist yet, and a restart of the agent.
	e.follow(t.Context(), "config.toml", file("new"))
	e.stop()
	write("a", "a3")
	write("b", "b2")
	write("new", "n1")
	e = agent()
	e.follow(t.Context(), "config.toml", file("new"))
	counted("a3", "b2", "n1")
	// What comes right after a rotation is read soon, though nothing is written any more.
	if err := os.Rename(file("new"), file("new.1")); err != nil {
		t.Fatal(err)
	}
	write("new", "n2")
	counted("a3", "b2", "n1", "n2")
	// Back to the first log, then to none.
	e.follow(t.Context(), "config.toml", file("a"))
	write("a", "a4")
	e.follow(t.Context(), "config.toml", "")
	write("a", "a5")
	counted("a3", "a4", "a5", "b2", "n1", "n2")
	// The log of another policy.
	e.follow(t.Context(), "audit.toml", file("c"))
	write("c", "c1")
	counted("a3", "a4", "a5", "b2", "c1", "n1", "n2")
	e.follow(t.Context(), "audit.toml", "")
	e.stop()
	// An old log is read to its end, then dropped.
	for i := range e.unread.Logs {
		e.unread.Logs[i].Until = time.Now().Add(-time.Second)
	}
	e.unread.Late = []*late{{Line: json.RawMessage(`{"event":"create"}`), Until: time.Now().Add(time.Hour)}}
	write("a", "a6")
	if err := e.host.Do(e.keep); err != nil {
		t.Fatal(err)
	}
	e = agent()
	e.follow(t.Context(), "config.toml", "")
	counted("a6")
	e.stop()
	if len(e.unread.Logs) != 0 || len(e.unread.Late) != 1 {
		t.Errorf("left are %+v", e.unread)
	}
}

// TestNothingLeft: what the agent creates before a policy is in force goes as well, wherever it was killed.
func TestNothingLeft(t *testing.T) {
	ns := ownHost(t)
	touch := func(files ...string) {
		t.Helper()
		for _, file := range files {
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(file), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, before := range map[string]struct {
		make func()
		want string
	}{
		"nothing":                         {func() {}, ""},
		"killed before it wrote a record": {func() { touch(filepath.Join(stateDir, ".nonroot-"+beforeFile+".4194305")) }, ""},
		"somebody else's":                 {func() { touch(policy.DefaultState+"/theirs", "/etc/nonroot-runc/config.toml", "/opt/theirs") }, "/etc/nonroot-runc/config.toml /opt/theirs /var/lib/nonroot-runc/theirs"},
	} {
		// Not in t.Run, whose goroutine would be in the machine's own mount namespace.
		places := []string{"/var/lib", "/etc", "/opt"}
		for _, place := range places {
			if err := unix.Mount("tmpfs", place, "tmpfs", 0, "mode=755"); err != nil {
				t.Fatal(err)
			}
		}
		before.make()
		h := &host{options{directory: "/opt/some/where/bin", engine: "containerd"}, ns}
		a := &agent{host: h}
		if err := a.alone(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The ConfigMap's policy is broken at first: the log and the programs come before it.
		if err := ns.Do(func() error { return keep(unreadFile, []byte("{}")) }); err != nil {
			t.Fatal(err)
		}
		touch(filepath.Join(h.directory, tool))
		for _, of := range handlers {
			if err := ns.Do(func() error { return h.remember(of.file()) }); err != nil {
				t.Fatal(err)
			}
			touch(of.file(), policy.GoodFile(of.file()), policy.PreviousFile(of.file()))
		}
		if err := ns.Do(h.clean); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, place := range places {
			if err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
				if entries, _ := os.ReadDir(path); path != place && len(entries) == 0 { // a file, or an empty directory
					left = append(left, path)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(left)
		if got := strings.Join(left, " "); got != before.want {
			t.Errorf("%s: left are %q, where %q is meant", name, got, before.want)
		}
	}
}

// TestLate: what waits for a pod is told once the pod is known, even after the time for it; and a time that a wrong clock has
// set does not keep anything for good.
func TestLate(t *testing.T) {
	ns := ownHost(t)
	if err := unix.Mount("tmpfs", "/var/lib", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	c := &cluster{pods: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	if err := c.pods.Add(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "known", UID: "1"}}); err != nil {
		t.Fatal(err)
	}
	line := func(pod string) *late {
		return &late{Line: json.RawMessage(fmt.Sprintf(`{"event":"create","mode":"refuse","namespace":"team","pod":%q,"reason":"no"}`, pod)), Until: time.Now().Add(-time.Second)}
	}
	agent := func() *events { return newEvents(c, &host{Namespace: ns}, newMetrics()) }
	tell := func(ctx context.Context, e *events) {
		for _, task := range e.lateTasks() {
			e.senders["team"].busy = true
			e.settle(e.tell(ctx, task))
		}
	}
	e := agent()
	of := podevents.Of(&podevents.Line{Event: "create", Mode: decision.Refuse, Namespace: "team", Pod: "known", Reason: "no"})[0]
	e.told.now(eventName("team", "1", of.Reason, of.Key)) // as if it was told: there is no API server here
	e.unread.Late = []*late{line("known"), line("unknown")}
	tell(t.Context(), e)
	if len(e.unread.Late) != 0 {
		t.Errorf("left are %+v", e.unread.Late)
	}
	// The API server does not take the event: a pod that is known is no reason to drop it.
	clear(e.told.at)
	e.unread.Late = []*late{line("known")}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	tell(stopped, e)
	if len(e.unread.Late) != 1 {
		t.Error("an event that could not be created is dropped")
	}
	// The clock was a year ahead.
	later := time.Now().Add(365 * 24 * time.Hour)
	e.unread = unread{Logs: []followed{{Path: "/log", Until: later}, {Path: "/in-force"}}, Late: []*late{{Line: json.RawMessage(`{}`), Until: later}}}
	if err := ns.Do(e.keep); err != nil {
		t.Fatal(err)
	}
	e = agent()
	if err := ns.Do(e.recall); err != nil {
		t.Fatal(err)
	}
	if time.Until(e.unread.Late[0].Until) > waits || time.Until(e.unread.Logs[0].Until) > outlive || !e.unread.Logs[1].Until.IsZero() {
		t.Errorf("kept are %+v", e.unread)
	}
}

// TestRotate: a log can't fill a node, and a small one stays in place. What namespaces have not read yet stays as long as there is room.
func TestRotate(t *testing.T) {
	for _, c := range []struct {
		size    int64
		inodes  []uint64 // of the files that namespaces are behind in, where 1 is the log's
		renamed bool
		lost    int
	}{
		{maxLog - 1, nil, false, 0},
		{maxLog, nil, true, 0},
		{maxLog, []uint64{1, 1}, true, 0},
		{maxLog, []uint64{1, 2}, false, 0},
		{maxBehind - 1, []uint64{1, 2, 3}, false, 0},
		{maxBehind, []uint64{1, 2, 3}, true, 2},
	} {
		log := filepath.Join(t.TempDir(), "log")
		if err := errors.Join(os.WriteFile(log, nil, 0o600), os.Truncate(log, c.size)); err != nil {
			t.Fatal(err)
		}
		e := newEvents(nil, nil, newMetrics())
		l := &followed{Path: log, Cursor: follow.Cursor{Inode: 1, Offset: 9}}
		for _, inode := range c.inodes {
			cursor := follow.Cursor{Inode: inode, Offset: 7}
			l.Behind = append(l.Behind, &place{Cursor: cursor, file: follow.Open(log, cursor), line: []byte("x")})
		}
		if err := e.rotate(l); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(log + ".1"); (err == nil) != c.renamed {
			t.Errorf("%+v: %v", c, err)
		}
		for i, p := range l.Behind {
			if moved := p.Cursor.Inode != c.inodes[i]; moved != (c.lost > 0 && c.inodes[i] != 1) || moved && (p.Cursor.Inode != 1 || p.Cursor.Offset != 0 || p.line != nil) {
				t.Errorf("%+v: a namespace in the file %d goes on at %+v", c, c.inodes[i], p.Cursor)
			}
		}
		series(t, e.metrics, "nonroot_node_log_gaps_total", func(_ map[string]string, value float64) {
			if int(value) != c.lost {
				t.Errorf("%+v: %v gaps", c, value)
			}
		})
	}
	e := newEvents(nil, nil, newMetrics())
	if err := e.rotate(&followed{Path: filepath.Join(t.TempDir(), "log")}); err != nil {
		t.Errorf("none is there: %v", err)
	}
}

// TestNoWaitForOldLines: many pods that are gone again don't delay the events on others: only a new line waits for the watch.
func TestNoWaitForOldLines(t *testing.T) {
	e := newEvents(&cluster{pods: cache.NewStore(cache.MetaNamespaceKeyFunc)}, nil, newMetrics())
	for _, c := range []struct {
		written time.Duration // from now
		waits   bool
	}{{-time.Minute, false}, {0, true}, {time.Hour, true}} { // the clock was set back
		begun := time.Now()
		if pod := e.pod(t.Context(), &podevents.Line{Namespace: "team", Pod: "gone", Time: begun.Add(c.written)}); pod != nil {
			t.Errorf("there is %v", pod)
		}
		if took := time.Since(begun); (took > watchDelay/2) != c.waits || took > 3*watchDelay {
			t.Errorf("a line of %v is waited for, for %v", c.written, took)
		}
	}
}

// TestAnotherPodOfTheName: what is told late is not told about a pod that was made since. A static pod is made in the API after it runs.
func TestAnotherPodOfTheName(t *testing.T) {
	e := newEvents(&cluster{pods: cache.NewStore(cache.MetaNamespaceKeyFunc)}, nil, newMetrics())
	now := time.Now()
	isNode := true
	static := []metav1.OwnerReference{{Kind: "Node", Name: "n", Controller: &isNode}}
	for _, c := range []struct {
		created time.Duration // since the line
		owners  []metav1.OwnerReference
		known   bool
	}{{-time.Hour, nil, true}, {time.Second, nil, true}, {clocks + 2*time.Second, nil, false}, {time.Hour, nil, false}, {time.Hour, static, true}} {
		pod := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", CreationTimestamp: metav1.NewTime(now), OwnerReferences: c.owners}}
		if err := e.cluster.pods.Add(pod); err != nil {
			t.Fatal(err)
		}
		line := &podevents.Line{Namespace: "team", Pod: "web", Time: now.Add(-c.created)}
		if got := e.known(line); (got != nil) != c.known {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if e.known(&podevents.Line{Namespace: "team", Pod: "other"}) != nil {
		t.Error("a pod that is not there is known")
	}
}

// TestIsFinal: an answer that would be the same again does not hold up the other events, whatever an admission webhook calls it.
func TestIsFinal(t *testing.T) {
	for code, want := range map[int32]bool{400: true, 403: true, 404: true, 409: true, 413: true, 418: true, 422: true, 401: false, 408: false, 429: false, 500: false, 503: false, 504: false} {
		if got := isFinal(&apierrors.StatusError{ErrStatus: metav1.Status{Code: code}}); got != want {
			t.Errorf("%d: %t", code, got)
		}
	}
	if isFinal(nil) || isFinal(errors.New("connection refused")) {
		t.Error("no answer is one")
	}
}

// TestChart: the chart installs the agent of its own version, which is the newest of the changelog.
func TestChart(t *testing.T) {
	read := func(file, what string) []string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(what).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no %q", file, what)
		}
		var all []string
		for _, one := range found[1:] {
			all = append(all, string(one))
		}
		return all
	}
	newest := read("CHANGELOG.md", `(?m)^## (\d+\.\d+\.\d+) `)[0]
	chart := read("deploy/helm/nonroot-runc/Chart.yaml", `(?m)^version: (.*)\nappVersion: "(.*)"$`)
	image := read("deploy/kubernetes/daemonset.yaml", `image: ghcr.io/nonroot-runc/nonroot-node:(.*)`)
	page := read("docs/kubernetes.md", `REGISTRY/nonroot-node:(\S+) .*\n`)
	ref := read("docs/kubernetes.md", `deploy/kubernetes\?ref=v(.*)\]`)
	if got := slices.Concat(chart, image, page, ref); !slices.Equal(got, slices.Repeat([]string{newest}, len(got))) {
		t.Errorf("the changelog's newest version is %s, and the chart, the manifests and the page have %q", newest, got)
	}
}

// TestEventNames: the same words give the same name, wherever they are split.
func TestEventNames(t *testing.T) {
	names := map[string]int{}
	for _, words := range [][]string{{"a", "b"}, {"a", "b"}, {"ab", ""}, {"ab"}, {"", "ab"}} {
		names[eventName(words...)]++
	}
	if len(names) != 4 || names[eventName("a", "b")] != 2 {
		t.Errorf("the names of events are %v", names)
	}
}
