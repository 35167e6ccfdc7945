// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Counts are decisions by what became of them.
type Counts struct {
	Root      int `json:"root"`      // left as root by mode audit or off
	Exempted  int `json:"exempted"`  // left as it was by mode audit or off, and not root
	Rewritten int `json:"rewritten"` // held to the promises
	Refused   int `json:"refused"`
}

// Total is all of them.
func (c Counts) Total() int { return c.Root + c.Exempted + c.Rewritten + c.Refused }

func (c *Counts) add(l *Line) {
	switch {
	case l.Mode == policy.Refuse:
		c.Refused++
	case l.Mode == policy.Rewrite:
		c.Rewritten++
	case l.From == nil || l.From.UID == 0: // what is not known may be root
		c.Root++
	default:
		c.Exempted++
	}
}

// Group is what became of the decisions that have something in common.
type Group struct {
	Name string `json:"name"`
	Counts
	Last time.Time `json:"last"`
}

// Refusal is a reason for which something was refused.
type Refusal struct {
	Reason    string    `json:"reason"`
	Count     int       `json:"count"`
	Last      time.Time `json:"last"`
	Container string    `json:"container"` // the last one
}

// Bucket is a span of time.
type Bucket struct {
	Start time.Time           `json:"start"`
	Modes map[policy.Mode]int `json:"modes"`
}

// Exemption is a part of the policy that leaves containers as they are.
type Exemption struct {
	Name  string      `json:"rule"`
	Mode  policy.Mode `json:"mode"`
	Until time.Time   `json:"until,omitzero"` // zero: never

	Used    int       `json:"used"` // decisions of the report that it made
	Last    time.Time `json:"last,omitzero"`
	Expired bool      `json:"expired"`
}

// Tally is how many decisions an event, a mode and a rule have.
type Tally struct {
	Event string      `json:"event"`
	Mode  policy.Mode `json:"mode"`
	Rule  string      `json:"rule"`
	Count int         `json:"count"`
}

// Summary is a report.
type Summary struct {
	Made       time.Time   `json:"made"`
	First      time.Time   `json:"first,omitzero"`
	Last       time.Time   `json:"last,omitzero"`
	Lines      int         `json:"lines"`
	Malformed  int         `json:"malformed"`
	Total      Counts      `json:"total"`
	Images     []Group     `json:"images"`
	Namespaces []Group     `json:"namespaces"`
	Rules      []Group     `json:"rules"`
	Refusals   []Refusal   `json:"refusals"`
	Exemptions []Exemption `json:"exemptions"`
	Tallies    []Tally     `json:"tallies"`
	Span       string      `json:"span"` // of a bucket: hour, day, week, month
	Timeline   []Bucket    `json:"timeline"`
}

// Collector makes a summary, line by line. Its memory is bounded, whatever the lines say.
type Collector struct {
	since, until time.Time
	s            Summary
	images       map[string]*Group
	namespaces   map[string]*Group
	rules        map[string]*Group
	refusals     map[string]*Refusal
	tallies      map[Tally]int
	hours        map[int64]map[policy.Mode]int
	exemptions   map[string]*Exemption
}

// Bounds of what is told apart. More is counted under Others.
const (
	maxGroups = 5000
	maxHours  = 10 * 366 * 24
	Others    = "(others)"
	Unknown   = "(not known)"
)

// NewCollector takes lines from since until before until; zero times bound nothing.
func NewCollector(since, until time.Time, exemptions []Exemption) *Collector {
	c := &Collector{
		since: since, until: until, images: map[string]*Group{}, namespaces: map[string]*Group{}, rules: map[string]*Group{},
		refusals: map[string]*Refusal{}, tallies: map[Tally]int{}, hours: map[int64]map[policy.Mode]int{}, exemptions: map[string]*Exemption{},
	}
	for _, e := range exemptions {
		c.exemptions[e.Name] = &e
	}
	return c
}

// Malformed counts lines that could not be read.
func (c *Collector) Malformed(n int) { c.s.Malformed += n }

// Add counts a line. A start that is not refused is only tallied: its container was counted when it was created.
func (c *Collector) Add(l *Line) {
	if l.Time.Before(c.since) || !c.until.IsZero() && !l.Time.Before(c.until) {
		return
	}
	s := &c.s
	if s.Lines++; s.First.IsZero() || l.Time.Before(s.First) {
		s.First = l.Time
	}
	s.Last = later(s.Last, l.Time)
	t := Tally{Event: l.Event, Mode: l.Mode, Rule: l.Rule}
	if _, known := c.tallies[t]; !known && len(c.tallies) >= maxGroups {
		t.Rule = Others
	}
	c.tallies[t]++
	if e := c.exemptions[l.Rule]; e != nil && l.Mode.Exempts() {
		e.Used++
		e.Last = later(e.Last, l.Time)
	}
	if l.Event == "start" && l.Mode != policy.Refuse {
		return
	}
	s.Total.add(l)
	count(c.images, l.Image, l)
	count(c.namespaces, l.Namespace, l)
	count(c.rules, l.Rule, l)
	c.inTime(l)
	if l.Mode == policy.Refuse {
		c.refused(l)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// bounded is the key that a text is counted under.
func bounded[V any](all map[string]V, key string) string {
	if key == "" {
		return Unknown
	}
	if _, known := all[key]; !known && len(all) >= maxGroups {
		return Others
	}
	return key
}

func count(all map[string]*Group, name string, l *Line) {
	name = bounded(all, name)
	g := all[name]
	if g == nil {
		g = &Group{Name: name}
		all[name] = g
	}
	g.add(l)
	g.Last = later(g.Last, l.Time)
}

func (c *Collector) inTime(l *Line) {
	hour := l.Time.Unix() / 3600
	if c.hours[hour] == nil {
		if len(c.hours) >= maxHours {
			return
		}
		c.hours[hour] = map[policy.Mode]int{}
	}
	c.hours[hour][l.Mode]++
}

func (c *Collector) refused(l *Line) {
	reason := bounded(c.refusals, l.Reason)
	r := c.refusals[reason]
	if r == nil {
		r = &Refusal{Reason: reason}
		c.refusals[reason] = r
	}
	r.Count++
	if !l.Time.Before(r.Last) {
		r.Last, r.Container = l.Time, whose(l)
	}
}

// whose is the container as people know it.
func whose(l *Line) string {
	switch {
	case l.Pod != "":
		return l.Namespace + "/" + l.Pod
	case l.Name != "":
		return l.Name
	}
	return l.ID
}

// Summary is what has been counted, as of now.
func (c *Collector) Summary(now time.Time) *Summary {
	s := c.s
	s.Made = now
	s.Images, s.Namespaces, s.Rules = sorted(c.images), sorted(c.namespaces), sorted(c.rules)
	s.Refusals = []Refusal{}
	for _, r := range c.refusals {
		s.Refusals = append(s.Refusals, *r)
	}
	slices.SortFunc(s.Refusals, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	s.Exemptions = []Exemption{}
	for _, name := range slices.Sorted(maps.Keys(c.exemptions)) {
		e := *c.exemptions[name]
		e.Expired = !e.Until.IsZero() && !now.Before(e.Until)
		s.Exemptions = append(s.Exemptions, e)
	}
	s.Tallies = []Tally{}
	for t, n := range c.tallies {
		t.Count = n
		s.Tallies = append(s.Tallies, t)
	}
	slices.SortFunc(s.Tallies, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Mode, b.Mode), cmp.Compare(a.Rule, b.Rule))
	})
	s.Span, s.Timeline = c.timeline()
	return &s
}

// sorted puts what runs as root first, then what is refused.
func sorted(all map[string]*Group) []Group {
	list := []Group{}
	for _, g := range all {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Root, a.Root), cmp.Compare(b.Refused, a.Refused), cmp.Compare(b.Total(), a.Total()), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// spans are what a timeline is divided into: the first in which it has not too many parts.
var spans = []struct {
	name  string
	begin func(time.Time) time.Time
	next  func(time.Time) time.Time
}{
	{"hour", func(t time.Time) time.Time { return t }, func(t time.Time) time.Time { return t.Add(time.Hour) }},
	{"day", day, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"week", func(t time.Time) time.Time { return day(t).AddDate(0, 0, -(int(t.Weekday())+6)%7) }, func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }},
	{"month", month, func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"year", func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) }, func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func month(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

const maxBuckets = 100

func (c *Collector) timeline() (span string, all []Bucket) {
	all = []Bucket{}
	if len(c.hours) == 0 {
		return "hour", all
	}
	hours := slices.Sorted(maps.Keys(c.hours))
	at := func(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }
	for _, span := range spans {
		all = all[:0]
		for t := span.begin(at(hours[0])); !t.After(at(hours[len(hours)-1])) && len(all) <= maxBuckets; t = span.next(t) {
			all = append(all, Bucket{Start: t, Modes: map[policy.Mode]int{}})
		}
		if len(all) > maxBuckets {
			continue
		}
		for _, h := range hours {
			i, found := slices.BinarySearchFunc(all, at(h), func(b Bucket, t time.Time) int { return b.Start.Compare(t) })
			if !found {
				i--
			}
			for mode, n := range c.hours[h] {
				all[i].Modes[mode] += n
			}
		}
		return span.name, all
	}
	return "", []Bucket{} // centuries: somebody's clock was wrong
}
