// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// file is the policy file. docs/policy.md describes each key.
type file struct {
	Runtimes []string `toml:"runtimes"`
	Existing *string  `toml:"existing"`
	Restore  *string  `toml:"restore"`
	State    *string  `toml:"state"`
	settings
	Audit *settings `toml:"audit"`
	Build struct {
		Mode    *string  `toml:"mode"`
		Reason  *string  `toml:"reason"`
		Bundles []string `toml:"bundles"`
	} `toml:"build"`
	Log   logTable    `toml:"log"`
	Rules []*ruleFile `toml:"rule"`
}

// ruleFile is one [[rule]].
type ruleFile struct {
	Name  *string `toml:"name"`
	Until any     `toml:"until"`
	Match struct {
		Engine      []string            `toml:"engine"`
		Root        []string            `toml:"root"`
		Namespace   []string            `toml:"namespace"`
		Pod         []string            `toml:"pod"`
		Container   []string            `toml:"container"`
		Image       []string            `toml:"image"`
		Annotations map[string][]string `toml:"annotations"`
	} `toml:"match"`
	settings
	Audit *settings `toml:"audit"`
}

// settings are the keys that rules may set, too.
type settings struct {
	Mode     *string `toml:"mode"`
	Reason   *string `toml:"reason"`
	Identity struct {
		UID              *int64   `toml:"uid"`
		GID              *int64   `toml:"gid"`
		Name             *string  `toml:"name"`
		Sources          []string `toml:"sources"`
		Requests         []string `toml:"requests"`
		AllowedUIDs      []any    `toml:"allowed_uids"`
		AllowedGIDs      []any    `toml:"allowed_gids"`
		PrivilegedGroups []string `toml:"privileged_groups"`
		Groups           []any    `toml:"groups"`
		DeviceGroups     []string `toml:"device_groups"`
		Range            *string  `toml:"range"`
		Share            *string  `toml:"share"`
		Block            *int64   `toml:"block"`
		UsersFile        *string  `toml:"users_file"`
		GroupsFile       *string  `toml:"groups_file"`
	} `toml:"identity"`
	Adapt adaptTable `toml:"adapt"`
	Home  struct {
		Mode *string `toml:"mode"`
		Size *string `toml:"size"`
		Path *string `toml:"path"`
	} `toml:"home"`
	Process struct {
		Bounding       *string `toml:"bounding"`
		UserNamespaces *string `toml:"user_namespaces"`
	} `toml:"process"`
	Hooks hooksTable `toml:"hooks"`
}

// Fault is something that is wrong in a policy file, with its position.
type Fault struct {
	File         string
	Line, Column int // from 1
	Text         string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text) }

// Parse reads a policy file: TOML (https://toml.io/en/v1.0.0) with the keys of docs/policy.md and no others. Keys
// that are not set have Default's values. What is wrong in the file is a *Fault.
func Parse(name string, data []byte) (*Policy, error) {
	return parse(name, data, false)
}

// ParseForOne is Parse for a call about one container. All rules are checked, but only the one that matches gets a
// Policy, when For asks for it. Until then its Policy may be nil.
func ParseForOne(name string, data []byte) (*Policy, error) {
	return parse(name, data, true)
}

func parse(name string, data []byte, later bool) (*Policy, error) {
	if p, ok := parsePlain(name, data, later); ok {
		return p, nil
	}
	return parseAny(name, data)
}

// parseAny reads any policy file with the library's decoder.
func parseAny(name string, data []byte) (*Policy, error) {
	var f file
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, located(name, data, err)
	}
	p := Default()
	p.File = name
	r := reader{file: name, data: data}
	f.all(p, &r)
	p.reserve()
	if len(r.faults) > 0 {
		return nil, r.faults[0]
	}
	return p, nil
}

// all reads a file that is valid TOML and has only known keys.
func (f *file) all(p *Policy, r *reader) {
	r.spelling()
	f.general(p, r)
	f.rules(p, r)
}

// Faults lists all faults in a file that Parse refuses; Parse reports only the first one. What comes after a line that
// is not TOML is not checked.
func Faults(name string, data []byte) []error {
	var f file
	r := reader{file: name, data: data}
	var unknown *toml.StrictMissingError
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	switch err := d.Decode(&f); {
	case errors.As(err, &unknown):
		for i := range unknown.Errors {
			r.faults = append(r.faults, unknownAt(name, &unknown.Errors[i]))
		}
		f = file{}
		if err := toml.Unmarshal(data, &f); err != nil {
			return append(r.faults, located(name, data, err))
		}
	case err != nil:
		return []error{located(name, data, err)}
	}
	f.all(Default(), &r)
	seen := map[string]bool{}
	return slices.DeleteFunc(r.faults, func(err error) bool {
		again := seen[err.Error()]
		seen[err.Error()] = true
		return again
	})
}

// general reads everything but the rules.
func (f *file) general(p *Policy, r *reader) {
	f.basics(p, r)
	f.Log.read(p, r)
	f.settings.apply(p, r)
	f.build(p, r)
	// This comes last, as [audit] is the general part with changes.
	p.Audit = f.Audit.audited(p, r)
}

// apply applies the keys that are set.
func (s *settings) apply(p *Policy, r *reader) {
	s.mode(p, r)
	s.identity(p, r)
	s.Adapt.read(p, r)
	s.process(p, r)
	s.Hooks.read(p, r)
}

// audited returns the policy with the changes of [audit]; nil if there are none.
func (s *settings) audited(p *Policy, r *reader) *Policy {
	if s == nil || reflect.ValueOf(*s).IsZero() {
		return nil
	}
	q := *p
	q.Rules, q.Audit = nil, nil
	r = r.in("audit.")
	s.apply(&q, r)
	if q.Mode.Exempts() {
		r.fail("mode", "%q enforces nothing\nhint: what is audited beside a rule has to be stricter, \"rewrite\" or \"refuse\"", q.Mode)
	}
	return &q
}

// rules reads the list of rules.
func (f *file) rules(p *Policy, r *reader) {
	if len(f.Rules) == 0 {
		return
	}
	names := make(map[string]bool, len(f.Rules))
	// There may be hundreds of rules, read for each container, so allocate them at once.
	p.Rules = make([]Rule, 0, len(f.Rules))
	policies := make([]Policy, len(f.Rules))
	in := &reader{file: r.file, data: r.data, outer: r}
	for i, one := range f.Rules {
		in.rule = i + 1
		rule := one.read(p, f.Audit, &policies[i], in)
		if names[rule.Name] {
			in.fail("name", "%q is another rule's, too", rule.Name)
		}
		names[rule.Name] = true
		if rule.Policy.Range.First != 0 {
			in.apart(&rule, p.Rules)
		}
		p.Rules = append(p.Rules, rule)
	}
	in.evades(p.Rules)
}

// apart refuses a rule with a range that overlaps an earlier rule's, if the two divide it into different blocks.
func (r *reader) apart(rule *Rule, before []Rule) {
	for i := range before {
		if before[i].Policy != nil && asunder(rule.Policy, before[i].Policy) { // a rule that is read later has no range
			r.fail("identity.range", "it overlaps the range of the rule %q, %s, which has another block size: ids of one would lie in blocks of the other", before[i].Name, Ranges{before[i].Policy.Range})
			return
		}
	}
}

// read makes a rule, with q as its policy. The general part's [audit] applies beside it, too, unless the rule has one
// of its own or exempts.
func (f *ruleFile) read(p *Policy, general *settings, q *Policy, r *reader) Rule {
	m := &f.Match
	rule := Rule{Match: Match{Engine: m.Engine, Root: m.Root, Namespace: m.Namespace, Pod: m.Pod, Container: m.Container, Image: m.Image}}
	if f.Name != nil {
		rule.Name = *f.Name
	}
	if !validRule(rule.Name) {
		r.fail("name", "%q is not a name for a rule\nhint: use up to 64 letters, digits, spaces, \"_\", \".\" and \"-\", but not \"default\" or \"build\"", rule.Name)
	}
	for _, part := range []struct {
		key      string
		patterns Patterns
	}{
		{"engine", m.Engine}, {"root", m.Root}, {"namespace", m.Namespace}, {"pod", m.Pod}, {"container", m.Container}, {"image", m.Image},
	} {
		if err := part.patterns.check(); err != nil {
			r.fail("match."+part.key, "%s", err)
		}
	}
	for key, patterns := range m.Annotations {
		if rule.Match.Annotations == nil {
			rule.Match.Annotations = map[string]Patterns{}
		}
		rule.Match.Annotations[key] = patterns
		if err := Patterns(patterns).check(); err != nil {
			r.fail("match.annotations", "%s", err)
		}
	}
	*q = *p
	q.Rules, q.Audit, q.General, q.Reason, q.Rule = nil, nil, nil, "", rule.Name
	f.settings.apply(q, r)
	q.Audit = f.Audit.audited(q, r)
	if q.Audit == nil && !q.Mode.Exempts() {
		q.Audit = general.audited(q, r)
	}
	if q.Mode.Exempts() {
		if err := rule.Match.exempts(); err != nil {
			r.fail("mode", "%q: %s", q.Mode, err)
		}
	}
	f.chosen(&rule.Match, q, p, r)
	if asunder(q, p) {
		r.fail("identity.range", "it overlaps the general part's, %s, which has another block size: ids of one would lie in blocks of the other", Ranges{p.Range})
	}
	rule.Until = f.until(r)
	rule.Policy = q
	return rule
}

// until returns the end of the named day: a TOML local date, or the same as text.
func (f *ruleFile) until(r *reader) time.Time {
	if f.Until == nil {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, fmt.Sprint(f.Until))
	if err != nil {
		r.fail("until", "%s is not a date such as 2027-01-31", asWritten(f.Until))
	}
	return day.AddDate(0, 0, 1)
}

// asWritten formats a value of any type for a message.
func asWritten(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return quote.Text(fmt.Sprint(v), quote.MaxValue)
}

// validRule keeps names readable in records and logs.
func validRule(s string) bool {
	if s == "" || len(s) > 64 || s == "default" || s == "build" || strings.TrimSpace(s) != s {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && r != ' ' && r != '_' && r != '.' && r != '-'
	}) < 0
}

// reader collects the faults that it finds, each with its position.
type reader struct {
	file   string
	data   []byte
	rule   int    // the rule that is being read, from 1; 0: none
	prefix string // of the keys: the part that is being read
	outer  *reader
	faults []error
}

// in returns the reader for a part of the file.
func (r *reader) in(prefix string) *reader {
	return &reader{file: r.file, data: r.data, prefix: prefix, outer: r}
}

func (r *reader) fail(key, format string, args ...any) {
	if r.outer != nil {
		if r.rule > 0 {
			key = "rule[" + strconv.Itoa(r.rule) + "]." + key
		}
		r.outer.fail(r.prefix+key, format, args...)
		return
	}
	line, column := Position(r.data, key)
	r.faults = append(r.faults, &Fault{r.file, line, column, key + ": " + fmt.Sprintf(format, args...)})
}

// annotationKey reports whether a key is an annotation's own name: rule[1].match.annotations.NAME. Package regexp would
// cost each call of the runtime a tenth of a millisecond.
func annotationKey(key string) bool {
	rest, ok := strings.CutPrefix(key, "rule[")
	number, rest, closed := strings.Cut(rest, "]")
	return ok && closed && number != "" && strings.Trim(number, "0123456789") == "" && strings.HasPrefix(rest, ".match.annotations.")
}

// spelling refuses a key that differs from a known one only in case: TOML's keys are case-sensitive, but the library
// ignores case.
//
// The lines of most files show that they can't contain such a key; only the others are parsed a second time.
func (r *reader) spelling() {
	if plainKeys(r.data) {
		return
	}
	walk(r.data, func(key string, _ unstable.Range) bool {
		if key == "rule" || strings.HasPrefix(key, "rule.") {
			r.fail(key, "rules are an array of tables\nhint: write [[rule]]")
			return false
		}
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_.[]0123456789") == "" || annotationKey(key) {
			return true
		}
		r.fail(key, "unknown key\nhint: %s", unknownKey(key))
		return false
	})
}

// plainKeys reports whether no line can have a key with anything but lower-case letters, and no [rule] is written
// instead of [[rule]]. It checks more than keys: each whole line except for comments and for what follows a "=" that
// opens no table.
func plainKeys(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimLeft(line, " \t")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if key, _, assigns := bytes.Cut(line, []byte("=")); assigns && bytes.IndexByte(line, '{') < 0 {
			line = key
		}
		for _, c := range line {
			if !plainKey(c) {
				return false
			}
		}
		if name := bytes.TrimLeft(bytes.TrimPrefix(line, []byte("[")), " \t"); bytes.HasPrefix(name, []byte("rule")) {
			return false
		}
	}
	return true
}

// plainKey reports whether a byte occurs in known keys, or may stand around them.
func plainKey(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z':
		return true
	case c == '_', c == '.', c == '[', c == ']', c == ' ', c == '\t', c == '\r', c == '\n':
		return true
	}
	return false
}

// oneOf sets the value that belongs to a word, if the key is set.
func oneOf[T any](r *reader, key string, set *string, names []string, values []T, to *T) {
	if set == nil {
		return
	}
	for i, n := range names {
		if n == *set {
			*to = values[i]
			return
		}
	}
	r.fail(key, "%q is not one of %s", *set, strings.Join(names, ", "))
}

func (s *settings) mode(p *Policy, r *reader) {
	modes := []Mode{Rewrite, Refuse, Audit, Off}
	oneOf(r, "mode", s.Mode, []string{"rewrite", "refuse", "audit", "off"}, modes, &p.Mode)
	if s.Reason != nil {
		p.Reason = *s.Reason
	}
	if p.Mode == Off && strings.TrimSpace(p.Reason) == "" {
		r.fail("mode", "\"off\" exempts containers and needs a reason\nhint: add reason = \"why\"")
	}
}

func (f *file) basics(p *Policy, r *reader) {
	oneOf(r, "existing", f.Existing, []string{"enforce", "leave"}, []Mode{Rewrite, Off}, &p.Existing)
	oneOf(r, "restore", f.Restore, []string{"refuse", "allow"}, []bool{false, true}, &p.Restore)
	if f.State != nil {
		if p.State = *f.State; !cleanPath(p.State) || p.State == "/" {
			r.fail("state", "%q is not a clean absolute path of a directory", p.State)
		}
	}
	if f.Runtimes == nil {
		return
	}
	if len(f.Runtimes) == 0 {
		r.fail("runtimes", "the list is empty\nhint: name at least one runtime, such as \"runc\"")
	}
	for _, name := range f.Runtimes {
		if name == "" || strings.Contains(name, "/") && (!path.IsAbs(name) || path.Clean(name) != name) || strings.ContainsRune(name, 0) {
			r.fail("runtimes", "%q is neither a name such as \"runc\" nor a clean absolute path", name)
		}
	}
	p.Runtimes = f.Runtimes
}

func (s *settings) identity(p *Policy, r *reader) {
	id := &s.Identity
	number := func(key string, set *int64, to *ID) {
		if set == nil {
			return
		}
		if *set < 1 || *set > MaxID {
			r.fail(key, "%d is not from 1 to %d", *set, MaxID)
			return
		}
		*to = ID(*set) // its bounds were checked just above
	}
	number("identity.uid", id.UID, &p.UID)
	number("identity.gid", id.GID, &p.GID)
	if id.Name != nil {
		if p.Name = *id.Name; !validName(p.Name) {
			r.fail("identity.name", "%q is not a user name\nhint: use up to 32 of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", and begin with a letter or \"_\"", p.Name)
		}
	}
	if id.Sources != nil {
		p.Sources = nil
		for _, s := range id.Sources {
			source := Fixed
			oneOf(r, "identity.sources", &s, []string{"requested", "listed", "kept", "joined", "volume", "prepared", "image", "fixed"}, []Source{Requested, Listed, Kept, Joined, Volume, Prepared, Image, Fixed}, &source)
			p.Sources = append(p.Sources, source)
		}
		if len(p.Sources) == 0 || p.Sources[len(p.Sources)-1] != Fixed {
			r.fail("identity.sources", "the last source must be \"fixed\", as only it has an identity for every container")
		}
	}
	if id.Requests != nil {
		p.Annotation, p.Variable = false, false
	}
	for _, s := range id.Requests {
		var heard *bool
		oneOf(r, "identity.requests", &s, []string{"annotation", "environment"}, []*bool{&p.Annotation, &p.Variable}, &heard)
		if heard != nil {
			*heard = true
		}
	}
	if id.AllowedUIDs != nil {
		p.AllowedUIDs = r.ranges("identity.allowed_uids", id.AllowedUIDs)
	}
	if id.AllowedGIDs != nil {
		numbers, names := r.groups("identity.allowed_gids", id.AllowedGIDs)
		p.AllowedGIDs, p.AllowedGroups = r.ranges("identity.allowed_gids", numbers), names
	}
	if id.PrivilegedGroups != nil {
		p.Privileged = id.PrivilegedGroups
	}
	s.addedGroups(p, r)
	s.eachTheirOwn(p, r)
}

// addedGroups reads the groups that every process gets without asking.
func (s *settings) addedGroups(p *Policy, r *reader) {
	if s.Identity.Groups != nil {
		numbers, names := r.groups("identity.groups", s.Identity.Groups)
		p.ExtraGIDs, p.ExtraGroups = nil, names
		for _, n := range numbers {
			id, err := ids.Parse(asWritten(n))
			if err != nil {
				r.fail("identity.groups", "%q is neither a gid from 1 to %d nor a group's name", asWritten(n), MaxID)
			}
			p.ExtraGIDs = append(p.ExtraGIDs, id)
		}
	}
	if s.Identity.DeviceGroups != nil {
		p.DeviceGroups = append([]string(nil), s.Identity.DeviceGroups...)
		if err := Patterns(p.DeviceGroups).check(); err != nil {
			r.fail("identity.device_groups", "%s", err)
		}
	}
}

// eachTheirOwn reads ranges and the lists of people.
func (s *settings) eachTheirOwn(p *Policy, r *reader) {
	id := &s.Identity
	if id.Range != nil {
		var err error
		if *id.Range == "" {
			p.Range, p.Block = Range{}, 0
		} else if p.Range, err = parseRange(*id.Range); err != nil || p.Range.First == p.Range.Last {
			r.fail("identity.range", "%q is not a range of ids such as \"100000-165535\"", *id.Range)
		}
	}
	if size := int64(p.Range.Last) - int64(p.Range.First) + 1; id.Block == nil && int64(p.Block) > size {
		r.fail("identity.range", "%q has fewer ids than identity.block says a namespace has, %d", *id.Range, p.Block)
	}
	oneOf(r, "identity.share", id.Share, []string{"container", "pod", "namespace"}, []Share{ShareNone, SharePod, ShareNamespace}, &p.Share)
	if id.Block != nil {
		if size := int64(p.Range.Last) - int64(p.Range.First) + 1; *id.Block < 0 || *id.Block > 0 && (p.Range.First == 0 || *id.Block > size) {
			r.fail("identity.block", "%d is not a part of identity.range\nhint: set how many of its ids each namespace gets, such as 1000", *id.Block)
		} else {
			p.Block = ID(*id.Block) // #nosec G115 -- at most the range's size
		}
	}
	for _, f := range []struct {
		key string
		set *string
		to  *string
	}{{"users_file", id.UsersFile, &p.UsersFile}, {"groups_file", id.GroupsFile, &p.GroupsFile}} {
		if f.set == nil {
			continue
		}
		if *f.to = *f.set; !cleanPath(*f.set) {
			r.fail("identity."+f.key, "%q is not a clean absolute path", *f.set)
		}
	}
	if p.GroupsFile != "" && p.UsersFile == "" {
		r.fail("identity.groups_file", "it needs identity.users_file, whose accounts it lists groups for")
	}
}

// groups separates names of groups from numbers and ranges.
func (r *reader) groups(key string, list []any) (numbers []any, names []string) {
	for _, e := range list {
		name, isText := e.(string)
		switch {
		case !isText || name == "" || name[0] >= '0' && name[0] <= '9' || name[0] == '-':
			numbers = append(numbers, e)
		case name == "root" || !validName(name):
			r.fail(key, "%q is neither a gid from 1 to %d nor the name of a group other than root", name, MaxID)
		default:
			names = append(names, name)
		}
	}
	return numbers, names
}

func cleanPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0)
}

// ranges reads a list of ids and of ranges such as "1000-1999".
func (r *reader) ranges(key string, list []any) Ranges {
	var all Ranges
	for _, e := range list {
		one, err := parseRange(asWritten(e))
		if err != nil {
			r.fail(key, "%s", err)
			return nil
		}
		all = append(all, one)
	}
	return all
}

func (s *settings) process(p *Policy, r *reader) {
	oneOf(r, "home.mode", s.Home.Mode, []string{"auto", "always", "never"}, []homedir.Mode{homedir.Auto, homedir.Always, homedir.Never}, &p.HomeMode)
	if size := s.Home.Size; size != nil {
		if p.HomeSize = *size; !validSize(p.HomeSize) {
			r.fail("home.size", "%q is not a size\nhint: give a number with k, m, g or %%, such as \"256m\"", p.HomeSize)
		}
	}
	if home := s.Home.Path; home != nil {
		if p.HomePath = *home; !path.IsAbs(p.HomePath) || path.Clean(p.HomePath) != p.HomePath || strings.ContainsAny(p.HomePath, ":,\n\x00") {
			r.fail("home.path", "%q is not a clean absolute path without \":\" and \",\"", p.HomePath)
		} else if why := homedir.Reserved(p.HomePath); why != "" {
			r.fail("home.path", "%q can't be a home, it %s\nhint: name another place, such as \"/home/worker\"", p.HomePath, why)
		}
	}
	keepDrop := []bool{false, true}
	oneOf(r, "process.bounding", s.Process.Bounding, []string{"keep", "drop"}, keepDrop, &p.DropBounding)
	oneOf(r, "process.user_namespaces", s.Process.UserNamespaces, []string{"deny", "allow"}, keepDrop, &p.AllowUserNamespaces)
}

func (f *file) build(p *Policy, r *reader) {
	b := &f.Build
	oneOf(r, "build.mode", b.Mode, []string{"rewrite", "off"}, []Mode{Rewrite, Off}, &p.Build.Mode)
	if b.Reason != nil {
		p.Build.Reason = *b.Reason
	}
	if len(b.Bundles) > 0 && p.Build.Mode == Off && strings.TrimSpace(p.Build.Reason) == "" {
		r.fail("build.mode", "\"off\" exempts every build and needs a reason\nhint: add reason = \"why\"")
	}
	for _, dir := range b.Bundles {
		if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" {
			r.fail("build.bundles", "%q is not a clean absolute path of a builder's directory", dir)
		}
	}
	p.Build.Bundles = append(p.Build.Bundles, b.Bundles...)
}

// validName accepts what useradd(8) of Debian and of shadow-utils accept.
func validName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789.-", r)) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// validSize accepts tmpfs(5)'s size option, except 0: to the kernel that means no limit.
func validSize(s string) bool {
	digits := strings.TrimRight(s, "kKmMgG%")
	return len(s)-len(digits) <= 1 && digits != "" && digits[0] != '0' && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// Position finds a key in a file that is valid TOML, such as "table.key" or "rule[1].name". For a key that was not written, it is where
// the key would go: the beginning of the file.
func Position(data []byte, key string) (line, column int) {
	line, column = 1, 1
	walk(data, func(k string, at unstable.Range) bool {
		if k != key {
			return true
		}
		var p unstable.Parser
		p.Reset(data)
		start := p.Shape(at).Start
		line, column = start.Line, start.Column
		return false
	})
	return line, column
}

// walk calls a function with each key of a well-formed file, "table.key" or "array[N].key" with N from 1, and the key's
// position, until it returns false. It does not count lines: the library does that from the beginning of the file each
// time.
func walk(data []byte, each func(key string, at unstable.Range) bool) {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	counts := map[string]int{} // how many tables an array has so far
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			name, at := keyOf(e)
			if first, rest, sub := strings.Cut(name, "."); sub && counts[first] > 0 {
				name = fmt.Sprintf("%s[%d].%s", first, counts[first], rest)
			}
			if e.Kind == unstable.ArrayTable {
				counts[name]++
				name = fmt.Sprintf("%s[%d]", name, counts[name])
			}
			if !each(name, at) {
				return
			}
			table = name + "."
		case unstable.KeyValue:
			if !visit(e, table, each) {
				return
			}
		}
	}
}

// keyOf returns the dotted key of an expression, and its position.
func keyOf(e *unstable.Node) (name string, at unstable.Range) {
	for it := e.Key(); it.Next(); {
		if name == "" {
			at = it.Node().Raw
		} else {
			name += "."
		}
		name += string(it.Node().Data)
	}
	return name, at
}

// visit calls the function with one key, and with those of an inline table that is its value.
func visit(e *unstable.Node, table string, each func(string, unstable.Range) bool) (more bool) {
	name, at := keyOf(e)
	name = table + name
	more = each(name, at)
	if e.Value().Kind != unstable.InlineTable {
		return more
	}
	for it := e.Value().Children(); more && it.Next(); {
		more = visit(it.Node(), name+".", each)
	}
	return more
}
