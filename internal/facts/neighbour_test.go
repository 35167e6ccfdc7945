// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestNeighbour: which container a container joins by its pid namespace.
func TestNeighbour(t *testing.T) {
	NeedPrivate(t)
	other := sleeper(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID})
	host := sleeper(t, nil)
	mapped := mapped(t, 7)
	gone := exec.Command("true")
	Must(t, gone.Run())
	file := filepath.Join(t.TempDir(), "1", "ns")
	Must(t, os.MkdirAll(file, 0o755), os.WriteFile(file+"/pid", nil, 0o600))
	at := func(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/pid" }
	sandbox := func(name string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Annotations = map[string]string{name: strings.Repeat("a", 64)} }
	}
	for _, test := range []struct {
		name  string
		path  string
		edit  func(*specs.Spec)
		known bool
	}{
		{"another container's", at(other), nil, true},
		{"one of its own", "", nil, false},
		{"the host's", at(host), nil, false},
		{"ours", "/proc/self/ns/pid", nil, false},
		{"in another user namespace", at(mapped), nil, false},
		{"of a process that is gone", at(gone.Process.Pid), nil, false},
		{"a file", file + "/pid", nil, false},
		{"another form", "/proc/" + strconv.Itoa(other) + "/task/../ns/pid", nil, false},
		{"no number", "/proc//ns/pid", nil, false},
		{"in a pod of Kubernetes'", at(other), sandbox("io.kubernetes.cri.sandbox-id"), false},
		{"in a pod of CRI-O's or Podman's", at(other), sandbox("io.kubernetes.cri-o.SandboxID"), false},
	} {
		g := gathered(t, func(s *specs.Spec) {
			for i := range s.Linux.Namespaces {
				if s.Linux.Namespaces[i].Type == specs.PIDNamespace {
					s.Linux.Namespaces[i].Path = test.path
				}
			}
			if test.edit != nil {
				test.edit(s)
			}
		})
		want := policy.Neighbour{}
		if test.known {
			want = policy.Neighbour{Known: true, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
		}
		got := g.neighbour()
		got.Container = "" // the container that the tests run in, if any
		if got != want {
			t.Errorf("%s: %+v", test.name, got)
		}
		g.UserNamespace = &idmap.Pair{}
		if got := g.neighbour(); got.Known {
			t.Errorf("%s, in a user namespace of its own: %+v", test.name, got)
		}
	}
	g := gathered(t, func(s *specs.Spec) { s.Linux.Namespaces = without(s.Linux.Namespaces, specs.PIDNamespace) })
	if got := g.neighbour(); got.Known {
		t.Errorf("the host's by default: %+v", got)
	}
}

func without(all []specs.LinuxNamespace, kind specs.LinuxNamespaceType) (rest []specs.LinuxNamespace) {
	for _, n := range all {
		if n.Type != kind {
			rest = append(rest, n)
		}
	}
	return rest
}

// TestNeighbourOfTwoIDs: a process with different real and effective uids is just changing from one to the other.
func TestNeighbourOfTwoIDs(t *testing.T) {
	for text, want := range map[string]bool{"": false, "5": true, "5 5 5 5": true, "5 0 5 5": false, "5 5 5 0": false} {
		var ids []uint32
		for _, f := range strings.Fields(text) {
			var id uint32
			_, err := fmt.Sscan(f, &id)
			Must(t, err)
			ids = append(ids, id)
		}
		if same(ids) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
