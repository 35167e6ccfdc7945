// SPDX-License-Identifier: Apache-2.0

package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

//go:embed page.html
var pageText string

// page escapes whatever comes from a log: html/template knows where in a document each value stands.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"when":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"day":    func(t time.Time) string { return t.UTC().Format("2006-01-02") },
	"number": number,
	"of":     func(b Bucket, m policy.Mode) string { return number(b.Modes[m]) },
}).Parse(pageText))

// onPage is how many groups and refusals a page shows of each kind.
const onPage = 15

// Page writes the summary as one HTML page that needs nothing else: no script, no file, no network.
func (s *Summary) Page(to io.Writer, host string) error {
	top := func(groups []Group) []row {
		var rows []row
		most := 0
		for _, g := range groups[:min(len(groups), onPage)] {
			most = max(most, g.Total())
		}
		for _, g := range groups[:min(len(groups), onPage)] {
			rows = append(rows, row{g, shares(g.Counts, most)})
		}
		return rows
	}
	return page.Execute(to, map[string]any{
		"S": s, "Host": host, "Chart": s.chart(),
		"Tables": []table{
			{"Images", "Image", top(s.Images), max(0, len(s.Images)-onPage)},
			{"Namespaces", "Namespace", top(s.Namespaces), max(0, len(s.Namespaces)-onPage)},
			{"Rules", "Rule", top(s.Rules), max(0, len(s.Rules)-onPage)},
			{"Profiles", "Profile", top(s.Profiles), max(0, len(s.Profiles)-onPage)},
		},
		"Containers": s.Containers[:min(len(s.Containers), onPage)], "MoreContainers": max(0, len(s.Containers)-onPage),
		"Reasons": []reasonTable{
			{"What enforcing would refuse", s.Would[:min(len(s.Would), onPage)], max(0, len(s.Would)-onPage)},
			{"What the policy's audited part would have done", s.Audited[:min(len(s.Audited), onPage)], max(0, len(s.Audited)-onPage)},
			{"Volumes to adopt, in which root has written (nonroot-ctl volumes adopt)", s.closed(), max(0, len(s.Volumes)-onPage)},
		},
		"Refusals": s.Refusals[:min(len(s.Refusals), onPage)], "MoreRefusals": max(0, len(s.Refusals)-onPage),
		"Watch": slices.ContainsFunc(s.Exemptions, func(e Exemption) bool { return e.Expired || e.Used == 0 }),
	})
}

// closed are the volumes that stay root's, as rows of a table of reasons.
func (s *Summary) closed() (rows []Refusal) {
	for _, v := range s.Volumes[:min(len(s.Volumes), onPage)] {
		rows = append(rows, Refusal{v.Directory, v.Count, v.Last, v.Container})
	}
	return rows
}

type table struct {
	Title, Column string
	Rows          []row
	More          int
}

type reasonTable struct {
	Title string
	Rows  []Refusal
	More  int
}

type row struct {
	Group
	Shares []share
}

// share is a part of a bar, of a width in percent.
type share struct {
	Class string
	X, W  string
}

func shares(c Counts, most int) []share {
	var all []share
	x := 0.0
	for _, p := range []struct {
		class string
		n     int
	}{{"root", c.Root}, {"refused", c.Refused}, {"exempted", c.Exempted + c.Unstarted}, {"rewritten", c.Rewritten}} {
		if p.n == 0 {
			continue
		}
		w := 100 * float64(p.n) / float64(most)
		all = append(all, share{p.class, fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", w)})
		x += w
	}
	return all
}

// chart is the timeline in the units of its SVG.
type chart struct {
	Width, Height, Left, Base int
	Bars                      []bar
	Lines                     []grid
	Ticks                     []tick
}

type bar struct {
	Label string
	Parts []part
}

type part struct {
	Class      string
	X, Y, W, H string
}

type grid struct {
	Y     string
	Label string
}

type tick struct {
	X     string
	Label string
	Ends  bool // at X, rather than begins there
}

// The timeline's modes from the bottom up, with the class that colours them.
var stack = []struct {
	mode  policy.Mode
	class string
}{{policy.Rewrite, "rewritten"}, {policy.Audit, "audit"}, {policy.Off, "root"}, {policy.Refuse, "refused"}}

func (s *Summary) chart() *chart {
	const width, height, left, top, bottom = 960, 240, 52, 12, 28
	c := &chart{Width: width, Height: height, Left: left, Base: height - bottom}
	most := 0
	for _, b := range s.Timeline {
		most = max(most, b.total())
	}
	if most == 0 {
		return c
	}
	step := roundStep(most)
	limit := (most + step - 1) / step * step
	y := func(n int) float64 { return float64(c.Base) - float64(n)/float64(limit)*float64(c.Base-top) }
	for n := 0; n <= limit; n += step {
		c.Lines = append(c.Lines, grid{fmt.Sprintf("%.1f", y(n)), number(n)})
	}
	slot := float64(width-left) / float64(len(s.Timeline))
	every := (len(s.Timeline) + 7) / 8
	format := map[string]string{"hour": "Jan 2 15:04", "day": "Jan 2", "week": "Jan 2", "month": "Jan 2006", "year": "2006"}[s.Span]
	gap := min(slot*0.2, 4)
	for i, b := range s.Timeline {
		x := float64(left) + float64(i)*slot
		one := bar{Label: b.Start.Format("2006-01-02 15:04")}
		done := 0
		for _, k := range stack {
			n := b.Modes[k.mode]
			if n == 0 {
				continue
			}
			one.Label += fmt.Sprintf(", %s %s", number(n), k.mode)
			low, high := y(done), y(done+n)
			done += n
			one.Parts = append(one.Parts, part{k.class, fmt.Sprintf("%.1f", x+gap/2), fmt.Sprintf("%.1f", high), fmt.Sprintf("%.1f", min(slot-gap, 60)), fmt.Sprintf("%.1f", low-high)})
		}
		if len(one.Parts) > 0 {
			c.Bars = append(c.Bars, one)
		}
		if i%every == 0 {
			t := tick{fmt.Sprintf("%.1f", x+gap/2), b.Start.Format(format), false}
			if x > width-90 && i > 0 { // it would be cut off
				t.X, t.Ends = fmt.Sprint(width), true
			}
			c.Ticks = append(c.Ticks, t)
		}
	}
	return c
}

func (b Bucket) total() (n int) {
	for _, m := range b.Modes {
		n += m
	}
	return n
}

// roundStep divides what is at most n into four or five steps that people like to read.
func roundStep(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, f := range []int{1, 2, 5} {
			if f*unit*5 >= n {
				return f * unit
			}
		}
	}
}

// number groups digits by threes.
func number(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
