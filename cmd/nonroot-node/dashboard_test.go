// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/report"
)

const dashboardFile = "../../deploy/grafana/nonroot-runc.json"

// dashboard is the part of Grafana's JSON model that the tests check.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []struct {
		ID                       int
		Title, Type, Description string
		GridPos                  struct{ H, W, X, Y int }
		Targets                  []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboardForm: panels don't overlap, each has a description, and every variable that is used is defined.
func TestDashboardForm(t *testing.T) {
	d := readDashboard(t)
	taken, ids, variables := map[[2]int]string{}, map[int]bool{}, map[string]bool{"__rate_interval": true, "__range": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%q: the id %d is another's, too", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" || at[0] >= 24 {
					t.Fatalf("%q and %q are both at %v", p.Title, other, at)
				}
				taken[at] = p.Title
			}
		}
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%q says or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !variables[v[1]] {
					t.Errorf("%q uses $%s", p.Title, v[1])
				}
			}
		}
	}
}

// TestDashboardQueries: a real Prometheus answers each query, from the metrics of an agent and of nonroot-ctl report.
func TestDashboardQueries(t *testing.T) {
	program, err := osexec.Command("../../hack/prometheus").Output()
	if err != nil {
		if os.Getenv("NONROOT_REQUIRE_ALL") == "" {
			t.Skipf("there is no Prometheus: %v", err)
		}
		t.Fatal(err)
	}
	m := newMetrics()
	m.policy("config.toml", nil, &policy.Policy{Digest: "abc"})
	m.selfTest.Set(1)
	m.ready(true, true)
	collected := report.NewCollector(time.Time{}, time.Time{}, nil)
	agents := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	var one sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		for _, mode := range []policy.Mode{policy.Rewrite, policy.Refuse, policy.Audit, policy.Off} {
			m.decisions.WithLabelValues("team-a", "create", string(mode), "default").Inc()
			collected.Add(&report.Line{Time: time.Now(), Event: "create", Mode: mode, Rule: "default", ID: "x"})
		}
		m.told.WithLabelValues("RunsAsNonRoot").Inc()
		m.create.Observe(.002)
		if r.URL.Path == "/metrics" {
			agents.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(collected.Summary(time.Now()).Metrics())
	}))
	defer server.Close()
	ask := startPrometheus(t, strings.TrimSpace(string(program)), strings.TrimPrefix(server.URL, "http://"))

	standIns := strings.NewReplacer("$namespace", ".*", "$__rate_interval", "1m", "$__range", "1h")
	queries := 0
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			queries++
			query := standIns.Replace(target.Expr)
			var answer string
			for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
				var results int
				if results, answer = ask(query); results > 0 {
					break
				}
				if time.Now().After(end) {
					t.Errorf("%q: %s: %s", p.Title, query, answer)
					break
				}
			}
		}
	}
	if queries < 15 {
		t.Errorf("there are only %d", queries)
	}
	// The stand-ins for variables don't make every query succeed: one without data has no result.
	if results, answer := ask(`sum by (mode) (rate(nonroot_node_decisions{event="create"}[1m]))`); results != 0 || !strings.Contains(answer, "success") {
		t.Errorf("a metric that is not there: %s", answer)
	}
}

// startPrometheus starts a Prometheus that scrapes the target every second. It returns a function that runs a query, and
// returns the number of results and the complete response.
func startPrometheus(t *testing.T, program, target string) func(query string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- {job_name: agent, static_configs: [{targets: [%q]}]}\n- {job_name: report, metrics_path: /report, static_configs: [{targets: [%q]}]}\n", target, target)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(program, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return func(query string) (int, string) {
		response, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return 0, err.Error()
		}
		var answer struct {
			Status string
			Data   struct{ Result []json.RawMessage }
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "success" {
			return 0, string(text)
		}
		return len(answer.Data.Result), string(text)
	}
}
