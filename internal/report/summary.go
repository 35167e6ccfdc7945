// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Counts counts decisions by outcome.
type Counts struct {
	Root      int `json:"root"`      // left as root by mode audit or off
	Unstarted int `json:"unstarted"` // also left as root, but these logs have no start for it: it failed, or an older log has it
	Exempted  int `json:"exempted"`  // left alone by mode audit or off, and not root
	Rewritten int `json:"rewritten"` // made to run without root
	Refused   int `json:"refused"`
}

// Total is the sum of all outcomes.
func (c Counts) Total() int { return c.Root + c.Unstarted + c.Exempted + c.Rewritten + c.Refused }

func (c *Counts) plus(more Counts) {
	c.Root += more.Root
	c.Unstarted += more.Unstarted
	c.Exempted += more.Exempted
	c.Rewritten += more.Rewritten
	c.Refused += more.Refused
}

func (c *Counts) add(l *Line) {
	switch {
	case l.Mode == policy.Refuse:
		c.Refused++
	case l.Mode == policy.Rewrite:
		c.Rewritten++
	case l.asRoot():
		c.Root++
	default:
		c.Exempted++
	}
}

// asRoot reports whether the decision left a process as root. An unknown user counts as root.
func (l *Line) asRoot() bool { return l.Mode.Exempts() && (l.From == nil || l.From.UID == 0) }

// Group counts the decisions that have one thing in common, such as a namespace.
type Group struct {
	Name string `json:"name"`
	Counts
	Last time.Time `json:"last"`
}

// Container is a container that was left as root.
type Container struct {
	Name      string      `json:"name"` // NAMESPACE/POD, or Docker's name, or else the id
	ID        string      `json:"id"`
	Engine    string      `json:"engine,omitempty"`
	Namespace string      `json:"namespace,omitempty"`
	Image     string      `json:"image,omitempty"`
	Mode      policy.Mode `json:"mode"`
	Rule      string      `json:"rule"`
	Profile   string      `json:"profile,omitempty"`
	Policy    string      `json:"policy_sha256,omitempty"`
	Version   string      `json:"version,omitempty"` // nonroot-runc's
	Reason    string      `json:"reason,omitempty"`
	First     time.Time   `json:"first"`
	Last      time.Time   `json:"last"`
	Created   int         `json:"created"`   // how many times
	Execs     int         `json:"execs"`     // root processes that were started in it later
	Unstarted bool        `json:"unstarted"` // created, but never started according to these logs
	SelfTest  bool        `json:"selftest"`  // named like doctor's self-test; in Docker, anyone can choose that name

	starts int
}

// Refusal is a reason for refusals, real or in mode audit.
type Refusal struct {
	Reason    string    `json:"reason"`
	Count     int       `json:"count"`
	Last      time.Time `json:"last"`
	Container string    `json:"container"` // the latest one
	Seen      []Seen    `json:"seen"`      // the latest ones, newest first
}

// Seen identifies a decision in the log.
type Seen struct {
	Container string    `json:"container"` // NAMESPACE/POD, or Docker's name, or else the id
	ID        string    `json:"id"`
	Image     string    `json:"image,omitempty"`
	Event     string    `json:"event"`
	Time      time.Time `json:"time"`
	Policy    string    `json:"policy_sha256,omitempty"`
}

// maxSeen is how many decisions are kept per reason.
const maxSeen = 5

// Volume is an engine's volume in which root has written files. It has to be adopted before containers without root can
// write to it.
type Volume struct {
	Directory string    `json:"volume"`
	Count     int       `json:"count"` // how many creations used it
	Last      time.Time `json:"last"`
	Container string    `json:"container"` // the latest one
	Policy    string    `json:"policy_sha256,omitempty"`
	Now       Now       `json:"now,omitempty"` // its present state, filled in by the caller: logs don't have it
}

// Now is the present state of a volume.
type Now string

// The empty state means that the volume has yet to be adopted, as far as is known.
const (
	Adopted Now = "adopted" // the user of its containers can write to it
	Gone    Now = "gone"    // it no longer exists on this machine
)

// Open returns the volumes that have yet to be adopted.
func (s *Summary) Open() (open []Volume) {
	for _, v := range s.Volumes {
		if v.Now != Adopted {
			open = append(open, v)
		}
	}
	return open
}

// Bucket is one bar of the timeline.
type Bucket struct {
	Start time.Time           `json:"start"`
	Modes map[policy.Mode]int `json:"modes"`
	Counts
}

// Change is a change of the policy's own mode, as seen in log lines with the rule "default".
type Change struct {
	Time    time.Time `json:"time"` // of the first line in the new mode
	Profile string    `json:"profile,omitempty"`
	From    Stance    `json:"from"`
	To      Stance    `json:"to"`
	Policy  string    `json:"policy_sha256,omitempty"` // digest of the policy with the new mode
}

// Stance is how strict a mode is.
type Stance string

// The log can't tell mode rewrite from mode refuse, so that both are Enforcing.
const (
	Enforced Stance = "enforced"
	Watched  Stance = "audit"
	Switched Stance = "off"
)

func stance(m policy.Mode) Stance {
	switch m {
	case policy.Audit:
		return Watched
	case policy.Off:
		return Switched
	}
	return Enforced
}

// Exemption is a part of the policy that leaves containers alone.
type Exemption struct {
	Name  string      `json:"rule"`
	Mode  policy.Mode `json:"mode"`
	Until string      `json:"until,omitempty"` // the last day on which it applies, as written in the policy; "": no end

	End time.Time `json:"-"` // when it ends; zero: never

	Used    int       `json:"used"` // decisions in the report that it caused
	Last    time.Time `json:"last,omitzero"`
	Expired bool      `json:"expired"`
}

// Tally counts the decisions with the same event, mode and rule.
type Tally struct {
	Event string      `json:"event"`
	Mode  policy.Mode `json:"mode"`
	Rule  string      `json:"rule"`
	Count int         `json:"count"`
}

// Summary is the content of a report.
type Summary struct {
	Made       time.Time   `json:"made"`
	Logs       []string    `json:"logs"`             // logs that were read
	Unread     []string    `json:"unread,omitempty"` // rotated logs that were not read: not compressed with gzip
	First      time.Time   `json:"first,omitzero"`
	Last       time.Time   `json:"last,omitzero"`
	Lines      int         `json:"lines"`
	Malformed  int         `json:"malformed"`
	Lost       *Lost       `json:"lost,omitempty"` // decisions of this machine that could not be logged; nil: none
	Total      Counts      `json:"total"`
	Images     []Group     `json:"images"`
	Namespaces []Group     `json:"namespaces"`
	Rules      []Group     `json:"rules"`
	Profiles   []Group     `json:"profiles"`
	Containers []Container `json:"containers"` // left as root
	Refusals   []Refusal   `json:"refusals"`
	Would      []Refusal   `json:"would_refuse"`        // in mode audit: refusals that enforcing would cause
	Audited    []Refusal   `json:"audited"`             // what the audited stricter policy would do
	Volumes    []Volume    `json:"volumes"`             // volumes that still belong to root
	SelfTests  int         `json:"selftests"`           // lines of nonroot-ctl doctor's self-test, not counted elsewhere
	InDocker   int         `json:"selftests_in_docker"` // containers named like doctor's in Docker, counted elsewhere as well
	Unstarted  int         `json:"unstarted"`           // containers left as root that never started, according to these logs
	Exemptions []Exemption `json:"exemptions"`
	Tallies    []Tally     `json:"tallies"`
	Span       string      `json:"span"` // of a bucket: hour, day, week, month or year
	Timeline   []Bucket    `json:"timeline"`
	Changes    []Change    `json:"changes"` // of the policy's own mode
}

// Lost counts the decisions that could never be logged, with the reason for the latest.
type Lost struct {
	Count  uint64    `json:"count"`
	Last   time.Time `json:"last"`
	Reason string    `json:"reason"`
}

// Collector builds a summary from lines. Its memory is bounded, whatever the lines contain.
type Collector struct {
	since, until time.Time
	s            Summary
	images       map[string]*Group
	namespaces   map[string]*Group
	rules        map[string]*Group
	profiles     map[string]*Group
	containers   map[string]*Container
	created      created
	refusals     map[string]*Refusal
	would        map[string]*Refusal
	audited      map[string]*Refusal
	volumes      map[string]*Volume
	tallies      map[Tally]int
	hours        map[int64]*Bucket
	stances      map[epoch]map[Stance]*held
	exemptions   map[string]*Exemption
}

// Limits on distinct values. The excess is counted under Others.
const (
	maxGroups = 5000
	maxHours  = 10 * 366 * 24
	Others    = "(others)"
	Unknown   = "(not known)"
)

// NewCollector returns a collector for lines from since until before until; a zero time is no limit.
func NewCollector(since, until time.Time, exemptions []Exemption) *Collector {
	c := &Collector{
		since: since, until: until, images: map[string]*Group{}, namespaces: map[string]*Group{}, rules: map[string]*Group{},
		profiles: map[string]*Group{}, containers: map[string]*Container{}, would: map[string]*Refusal{}, audited: map[string]*Refusal{},
		refusals: map[string]*Refusal{}, tallies: map[Tally]int{}, volumes: map[string]*Volume{}, hours: map[int64]*Bucket{}, exemptions: map[string]*Exemption{},
		stances: map[epoch]map[Stance]*held{},
		created: created{open: map[string][]creation{}, starts: map[string]int{}},
	}
	for _, e := range exemptions {
		c.exemptions[e.Name] = &e
	}
	return c
}

// Malformed adds n malformed lines.
func (c *Collector) Malformed(n int) { c.s.Malformed += n }

// Add counts a line. A start that was not refused is only tallied, because its container was counted at its creation.
func (c *Collector) Add(l *Line) {
	if l.Time.Before(c.since) || !c.until.IsZero() && !l.Time.Before(c.until) {
		return
	}
	s := &c.s
	if l.Engine == "" && strings.HasPrefix(l.ID, SelfTest) {
		s.SelfTests++
		return
	}
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
	c.leftAsRoot(l)
	c.held(l)
	if strings.HasPrefix(l.Name, SelfTest) {
		s.InDocker++
	}
	switch {
	case l.Mode == policy.Refuse:
	case l.Event == "start":
		c.created.started(l.ID)
		return
	case l.Event == "exec":
		c.created.lives(l.ID)
	}
	s.Total.add(l)
	groups := creation{&s.Total, count(c.images, l.Image, l), count(c.namespaces, l.Namespace, l), count(c.rules, l.Rule, l)}
	if l.Profile != "" {
		groups = append(groups, count(c.profiles, l.Profile, l))
	}
	if hour := c.inTime(l); hour != nil {
		groups = append(groups, hour)
	}
	if l.Event == "create" && l.asRoot() {
		c.created.add(l.ID, groups)
	}
	switch {
	case l.Mode == policy.Refuse:
		refused(c.refusals, l.Reason, l)
	case l.Mode == policy.Audit && l.Reason != "":
		refused(c.would, l.Reason, l)
	}
	if l.Audited != "" {
		refused(c.audited, l.Audited, l)
	}
	c.closed(l)
}

// created tracks creations of containers left as root that have no start yet. Logs can be read in any order, so that a start
// without a creation is kept as well. Both are bounded; beyond the bound, a container counts as started.
type created struct {
	open   map[string][]creation // by the container's id
	starts map[string]int        // starts that came before their creation
	n      int                   // number of open creations
	lost   bool                  // a start was dropped at the bound
}

// creation points to the counts that include one creation, as root.
type creation []*Counts

// maxOpen bounds open creations and kept starts.
const maxOpen = 20000

func (c *created) add(id string, groups creation) {
	if c.n < maxOpen {
		c.open[id] = append(c.open[id], groups)
		c.n++
	}
}

// lives records that the container started.
func (c *created) lives(id string) (known bool) {
	open, known := c.open[id]
	c.n -= len(open)
	delete(c.open, id)
	return known
}

func (c *created) started(id string) {
	switch _, known := c.starts[id]; {
	case c.lives(id):
	case known || len(c.starts) < maxOpen:
		c.starts[id]++
	default:
		c.lost = true
	}
}

// unstarted returns the creations without a start.
func (c *created) unstarted() (all []creation) {
	if c.lost {
		return nil
	}
	for id, open := range c.open {
		all = append(all, open[min(c.starts[id], len(open)):]...)
	}
	return all
}

// SelfTest is the prefix of the ids of doctor's test containers (internal/selftest). It only counts for calls without an
// engine, which take root: otherwise, anyone who may name a container could hide it from a report.
const SelfTest = "nonroot-selftest-"

// leftAsRoot records a container that was left as root.
func (c *Collector) leftAsRoot(l *Line) {
	known := c.containers[l.ID]
	if l.Event == "start" && l.Mode != policy.Refuse && known != nil {
		known.starts++
	}
	if l.Event == "start" || !l.asRoot() || l.ID == "" {
		return
	}
	if known == nil {
		if len(c.containers) >= maxGroups {
			return
		}
		known = &Container{ID: l.ID, First: l.Time, starts: c.created.starts[l.ID]}
		c.containers[l.ID] = known
	}
	known.Name, known.Engine, known.Namespace, known.Image = whose(l), l.Engine, l.Namespace, l.Image
	known.SelfTest = strings.HasPrefix(l.Name, SelfTest)
	known.Mode, known.Rule, known.Profile, known.Policy, known.Version = l.Mode, l.Rule, l.Profile, l.Policy, l.Version
	if l.Mode == policy.Off { // in mode audit, Reason is a refusal's
		known.Reason = l.Reason
	}
	if l.Time.Before(known.First) {
		known.First = l.Time
	}
	known.Last = later(known.Last, l.Time)
	switch l.Event {
	case "create":
		known.Created++
	case "exec":
		known.Execs++
		known.starts++ // an exec proves that it started
	default: // run and restore have no separate start
		known.Created++
		known.starts++
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// bounded returns the key that a text is counted under: Unknown if it is empty, Others if the map is full.
func bounded[V any](all map[string]V, key string) string {
	if key == "" {
		return Unknown
	}
	if _, known := all[key]; !known && len(all) >= maxGroups {
		return Others
	}
	return key
}

func count(all map[string]*Group, name string, l *Line) *Counts {
	name = bounded(all, name)
	g := all[name]
	if g == nil {
		g = &Group{Name: name}
		all[name] = g
	}
	g.add(l)
	g.Last = later(g.Last, l.Time)
	return &g.Counts
}

func (c *Collector) inTime(l *Line) *Counts {
	hour := l.Time.Unix() / 3600
	b := c.hours[hour]
	if b == nil {
		if len(c.hours) >= maxHours {
			return nil
		}
		b = &Bucket{Modes: map[policy.Mode]int{}}
		c.hours[hour] = b
	}
	b.Modes[l.Mode]++
	b.add(l)
	return &b.Counts
}

// epoch is one hour of one profile.
type epoch struct {
	profile string
	hour    int64
}

// held is the time of the first and last line of a stance in an hour, and the policy of the first.
type held struct {
	first, last time.Time
	policy      string
}

// held records the stance of the policy's own mode. Logs can be read in any order.
func (c *Collector) held(l *Line) {
	if l.Rule != ownMode {
		return
	}
	at := epoch{l.Profile, l.Time.Unix() / 3600}
	if c.stances[at] == nil {
		if len(c.stances) >= maxHours {
			return
		}
		c.stances[at] = map[Stance]*held{}
	}
	is := stance(l.Mode)
	h := c.stances[at][is]
	if h == nil {
		h = &held{first: l.Time, last: l.Time, policy: l.Policy}
		c.stances[at][is] = h
	}
	if l.Time.Before(h.first) {
		h.first, h.policy = l.Time, l.Policy
	}
	h.last = later(h.last, l.Time)
}

// ownMode is the rule that the log names for the policy's own mode.
const ownMode = "default"

// changes returns the times at which a profile's stance changed. If one hour has several stances, their last lines tell
// which came last.
func (c *Collector) changes() []Change {
	all := []Change{}
	last := map[string]*struct {
		stance Stance
		*held
	}{}
	for _, at := range slices.SortedFunc(maps.Keys(c.stances), func(a, b epoch) int { return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.profile, b.profile)) }) {
		hour := c.stances[at]
		for _, to := range slices.SortedFunc(maps.Keys(hour), func(a, b Stance) int {
			return cmp.Or(hour[a].last.Compare(hour[b].last), cmp.Compare(a, b))
		}) {
			is, was := hour[to], last[at.profile]
			last[at.profile] = &struct {
				stance Stance
				*held
			}{to, is}
			if was == nil || was.stance == to {
				continue
			}
			from := is.first
			if from.Before(was.first) { // it changed to another stance and back within the hour
				from = was.last
			}
			all = append(all, Change{Time: from, Profile: at.profile, From: was.stance, To: to, Policy: is.policy})
		}
	}
	return all
}

func (c *Collector) closed(l *Line) {
	for _, dir := range l.RootVolumes {
		v := c.volumes[dir]
		if v == nil {
			if len(c.volumes) >= maxGroups {
				return
			}
			v = &Volume{Directory: dir}
			c.volumes[dir] = v
		}
		v.Count++
		if !l.Time.Before(v.Last) {
			v.Last, v.Container, v.Policy = l.Time, whose(l), l.Policy
		}
	}
}

func refused(all map[string]*Refusal, why string, l *Line) {
	why = bounded(all, why)
	r := all[why]
	if r == nil {
		r = &Refusal{Reason: why}
		all[why] = r
	}
	r.Count++
	if !l.Time.Before(r.Last) {
		r.Last, r.Container = l.Time, whose(l)
	}
	at, _ := slices.BinarySearchFunc(r.Seen, l.Time, func(s Seen, t time.Time) int { return t.Compare(s.Time) })
	if at < maxSeen {
		r.Seen = slices.Insert(r.Seen, at, Seen{whose(l), l.ID, l.Image, l.Event, l.Time, l.Policy})
		r.Seen = r.Seen[:min(len(r.Seen), maxSeen)]
	}
}

// reasons sorts by number, the most common first.
func reasons(all map[string]*Refusal) []Refusal {
	list := []Refusal{}
	for _, r := range all {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// whose names a line's container as people know it.
func whose(l *Line) string {
	switch {
	case l.Pod != "":
		return l.Namespace + "/" + l.Pod
	case l.Name != "":
		return l.Name
	}
	return l.ID
}

// Summary returns the numbers so far. now is the time of the report.
func (c *Collector) Summary(now time.Time) *Summary {
	for _, counts := range c.created.unstarted() {
		for _, n := range counts {
			n.Root--
			n.Unstarted++
		}
	}
	c.created = created{open: map[string][]creation{}, starts: c.created.starts}
	s := c.s // a copy, to be corrected below
	s.Made, s.Logs = now, []string{}
	s.Images, s.Namespaces, s.Rules = sorted(c.images), sorted(c.namespaces), sorted(c.rules)
	s.Profiles = sorted(c.profiles)
	s.Refusals, s.Would, s.Audited = reasons(c.refusals), reasons(c.would), reasons(c.audited)
	s.Volumes = []Volume{}
	for _, name := range slices.Sorted(maps.Keys(c.volumes)) {
		s.Volumes = append(s.Volumes, *c.volumes[name])
	}
	s.Containers = []Container{}
	for _, one := range c.containers {
		one := *one
		if one.Unstarted = one.starts == 0; one.Unstarted {
			s.Unstarted++
		}
		s.Containers = append(s.Containers, one)
	}
	slices.SortFunc(s.Containers, func(a, b Container) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	s.Exemptions = []Exemption{}
	for _, name := range slices.Sorted(maps.Keys(c.exemptions)) {
		e := *c.exemptions[name]
		e.Expired = !e.End.IsZero() && !now.Before(e.End)
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
	s.Changes = c.changes()
	return &s
}

// sorted sorts by containers left as root, then by refusals.
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

// spans are the units of a timeline. The first that needs at most maxBuckets is used.
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
			for mode, n := range c.hours[h].Modes {
				all[i].Modes[mode] += n
			}
			all[i].plus(c.hours[h].Counts)
		}
		return span.name, all
	}
	return "", []Bucket{} // centuries: a clock was wrong
}
