// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"errors"
	"slices"
)

// emulated are the system calls that change the owner of a file, and the one that changes a process's groups, with their
// forms for 32 bits (chown(2), setgroups(2), "C library/kernel differences").
var emulated = []string{
	"chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32", "setgroups", "setgroups32",
}

// emulateOwnership has the kernel answer the calls with success, and do nothing: an errno of 0 (config-linux.md, "Seccomp",
// errnoRet). A process without capabilities, whose only group is its own, changes nothing by them anyway, so that nothing
// is lost but the error at which a script made for root ends. A call that the profile denies, or answers by a condition,
// is left to it. It must only be used with noNewPrivileges: runtimes load the filter after their own calls then
// (SECURITY.md A11).
func emulateOwnership(linux *node, m Machine) error {
	if len(m.architectures) == 0 {
		return errors.New("the processor is needed to write a seccomp filter")
	}
	profile, action, err := profileOf(linux, m)
	if err != nil {
		return err
	}
	if _, err := passes(action); err != nil {
		return err
	}
	byDefault := action == "SCMP_ACT_ALLOW" // what is to be logged, or traced, is left to that
	rules, err := profile.get("syscalls").list("linux.seccomp.syscalls")
	if err != nil {
		return err
	}
	all, err := readAnswers(rules)
	if err != nil {
		return err
	}
	var calls []string
	for _, call := range emulated {
		if mayAnswer(all, call, byDefault) {
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

// answer is an entry of "syscalls" that names one of the emulated calls; of others it is the node alone.
type answer struct {
	node  *node
	names []string
	plain bool // lets its calls through under all conditions
}

func readAnswers(nodes []*node) ([]answer, error) {
	all := make([]answer, 0, len(nodes))
	for _, n := range nodes {
		a := answer{node: n}
		names := n.get("names")
		found := false
		err := names.eachString("linux.seccomp.syscalls' names", func(raw []byte) error {
			found = found || bytes.IndexByte(raw, '\\') >= 0 || slices.Contains(emulated, string(raw[1:len(raw)-1]))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if found {
			if a.names, err = names.strings("linux.seccomp.syscalls' names"); err != nil {
				return nil, err
			}
			action, err := n.get("action").text("linux.seccomp.syscalls' action")
			if err != nil {
				return nil, err
			}
			if _, err := passes(action); err != nil {
				return nil, err
			}
			args, err := n.get("args").list("linux.seccomp.syscalls' args")
			if err != nil {
				return nil, err
			}
			a.plain = action == "SCMP_ACT_ALLOW" && len(args) == 0
		}
		all = append(all, a)
	}
	return all, nil
}

// mayAnswer says that the profile lets a call through whatever its arguments: by rules, or, where it has none for the call, by
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
