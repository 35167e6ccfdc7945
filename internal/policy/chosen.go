// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// mayChoose lists the keys that a rule may set although its match depends on what others choose: the image's name,
// annotations, the names of pods. A user who can choose to be in such a rule must gain nothing that the general part
// does not give to all: a key either gives nothing by nature, or has a function that compares the rule's value with the
// general part's. A key that is not listed here may not be set by such a rule, so a new one stays closed until it has
// been considered.
var mayChoose = [...]choice{
	{"mode", func(rule, general *Policy) bool { return strictness(rule.Mode) >= strictness(general.Mode) }},
	{"reason", harmlessAlways},

	{"identity.uid", harmlessAlways}, // never 0, and no uid means more than another: the administrator chose it
	{"identity.gid", func(rule, general *Policy) bool { return rule.GID >= firstOrdinary || rule.GID == general.GID }},
	{"identity.name", harmlessAlways},
	{"identity.range", func(rule, general *Policy) bool {
		return rule.Range.First >= firstOrdinary || rule.Range == general.Range
	}},
	{"identity.share", harmlessAlways}, // only with the neighbours in its own pod or namespace
	{"identity.block", func(rule, general *Policy) bool { return general.Block == 0 || rule.Block == general.Block }},
	{"identity.sources", func(rule, general *Policy) bool {
		return narrows(rule.effectiveSources(), general.effectiveSources())
	}},
	{"identity.requests", func(rule, general *Policy) bool {
		return (!rule.Annotation || general.Annotation) && (!rule.Variable || general.Variable)
	}},
	{"identity.allowed_uids", func(rule, general *Policy) bool {
		if len(general.AllowedUIDs) == 0 { // it limits which uids are kept, but extends which may be requested and which ids of ranges may be used
			return len(rule.AllowedUIDs) == 0 || !rule.Annotation && !rule.Variable && general.Range.First == 0 && rule.Range.First == 0
		}
		return len(rule.AllowedUIDs) > 0 && rule.AllowedUIDs.within(general.AllowedUIDs)
	}},
	{"identity.allowed_gids", func(rule, general *Policy) bool {
		ordinary := append(Ranges{{firstOrdinary, MaxID}}, general.AllowedGIDs...)
		return rule.AllowedGIDs.within(ordinary) && !morePower(rule.AllowedGroups, general.AllowedGroups, general)
	}},
	{"identity.privileged_groups", func(rule, general *Policy) bool { return subset(general.Privileged, rule.Privileged) }},
	{"identity.groups", func(rule, general *Policy) bool {
		more := slices.ContainsFunc(rule.ExtraGIDs, func(g ID) bool { return g < firstOrdinary && !slices.Contains(general.ExtraGIDs, g) })
		return !more && !morePower(rule.ExtraGroups, general.ExtraGroups, general)
	}},
	{"identity.device_groups", func(rule, general *Policy) bool { return subset(rule.DeviceGroups, general.DeviceGroups) }},

	// These affect only the container's own layer, volumes and network.
	{"adapt.own", harmlessAlways},
	{"adapt.keep", harmlessAlways},
	{"adapt.working_directory", harmlessAlways},
	{"adapt.tmp", harmlessAlways},
	{"adapt.volumes", harmlessAlways},
	{"adapt.low_ports", harmlessAlways},
	{"adapt.group_root", harmlessAlways},
	{"adapt.applications", harmlessAlways},
	{"adapt.secrets", harmlessAlways},           // the container's own secrets, as root would read them
	{"adapt.emulate_ownership", harmlessAlways}, // no permission depends on it
	{"adapt.groups", func(rule, general *Policy) bool { return !rule.Adapt.Groups || general.Adapt.Groups }},

	{"home.mode", harmlessAlways},
	{"home.size", harmlessAlways},
	{"home.path", harmlessAlways},

	{"process.bounding", func(rule, general *Policy) bool { return rule.DropBounding || !general.DropBounding }},
	{"process.user_namespaces", func(rule, general *Policy) bool { return !rule.AllowUserNamespaces || general.AllowUserNamespaces }},

	{"hooks.allowed", func(rule, general *Policy) bool {
		return general.Hooks == nil || rule.Hooks != nil && !slices.ContainsFunc(rule.Hooks, func(hook string) bool {
			plain := !strings.ContainsAny(hook, `*?[\!`)
			return !slices.Contains(general.Hooks, hook) && (!plain || len(general.Hooks) == 0 || !general.Hooks.Take(hook))
		})
	}},
}

// choice is a key, with a function that reports whether the rule's value gives no more than the general part's.
type choice struct {
	key      string
	harmless func(rule, general *Policy) bool
}

// choiceOf returns the function of a key; nil if the key may not be set.
func choiceOf(key string) func(rule, general *Policy) bool {
	for i := range mayChoose {
		if mayChoose[i].key == key {
			return mayChoose[i].harmless
		}
	}
	return nil
}

// effectiveSources returns the sources that are ever reached: those after one that always has an identity are not.
func (p *Policy) effectiveSources() []Source {
	return p.Sources[:slices.Index(p.Sources, Fixed)+1]
}

// narrows reports whether the rule keeps the general part's sources in their order, and omits only those that let a
// container choose.
func narrows(rule, general []Source) bool {
	for _, s := range general {
		switch {
		case len(rule) > 0 && rule[0] == s:
			rule = rule[1:]
		case s != Requested && s != Kept && s != Joined && s != Volume && s != Prepared && s != Image:
			return false
		}
	}
	return len(rule) == 0
}

func harmlessAlways(_, _ *Policy) bool { return true }

// firstOrdinary is the first id that is not a system account's (login.defs(5), GID_MIN).
const firstOrdinary = 1000

// strictness orders the modes: a rule that others can choose must not have a lower one.
func strictness(m Mode) int { return slices.Index([]Mode{Off, Audit, Rewrite, Refuse}, m) }

// morePower reports whether some names are privileged groups that the general part does not have in the same place.
// Names are judged by custom (system groups are privileged); only the host's group file tells what a number means
// (chosenGroupsAreNoPower).
func morePower(names, than []string, general *Policy) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(general.Privileged, name) && !slices.Contains(than, name)
	})
}

func subset[T comparable](of, in []T) bool {
	return !slices.ContainsFunc(of, func(v T) bool { return !slices.Contains(in, v) })
}

// within reports whether each range is inside one of the others.
func (r Ranges) within(others Ranges) bool {
	return !slices.ContainsFunc(r, func(one Range) bool {
		return !slices.ContainsFunc(others, func(o Range) bool { return o.First <= one.First && one.Last <= o.Last })
	})
}

// givesMore returns the first key by which a rule gives its containers more than the general part does; "" if there is
// none.
func (s *settings) givesMore(rule, general *Policy) (key string) {
	for _, key := range keysSet("", reflect.ValueOf(s).Elem()) {
		if ok := choiceOf(key); ok == nil || !ok(rule, general) {
			return key
		}
	}
	return ""
}

// keysSet lists the keys that a part of the file sets, in the order of the struct.
func keysSet(prefix string, v reflect.Value) (keys []string) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Tag.Get("toml")
		switch {
		case f.Kind() == reflect.Struct:
			keys = append(keys, keysSet(prefix+name+".", f)...)
		case !f.IsNil():
			keys = append(keys, prefix+name)
		}
	}
	return keys
}

// chosenGroupsAreNoPower: a rule that depends on what others choose never gives a privileged group of the host by its
// number, unless the general part gives it to all.
func chosenGroupsAreNoPower(p *Policy, f *inquiry, d *Decision) error {
	general := p.General
	if general == nil || f.created != nil {
		return nil
	}
	for _, gid := range append([]uint32{d.Identity.GID}, d.Identity.Groups...) {
		if p.unprivileged(f, gid, f.hostGID(gid)) || general.allows(f, gid) || gid == uint32(general.GID) || general.adds(f, gid) {
			continue
		}
		return fmt.Errorf("the rule %q grants gid %d, which is privileged on this host, and whoever starts a container can choose to match that rule\nhint: leave the gid out of it, or match on namespace, engine or root", p.Rule, gid)
	}
	return nil
}

// adds reports whether a gid is one that every process gets.
func (p *Policy) adds(f *inquiry, gid uint32) bool {
	return slices.Contains(p.ExtraGIDs, ID(gid)) || slices.ContainsFunc(p.ExtraGroups, func(name string) bool {
		named, ok := f.hostGroup(name)
		return ok && named == gid
	})
}

// evades refuses a rule that others can choose to be in if it comes before a stricter one that they can't choose. The
// first rule that matches wins, so choosing the former would be a way out of the latter.
func (r *reader) evades(rules []Rule) {
	for i := range rules {
		if rules[i].Policy.General == nil {
			continue
		}
		for j := i + 1; j < len(rules); j++ {
			later := &rules[j]
			if later.Policy.General != nil || disjoint(&rules[i].Match, &later.Match) {
				continue
			}
			if key := rules[i].Policy.gives(later.Policy); key != "" {
				r.rule = i + 1
				r.fail("name", "it comes before the rule %q, which is stricter (%s), and whoever starts a container can choose to match this one\nhint: move it after that rule", later.Name, key)
				return
			}
		}
	}
}

// gives returns a key by which a policy gives more than another; "" if there is none.
func (p *Policy) gives(than *Policy) string {
	if p.UsersFile != than.UsersFile || p.GroupsFile != than.GroupsFile {
		return "identity.users_file"
	}
	for i := range mayChoose {
		if !mayChoose[i].harmless(p, than) {
			return mayChoose[i].key
		}
	}
	return ""
}

// disjoint reports whether no container matches both, as far as names without patterns tell.
func disjoint(a, b *Match) bool {
	for _, of := range [][2]Patterns{{a.Engine, b.Engine}, {a.Root, b.Root}, {a.Namespace, b.Namespace}} {
		plain := func(ps Patterns) bool {
			return len(ps) > 0 && !slices.ContainsFunc(ps, func(p string) bool { return strings.ContainsAny(p, `*?[\!`) })
		}
		if plain(of[0]) && plain(of[1]) && !slices.ContainsFunc(of[0], func(p string) bool { return slices.Contains(of[1], p) }) {
			return true
		}
	}
	return false
}

// chosen refuses a rule that others can choose to be in and that gives more than the general part does.
func (f *ruleFile) chosen(m *Match, rule, general *Policy, r *reader) {
	if m.Unbounded() || m.exempts() == nil {
		return
	}
	rule.General = general
	if key := f.settings.givesMore(rule, general); key != "" {
		r.fail(key, "it grants more than the general part does, and whoever starts a container can choose to match it\nhint: match on namespace, engine or root, or leave it out")
	}
}
