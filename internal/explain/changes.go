// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Change is one difference in meaning between the requested config.json and the one that the runtime gets.
type Change struct {
	What    string `json:"what"`
	Asked   string `json:"asked"`   // "": it was missing
	Decided string `json:"decided"` // "": it was removed
}

// changes compares two config.json by meaning. A difference without a name of its own is reported as "the rest": none
// is left out.
func changes(was, will *specs.Spec) []Change {
	all := []Change{}
	add := func(what, a, b string) {
		if a != b {
			all = append(all, Change{what, a, b})
		}
	}
	a, b := was.Process, will.Process
	add("user", ids(a.User), ids(b.User))
	add("additional groups", numbers(a.User.AdditionalGids), numbers(b.User.AdditionalGids))
	for _, set := range []struct {
		name string
		of   func(*specs.LinuxCapabilities) []string
	}{
		{"effective", func(c *specs.LinuxCapabilities) []string { return c.Effective }},
		{"permitted", func(c *specs.LinuxCapabilities) []string { return c.Permitted }},
		{"inheritable", func(c *specs.LinuxCapabilities) []string { return c.Inheritable }},
		{"ambient", func(c *specs.LinuxCapabilities) []string { return c.Ambient }},
		{"bounding", func(c *specs.LinuxCapabilities) []string { return c.Bounding }},
	} {
		add(set.name+" capabilities", capabilities(a.Capabilities, set.of), capabilities(b.Capabilities, set.of))
	}
	add("noNewPrivileges", fmt.Sprint(a.NoNewPrivileges), fmt.Sprint(b.NoNewPrivileges))
	all = append(all, environment(a.Env, b.Env)...)
	all = append(all, lists("mount", texts(was.Mounts, mountText), texts(will.Mounts, mountText))...)
	all = append(all, lists("device", texts(was.Linux.Devices, deviceText), texts(will.Linux.Devices, deviceText))...)
	all = append(all, lists("rule for devices", texts(deviceRules(was), deviceRuleText), texts(deviceRules(will), deviceRuleText))...)
	all = append(all, seccomp(was.Linux.Seccomp, will.Linux.Seccomp)...)
	add("user namespace", userNamespace(was), userNamespace(will))
	for _, key := range sortedKeys(will.Linux.Sysctl) {
		if old := was.Linux.Sysctl[key]; old != will.Linux.Sysctl[key] {
			add(fmt.Sprintf("sysctl %q", key), old, fmt.Sprintf("%q", will.Linux.Sysctl[key]))
		}
	}
	for _, key := range sortedKeys(was.Linux.Sysctl) {
		if _, stays := will.Linux.Sysctl[key]; !stays {
			add(fmt.Sprintf("sysctl %q", key), fmt.Sprintf("%q", was.Linux.Sysctl[key]), "")
		}
	}
	for _, key := range sortedKeys(was.Annotations) {
		if _, stays := will.Annotations[key]; !stays {
			add(fmt.Sprintf("annotation %q", key), fmt.Sprintf("%q", was.Annotations[key]), "")
		}
	}
	if !reflect.DeepEqual(rest(was), rest(will)) {
		add("the rest of config.json", "as it was", "something else")
	}
	return all
}

// rest returns the meaning of a config.json without the parts that are compared one by one.
func rest(s *specs.Spec) any {
	r := *s
	process, linux := *s.Process, *s.Linux
	process.User.UID, process.User.GID, process.User.AdditionalGids = 0, 0, nil
	process.Capabilities, process.NoNewPrivileges, process.Env = nil, false, nil
	linux.Seccomp, linux.Sysctl, linux.Devices = nil, nil, nil
	if linux.Resources != nil {
		resources := *linux.Resources
		resources.Devices = nil
		linux.Resources = &resources
	} else {
		linux.Resources = &specs.LinuxResources{}
	}
	linux.Namespaces = slices.DeleteFunc(slices.Clone(linux.Namespaces), func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
	r.Process, r.Linux, r.Mounts, r.Annotations = &process, &linux, nil, nil
	var meaning any
	if text, err := json.Marshal(&r); err == nil {
		_ = json.Unmarshal(text, &meaning) // Marshal wrote it
	}
	return meaning
}

func ids(u specs.User) string { return fmt.Sprintf("%d:%d", u.UID, u.GID) }

func numbers(all []uint32) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(all)), ", "), "[]")
}

func capabilities(c *specs.LinuxCapabilities, of func(*specs.LinuxCapabilities) []string) string {
	if c == nil || len(of(c)) == 0 {
		return ""
	}
	return strings.Join(of(c), ", ")
}

// environment lists the entries that were removed and those that were added, each in order.
func environment(was, will []string) []Change {
	var all []Change
	gone := without(was, will)
	for _, e := range without(will, was) {
		name, _, _ := strings.Cut(e, "=")
		old := ""
		for i, g := range gone {
			if strings.HasPrefix(g, name+"=") {
				old = fmt.Sprintf("%q", g[len(name)+1:])
				gone = slices.Delete(gone, i, i+1)
				break
			}
		}
		all = append(all, Change{fmt.Sprintf("environment %q", name), old, fmt.Sprintf("%q", e[min(len(e), len(name)+1):])})
	}
	for _, g := range gone {
		name, value, _ := strings.Cut(g, "=")
		all = append(all, Change{fmt.Sprintf("environment %q", name), fmt.Sprintf("%q", value), ""})
	}
	return all
}

// without lists the entries of one list that are not in the other; an entry that occurs twice must occur twice there.
func without(these, those []string) []string {
	count := map[string]int{}
	for _, t := range those {
		count[t]++
	}
	var left []string
	for _, t := range these {
		if count[t]--; count[t] < 0 {
			left = append(left, t)
		}
	}
	return left
}

// lists lists the entries that were removed and those that were added.
func lists(what string, was, will []string) []Change {
	var all []Change
	for _, e := range without(was, will) {
		all = append(all, Change{what, e, ""})
	}
	for _, e := range without(will, was) {
		all = append(all, Change{what, "", e})
	}
	return all
}

func texts[T any](all []T, text func(T) string) (out []string) {
	for _, e := range all {
		out = append(out, text(e))
	}
	return out
}

func deviceText(d specs.LinuxDevice) string {
	uid, gid, mode := uint32(0), uint32(0), "none"
	if d.UID != nil {
		uid = *d.UID
	}
	if d.GID != nil {
		gid = *d.GID
	}
	if d.FileMode != nil {
		mode = fmt.Sprintf("%04o", *d.FileMode&0o7777)
	}
	return fmt.Sprintf("%q: %s %d:%d of %d:%d, mode %s", d.Path, d.Type, d.Major, d.Minor, uid, gid, mode)
}

func deviceRules(s *specs.Spec) []specs.LinuxDeviceCgroup {
	if s.Linux.Resources == nil {
		return nil
	}
	return s.Linux.Resources.Devices
}

func deviceRuleText(r specs.LinuxDeviceCgroup) string {
	verb, kind := "deny", r.Type
	if r.Allow {
		verb = "allow"
	}
	if kind == "" {
		kind = "a"
	}
	number := func(n *int64) string {
		if n == nil {
			return "*"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("%s %s %s:%s %s", verb, kind, number(r.Major), number(r.Minor), r.Access)
}

func mountText(m specs.Mount) string {
	out := fmt.Sprintf("%q: %q of %q, %q", m.Destination, m.Type, m.Source, strings.Join(m.Options, ","))
	if len(m.UIDMappings)+len(m.GIDMappings) > 0 {
		out += ", idmapped"
	}
	return out
}

// seccomp names the system calls with different rules.
func seccomp(was, will *specs.LinuxSeccomp) []Change {
	if reflect.DeepEqual(was, will) {
		return nil
	}
	if was == nil {
		was = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
		return append([]Change{{"seccomp", "none", "a profile"}}, calls(was, will)...)
	}
	if will == nil {
		return []Change{{"seccomp", "a profile", "none"}}
	}
	return calls(was, will)
}

func calls(was, will *specs.LinuxSeccomp) []Change {
	var all []Change
	a, b := rules(was), rules(will)
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		before, after := strings.Join(a[name], "; "), strings.Join(b[name], "; ")
		if before == after {
			continue
		}
		for _, s := range []*string{&before, &after} {
			if *s == "" {
				*s = "the default"
			}
		}
		all = append(all, Change{fmt.Sprintf("seccomp %q", name), before, after})
	}
	one, other := *was, *will
	one.Syscalls, other.Syscalls = nil, nil
	if len(was.Architectures) == 0 && len(was.Syscalls) == 0 { // there was none
		one.Architectures, other.Architectures = nil, nil
	}
	if !reflect.DeepEqual(one, other) {
		all = append(all, Change{"seccomp profile", shape(&one), shape(&other)})
	}
	return all
}

func shape(s *specs.LinuxSeccomp) string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// rules returns those of each system call, in order.
func rules(s *specs.LinuxSeccomp) map[string][]string {
	all := map[string][]string{}
	for _, rule := range s.Syscalls {
		text := strings.TrimPrefix(string(rule.Action), "SCMP_ACT_")
		if rule.ErrnoRet != nil {
			text += fmt.Sprintf("(%d)", *rule.ErrnoRet)
		}
		for i, arg := range rule.Args {
			text += fmt.Sprintf("%s arg%d %s %#x/%#x", [2]string{" if", " and"}[min(i, 1)], arg.Index, strings.TrimPrefix(string(arg.Op), "SCMP_CMP_"), arg.Value, arg.ValueTwo)
		}
		for _, name := range rule.Names {
			all[name] = append(all[name], fmt.Sprintf("%q", text))
		}
	}
	return all
}

// userNamespace describes the container's user namespace. One that is joined reaches the runtime as an open descriptor
// of the same namespace.
func userNamespace(s *specs.Spec) string {
	for _, n := range s.Linux.Namespaces {
		if n.Type != specs.UserNamespace {
			continue
		}
		if n.Path == "" {
			return "a new one"
		}
		return "one that is joined"
	}
	return "the host's"
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// before reconstructs the config.json that a rewritten one was made from: with the requested user, and without our
// mounts. Everything else stays as it is now.
func before(now *specs.Spec, rec *decision.Decision, ours func(spec.Mount) bool) *specs.Spec {
	then := *now
	process := *now.Process
	process.User.UID, process.User.GID, process.User.AdditionalGids = rec.Asked.UID, rec.Asked.GID, rec.Asked.Groups
	then.Process = &process
	then.Mounts = slices.DeleteFunc(slices.Clone(now.Mounts), func(m specs.Mount) bool {
		return ours(spec.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
	})
	return &then
}
