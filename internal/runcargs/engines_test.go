// SPDX-License-Identifier: Apache-2.0

package runcargs

import (
	"slices"
	"strings"
	"testing"
)

// task stands for containerd's task directory.
const task = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1"

// shim are the global flags of containerd's shim, with Docker's root.
const shim = "--root /var/run/docker/runtime-runc/moby --log " + task + "/log.json --log-format json "

// engineLines are engines' calls as a tracing runtime recorded them, one row each, and what is to be read in them.
var engineLines = []struct {
	name string
	line string
	kind Kind
	verb string
	id   string
	argv string // what goes on; empty: the line as it came
}{
	{"docker info", "--version", Passthrough, "", "", ""},
	{
		"docker create", shim + "create --bundle " + task + " --pid-file " + task + "/init.pid c1", Govern, "create", "c1",
		"--root=/var/run/docker/runtime-runc/moby --log=" + task + "/log.json --log-format=json create --bundle=" + task + " --pid-file=" + task + "/init.pid c1",
	},
	{
		"docker create -t", shim + "create --bundle " + task + " --pid-file " + task + "/init.pid --console-socket /tmp/pty1/pty.sock c1", Govern, "create", "c1",
		"--root=/var/run/docker/runtime-runc/moby --log=" + task + "/log.json --log-format=json create --bundle=" + task + " --pid-file=" + task + "/init.pid --console-socket=/tmp/pty1/pty.sock c1",
	},
	{
		"docker start", shim + "start c1", Gate, "start", "c1",
		"--root=/var/run/docker/runtime-runc/moby --log=" + task + "/log.json --log-format=json start c1",
	},
	{
		"docker exec", shim + "exec --process /tmp/runc-process1 --detach --pid-file " + task + "/e1.pid c1", Govern, "exec", "c1",
		"--root=/var/run/docker/runtime-runc/moby --log=" + task + "/log.json --log-format=json exec --process=/tmp/runc-process1 --pid-file=" + task + "/e1.pid --detach c1",
	},
	{
		"docker exec -t", shim + "exec --process /tmp/runc-process1 --console-socket /tmp/s --detach --pid-file " + task + "/e1.pid c1", Govern, "exec", "c1",
		"--root=/var/run/docker/runtime-runc/moby --log=" + task + "/log.json --log-format=json exec --process=/tmp/runc-process1 --pid-file=" + task + "/e1.pid --console-socket=/tmp/s --detach c1",
	},
	{"docker stop", shim + "kill c1 15", Passthrough, "kill", "c1", ""},
	{"docker kill", shim + "kill c1 9", Passthrough, "kill", "c1", ""},
	{"docker top", shim + "ps --format json c1", Passthrough, "ps", "c1", ""},
	{"docker pause", shim + "pause c1", Passthrough, "pause", "c1", ""},
	{"docker unpause", shim + "resume c1", Passthrough, "resume", "c1", ""},
	{"docker update", shim + "update --resources - c1", Passthrough, "update", "c1", ""},
	{"docker checkpoint", shim + "checkpoint --image-path /tmp/ctd-checkpoint1 --work-path " + task + "@CHECKOUT@-work c1", Passthrough, "checkpoint", "c1", ""},
	{"docker rm", shim + "delete c1", Passthrough, "delete", "c1", ""},
	{"docker rm, clean-up", shim + "delete --force c1", Passthrough, "delete", "c1", ""},
	{
		"buildkit", "--log /var/lib/docker/buildkit/executor/runc-log.json --log-format json run --bundle /var/lib/docker/buildkit/executor/b1 b1", Govern, "run", "b1",
		"--log=/var/lib/docker/buildkit/executor/runc-log.json --log-format=json run --bundle=/var/lib/docker/buildkit/executor/b1 b1",
	},
	{
		"cri exec", "--root /run/containerd/runc/k8s.io --log " + task + "/log.json --log-format json exec --process /tmp/runc-process2 --detach --pid-file " + task + "/e.pid c1", Govern, "exec", "c1",
		"--root=/run/containerd/runc/k8s.io --log=" + task + "/log.json --log-format=json exec --process=/tmp/runc-process2 --pid-file=" + task + "/e.pid --detach c1",
	},
	{"cri stop", "--root /run/containerd/runc/k8s.io kill --all c1 9", Passthrough, "kill", "c1", ""},
	{
		"podman create", "create --bundle /s/overlay-containers/p1/userdata --pid-file /r/userdata/pidfile p1", Govern, "create", "p1",
		"create --bundle=/s/overlay-containers/p1/userdata --pid-file=/r/userdata/pidfile p1",
	},
	{
		"podman create, json", "--log-format=json --log /r/userdata/oci-log create --bundle /s/userdata --pid-file /r/pidfile p1", Govern, "create", "p1",
		"--log=/r/userdata/oci-log --log-format=json create --bundle=/s/userdata --pid-file=/r/pidfile p1",
	},
	{"podman start", "start p1", Gate, "start", "p1", ""},
	{"podman delete", "delete --force p1", Passthrough, "delete", "p1", ""},
	{
		"podman exec", "exec --pid-file /u/S/exec_pid --process /u/S/exec-process-1 --detach p1", Govern, "exec", "p1",
		"exec --process=/u/S/exec-process-1 --pid-file=/u/S/exec_pid --detach p1",
	},
	{
		"podman exec -t", "exec --pid-file /u/S/exec_pid --process /u/S/exec-process-1 --detach --tty --console-socket /tmp/conmon-term.X p1", Govern, "exec", "p1",
		"exec --process=/u/S/exec-process-1 --pid-file=/u/S/exec_pid --console-socket=/tmp/conmon-term.X --detach p1",
	},
	{
		"podman exec, fds", "exec --pid-file /p --process /f --detach --preserve-fds 2 --cgroup /x p1", Govern, "exec", "p1",
		"exec --process=/f --pid-file=/p --detach --preserve-fds=2 --cgroup=/x p1",
	},
	{
		"podman restore", "restore --bundle /b --pid-file /p --detach --image-path /i --work-path /b --tcp-established p1", Govern, "restore", "p1",
		"restore --bundle=/b --pid-file=/p --detach --image-path=/i --work-path=/b --tcp-established p1",
	},
	{
		"cri-o create", "--systemd-cgroup --root=/run/runc create --bundle /b --pid-file /p --no-pivot o1", Govern, "create", "o1",
		"--root=/run/runc --systemd-cgroup create --bundle=/b --pid-file=/p --no-pivot o1",
	},
	{
		"cri-o start", "--root /run/runc --systemd-cgroup start o1", Gate, "start", "o1",
		"--root=/run/runc --systemd-cgroup start o1",
	},
	{
		"cri-o exec", "--root /run/runc --systemd-cgroup exec --process /f o1", Govern, "exec", "o1",
		"--root=/run/runc --systemd-cgroup exec --process=/f o1",
	},
	{
		"cri-o exec sync", "--root=/run/runc exec --pid-file /p --process /f --detach o1", Govern, "exec", "o1",
		"--root=/run/runc exec --process=/f --pid-file=/p --detach o1",
	},
	{"cri-o update", "--root=/run/runc update --resources - o1", Passthrough, "update", "o1", ""},
	{"moby features", "features", Passthrough, "features", "", ""},
	{
		"containerd 2", "--root /r --rootless=true create --bundle /b c1", Govern, "create", "c1",
		"--rootless=true --root=/r create --bundle=/b c1",
	},
}

func TestEngineLines(t *testing.T) {
	for _, row := range engineLines {
		t.Run(row.name, func(t *testing.T) {
			c, err := Parse(strings.Fields(row.line))
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind != row.kind || c.Verb != row.verb || c.ID != row.id {
				t.Errorf("kind %d, verb %q, id %q; want %d, %q, %q", c.Kind, c.Verb, c.ID, row.kind, row.verb, row.id)
			}
			want := row.argv
			if want == "" {
				want = row.line
			}
			if got := c.Argv(); !slices.Equal(got, strings.Fields(want)) {
				t.Errorf("argv\n got %q\nwant %q", got, want)
			}
			checkInvariants(t, c)
		})
	}
}
