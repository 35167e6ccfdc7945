// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Machine holds what a seccomp filter has to know about the processor.
type Machine struct {
	architectures []string // for a filter made from scratch: those with system calls that the kernel answers
	cloneFlags    uint64   // which argument of clone holds the flags
}

// MachineOf returns the machine of a GOARCH. Unknown ones are refused: a filter for the wrong system call numbers
// protects nothing.
//
// clone's argument order is from clone(2), "C library/kernel differences".
func MachineOf(goarch string) (Machine, error) {
	switch goarch {
	case "amd64":
		return Machine{[]string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}, 0}, nil
	case "arm64":
		return Machine{[]string{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}, 0}, nil
	case "ppc64le":
		return Machine{[]string{"SCMP_ARCH_PPC64LE"}, 0}, nil
	case "riscv64":
		return Machine{[]string{"SCMP_ARCH_RISCV64"}, 0}, nil
	case "s390x":
		return Machine{[]string{"SCMP_ARCH_S390X", "SCMP_ARCH_S390"}, 1}, nil
	}
	return Machine{}, fmt.Errorf("no seccomp filter against user namespaces is known for the processor %q", goarch)
}

const (
	cloneNewUser = 0x10000000 // CLONE_NEWUSER of <linux/sched.h>
	eperm        = 1
	enosys       = 38
)

// guarded lists the four system calls that lead into a user namespace. A filter can check the flags of unshare and
// clone. clone3's are in memory, which a filter can't read: the call fails with ENOSYS, and C libraries, Go, Java and
// node fall back to clone. setns to any other kind of namespace needs CAP_SYS_ADMIN, which no process in the container
// has, so nothing is lost by refusing it altogether.
var guarded = []string{"clone", "unshare", "setns", "clone3"}

func (m Machine) flagsArg(call string) uint64 {
	if call == "clone" {
		return m.cloneFlags
	}
	return 0
}

// denyUserNamespaces narrows the container's seccomp profile, or adds one, so that no process in it enters a new user
// namespace, where it would have uid 0 and every capability (SECURITY.md B1-B3).
//
// A deny rule beside an unconditional allow rule has no effect: in libseccomp the allow wins. So the calls are first
// removed from every rule that allows them, and replaced by a rule for what the profile allowed without CLONE_NEWUSER;
// the denials come last. Nothing becomes allowed.
func denyUserNamespaces(linux *node, m Machine) error {
	profile, _, rules, err := profileOf(linux, m)
	if err != nil {
		return err
	}
	all, err := readRules(rules)
	if err != nil {
		return err
	}
	if err := plainEnough(all, m); err != nil {
		return err
	}
	narrowed, changed := narrow(all, m)
	denials := missingDenials(narrowed, m)
	if !changed && len(denials) == 0 {
		return nil
	}
	nodes := make([]*node, 0, len(narrowed)+len(denials))
	for _, r := range narrowed {
		nodes = append(nodes, r.node)
	}
	profile.set("syscalls", &node{kind: '[', elems: append(nodes, denials...), touched: true})
	return nil
}

// profileOf returns the container's profile, created if it has none, its default action, which must be a known one,
// and its rules.
func profileOf(linux *node, m Machine) (profile *node, action string, rules []*node, err error) {
	if len(m.architectures) == 0 {
		return nil, "", nil, errors.New("the processor is needed to write a seccomp filter")
	}
	profile = linux.get("seccomp")
	if profile == nil {
		profile = object()
		profile.set("defaultAction", stringLeaf("SCMP_ACT_ALLOW"))
		profile.set("architectures", stringsLeaf(m.architectures))
		linux.set("seccomp", profile)
	}
	if profile.kind != '{' {
		return nil, "", nil, fmt.Errorf("linux.seccomp is %s, not an object", kindName(profile))
	}
	if action, err = profile.get("defaultAction").text("linux.seccomp.defaultAction"); err != nil {
		return nil, "", nil, err
	}
	if _, err = passes(action); err != nil {
		return nil, "", nil, err
	}
	rules, err = profile.get("syscalls").list("linux.seccomp.syscalls")
	return profile, action, rules, err
}

// passes reports whether a call with this action may be carried out. That includes SCMP_ACT_TRACE: a process that
// traces its own child decides (ptrace(2), PTRACE_EVENT_SECCOMP). An unknown action is an error.
func passes(action string) (bool, error) {
	switch action {
	case "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO":
		return false, nil
	case "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE":
		return true, nil
	case "SCMP_ACT_NOTIFY":
		return false, errors.New("linux.seccomp passes system calls to a listener (SCMP_ACT_NOTIFY), which can perform them as root\nhint: remove it from the profile")
	}
	return false, fmt.Errorf("linux.seccomp has the action %s, which is not known", quote.Value(action))
}

// noListener refuses a profile that passes system calls to a listener, which may carry them out as root (SECURITY.md
// B5), even if the profile is not changed otherwise.
func noListener(profile *node) error {
	path, err := profile.get("listenerPath").text("linux.seccomp.listenerPath")
	if err != nil {
		return err
	}
	if path != "" {
		return fmt.Errorf("linux.seccomp has the listener %s, which can perform system calls as root\nhint: remove it from the profile", quote.Value(path))
	}
	rules, err := profile.get("syscalls").list("linux.seccomp.syscalls")
	if err != nil {
		return err
	}
	for _, n := range rules {
		action, err := n.get("action").text("linux.seccomp.syscalls' action")
		if err != nil {
			return err
		}
		if _, err := passes(action); err != nil {
			return err
		}
	}
	return nil
}

// condition is an entry of a rule's args (config-linux.md, "Seccomp"): for SCMP_CMP_MASKED_EQ value is the mask, and
// two is what the masked argument must equal.
type condition struct {
	index, value, two uint64
	op                string
}

// rule is one entry of "syscalls", with the fields that the rewrite needs.
type rule struct {
	node   *node
	names  []string // only if it names a guarded call
	passes bool
	args   []condition
}

func readRules(nodes []*node) ([]rule, error) {
	all := make([]rule, 0, len(nodes))
	for _, n := range nodes {
		r, err := readRule(n)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func readRule(n *node) (rule, error) {
	r := rule{node: n}
	if n.kind != '{' {
		return r, fmt.Errorf("an entry of linux.seccomp.syscalls is %s, not an object", kindName(n))
	}
	action, err := n.get("action").text("linux.seccomp.syscalls' action")
	if err != nil {
		return r, err
	}
	if r.passes, err = passes(action); err != nil {
		return r, err
	}
	if r.names, err = namesAmong(n.get("names"), guarded); err != nil || r.names == nil {
		return r, err
	}
	args, err := n.get("args").list("linux.seccomp.syscalls' args")
	if err != nil {
		return r, err
	}
	for _, a := range args {
		c, err := readCondition(a)
		if err != nil {
			return r, err
		}
		r.args = append(r.args, c)
	}
	return r, nil
}

// namesAmong returns the names of a rule; nil if none of the calls is among them. Profiles name hundreds of calls, most
// of which don't matter here.
func namesAmong(n *node, calls []string) ([]string, error) {
	const what = "linux.seccomp.syscalls' names"
	found := false
	err := n.eachString(what, func(raw []byte) error {
		found = found || bytes.IndexByte(raw, '\\') >= 0 || slices.Contains(calls, string(raw[1:len(raw)-1]))
		return nil
	})
	if err != nil || !found {
		return nil, err
	}
	return n.strings(what)
}

func readCondition(n *node) (condition, error) {
	var c condition
	if n.kind != '{' {
		return c, fmt.Errorf("an entry of linux.seccomp.syscalls' args is %s, not an object", kindName(n))
	}
	for _, f := range []struct {
		name string
		to   *uint64
	}{{"index", &c.index}, {"value", &c.value}, {"valueTwo", &c.two}} {
		v, err := n.get(f.name).unsigned("linux.seccomp.syscalls' "+f.name, 64)
		if err != nil {
			return c, err
		}
		*f.to = v
	}
	var err error
	c.op, err = n.get("op").text("linux.seccomp.syscalls' op")
	return c, err
}

func isGuarded(name string) bool { return slices.Contains(guarded, name) }

// plainEnough refuses a profile with rules for a guarded call that can't be narrowed reliably. libseccomp does not
// always honour several conditions, or allowing conditions beside denying ones, as the rules say: in the 32-bit table
// it can jump past a denial to the default action. No engine's profile has such rules.
func plainEnough(rules []rule, m Machine) error {
	for _, call := range guarded {
		own := denial(call, m)
		var passes, denies bool
		for _, r := range rules {
			if !slices.Contains(r.names, call) {
				continue
			}
			if len(r.args) == 0 {
				passes = passes || r.passes // becomes a conditional one
				continue
			}
			if len(r.args) > 1 || !r.args[0].plain() || own != nil && r.args[0].index != m.flagsArg(call) {
				return fmt.Errorf("linux.seccomp has a rule for %s with conditions that can't be narrowed safely\nhint: use one condition, on its flags", call)
			}
			passes = passes || r.passes
			denies = denies || !r.passes && !slices.Equal(r.args, own)
		}
		if passes && denies {
			return fmt.Errorf("linux.seccomp has conditions that allow %s and others that deny it, which can't be narrowed safely\nhint: use only one kind", call)
		}
	}
	return nil
}

// plain reports whether libseccomp takes the condition literally: it truncates values to 32 bits in a 32-bit table, and
// drops bits outside of a mask.
func (c condition) plain() bool {
	return (c.value|c.two)>>32 == 0 && (c.op != "SCMP_CMP_MASKED_EQ" || c.two&^c.value == 0)
}

// narrow returns the rules without any that lets a call enter a user namespace.
func narrow(rules []rule, m Machine) (narrowed []rule, changed bool) {
	narrowed = make([]rule, 0, len(rules)+len(guarded))
	var written []rule // includes those that stay unchanged
	for _, r := range rules {
		for _, name := range r.names {
			if r.passes && isGuarded(name) && r.clear(name, m) {
				written = append(written, rule{names: []string{name}, args: r.args})
			}
		}
	}
	for _, r := range rules {
		var taken []string
		if r.passes {
			for _, name := range r.names {
				if isGuarded(name) && !r.clear(name, m) && !slices.Contains(taken, name) {
					taken = append(taken, name)
				}
			}
		}
		if len(taken) == 0 {
			narrowed = append(narrowed, r)
			continue
		}
		changed = true
		rest := slices.DeleteFunc(slices.Clone(r.names), func(s string) bool { return slices.Contains(taken, s) })
		if len(rest) > 0 {
			narrowed = append(narrowed, rule{node: r.node.with("names", stringsLeaf(rest)), passes: true})
		}
		for _, name := range taken {
			args, ok := r.withoutNewUser(name, m)
			if !ok || isWritten(written, name, args) {
				continue
			}
			one := r.node.with("names", stringsLeaf([]string{name})).with("args", conditionsNode(args))
			written = append(written, rule{node: one, names: []string{name}, passes: true, args: args})
			narrowed = append(narrowed, written[len(written)-1])
		}
	}
	return narrowed, changed
}

// isWritten reports whether a rule for the call under these conditions was written already; libseccomp refuses a second
// one.
func isWritten(rules []rule, call string, args []condition) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.names[0] == call && slices.Equal(r.args, args) })
}

// with returns a copy of the object with one member replaced or added.
func (n *node) with(name string, val *node) *node {
	c := &node{kind: '{', members: slices.Clone(n.members), touched: true}
	c.set(name, val)
	return c
}

// clear reports whether the rule applies to the call only if CLONE_NEWUSER is not among its flags.
func (r *rule) clear(call string, m Machine) bool {
	if denial(call, m) == nil || len(r.args) == 0 {
		return false
	}
	switch c := r.args[0]; c.op { // the only one, and on the flags: plainEnough
	case "SCMP_CMP_EQ":
		return c.value&cloneNewUser == 0
	case "SCMP_CMP_MASKED_EQ":
		return c.value&cloneNewUser != 0 && c.two&cloneNewUser == 0
	}
	return false
}

// withoutNewUser returns the rule's conditions with "and without CLONE_NEWUSER" added. It is false if the rule has
// nothing left to allow, or if a filter can't express it: then the call is denied, although the profile allowed it.
func (r *rule) withoutNewUser(call string, m Machine) ([]condition, bool) {
	if denial(call, m) == nil {
		return nil, false
	}
	if len(r.args) == 0 {
		return []condition{{m.flagsArg(call), cloneNewUser, 0, "SCMP_CMP_MASKED_EQ"}}, true
	}
	c := r.args[0] // the only one, on the flags, with plain values: plainEnough
	if c.op != "SCMP_CMP_MASKED_EQ" || c.value&cloneNewUser != 0 {
		return nil, false
	}
	c.value |= cloneNewUser // the mask; what must remain under it has the bit clear
	return []condition{c}, true
}

func conditionsNode(args []condition) *node {
	list := &node{kind: '[', elems: make([]*node, 0, len(args)), touched: true}
	for _, c := range args {
		n := object()
		n.set("index", uintLeaf(c.index))
		n.set("value", uintLeaf(c.value))
		n.set("valueTwo", uintLeaf(c.two))
		n.set("op", stringLeaf(c.op))
		list.elems = append(list.elems, n)
	}
	return list
}

// missingDenials returns the deny rules that the profile lacks. They are explicit even if the profile's default denies:
// its errno may not be the one that programs expect. A rule for the same call under the same condition must not be
// added twice, as libseccomp answers EEXIST.
func missingDenials(rules []rule, m Machine) []*node {
	var missing []*node
	for _, call := range guarded {
		args := denial(call, m)
		errno := eperm
		if call == "clone3" {
			errno = enosys
		}
		if denied(rules, call, args) {
			continue
		}
		n := object()
		n.set("names", stringsLeaf([]string{call}))
		n.set("action", stringLeaf("SCMP_ACT_ERRNO"))
		n.set("errnoRet", leaf(strconv.AppendInt(nil, int64(errno), 10)))
		if args != nil {
			n.set("args", conditionsNode(args))
		}
		missing = append(missing, n)
	}
	return missing
}

// denial returns the condition under which a guarded call is denied; nil for always.
func denial(call string, m Machine) []condition {
	if call == "clone" || call == "unshare" {
		return []condition{{m.flagsArg(call), cloneNewUser, cloneNewUser, "SCMP_CMP_MASKED_EQ"}}
	}
	return nil
}

// denied reports whether a deny rule covers the call under exactly this condition, or always.
func denied(rules []rule, call string, args []condition) bool {
	return slices.ContainsFunc(rules, func(r rule) bool {
		return !r.passes && slices.Contains(r.names, call) && (len(r.args) == 0 || slices.Equal(r.args, args))
	})
}
