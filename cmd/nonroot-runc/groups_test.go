// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
)

// leaves drops the caller's groups, as the host's root by its user namespace, or, with the argument "rootless", as
// another user, and prints the groups that are left.
func leaves() {
	own := idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}
	if len(os.Args) > 1 && os.Args[1] == "rootless" {
		own[0].Outside = 1000
	}
	must99(leaveGroups(facts.Caller{Own: idmap.Pair{UID: own, GID: own}}))
	status, err := os.ReadFile("/proc/self/status")
	must99(err)
	_, groups, _ := strings.Cut(string(status), "\nGroups:")
	groups, _, _ = strings.Cut(groups, "\n")
	fmt.Println(strings.Join(strings.Fields(groups), " "))
}

// TestLeaveGroups: the next runtime has none of a root caller's groups, and all of any other caller's (SECURITY.md A3).
// If the tests may not set their groups, the kernel's answers are replaced: it reports one group, and refuses to drop
// it; the call must then fail.
func TestLeaveGroups(t *testing.T) {
	run := func(args ...string) *osexec.Cmd {
		cmd := osexec.Command(binaries()+"/leaves", args...)
		cmd.Stderr = &bytes.Buffer{}
		return cmd
	}
	if os.Geteuid() == 0 {
		for _, test := range []struct {
			args []string
			want string
		}{{nil, ""}, {[]string{"rootless"}, "6 42"}} {
			cmd := run(test.args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{6, 42}}}
			out, err := cmd.Output()
			if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
				t.Errorf("%q: %q, %v: %s", test.args, got, err, cmd.Stderr)
			}
		}
	}
	for _, test := range []struct {
		args  []string
		fails bool
	}{{nil, true}, {[]string{"rootless"}, false}} {
		cmd := run(test.args...)
		namespace := &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
		_, err := underAs(t, fault{calls: []int{unix.SYS_GETGROUPS}, value: 1}, cmd, namespace)
		if said := fmt.Sprint(cmd.Stderr); (err != nil) != test.fails || test.fails && !strings.Contains(said, "leave the caller's additional groups") {
			t.Errorf("%q: %v: %s", test.args, err, said)
		}
	}
}
