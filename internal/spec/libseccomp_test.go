// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// probe is a system call that is tried under every filter.
type probe struct {
	arch, call string
	args       [6]uint64
}

// newUser reports whether the call enters, or may enter, another user namespace. The kernel uses the low half of flags.
func (p probe) newUser() bool {
	return p.call == "setns" || p.call == "clone3" || (p.call == "clone" || p.call == "unshare") && p.args[0]&cloneNewUser != 0
}

func (p probe) String() string {
	return fmt.Sprintf("%s(%#x, %#x) on %s", p.call, p.args[0], p.args[1], p.arch)
}

func probes() []probe {
	others := []uint64{0, 5, cloneNewUser, ^uint64(0)}
	var all []probe
	for _, arch := range []string{"x86_64", "x86", "x32"} {
		for _, call := range []string{"clone", "unshare", "setns", "clone3", "read", "ptrace", "close_range"} {
			for _, flags := range slices.Concat(flagValues, conditionValues, []uint64{0x1200011, 0x4111}) { // fork and vfork of C libraries
				for _, other := range others {
					all = append(all, probe{arch, call, [6]uint64{flags, other, other, other, other, other}})
					if call != "clone" && call != "unshare" {
						break // any other argument will do
					}
				}
			}
		}
	}
	return all
}

// conditionValues are what generated rules compare with.
var conditionValues = []uint64{
	0, 5, 17, 0x200, cloneNewUser, cloneNewUser | 1, cloneNewUser | 0x200, cloneNewUser | 17, 0x7e020000, 0x6e020000,
	0x20000000, 0xefffffff, 1 << 32, 1<<32 | cloneNewUser, ^uint64(0), ^uint64(cloneNewUser), 0x7fffffff,
}

var conditionOps = []specs.LinuxSeccompOperator{
	specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual,
}

// outcome is the result of compiling a profile with libseccomp: an answer for each probe, or why there is no filter.
type outcome struct {
	answers []string
	why     string
}

func passesProbe(answer string) bool { return strings.ContainsAny(answer[:1], "ALT") }

// trial is a profile before and after the rewrite.
type trial struct {
	name          string
	before, after *specs.LinuxSeccomp // before is nil if the container had none, after if Rewrite refused it
	layout        string              // runc or crun: how the filter of a long profile is laid out
	engine        bool                // an engine's own profile
	was, is       outcome
}

// TestUnderLibseccomp compiles profiles with the real libseccomp, before and after the rewrite, and runs the filters
// (test/seccomp/sim.c), because libseccomp's result can differ from the rules as written.
func TestUnderLibseccomp(t *testing.T) {
	sim := buildSimulator(t)
	var trials []trial
	add := func(name string, s *specs.LinuxSeccomp) { trials = append(trials, rewriteProfile(t, name, s)) }
	recorded(t, "*.config.json", func(name string, data []byte) {
		var doc specs.Spec
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		tr := trial{name: name, engine: true, layout: "runc", before: doc.Linux.Seccomp, after: rewritten(t, data)}
		trials = append(trials, tr)
		tr.layout = "crun"
		trials = append(trials, tr)
	})
	systematic(add)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 3000 {
		add(fmt.Sprintf("random-%d", i), randomProfile(r, i%3 == 0))
	}

	all := probes()
	simulate(t, sim, all, trials)
	judge(t, all, trials)
}

// buildSimulator skips the test if it can't be built, unless skips are failures.
func buildSimulator(t *testing.T) string {
	skip := func(why string) {
		t.Helper()
		if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if runtime.GOARCH != "amd64" {
		skip("the simulator knows x86 only")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		skip("gcc is not installed")
	}
	header := exec.Command("gcc", "-E", "-include", "seccomp.h", "-x", "c", "/dev/null")
	if err := header.Run(); err != nil {
		skip("libseccomp-dev is not installed")
	}
	sim := filepath.Join(t.TempDir(), "sim")
	gcc := exec.Command("gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", sim, "../../test/seccomp/sim.c", "-lseccomp")
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return sim
}

// rewritten returns the profile of a document after the rewrite; nil if the document is refused for rules that can't be
// narrowed. Any other refusal is a failure.
func rewritten(t *testing.T, data []byte) *specs.LinuxSeccomp {
	t.Helper()
	out, err := rewriteConfig(data, change())
	if err != nil && strings.Contains(err.Error(), "narrowed safely") {
		return nil
	}
	var doc specs.Spec
	if err := cmp.Or(err, json.Unmarshal(out, &doc)); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return doc.Linux.Seccomp
}

func rewriteProfile(t *testing.T, name string, s *specs.LinuxSeccomp) trial {
	t.Helper()
	s.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
	in, err := json.Marshal(specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Seccomp: s}})
	if err != nil {
		t.Fatal(err)
	}
	return trial{name: name, layout: "runc", before: s, after: rewritten(t, in)}
}

func number(n uint) *uint { return &n }

func one(action specs.LinuxSeccompAction, call string, conditions ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	s := specs.LinuxSyscall{Names: []string{call}, Action: action, Args: conditions}
	if action == specs.ActErrno {
		s.ErrnoRet = number(13) // different from the denials' errno
	}
	return s
}

// systematic adds families of profiles for which libseccomp's answers have differed from the rules.
func systematic(add func(string, *specs.LinuxSeccomp)) {
	type action = specs.LinuxSeccompAction
	type arg = specs.LinuxSeccompArg
	profile := func(name string, def action, rules ...specs.LinuxSyscall) {
		add(name, &specs.LinuxSeccomp{DefaultAction: def, Syscalls: rules})
	}
	flagCalls := []string{"clone", "unshare"}

	// One rule with one condition, and one with two: the jump of the second can lead past a denial to the default.
	for _, call := range flagCalls {
		for _, op := range conditionOps {
			for _, value := range conditionValues {
				for _, two := range []uint64{0, value} {
					if two != 0 && op != specs.OpMaskedEqual {
						continue
					}
					first := arg{Index: 0, Op: op, Value: value, ValueTwo: two}
					for _, def := range []action{specs.ActAllow, specs.ActErrno} {
						for _, act := range []action{specs.ActLog, specs.ActErrno, specs.ActKill} {
							profile("one-condition", def, one(act, call, first))
						}
					}
					for _, other := range []specs.LinuxSeccompOperator{specs.OpNotEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpMaskedEqual} {
						second := arg{Index: 1, Op: other, Value: 7, ValueTwo: 7}
						profile("two-conditions", specs.ActAllow, one(specs.ActErrno, call, first, second))
						profile("other-argument", specs.ActAllow, one(specs.ActErrno, call, second), one(specs.ActKill, call, first))
					}
				}
			}
		}
	}

	// Two rules for one call, in both orders: libseccomp refuses some pairs (EEXIST), and lets one win over the other
	// in others. The conditions are none, those that the rewrite itself writes, the engines' own, and an equality.
	masked := func(mask, rest uint64) []arg {
		return []arg{{Index: 0, Op: specs.OpMaskedEqual, Value: mask, ValueTwo: rest}}
	}
	conditions := [][]arg{
		nil, masked(cloneNewUser, cloneNewUser), masked(cloneNewUser, 0), masked(0x7e020000, 0), masked(0x6e020000, 0),
		{{Index: 0, Op: specs.OpEqualTo, Value: 17}},
		{{Index: 0, Op: specs.OpNotEqual, Value: cloneNewUser}},
	}
	acts := []action{specs.ActAllow, specs.ActLog, specs.ActErrno, specs.ActTrap}
	for _, def := range []action{specs.ActAllow, specs.ActErrno} {
		for _, call := range []string{"clone", "unshare", "clone3", "setns"} {
			for _, a := range acts {
				for _, b := range acts {
					for _, x := range conditions {
						for _, y := range conditions {
							if call != "setns" || len(x)+len(y) == 0 {
								profile("pair", def, one(a, call, x...), one(b, call, y...))
							}
						}
					}
				}
			}
		}
	}
}

// randomProfile makes a profile of arbitrary rules (wild), or of rules that the rewrite mostly accepts: one condition a
// rule, on the flags.
func randomProfile(r *rand.Rand, wild bool) *specs.LinuxSeccomp {
	denials := []specs.LinuxSeccompAction{specs.ActErrno, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActTrap}
	passing := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActAllow, specs.ActLog, specs.ActTrace}
	both := slices.Concat(denials, passing)
	names := []string{"clone", "unshare", "setns", "clone3", "read", "ptrace", "write", "close_range"}
	actions := func(from []specs.LinuxSeccompAction) (specs.LinuxSeccompAction, *uint) {
		a := from[r.IntN(len(from))]
		if a == specs.ActErrno && r.IntN(3) > 0 {
			return a, number([]uint{0, 1, 13, 38}[r.IntN(4)])
		}
		return a, nil
	}
	condition := func() specs.LinuxSeccompArg {
		c := specs.LinuxSeccompArg{Op: conditionOps[r.IntN(len(conditionOps))]}
		c.Value, c.ValueTwo = conditionValues[r.IntN(len(conditionValues))], conditionValues[r.IntN(len(conditionValues))]
		if r.IntN(3) == 0 {
			c.Op = specs.OpMaskedEqual
		}
		if !wild && r.IntN(2) == 0 {
			c.ValueTwo &= c.Value // otherwise a masked comparison is never true
		}
		return c
	}

	s := &specs.LinuxSeccomp{}
	s.DefaultAction, s.DefaultErrnoRet = actions(both)
	conditional := denials
	if r.IntN(2) == 0 {
		conditional = passing
	}
	if r.IntN(8) == 0 { // enough rules for runc to lay them out as a tree
		padding := specs.LinuxSyscall{Action: specs.ActTrap}
		for i := range 20 + r.IntN(40) {
			padding.Names = append(padding.Names, manyCalls[i])
		}
		s.Syscalls = append(s.Syscalls, padding)
	}
	for range 1 + r.IntN(4) {
		var rule specs.LinuxSyscall
		for range 1 + r.IntN(2) {
			rule.Names = append(rule.Names, names[r.IntN(len(names))])
		}
		switch {
		case wild:
			rule.Action, rule.ErrnoRet = actions(both)
			for range r.IntN(4) {
				c := condition()
				c.Index = uint(r.IntN(2))
				rule.Args = append(rule.Args, c)
			}
		case r.IntN(3) == 0:
			rule.Action, rule.ErrnoRet = actions(both)
		default:
			rule.Action, rule.ErrnoRet = actions(conditional)
			rule.Args = []specs.LinuxSeccompArg{condition()}
		}
		s.Syscalls = append(s.Syscalls, rule)
	}
	return s
}

// manyCalls have numbers below, between and above those of the guarded calls.
var manyCalls = strings.Fields(`open close stat fstat lstat poll lseek mmap mprotect munmap brk ioctl pread64 pwrite64 readv
	writev access pipe select sched_yield mremap msync mincore madvise dup dup2 pause nanosleep alarm getpid fork vfork execve
	exit wait4 kill uname fcntl flock fsync truncate getdents getcwd chdir rename mkdir rmdir creat link unlink symlink chmod
	chown umask openat mkdirat fchownat unlinkat statx rseq openat2 faccessat2`)

// simulate fills in the outcomes, with one simulator for each processor.
func simulate(t *testing.T, sim string, all []probe, trials []trial) {
	t.Helper()
	var head bytes.Buffer
	for _, p := range all {
		fmt.Fprintf(&head, "probe %s %s", p.arch, p.call)
		for _, a := range p.args {
			fmt.Fprintf(&head, " %d", a)
		}
		head.WriteByte('\n')
	}
	inputs := make([]bytes.Buffer, runtime.GOMAXPROCS(0))
	for i := range inputs {
		inputs[i].Write(head.Bytes())
	}
	wanted := map[string][]*outcome{} // by profile, as many are the same
	names := map[string]string{}
	ask := func(s *specs.LinuxSeccomp, layout string, to *outcome) {
		text := profileText(s, layout)
		if names[text] == "" {
			names[text] = fmt.Sprint(len(names))
			fmt.Fprintf(&inputs[len(names)%len(inputs)], "profile %s %s", names[text], text)
		}
		wanted[names[text]] = append(wanted[names[text]], to)
	}
	for i := range trials {
		tr := &trials[i]
		if tr.before == nil {
			tr.was.answers = slices.Repeat([]string{"A"}, len(all))
		} else {
			ask(tr.before, tr.layout, &tr.was)
		}
		if tr.after != nil {
			ask(tr.after, tr.layout, &tr.is)
		}
	}

	outputs, errs := make([][]byte, len(inputs)), make([]error, len(inputs))
	var wait sync.WaitGroup
	for i := range inputs {
		wait.Add(1)
		go func() {
			defer wait.Done()
			run := exec.Command(sim)
			run.Stdin = &inputs[i]
			outputs[i], errs[i] = run.Output()
		}()
	}
	wait.Wait()
	for i, out := range outputs {
		if errs[i] != nil {
			t.Fatalf("%v: %s", errs[i], stderr(errs[i]))
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			var got outcome
			if f[1] == "ok" {
				got.answers = f[2:]
			} else {
				got.why = strings.Join(f[1:], " ")
			}
			if got.why == "" && len(got.answers) != len(all) {
				t.Fatalf("%d answers to %d probes", len(got.answers), len(all))
			}
			for _, to := range wanted[f[0]] {
				*to = got
			}
			delete(wanted, f[0])
		}
	}
	if len(wanted) > 0 {
		t.Fatalf("%d profiles have no answer", len(wanted))
	}
}

func stderr(err error) []byte {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

// profileText returns what sim.c reads after the name. The numbers that are left out are runc's (getAction).
func profileText(s *specs.LinuxSeccomp, layout string) string {
	errno := func(n *uint) uint {
		if n == nil {
			return 1
		}
		return *n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %s\n", s.DefaultAction, errno(s.DefaultErrnoRet), layout)
	for _, a := range s.Architectures {
		fmt.Fprintf(&b, "arch %s\n", strings.ToLower(strings.TrimPrefix(string(a), "SCMP_ARCH_")))
	}
	for _, r := range s.Syscalls {
		for _, name := range r.Names {
			fmt.Fprintf(&b, "rule %s %s %d", name, r.Action, errno(r.ErrnoRet))
			for _, c := range r.Args {
				fmt.Fprintf(&b, " %d %s %d %d", c.Index, c.Op, c.Value, c.ValueTwo)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("end\n")
	return b.String()
}

// judge reports, for each promise, the smallest profiles that break it.
func judge(t *testing.T, all []probe, trials []trial) {
	t.Helper()
	broken := map[string][]string{}
	var refused, unloadable, compared, leaked int
	for i := range trials {
		tr := &trials[i]
		report := func(promise, format string, args ...any) {
			text := fmt.Sprintf(format, args...) + "\n" + tr.name + "\n"
			if tr.before != nil {
				text += profileText(tr.before, tr.layout)
			}
			if tr.after != nil {
				text += "became\n" + profileText(tr.after, tr.layout)
			}
			broken[promise] = append(broken[promise], text)
		}
		loaded := tr.was.why == ""
		switch {
		case tr.after == nil && tr.engine:
			report("an engine's profile is not refused", "refused")
			continue
		case tr.after == nil:
			refused++
			continue
		case tr.is.why != "" && loaded:
			report("what loaded still loads", "%s", tr.is.why)
			continue
		case tr.is.why != "":
			unloadable++
			continue
		}
		compared++
		leaks := false
		for j, p := range all {
			is := tr.is.answers[j]
			if p.newUser() && passesProbe(is) {
				report("nothing leads into a user namespace", "%v: %s", p, is)
				break
			}
			if p.newUser() && tr.engine && p.call == "clone3" && is != "E38" {
				report("clone3 is answered so that programs fall back", "%v: %s", p, is)
				break
			}
			if !loaded {
				continue
			}
			was := tr.was.answers[j]
			leaks = leaks || p.newUser() && passesProbe(was)
			if passesProbe(is) && !passesProbe(was) {
				report("nothing is allowed that was not", "%v: %s became %s", p, was, is)
				break
			}
			// Under the engines' profiles, programs must still fork and start threads.
			if is != was && (!isGuarded(p.call) || tr.engine && !p.newUser()) {
				report("the rest stays as it was", "%v: %s became %s", p, was, is)
				break
			}
		}
		if leaks {
			leaked++
		}
	}
	for promise, found := range broken {
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		t.Errorf("%d profiles break: %s. The smallest:\n%s", len(found), promise, strings.Join(found[:min(3, len(found))], "\n"))
	}
	t.Logf("%d profiles: %d refused, %d not loadable before and after, %d compared, of which %d let a user namespace through before",
		len(trials), refused, unloadable, compared, leaked)
	if compared < 3000 || leaked < 1000 {
		t.Errorf("only %d profiles were compared, and only %d of them had something to deny", compared, leaked)
	}
}
