// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
)

// Setting is the value of a key of the policy file, and where it was set. It is for people (nonroot-ctl config show);
// decisions use Policy's fields.
type Setting struct {
	Key   string `json:"key"`            // as docs/policy.md writes it: "table.key"
	Value any    `json:"value"`          // text, a number, true or false, or a list; nil: it has none
	Line  int    `json:"line,omitempty"` // of the policy file, from 1; 0: it is not set there
}

// Effective is a whole policy, key by key.
type Effective struct {
	Settings []Setting       `json:"settings"`        // the general part: every key
	Audit    []Setting       `json:"audit,omitempty"` // [audit]: the keys that are set
	Rules    []EffectiveRule `json:"rules,omitempty"`
}

// EffectiveRule is a rule: the keys that it sets.
type EffectiveRule struct {
	Name     string    `json:"name"`
	Line     int       `json:"line"`
	Settings []Setting `json:"settings"`
	Audit    []Setting `json:"audit,omitempty"`
}

// Effective lists the value of each key. Text must be the file's, and every rule must have its policy (Parse).
func (p *Policy) Effective() Effective {
	lines := p.lines()
	e := Effective{Settings: append(p.general(), p.shared()...)}
	place(e.Settings, lines, "")
	if p.Audit != nil {
		e.Audit = written(p.Audit.shared(), lines, "audit.")
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		table := fmt.Sprintf("rule[%d]", i+1)
		one := EffectiveRule{Name: r.Name, Line: lines[table], Settings: written(append(r.settings(), r.Policy.shared()...), lines, table+".")}
		if r.Policy.Audit != nil {
			one.Audit = written(r.Policy.Audit.shared(), lines, table+".audit.")
		}
		e.Rules = append(e.Rules, one)
	}
	return e
}

// ForRule lists the value of each key for the containers of a rule: the rule's, else the general part's; nil if there
// is no such rule.
func (p *Policy) ForRule(name string) []Setting {
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Name != name {
			continue
		}
		lines := p.lines()
		all := append(p.general(), r.Policy.shared()...)
		place(all, lines, "")
		place(all, lines, fmt.Sprintf("rule[%d].", i+1))
		return all
	}
	return nil
}

// place records the lines of the settings that a part of the file sets.
func place(all []Setting, lines map[string]int, table string) {
	for i := range all {
		if line := lines[table+all[i].Key]; line > 0 {
			all[i].Line = line
		}
	}
}

// written returns the settings that a part of the file sets.
func written(all []Setting, lines map[string]int, table string) []Setting {
	place(all, lines, table)
	set := all[:0]
	for _, s := range all {
		if s.Line > 0 {
			set = append(set, s)
		}
	}
	return set
}

// lines maps each key of the file to its line: "table.key", "rule[1]", "rule[1].key".
func (p *Policy) lines() map[string]int {
	lines := map[string]int{}
	var parser unstable.Parser
	parser.Reset(p.Text)
	walk(p.Text, func(key string, at unstable.Range) bool {
		if annotationKey(key) { // what follows is an annotation's own name
			table, _, _ := strings.Cut(key, ".annotations.")
			key = table + ".annotations"
		}
		if lines[key] == 0 {
			lines[key] = parser.Shape(at).Start.Line
		}
		return true
	})
	return lines
}

// general returns the settings that only the general part has.
func (p *Policy) general() []Setting {
	return []Setting{
		{Key: "runtimes", Value: p.Runtimes},
		{Key: "existing", Value: pick(p.Existing == Off, "leave", "enforce")},
		{Key: "restore", Value: pick(p.Restore, "allow", "refuse")},
		{Key: "state", Value: p.State},
		{Key: "build.mode", Value: string(p.Build.Mode)},
		{Key: "build.reason", Value: optional(p.Build.Reason)},
		{Key: "build.bundles", Value: list(p.Build.Bundles)},
		{Key: "log.file", Value: optional(p.Log.File)},
		{Key: "log.syslog", Value: p.Log.Syslog},
		{Key: "log.journald", Value: p.Log.Journald},
		{Key: "log.required", Value: p.Log.Required},
	}
}

// shared returns the settings that rules and [audit] have, too.
func (p *Policy) shared() []Setting {
	a := &p.Adapt
	var requests []string
	if p.Annotation {
		requests = append(requests, "annotation")
	}
	if p.Variable {
		requests = append(requests, "environment")
	}
	var sources []string
	for _, s := range p.Sources {
		sources = append(sources, string(s))
	}
	var hooks any
	if p.Hooks != nil {
		hooks = list(p.Hooks)
	}
	idRange := ""
	if p.Range.First != 0 {
		idRange = Ranges{p.Range}.String()
	}
	return []Setting{
		{Key: "mode", Value: string(p.Mode)},
		{Key: "reason", Value: optional(p.Reason)},
		{Key: "identity.uid", Value: p.UID},
		{Key: "identity.gid", Value: p.GID},
		{Key: "identity.name", Value: p.Name},
		{Key: "identity.sources", Value: list(sources)},
		{Key: "identity.requests", Value: list(requests)},
		{Key: "identity.allowed_uids", Value: mixed(p.AllowedUIDs, nil)},
		{Key: "identity.allowed_gids", Value: mixed(p.AllowedGIDs, p.AllowedGroups)},
		{Key: "identity.privileged_groups", Value: list(p.Privileged)},
		{Key: "identity.groups", Value: mixed(ofIDs(p.ExtraGIDs), p.ExtraGroups)},
		{Key: "identity.device_groups", Value: list(p.DeviceGroups)},
		{Key: "identity.range", Value: idRange},
		{Key: "identity.share", Value: string(p.Share)},
		{Key: "identity.block", Value: p.Block},
		{Key: "identity.users_file", Value: optional(p.UsersFile)},
		{Key: "identity.groups_file", Value: optional(p.GroupsFile)},
		{Key: "adapt.own", Value: list(a.Own)},
		{Key: "adapt.keep", Value: list(a.Keep)},
		{Key: "adapt.working_directory", Value: a.WorkingDir},
		{Key: "adapt.tmp", Value: a.Tmp},
		{Key: "adapt.volumes", Value: a.Volumes},
		{Key: "adapt.low_ports", Value: a.LowPorts},
		{Key: "adapt.groups", Value: a.Groups},
		{Key: "adapt.group_root", Value: a.GroupRoot},
		{Key: "adapt.applications", Value: a.Applications},
		{Key: "adapt.secrets", Value: a.Secrets},
		{Key: "adapt.emulate_ownership", Value: a.EmulateOwnership},
		{Key: "home.mode", Value: homeMode(p.HomeMode)},
		{Key: "home.size", Value: p.HomeSize},
		{Key: "home.path", Value: optional(p.HomePath)},
		{Key: "process.bounding", Value: pick(p.DropBounding, "drop", "keep")},
		{Key: "process.user_namespaces", Value: pick(p.AllowUserNamespaces, "allow", "deny")},
		{Key: "hooks.allowed", Value: hooks},
	}
}

// settings returns the keys that only rules have.
func (r *Rule) settings() []Setting {
	m := &r.Match
	var annotations map[string][]string
	for key, patterns := range m.Annotations {
		if annotations == nil {
			annotations = map[string][]string{}
		}
		annotations[key] = patterns
	}
	return []Setting{
		{Key: "name", Value: r.Name},
		{Key: "until", Value: optional(r.LastDay())},
		{Key: "match.engine", Value: list(m.Engine)},
		{Key: "match.root", Value: list(m.Root)},
		{Key: "match.namespace", Value: list(m.Namespace)},
		{Key: "match.pod", Value: list(m.Pod)},
		{Key: "match.container", Value: list(m.Container)},
		{Key: "match.image", Value: list(m.Image)},
		{Key: "match.annotations", Value: annotations},
	}
}

func pick(yes bool, set, unset string) string {
	if yes {
		return set
	}
	return unset
}

// optional turns an empty text into nil.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// list never returns nil, which would mean that the key has no value.
func list(of []string) []string { return append([]string{}, of...) }

// mixed returns a list of ids, ranges of them and names of groups.
func mixed(ranges Ranges, names []string) []any {
	all := []any{}
	for _, r := range ranges {
		if r.First == r.Last {
			all = append(all, r.First)
		} else {
			all = append(all, Ranges{r}.String())
		}
	}
	for _, n := range names {
		all = append(all, n)
	}
	return all
}

func ofIDs(ids []ID) Ranges {
	var all Ranges
	for _, id := range ids {
		all = append(all, Range{id, id})
	}
	return all
}

func homeMode(m homedir.Mode) string {
	switch m {
	case homedir.Always:
		return "always"
	case homedir.Never:
		return "never"
	}
	return "auto"
}
