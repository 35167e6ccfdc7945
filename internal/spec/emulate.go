// SPDX-License-Identifier: Apache-2.0

package spec

import "slices"

// emulated lists the system calls that change the owner of a file, and the one that changes a process's groups, with
// their 32-bit forms (chown(2), setgroups(2), "C library/kernel differences").
var emulated = []string{
	"chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32", "setgroups", "setgroups32",
}

// emulateOwnership makes the kernel answer these calls with success without doing anything: an errno of 0
// (config-linux.md, "Seccomp", errnoRet). A process without capabilities whose only group is its own can't change
// anything by them anyway, so nothing is lost but the error that ends a script written for root. A call that the
// profile denies, or answers conditionally, is left to the profile. It must only be used with noNewPrivileges, where
// runtimes load the filter after their own calls (SECURITY.md A11).
func emulateOwnership(linux *node, m Machine) error {
	profile, action, rules, err := profileOf(linux, m)
	if err != nil {
		return err
	}
	all, err := readAnswers(rules)
	if err != nil {
		return err
	}
	var calls []string
	for _, call := range emulated {
		if mayAnswer(all, call, action == letting) {
			calls = append(calls, call)
		}
	}
	if len(calls) == 0 {
		return nil
	}
	nodes := make([]*node, 0, len(all)+1)
	for _, r := range all {
		rest := slices.DeleteFunc(slices.Clone(r.names), func(s string) bool { return slices.Contains(calls, s) })
		switch {
		case len(rest) == len(r.names):
			nodes = append(nodes, r.node)
		case len(rest) > 0:
			nodes = append(nodes, r.node.with("names", stringsLeaf(rest)))
		}
	}
	answer := object()
	answer.set("names", stringsLeaf(calls))
	answer.set("action", stringLeaf("SCMP_ACT_ERRNO"))
	answer.set("errnoRet", leaf([]byte("0")))
	profile.set("syscalls", &node{kind: '[', elems: append(nodes, answer), touched: true})
	return nil
}

// answer is an entry of "syscalls" that names one of the emulated calls; for other entries it is only the node.
type answer struct {
	node  *node
	names []string
	plain bool // allows its calls under all conditions
}

// letting is the action of rules that are replaced. Calls that are to be logged or traced keep their rules.
const letting = "SCMP_ACT_ALLOW"

func readAnswers(nodes []*node) ([]answer, error) {
	all := make([]answer, 0, len(nodes))
	for _, n := range nodes {
		a, err := readAnswer(n)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func readAnswer(n *node) (answer, error) {
	a := answer{node: n}
	var err error
	if a.names, err = namesAmong(n.get("names"), emulated); err != nil || a.names == nil {
		return a, err
	}
	action, err := n.get("action").text("linux.seccomp.syscalls' action")
	if err != nil {
		return a, err
	}
	if _, err := passes(action); err != nil {
		return a, err
	}
	args, err := n.get("args").list("linux.seccomp.syscalls' args")
	a.plain = action == letting && len(args) == 0
	return a, err
}

// mayAnswer reports whether the profile allows a call whatever its arguments: by rules, or, if it has none for the call, by
// its default.
func mayAnswer(all []answer, call string, byDefault bool) bool {
	named := false
	for _, a := range all {
		if slices.Contains(a.names, call) {
			if !a.plain {
				return false
			}
			named = true
		}
	}
	return named || byDefault
}
