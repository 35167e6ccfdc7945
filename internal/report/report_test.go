// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// logged returns a line as the runtime writes it.
func logged(event string, mode policy.Mode, rule, image, namespace string, uid uint32, at time.Time) string {
	e := &decision.Decision{
		Time: at, Event: event, Mode: mode, Rule: rule, ID: "c1", Image: image, Namespace: namespace,
		Asked: &policy.Identity{UID: uid, GID: uid},
	}
	if mode == policy.Refuse {
		e.Reason = "because"
	}
	return string(auditlog.Line(e))
}

func read(t *testing.T, text string) (lines []*Line, malformed int) {
	t.Helper()
	malformed, err := Read(strings.NewReader(text), func(l *Line) { lines = append(lines, l) })
	if err != nil {
		t.Fatal(err)
	}
	return lines, malformed
}

func TestRead(t *testing.T) {
	one := logged("create", policy.Rewrite, "default", "nginx", "team-a", 0, noon)
	whole := strings.TrimSuffix(one, "\n")
	for name, c := range map[string]struct {
		text             string
		lines, malformed int
	}{
		"nothing":               {"", 0, 0},
		"one":                   {one, 1, 0},
		"two":                   {one + one, 2, 0},
		"no end":                {one + whole, 2, 0},
		"empty lines":           {"\n\n" + one + "\n  \n" + one, 2, 0},
		"half a line":           {one + whole[:100] + "\n" + one, 2, 1},
		"half a line, no end":   {whole[:100] + one + one, 2, 1},
		"two in a line":         {whole + one, 2, 0},
		"cut in the beginning":  {whole[:5] + "\n" + one, 1, 1},
		"no JSON":               {"hello\n" + one, 1, 1},
		"NULs of a crash":       {strings.Repeat("\x00", 5000) + one, 1, 1},
		"too long":              {`{"time":"` + strings.Repeat("x", 200000) + "\n" + one, 1, 1},
		"too long, no end":      {one + strings.Repeat("x", 200000), 1, 1},
		"another's":             {`{"level":"error","msg":"x","time":"2026-03-04T12:00:00Z"}` + "\n" + one, 1, 1},
		"an event nobody knows": {strings.Replace(one, "create", "delete", 1), 0, 1},
		"a mode nobody knows":   {strings.Replace(one, "rewrite", "x", 1), 0, 1},
		"wrong types":           {`{"time":"2026-03-04T12:00:00Z","event":["create"]}` + "\n", 0, 1},
		"carriage returns":      {strings.ReplaceAll(one+one, "\n", "\r\n"), 2, 0},
	} {
		lines, malformed := read(t, c.text)
		if len(lines) != c.lines || malformed != c.malformed {
			t.Errorf("%s: %d lines, %d malformed, want %d, %d", name, len(lines), malformed, c.lines, c.malformed)
		}
	}
	lines, _ := read(t, one)
	if l := lines[0]; !l.Time.Equal(noon) || l.Event != "create" || l.Mode != policy.Rewrite || l.Image != "nginx" || l.Namespace != "team-a" || l.From == nil || l.From.UID != 0 || l.ID != "c1" {
		t.Errorf("%+v", l)
	}
}

func TestReadGzip(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range 1000 {
		if _, err := io.WriteString(w, logged("run", policy.Off, "x", "", "", 0, noon)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if lines, malformed := read(t, b.String()); len(lines) != 1000 || malformed != 0 {
		t.Error(len(lines), malformed)
	}
	if _, err := Read(bytes.NewReader(b.Bytes()[:b.Len()-20]), func(*Line) {}); err == nil {
		t.Error("half an archive is read as a whole one")
	}
}

// FuzzWritten: for a line that the fast path parses, the decoder returns the same.
func FuzzWritten(f *testing.F) {
	whole := strings.TrimSuffix(logged("create", policy.Refuse, "rü<le", "nginx", "team-a", 7, noon), "\n")
	for _, text := range []string{
		whole, `{}`, `{"time":"2026-02-29T12:00:00.000Z"}`, `{"time":"2026-03-04T24:00:00.000Z"}`, `{"time":"2024-02-29T23:59:59.999Z"}`, `{"time":"0000-12-31T00:00:00.000Z"}`,
		`{"from":{"uid":4294967296}}`, `{"from":{"uid":4294967295,"groups":[1,2]}}`, `{"from":{"uid":1},"from":{}}`, `{"from":{"uid":01}}`, `{"from":{"uid":1.0}}`,
		`{"id":"a","id":"b"}`, `{"ID":"a"}`, `{"id":null}`, `{"id":7}`, `{"id":"\u00e9\ud800"}`, "{\"id\":\"\xff\"}", "{\"x\":\"\xff\"}", "{\"x\":\"a\tb\"}", `{"x":"\x"}`, `{"x":"\u12g4"}`, `{"x":"\"`,
		`{"x":[[],{},{"y":[1,"a"]}]}`, `{"x":[1,]}`, `{"x":1,}`, `{"x":-1}`, `{"x":00}`, `{"x":1e5}`, `{"x":}`, `{,}`, `{"x":[}`, `{"id":"a"}}`, `{"id":"a"} `, `{"id":"a"`,
	} {
		f.Add(text)
		f.Add(strings.Replace(whole, "{", strings.TrimSuffix(text, "}")+",", 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l line
		if !newParser().written([]byte(text), &l) {
			return
		}
		var want Line
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(l.Line, want) {
			t.Errorf("%q is read as %+v, by the decoder as %+v, %v", text, l.Line, want, err)
		}
	})
}

// TestWritten: the fast path parses every line that the runtime writes.
func TestWritten(t *testing.T) {
	e := &decision.Decision{
		Time: noon, Event: "exec", Mode: policy.Audit, Rule: "r", ID: "c1", Engine: "docker", Image: "nginx", Called: "shop", Reason: `"because" of \ü`, Audited: "<x>",
		Asked: &policy.Identity{UID: 1, GID: 2, Groups: []uint32{3, 4}}, Identity: &policy.Identity{UID: 5}, Changed: []string{"user", "env"}, Notes: []string{"a\nb"},
	}
	text := bytes.TrimSpace(auditlog.Line(e))
	var l line
	if !newParser().written(text, &l) || l.Reason != e.Reason || l.Audited != e.Audited || l.From.UID != 1 || !l.Time.Equal(noon) || l.Event != "exec" || l.ID != "c1" {
		t.Errorf("%s is %+v", text, l)
	}
}

// TestReadInOrder: lines arrive in their order, in however many chunks they are read.
func TestReadInOrder(t *testing.T) {
	var log bytes.Buffer
	for i := range 5000 {
		log.WriteString(logged("run", policy.Off, fmt.Sprint(i), strings.Repeat("x", 200), "", 0, noon))
	}
	n := 0
	malformed, err := Read(&log, func(l *Line) {
		if l.Rule != fmt.Sprint(n) {
			t.Fatalf("%q after %d lines", l.Rule, n)
		}
		n++
	})
	if n != 5000 || malformed != 0 || err != nil {
		t.Error(n, malformed, err)
	}
}

// BenchmarkRead reads a line as the runtime writes it, and one that needs the decoder.
func BenchmarkRead(b *testing.B) {
	for name, text := range map[string]string{
		"written": logged("create", policy.Rewrite, "default", "nginx", "team-a", 0, noon),
		"decoded": strings.Replace(logged("create", policy.Rewrite, "default", "nginx", "team-a", 0, noon), ":", ": ", 1),
	} {
		b.Run(name, func(b *testing.B) {
			p := newParser()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if p.lines([]byte(text), func(*Line) {}) != 0 && name == "written" {
					b.Fatal(text)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(logged("create", policy.Rewrite, "default", "nginx", "team-a", 0, noon), 100)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		good := logged("run", policy.Refuse, "r", "i", "n", 1, noon)
		half := good[:min(max(cut, 0), len(good)-2)]
		if strings.HasPrefix(text, "\x1f\x8b") || strings.Contains(text, `{"time":"`) {
			return
		}
		// A whole line at the end is found, whatever comes before it.
		lines, _ := read(t, text+half+good)
		if len(lines) == 0 || lines[len(lines)-1].Mode != policy.Refuse {
			if len(text) < 60<<10 {
				t.Errorf("%q hides the line behind it", text+half)
			}
		}
	})
}

func TestRotated(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"a.log", "a.log.1", "a.log.2.gz", "a.log.3", "a.log.3.gz", "a.log-20260101", "a.log-20260102.gz", "a.log-2026010203.gz", "a.log-202601021", "a.log.swp", "a.log.1.tmp", "b.log", "a.log.gz.txt", "a.log.4.xz", "a.log-20251231.zst", "a.log.xz",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, unread, err := Rotated(filepath.Join(dir, "a.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{got, unread} {
		for i := range names {
			names[i] = filepath.Base(names[i])
		}
	}
	if want := []string{"a.log-20251231.zst", "a.log.4.xz"}; !slices.Equal(unread, want) {
		t.Errorf("not read: %q", unread)
	}
	if want := []string{"a.log", "a.log-20260101", "a.log-20260102.gz", "a.log-2026010203.gz", "a.log.1", "a.log.2.gz", "a.log.3"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, _, err := Rotated(filepath.Join(dir, "c.log")); err == nil {
		t.Error("a log that is not there is none")
	}
}

func summary(t *testing.T, text string, exemptions ...Exemption) *Summary {
	t.Helper()
	c := NewCollector(time.Time{}, time.Time{}, exemptions)
	malformed, err := Read(strings.NewReader(text), c.Add)
	if err != nil {
		t.Fatal(err)
	}
	c.Malformed(malformed)
	return c.Summary(noon.Add(time.Hour))
}

func TestSummary(t *testing.T) {
	s := summary(t,
		logged("create", policy.Rewrite, "default", "nginx", "a", 0, noon)+
			logged("start", policy.Rewrite, "default", "nginx", "a", 0, noon)+
			logged("create", policy.Off, "gpu", "cuda", "b", 0, noon.Add(time.Minute))+
			logged("exec", policy.Audit, "gpu", "cuda", "b", 1000, noon.Add(-time.Hour))+
			logged("run", policy.Refuse, "default", "nginx", "a", 0, noon)+
			logged("start", policy.Refuse, "default", "", "a", 0, noon)+"x\n",
		Exemption{Name: "gpu", Mode: policy.Off},
		Exemption{Name: "old", Mode: policy.Off, Until: "2026-03-03", End: noon},
		Exemption{Name: "idle", Mode: policy.Audit, Until: "2026-03-04", End: noon.Add(24 * time.Hour)},
	)
	if s.Lines != 6 || s.Malformed != 1 || s.Total != (Counts{Root: 1, Exempted: 1, Rewritten: 1, Refused: 2}) {
		t.Errorf("%+v", s)
	}
	if !s.First.Equal(noon.Add(-time.Hour)) || !s.Last.Equal(noon.Add(time.Minute)) {
		t.Error(s.First, s.Last)
	}
	if g := s.Images; len(g) != 3 || g[0].Name != "cuda" || g[0].Root != 1 || g[1].Name != "nginx" || g[1].Refused != 1 || g[2].Name != Unknown {
		t.Errorf("%+v", g)
	}
	if g := s.Namespaces; len(g) != 2 || g[1].Name != "a" || g[1].Refused != 2 {
		t.Errorf("%+v", g)
	}
	if len(s.Refusals) != 1 || s.Refusals[0].Count != 2 || s.Refusals[0].Reason != "because" || s.Refusals[0].Container != "c1" {
		t.Errorf("%+v", s.Refusals)
	}
	want := []Exemption{
		{Name: "gpu", Mode: policy.Off, Used: 2, Last: noon.Add(time.Minute)},
		{Name: "idle", Mode: policy.Audit, Until: "2026-03-04", End: noon.Add(24 * time.Hour)},
		{Name: "old", Mode: policy.Off, Until: "2026-03-03", End: noon, Expired: true},
	}
	if !slices.Equal(s.Exemptions, want) {
		t.Errorf("%+v", s.Exemptions)
	}
	if s.Span != "hour" || len(s.Timeline) != 2 || s.Timeline[0].Modes[policy.Audit] != 1 || s.Timeline[1].Total() != 4 {
		t.Errorf("%s %+v", s.Span, s.Timeline)
	}
}

// TestWhatRanAsRoot: containers are listed by name, without doctor's self-test. Creations without a start in these logs,
// such as failed ones, and refusals in audit mode are counted apart.
func TestWhatRanAsRoot(t *testing.T) {
	line := func(event, id, more string) string {
		return `{"time":"2026-03-04T12:00:00.000Z","event":"` + event + `","mode":"audit","rule":"default","id":"` + id + `","from":{"uid":0,"gid":0}` + more + "}\n"
	}
	web := line("create", "a", `,"name":"web","profile":"gpu","policy_sha256":"ab","version":"v1","reason":"leads to the engine's socket","audited":"would be refused"`)
	s := summary(t, web+line("start", "a", "")+line("exec", "a", `,"name":"web"`)+
		line("create", "failed", `,"image":"bad"`)+line("run", "r", "")+
		line("create", SelfTest+"1", "")+line("exec", SelfTest+"1", "")+
		line("create", "d", `,"engine":"docker","name":"`+SelfTest+`x"`)+line("start", "d", ""))
	if s.SelfTests != 2 || s.InDocker != 1 || s.Lines != 7 || s.Total != (Counts{Root: 4, Unstarted: 1}) || s.Unstarted != 1 || len(s.Containers) != 4 {
		t.Errorf("%+v", s)
	}
	for _, c := range s.Containers {
		if c.Unstarted != (c.ID == "failed") || c.SelfTest != (c.ID == "d") || c.ID == "a" && (c.Name != "web" || c.Created != 1 || c.Execs != 1) {
			t.Errorf("%+v", c)
		}
	}
	if i := slices.IndexFunc(s.Images, func(g Group) bool { return g.Name == "bad" }); i < 0 || s.Images[i].Counts != (Counts{Unstarted: 1}) {
		t.Errorf("%+v", s.Images)
	}
	if len(s.Would) != 1 || s.Would[0].Container != "web" || len(s.Audited) != 1 || s.Audited[0].Reason != "would be refused" || len(s.Refusals) != 0 {
		t.Errorf("%+v, %+v", s.Would, s.Audited)
	}
	if len(s.Profiles) != 1 || s.Profiles[0].Name != "gpu" || s.Profiles[0].Root != 1 {
		t.Errorf("%+v", s.Profiles)
	}
}

// TestCreationsAndStarts: a start marks a container as one that ran, in whatever order the logs are read.
func TestCreationsAndStarts(t *testing.T) {
	line := func(event, mode string) string {
		return `{"time":"2026-03-04T12:00:00.000Z","event":"` + event + `","mode":"` + mode + `","rule":"default","id":"a","from":{"uid":0,"gid":0}}` + "\n"
	}
	create, start, exec := line("create", "audit"), line("start", "audit"), line("exec", "audit")
	for _, c := range []struct {
		log             string
		root, unstarted int
	}{
		{create, 0, 1},
		{start, 0, 0},
		{create + start, 1, 0},
		{start + create, 1, 0}, // newest file first
		{create + exec, 2, 0},
		{create + start + create, 1, 1},
		{create + create + start, 2, 0}, // a start closes all open creations: better one too many as root than one too few
		{create + start + create + start, 2, 0},
		{create + line("start", "rewrite"), 1, 0},
		{create + line("start", "refuse"), 0, 1},
		{line("create", "off"), 0, 1},
		{line("run", "off"), 1, 0},
	} {
		if s := summary(t, c.log); s.Total.Root != c.root || s.Total.Unstarted != c.unstarted {
			t.Errorf("%s: %+v", c.log, s.Total)
		}
	}
	// Beyond the bound, no container counts as one that never started.
	c := NewCollector(time.Time{}, time.Time{}, nil)
	for i := range maxOpen + 1 {
		c.Add(&Line{Time: noon, Event: "start", Mode: policy.Off, ID: fmt.Sprint(i)})
	}
	c.Add(&Line{Time: noon, Event: "create", Mode: policy.Off, ID: "x"})
	if s := c.Summary(noon); s.Total != (Counts{Root: 1}) {
		t.Errorf("%+v", s.Total)
	}
}

func TestBetween(t *testing.T) {
	c := NewCollector(noon, noon.Add(time.Hour), nil)
	for _, at := range []time.Time{noon.Add(-time.Millisecond), noon, noon.Add(59 * time.Minute), noon.Add(time.Hour)} {
		c.Add(&Line{Time: at, Event: "run", Mode: policy.Off})
	}
	if s := c.Summary(noon); s.Lines != 2 {
		t.Error(s.Lines)
	}
}

func TestTimelineIsNotTooLong(t *testing.T) {
	for _, days := range []int{0, 1, 3, 5, 30, 99, 101, 600, 3000, 30000, 700000} {
		c := NewCollector(time.Time{}, time.Time{}, nil)
		for _, at := range []time.Time{noon.AddDate(0, 0, -days), noon.AddDate(0, 0, -days/3), noon} {
			c.Add(&Line{Time: at, Event: "run", Mode: policy.Off})
		}
		s := c.Summary(noon)
		n := 0
		for _, b := range s.Timeline {
			n += b.Total()
		}
		if len(s.Timeline) > maxBuckets || n != 3 && s.Span != "" || s.Span == "" && days < 30000 {
			t.Errorf("%d days: %d %ss with %d decisions", days, len(s.Timeline), s.Span, n)
		}
		if err := s.Page(io.Discard, ""); err != nil {
			t.Error(err)
		}
	}
}

// TestMemoryIsBounded: container names come from whoever starts them, so there can be any number.
func TestMemoryIsBounded(t *testing.T) {
	const names = 30000
	c := NewCollector(time.Time{}, time.Time{}, nil)
	add := func(i int) {
		name := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 300))
		c.Add(&Line{Time: noon.Add(time.Duration(i) * time.Hour), Event: "run", Mode: policy.Refuse, Rule: name, Image: name, Namespace: name, Reason: name})
	}
	for i := range names {
		add(i)
	}
	before := heap()
	for i := range names {
		add(names + i)
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d bytes more", grown)
	}
	s := c.Summary(noon)
	if s.Total.Refused != 2*names || len(s.Images) != maxGroups+1 || !slices.ContainsFunc(s.Images, func(g Group) bool { return g.Name == Others && g.Refused == 2*names-maxGroups }) {
		t.Error(s.Total, len(s.Images))
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) // a test's heap is small
}

// hostile has texts that must not become markup.
const hostile = `</td><script>alert(1)</script><img src=x onerror=alert(1)>"' style='x' {{.S}} </title></svg><a href="javascript:x">`

func hostileSummary(t *testing.T) *Summary {
	t.Helper()
	var log string
	for _, m := range modes {
		log += logged("run", m, hostile, hostile, hostile, 0, noon)
	}
	log = strings.ReplaceAll(log, `"because"`, `"`+strings.ReplaceAll(hostile, `"`, `\"`)+`"`)
	return summary(t, log+"x\n", Exemption{Name: hostile, Mode: policy.Off}, Exemption{Name: "x" + hostile, Mode: policy.Off, Until: "2026-03-03", End: noon})
}

func TestPageEscapes(t *testing.T) {
	var b bytes.Buffer
	if err := hostileSummary(t).Page(&b, hostile); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for n := range doc.Descendants() {
		switch n.Type {
		case html.TextNode:
			texts += strings.Count(n.Data, hostile)
		case html.ElementNode:
			if slices.Contains([]string{"script", "img", "a", "iframe", "link", "object", "form"}, n.Data) {
				t.Errorf("the page has a <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.Contains(a.Val, "alert") || a.Key == "src" || a.Key == "href" {
					t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
				}
			}
		}
	}
	if texts < 8 { // title, heading, image, namespace, rule, exemptions, refusal
		t.Errorf("the texts stand there %d times", texts)
	}
}

// TestMetrics: node-exporter can read the text, and untrusted text stays within its label.
func TestMetrics(t *testing.T) {
	const nothing = `# HELP nonroot_root_total Containers and processes that were left as root.
# TYPE nonroot_root_total counter
nonroot_root_total 0
# HELP nonroot_log_malformed_lines_total Lines of the logs that could not be read.
# TYPE nonroot_log_malformed_lines_total counter
nonroot_log_malformed_lines_total 0
# HELP nonroot_report_timestamp_seconds When the logs were read.
# TYPE nonroot_report_timestamp_seconds gauge
nonroot_report_timestamp_seconds 1.7726292e+09
`
	if got := string(summary(t, "").Metrics()); got != nothing {
		t.Errorf("%s", got)
	}
	s := &Summary{Made: noon, Malformed: 1000000, Total: Counts{Root: 2}, Tallies: []Tally{
		{Event: "create", Mode: policy.Off, Rule: "default", Count: 3},
		{Event: "exec", Mode: policy.Refuse, Rule: "a\\b\"c\nd\xffe\tü{},", Count: 4},
		{Event: "run", Mode: policy.Refuse, Rule: "", Count: 5},
	}}
	const rule = `a\\b\"c\nd` + "\uFFFDe\tü{},"
	want := `# HELP nonroot_decisions_total Decisions about containers and their processes.
# TYPE nonroot_decisions_total counter
nonroot_decisions_total{event="create",mode="off",rule="default"} 3
nonroot_decisions_total{event="exec",mode="refuse",rule="` + rule + `"} 4
nonroot_decisions_total{event="run",mode="refuse",rule=""} 5
# HELP nonroot_refusals_total Decisions that were refusals.
# TYPE nonroot_refusals_total counter
nonroot_refusals_total{event="exec",rule="` + rule + `"} 4
nonroot_refusals_total{event="run",rule=""} 5
` + strings.NewReplacer("root_total 0", "root_total 2", "lines_total 0", "lines_total 1e+06", "1.7726292e+09", "1.7726256e+09").Replace(nothing)
	if got := string(s.Metrics()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(string(hostileSummary(t).Metrics())) {
		if !regexp.MustCompile(`^(# (HELP|TYPE) nonroot_.*|nonroot_[a-z_]+(\{([a-z]+="([^"\\]|\\["n\\])*",?)+\})? [0-9.e+]+)\n$`).MatchString(line) {
			t.Errorf("%q", line)
		}
	}
}

// TestLostOnPage: the page says first that some decisions were not logged.
func TestLostOnPage(t *testing.T) {
	s := summary(t, `{"time":"2026-02-03T04:00:00.000Z","event":"create","mode":"rewrite","rule":"default","id":"a"}`+"\n")
	var page bytes.Buffer
	if err := s.Page(&page, "host"); err != nil || strings.Contains(page.String(), "could not be logged") {
		t.Fatalf("%v: it says that lines were lost", err)
	}
	page.Reset()
	s.Lost = &Lost{Count: 3, Last: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Reason: "<full>"}
	if err := s.Page(&page, "host"); err != nil || !strings.Contains(page.String(), "<b>3 decisions could not be logged on this machine</b>, the last one on 2026-02-03 04:05: &lt;full&gt;") {
		t.Errorf("%v: %s", err, page.String())
	}
}
