// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

//go:embed page.html
var pageText string

// page is the report's template. html/template escapes every value from a log for the place that it appears in.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"number":  number,
	"cell":    func(o outcome, c Counts) cell { return cell{o, o.Of(c)} },
	"short":   func(digest string) string { return digest[:min(len(digest), 12)] },
	"times":   func(n int) string { return counted(n, "time") },
	"counted": counted,
	"plain":   quote.IsPlainPath,
}).Parse(pageText))

// onPage is how many groups, containers and refusals each list of a page shows.
const onPage = 15

// outcome is a kind of decision, with the label and colour that every part of a page uses for it.
type outcome struct {
	Class  string
	Name   string
	Means  string
	of     func(Counts) int
	always bool // show it even if its number is 0
}

// Of returns how many of the counted decisions had this outcome.
func (o outcome) Of(c Counts) int { return o.of(c) }

// outcomes lists the outcomes in the order of a page.
var outcomes = []outcome{
	{"root", "As root", "exempt, or only audited", func(c Counts) int { return c.Root }, true},
	{"unstarted", "No start", "created as root, and not started in these logs", func(c Counts) int { return c.Unstarted }, false},
	{"refused", "Refused", "did not run", func(c Counts) int { return c.Refused }, true},
	{"exempted", "Left alone", "exempt or only audited, and not root", func(c Counts) int { return c.Exempted }, true},
	{"rewritten", "Without root", "every promise was enforced", func(c Counts) int { return c.Rewritten }, true},
}

// cell is the number of one outcome in a table.
type cell struct {
	outcome
	N int
}

// Page writes the summary as one self-contained HTML page: no script, no other file, no network.
func (s *Summary) Page(to io.Writer, host string) error {
	volumes, adopted := s.Open(), slices.DeleteFunc(slices.Clone(s.Volumes), func(v Volume) bool { return v.Now != Adopted })
	watched := s.Total.Root+s.Total.Unstarted+s.Total.Exempted > 0
	return page.Execute(to, map[string]any{
		"S": s, "Host": host, "Chart": s.chart(),
		"Outcomes": slices.DeleteFunc(slices.Clone(outcomes), func(o outcome) bool { return !o.always && o.Of(s.Total) == 0 }),
		"Logs":     first(s.Logs), "MoreLogs": more(s.Logs),
		"Todo": watched || len(s.Would)+len(s.Volumes) > 0, "Open": len(s.Would)+len(volumes) > 0,
		"Would": told(s.Would), "MoreWould": more(s.Would), "Volumes": first(volumes), "MoreVolumes": more(volumes), "Adopted": first(adopted),
		"Changes": s.Changes[more(s.Changes):], "MoreChanges": more(s.Changes),
		"Tables": []table{
			s.table("Images", "Image", s.Images, func(c *Container) string { return c.Image }),
			s.table("Namespaces", "Namespace", s.Namespaces, func(c *Container) string { return c.Namespace }),
			s.table("Rules", "Rule", s.Rules, func(c *Container) string { return c.Rule }),
			s.table("Profiles", "Profile", s.Profiles, func(c *Container) string { return c.Profile }),
		},
		"Containers": first(s.Containers), "MoreContainers": more(s.Containers),
		"Reasons": []reasonTable{
			{"Why containers were refused", told(s.Refusals), more(s.Refusals)},
			{"What the policy's [audit] part would have done", told(s.Audited), more(s.Audited)},
		},
		"Watch": slices.ContainsFunc(s.Exemptions, func(e Exemption) bool { return e.Expired || e.Used == 0 }),
	})
}

// first returns the part of a list that a page shows.
func first[T any](all []T) []T { return all[:min(len(all), onPage)] }

func more[T any](all []T) int { return max(0, len(all)-onPage) }

type table struct {
	Title, Column string
	Rows          []row
	More          int
}

type row struct {
	Group
	Shares     []share
	Containers []Container // those of the group that were left as root
	All, More  int
}

// table returns a row per group, with its containers. It returns an empty table if no group has a name, as with Docker,
// which has no namespaces.
func (s *Summary) table(title, column string, groups []Group, of func(*Container) string) table {
	if len(groups) == 1 && groups[0].Name == Unknown {
		return table{}
	}
	t := table{Title: title, Column: column, More: more(groups)}
	most := 0
	for _, g := range first(groups) {
		most = max(most, g.Total())
	}
	for _, g := range first(groups) {
		var its []Container
		for i := range s.Containers {
			if cmp.Or(of(&s.Containers[i]), Unknown) == g.Name {
				its = append(its, s.Containers[i])
			}
		}
		t.Rows = append(t.Rows, row{g, shares(g.Counts, most), first(its), len(its), more(its)})
	}
	return t
}

type reasonTable struct {
	Title string
	Rows  []reason
	More  int
}

// reason is the reason of a refusal, split into finding and advice.
type reason struct {
	Refusal
	Finding, Advice string
}

func told(all []Refusal) (rows []reason) {
	for _, r := range first(all) {
		finding, advice := hint.Split(r.Reason)
		rows = append(rows, reason{r, finding, advice})
	}
	return rows
}

// share is a segment of a bar; its width is in percent.
type share struct {
	Class string
	X, W  string
}

func shares(c Counts, most int) []share {
	var all []share
	x := 0.0
	for _, o := range outcomes {
		n := o.Of(c)
		if n == 0 {
			continue
		}
		w := 100 * float64(n) / float64(most)
		all = append(all, share{o.Class, fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", w)})
		x += w
	}
	return all
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(n) + " " + what
}

// chart is the timeline, in SVG units.
type chart struct {
	Width, Height, Left, Base int
	Bars                      []bar
	Lines                     []grid
	Ticks                     []tick
	Marks                     []tick // where the policy's mode changed
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
	Ends  bool // the text ends at X instead of starting there
}

func (s *Summary) chart() *chart {
	const width, height, left, top, bottom = 960, 260, 52, 32, 28
	c := &chart{Width: width, Height: height, Left: left, Base: height - bottom}
	most := 0
	for _, b := range s.Timeline {
		most = max(most, b.Total())
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
	c.Marks = s.marks(left, slot, width)
	for i, b := range s.Timeline {
		x := float64(left) + float64(i)*slot
		one := bar{Label: b.Start.Format("2006-01-02 15:04")}
		done := 0
		for _, o := range slices.Backward(outcomes) { // bottom to top
			n := o.Of(b.Counts)
			if n == 0 {
				continue
			}
			one.Label += fmt.Sprintf(", %s: %s", o.Name, number(n))
			low, high := y(done), y(done+n)
			done += n
			one.Parts = append(one.Parts, part{o.Class, fmt.Sprintf("%.1f", x+gap/2), fmt.Sprintf("%.1f", high), fmt.Sprintf("%.1f", min(slot-gap, 60)), fmt.Sprintf("%.1f", low-high)})
		}
		if len(one.Parts) > 0 {
			c.Bars = append(c.Bars, one)
		}
		if i%every == 0 {
			t := tick{fmt.Sprintf("%.1f", x+gap/2), b.Start.Format(format), false}
			if x > width-90 && i > 0 { // it would be clipped
				t.X, t.Ends = fmt.Sprint(width), true
			}
			c.Ticks = append(c.Ticks, t)
		}
	}
	return c
}

// marks returns the changes of mode, placed on the chart next to the last bar before each.
func (s *Summary) marks(left, slot, width float64) (all []tick) {
	for _, change := range s.Changes[more(s.Changes):] {
		i, found := slices.BinarySearchFunc(s.Timeline, change.Time, func(b Bucket, t time.Time) int { return b.Start.Compare(t) })
		if !found {
			i--
		}
		if i < 0 {
			continue
		}
		part := 0.0 // fraction of the bucket that has passed
		if i+1 < len(s.Timeline) {
			part = float64(change.Time.Sub(s.Timeline[i].Start)) / float64(s.Timeline[i+1].Start.Sub(s.Timeline[i].Start))
		}
		x := left + (float64(i)+part)*slot
		label := fmt.Sprintf("%s \u2192 %s", change.From, change.To)
		if change.Profile != "" {
			label += ", " + change.Profile
		}
		all = append(all, tick{fmt.Sprintf("%.1f", x), label, x > width*0.7})
	}
	return all
}

// roundStep returns the distance between grid lines: a round number that divides n into four or five steps.
func roundStep(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, f := range []int{1, 2, 5} {
			if f*unit*5 >= n {
				return f * unit
			}
		}
	}
}

// number formats digits in groups of three.
func number(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
