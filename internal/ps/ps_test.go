// SPDX-License-Identifier: Apache-2.0

package ps

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// one is a process of a made-up /proc.
type one struct {
	pid, parent, inner int
	name, cmdline      string
	uid                string // the four
	thread             string // a second thread's
	mnt, pids, user    int
	cgroup, ids        string
	state              string
}

const identity = "0 0 4294967295"

func tree(t *testing.T, all ...one) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range all {
		dir := filepath.Join(root, strconv.Itoa(p.pid))
		status := func(uid string) string {
			return fmt.Sprintf("Name:\t%s\nState:\t%s\nPPid:\t%d\nUid:\t%s\nNSpid:\t%d\t%d\n", p.name, p.state, p.parent, uid, p.pid, p.inner)
		}
		files := map[string]string{
			"status": status(p.uid), fmt.Sprintf("task/%d/status", p.pid): status(p.uid), "cgroup": "0::" + p.cgroup + "\n",
			"uid_map": p.ids + "\n", "cmdline": p.cmdline, "stat": fmt.Sprintf("%d (a) b) S %d%s %d 0", p.pid, p.parent, strings.Repeat(" 0", 17), p.pid),
		}
		if p.thread != "" {
			files[fmt.Sprintf("task/%d/status", p.pid+10000)] = status(p.thread)
		}
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "ns"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, number := range map[string]int{"mnt": p.mnt, "pid": p.pids, "user": p.user} {
			if err := os.Symlink(fmt.Sprintf("%s:[%d]", name, number), filepath.Join(dir, "ns", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func sorted(t *testing.T, self int, known []state, tree string) []*Container {
	t.Helper()
	all, unread, err := scan(tree)
	if err != nil || unread != 0 {
		t.Fatal(err, unread)
	}
	i := slices.IndexFunc(all, func(p *process) bool { return p.pid == self })
	return belong(all, all[i], known)
}

func TestBelong(t *testing.T) {
	docker, pod1, pod2 := strings.Repeat("d", 64), strings.Repeat("1", 64), strings.Repeat("2", 64)
	host := one{pid: 1, name: "systemd", uid: "0 0 0 0", mnt: 1, pids: 1, user: 1, cgroup: "/init.scope", ids: identity, state: "S (sleeping)"}
	like := func(of one, change func(*one)) one { change(&of); return of }
	root := tree(t, host,
		like(host, func(p *one) { p.pid, p.name, p.mnt = 5, "timesyncd", 9 }), // a service with a mount namespace of its own
		like(host, func(p *one) {
			p.pid, p.name, p.cmdline = 10, "containerd-shim", "containerd-shim\x00-namespace\x00moby\x00-id\x00"+docker+"\x00"
		}),
		like(host, func(p *one) {
			p.pid, p.parent, p.inner, p.name, p.mnt, p.pids, p.cgroup, p.cmdline = 11, 10, 1, "sh", 11, 11, "/system.slice/docker-"+docker+".scope", "sh\x00-c\x00x\x00"
		}),
		like(host, func(p *one) {
			p.pid, p.parent, p.inner, p.name, p.mnt, p.pids, p.cgroup, p.uid = 12, 10, 7, "top", 11, 11, "/system.slice/docker-"+docker+".scope", "65532 65532 65532 65532"
			p.thread = "65532 0 65532 65532"
		}),
		like(host, func(p *one) {
			p.pid, p.parent, p.inner, p.mnt, p.pids, p.cgroup, p.state = 13, 11, 8, 11, 11, "/system.slice/docker-"+docker+".scope", "Z (zombie)"
		}),
		// Two containers of a pod that share a pid namespace are told apart.
		like(host, func(p *one) { p.pid, p.inner, p.mnt, p.pids, p.cgroup = 20, 1, 20, 20, "/kubepods/pod7/"+pod1 }),
		like(host, func(p *one) { p.pid, p.inner, p.mnt, p.pids, p.cgroup = 21, 2, 21, 20, "/kubepods/pod7/"+pod2 }),
		// runc's, with the host's pid namespace and no name of a cgroup; its child has unshared its mounts.
		like(host, func(p *one) { p.pid, p.inner, p.name, p.mnt, p.uid = 30, 30, "web", 30, "1000 1000 1000 1000" }),
		like(host, func(p *one) { p.pid, p.parent, p.inner, p.name, p.mnt = 31, 30, 31, "job", 31 }),
		// Root in a user namespace, and nobody knows whose.
		like(host, func(p *one) {
			p.pid, p.inner, p.name, p.mnt, p.pids, p.user, p.uid, p.ids = 40, 1, "bash", 40, 40, 40, "100000 100000 100000 100000", "0 100000 65536"
		}),
	)
	got := map[string]string{}
	for _, c := range sorted(t, 1, []state{{root: "/run/runc", id: "web", bundle: "/b", pid: 30, start: 30}, {id: "gone", pid: 5, start: 6}}, root) {
		text := c.Engine
		for _, p := range c.Processes {
			text += fmt.Sprintf(" %d/%d %s %v %v %v %v;", p.PID, p.InnerPID, p.Role, p.UIDs, p.InnerUIDs, p.HostRoot, p.InnerRoot)
		}
		got[c.ID] = text
	}
	want := map[string]string{
		docker: "docker 11/1 init [0] [0] true true; 12/7 exec [0 65532] [0 65532] true true;",
		pod1:   "kubernetes 20/1 init [0] [0] true true;",
		pod2:   "kubernetes 21/2 init [0] [0] true true;",
		"web":  " 30/30 init [1000] [1000] false false; 31/31 child [0] [0] true true;",
		"":     " 40/1 init [100000] [0] false true;",
	}
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%q: %s, want %s", id, got[id], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%q", got)
	}
}
