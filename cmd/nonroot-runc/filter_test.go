// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// answerOf runs a filter on the kernel's data for a call. The words are big-endian, as the virtual machine reads
// packets.
func answerOf(t *testing.T, filter []unix.SockFilter, nr, arch uint32, args [6]uint64, big bool) uint32 {
	t.Helper()
	raw := make([]bpf.Instruction, 0, len(filter))
	for _, f := range filter {
		raw = append(raw, bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K}.Disassemble())
	}
	vm, err := bpf.NewVM(raw)
	if err != nil {
		t.Fatal(err)
	}
	data := binary.BigEndian.AppendUint32(nil, nr)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = append(data, make([]byte, 8)...) // the instruction pointer
	for _, a := range args {
		halves := [2]uint32{uint32(a), uint32(a >> 32)}
		if big {
			halves[0], halves[1] = halves[1], halves[0]
		}
		data = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(data, halves[0]), halves[1])
	}
	got, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}

func TestUserNamespaceFilter(t *testing.T) {
	for goarch, tables := range callTables() {
		filter, err := userNamespaceFilter(goarch)
		if err != nil {
			t.Fatal(err)
		}
		// All bits that are no flag, or that the kernel does not examine, are ones.
		others := ^uint64(unix.CLONE_NEWUSER)
		for _, table := range tables {
			flags := func(at uint32, value uint64) [6]uint64 {
				args := [6]uint64{others, others, others, others, others, others}
				args[at] = value
				return args
			}
			for _, test := range []struct {
				nr   uint32
				args [6]uint64
				want uint32
			}{
				{table.unshare, flags(0, unix.CLONE_NEWUSER), denied},
				{table.unshare, flags(0, unix.CLONE_NEWNS|unix.CLONE_NEWUSER), denied},
				{table.unshare, flags(0, 1<<63|unix.CLONE_NEWUSER), denied},
				{table.unshare, flags(0, unix.CLONE_NEWUSER<<32), unix.SECCOMP_RET_ALLOW},
				{table.unshare, flags(0, unix.CLONE_NEWNS), unix.SECCOMP_RET_ALLOW},
				{table.clone, flags(table.cloneFlags, unix.CLONE_NEWUSER|uint64(unix.SIGCHLD)), denied},
				{table.clone, flags(table.cloneFlags, uint64(unix.SIGCHLD)), unix.SECCOMP_RET_ALLOW},
				{table.clone, flags(2, unix.CLONE_NEWUSER), unix.SECCOMP_RET_ALLOW},
				{table.clone3, flags(0, 0), unknown},
				{table.clone3 + 1, flags(0, unix.CLONE_NEWUSER), unix.SECCOMP_RET_ALLOW},
				{0, flags(0, unix.CLONE_NEWUSER), unix.SECCOMP_RET_ALLOW},
			} {
				what := fmt.Sprintf("%s, table %#x, call %d%#x", goarch, table.arch, test.nr, test.args)
				if got := answerOf(t, filter, test.nr, table.arch, test.args, goarch == "s390x"); got != test.want {
					t.Errorf("%s: %#x, want %#x", what, got, test.want)
				}
				if got := answerOf(t, filter, x32|test.nr, table.arch, test.args, goarch == "s390x"); table.arch == unix.AUDIT_ARCH_X86_64 && got != test.want {
					t.Errorf("x32: %s: %#x, want %#x", what, got, test.want)
				}
			}
		}
		if got := answerOf(t, filter, 1, 7, [6]uint64{}, false); got != unknown {
			t.Errorf("%s: a table that nobody knows: %#x", goarch, got)
		}
		if _, err := spec.MachineOf(goarch); err != nil {
			t.Error(err)
		}
	}
	if _, err := userNamespaceFilter("mips"); err == nil {
		t.Error("mips has a filter")
	}
}
