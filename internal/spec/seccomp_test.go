// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// lets reports whether a filter may let a call through: whether any rule that allows it applies, or the default where
// no rule denies it. That is the worst result that libseccomp can make of the rules, whatever their order.
func lets(s *specs.LinuxSeccomp, call string, args [6]uint64) bool {
	if s == nil {
		return true
	}
	denied := false
	for _, r := range s.Syscalls {
		if !slices.Contains(r.Names, call) || !applies(r.Args, args) {
			continue
		}
		if harmful(r.Action) {
			return true
		}
		denied = true
	}
	return !denied && harmful(s.DefaultAction)
}

func harmful(a specs.LinuxSeccompAction) bool {
	return a == specs.ActAllow || a == specs.ActLog || a == specs.ActTrace || a == specs.ActNotify
}

// applies joins conditions as runc does: with "and", but with "or" if two are on the same argument.
func applies(conditions []specs.LinuxSeccompArg, args [6]uint64) bool {
	indexes := map[uint]bool{}
	repeated := false
	for _, c := range conditions {
		repeated = repeated || indexes[c.Index]
		indexes[c.Index] = true
	}
	holds := func(c specs.LinuxSeccompArg) bool {
		if c.Index > 5 {
			return false
		}
		a := args[c.Index]
		switch c.Op {
		case specs.OpEqualTo:
			return a == c.Value
		case specs.OpNotEqual:
			return a != c.Value
		case specs.OpMaskedEqual:
			return a&c.Value == c.ValueTwo
		case specs.OpLessThan:
			return a < c.Value
		case specs.OpLessEqual:
			return a <= c.Value
		case specs.OpGreaterThan:
			return a > c.Value
		case specs.OpGreaterEqual:
			return a >= c.Value
		}
		return false
	}
	if repeated {
		return slices.ContainsFunc(conditions, holds)
	}
	return !slices.ContainsFunc(conditions, func(c specs.LinuxSeccompArg) bool { return !holds(c) })
}

// flagValues are interesting flags for clone and unshare: thread creation, fork, each namespace, with and without
// NEWUSER, high bits.
var flagValues = []uint64{0, 17, 0x3d0f00, 0x10000000, 0x10000011, 0x20000, 0x7c020000, 0x6c020000, 0x2000000, 0x400, 1 << 40, 1<<40 | cloneNewUser, ^uint64(0), ^uint64(cloneNewUser)}

func checkSeccomp(t *testing.T, name string, before, after *specs.Linux) {
	t.Helper()
	if after == nil || after.Seccomp == nil {
		t.Errorf("%s: there is no seccomp profile", name)
		return
	}
	var old *specs.LinuxSeccomp
	if before != nil {
		old = before.Seccomp
	}
	for _, flags := range flagValues {
		for _, other := range []uint64{0, 1, cloneNewUser, ^uint64(0)} {
			args := [6]uint64{flags, other, other, other, other, other}
			for _, call := range []string{"clone", "unshare"} {
				if flags&cloneNewUser != 0 && lets(after.Seccomp, call, args) {
					t.Errorf("%s: %s(%#x, %#x) gets through", name, call, flags, other)
				}
				if lets(after.Seccomp, call, args) && !lets(old, call, args) {
					t.Errorf("%s: %s(%#x, %#x) is allowed, but was not", name, call, flags, other)
				}
			}
			for _, call := range []string{"setns", "clone3"} {
				if lets(after.Seccomp, call, args) {
					t.Errorf("%s: %s gets through", name, call)
				}
			}
			for _, call := range []string{"read", "ptrace"} {
				if lets(after.Seccomp, call, args) != lets(old, call, args) {
					t.Errorf("%s: %s changed", name, call)
				}
			}
		}
	}
	if old == nil || len(old.Syscalls) > 20 { // an engine's own profile: threads and forks must keep working
		for _, flags := range []uint64{17, 0x3d0f00} {
			// A call that the profile did not allow before, as a fuzzer's may not, need not be allowed now.
			if args := [6]uint64{flags}; (old == nil || lets(old, "clone", args)) && !lets(after.Seccomp, "clone", args) {
				t.Errorf("%s: clone(%#x) is not allowed any more", name, flags)
			}
		}
	}
}

// TestGeneratedProfiles narrows profiles with every kind of rule, order and default.
func TestGeneratedProfiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) int { return r.IntN(n) }
	actions := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActTrap, specs.ActTrace, specs.ActLog}
	ops := []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual}
	values := append([]uint64{0x7e020000, 1}, flagValues...)
	names := []string{"clone", "unshare", "setns", "clone3", "read", "ptrace", "write"}
	checked := 0
	for i := range 20000 {
		s := specs.LinuxSeccomp{DefaultAction: actions[pick(len(actions))]}
		for range pick(5) {
			call := specs.LinuxSyscall{Action: actions[pick(len(actions))]}
			for range 1 + pick(4) {
				call.Names = append(call.Names, names[pick(len(names))])
			}
			for range pick(4) {
				call.Args = append(call.Args, specs.LinuxSeccompArg{
					Index: uint(pick(3)), Op: ops[pick(len(ops))],
					Value: values[pick(len(values))], ValueTwo: values[pick(len(values))],
				})
			}
			s.Syscalls = append(s.Syscalls, call)
		}
		in, err := json.Marshal(specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Seccomp: &s}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := rewriteConfig(in, change())
		if err != nil && strings.Contains(err.Error(), "narrowed safely") {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		checked++
		checkPromises(t, fmt.Sprintf("profile %d: %s\nbecame %s\n", i, in, out), in, out)
		if t.Failed() {
			return
		}
	}
	if checked < 2000 {
		t.Errorf("only %d profiles were narrowed", checked)
	}
}

func TestTwoNamespacesOfOneType(t *testing.T) {
	doc, err := ParseConfig([]byte(`{"process":{},"root":{"path":"r"},"linux":{"namespaces":[{"type":"mount"},{"type":"mount","path":"/proc/1/ns/mnt"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := doc.Container(); err == nil {
		t.Errorf("got %+v", c)
	}
}

func TestDenialsAreNotWrittenTwice(t *testing.T) {
	in := `{"process":{},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["clone3","setns","unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":38},
		{"names":["clone"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":268435456,"valueTwo":268435456,"op":"SCMP_CMP_MASKED_EQ"}]}]}}}`
	out, err := rewriteConfig([]byte(in), change())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), `"action"`); n != 2 {
		t.Errorf("there are %d rules, want the 2 that were there: %s", n, out)
	}
}

func TestMachineOf(t *testing.T) {
	if _, err := MachineOf("sparc"); err == nil {
		t.Error("a machine that is not known has a filter")
	}
	s390, err := MachineOf("s390x")
	if err != nil {
		t.Fatal(err)
	}
	c := change()
	c.Container.Machine = s390
	out, err := rewriteConfig([]byte(`{"process":{}}`), c)
	if err != nil || !strings.Contains(string(out), `"names":["clone"],"action":"SCMP_ACT_ERRNO","errnoRet":1,"args":[{"index":1,`) {
		t.Errorf("clone's flags are not its second argument on s390x: %s, %v", out, err)
	}
	c.Container.Machine = Machine{}
	if _, err := rewriteConfig([]byte(`{"process":{}}`), c); err == nil {
		t.Error("a filter is written without a machine")
	}
}
