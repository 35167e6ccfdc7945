// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/report"
)

const twoLines = `{"time":"2026-03-04T12:00:00.000Z","event":"run","mode":"off","rule":"gpu","id":"c1","image":"=cmd()\u001b[31m","from":{"uid":0,"gid":0},"duration_us":1}
{"time":"2026-03-05T12:00:00.000Z","event":"run","mode":"refuse","rule":"default","id":"c2","image":"nginx","reason":"because","duration_us":1}
half
`

const rules = `
[[rule]]
name = "gpu"
mode = "off"
reason = "drivers"
match.namespace = ["gpu"]
[[rule]]
name = "over"
mode = "off"
reason = "a trial"
until = 2026-01-01
match.namespace = ["trial"]
[[rule]]
name = "strict"
mode = "refuse"
match.namespace = ["x"]
`

// reported runs the verb on a log with two valid lines and an invalid one.
func reported(t *testing.T, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	log, file := filepath.Join(dir, "a.log"), filepath.Join(dir, "policy.toml")
	for name, text := range map[string]string{log: twoLines, log + ".1": "", file: "existing = \"leave\"\nlog.file = \"" + log + "\"\n" + rules} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := app()
	var out bytes.Buffer
	a.Writer = &out
	err := a.Run(append([]string{"nonroot-ctl", "report", "--policy", file}, args...))
	return out.String(), err
}

func TestReportText(t *testing.T) {
	out, err := reported(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 lines of the log, from 2026-03-04T12:00:00Z to 2026-03-05T12:00:00Z\n1 line could not be read\n",
		"ran as root 1, refused 1, left alone 0, without root 0\n", `=cmd()\x1b[31m `, "  1 time: because (last: \"c2\", ",
		"  \"existing\", mode off: never used in these logs\n", "  \"gpu\", mode off: used 1 time, last 2026-03-04T12:00:00Z\n",
		"  \"over\", mode off: has run out: its last day was 2026-01-01, never used in these logs\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") || strings.Contains(out, "strict") {
		t.Errorf("%q", out)
	}
	if out, err = reported(t, "--since", "2026-03-05", "--until", "2026-03-06T00:00:00+01:00"); err != nil || !strings.HasPrefix(out, "1 line of the log, from 2026-03-05") {
		t.Errorf("%v %s", err, out)
	}
}

func TestReportJSONAndCSV(t *testing.T) {
	out, err := reported(t, "--json")
	var s report.Summary
	if err != nil || json.Unmarshal([]byte(out), &s) != nil || s.Total.Root != 1 || s.Malformed != 1 || s.Images[0].Name != "=cmd()\x1b[31m" {
		t.Errorf("%v %s", err, out)
	}
	if out, err = reported(t, "--csv"); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 11 || rows[6][0] != "container" || rows[6][1] != "c1" || rows[1][0] != "image" || rows[1][1] != `'=cmd()\x1b[31m` || rows[1][2] != "1" {
		t.Errorf("%v %q", err, rows)
	}
}

func TestReportFiles(t *testing.T) {
	dir := t.TempDir()
	page, metrics := filepath.Join(dir, "report.html"), filepath.Join(dir, "nonroot.prom")
	if err := os.WriteFile(metrics, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() // nothing was written
	out, err := reported(t, "--html", page, "--textfile", metrics)
	if err != nil || out != "" {
		t.Fatal(out, err)
	}
	for name, want := range map[string]string{page: "<h1>What nonroot-runc decided on ", metrics: `nonroot_decisions_total{event="run",mode="refuse",rule="default"} 1`} {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: %q is not in %s", err, want, text)
		}
	}
	// A reader that had the file open sees the old content to its end: the file was replaced, not overwritten.
	old := make([]byte, 10)
	if n, err := reader.Read(old); err != nil || string(old[:n]) != "old" {
		t.Errorf("%q, %v", old[:n], err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestReportRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--json and --csv":                {"--json", "--csv"},
		"--policy and --profile":          {"--profile", "x"},
		"--since: \"soon\" is not a time": {"--since", "soon"},
		"--until: \"-1h\" is not a time":  {"--until", "-1h"},
		"no such file":                    {"--log", "/nonexistent"},
	} {
		if out, err := reported(t, args...); err == nil || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-01-31":                time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"2026-01-31T08:00:00+02:00": time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC),
		"36h":                       now.Add(-36 * time.Hour),
		"7d":                        now.AddDate(0, 0, -7),
	} {
		if got, err := parseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// TestWrongFileIsNoAllClear: a file without any line of a log is not reported as a good result.
func TestWrongFileIsNoAllClear(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("hello\nworld\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reported(t, wrong); err == nil || !strings.Contains(err.Error(), "not a log of decisions: none of its 2 lines") {
		t.Error(err)
	}
}

// TestReportIsDocumented: the man page names each member of the report's JSON, and docs/log.md each of the log's.
func TestReportIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/nonroot-ctl.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n.SS report\n")
	section, _, _ = strings.Cut(section, "\n.SS ")
	members := membersOf(reflect.TypeFor[report.Summary]())
	if len(members) < 30 {
		t.Fatalf("there are only %q", members)
	}
	for _, m := range members {
		if !regexp.MustCompile(`(?m)^\.(B|BR|RB)( \()? ` + m + `( [,()].*)?$`).MatchString(section) {
			t.Errorf("the man page does not name the report's %q", m)
		}
	}
	docs, err := os.ReadFile("../../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(docs), "\n## Fields\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for i := range decision.Members {
		m := &decision.Members[i]
		for _, name := range []string{m.Name(decision.Log), m.More()} {
			if name != "" && !strings.Contains(table, "`"+name+"`") {
				t.Errorf("docs/log.md does not name %q", name)
			}
		}
	}
}

// membersOf returns the JSON names of a struct's members, with those of the structs in it.
func membersOf(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "-" || !t.Field(i).IsExported() {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, membersOf(t.Field(i).Type)...)
	}
	return names
}
