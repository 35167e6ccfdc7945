// SPDX-License-Identifier: Apache-2.0

// This program execs the next runtime within a millisecond, so the Go runtime need not adapt GOMAXPROCS to the cgroup's
// limit, nor watch it. (It reads the limit once all the same, runtime/cgroup_linux.go.)
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command nonroot-runc is an OCI runtime in which no container process is root. It takes the place of runc: it
// rewrites what an engine asks for, and then replaces itself with the real runc or crun.
//
// The stages of a call, one file each:
//
//	argv -> Command -> Facts -> Decision -> Plan -> apply -> canonical argv -> execve(runc)
package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

func main() {
	cmd, err := runcargs.Parse(os.Args[1:])
	if err == nil {
		err = run(cmd)
	}
	// A process that has not become the next runtime by now has failed.
	report(cmd, err)
	os.Exit(1)
}

// run handles the verb. It returns only if it fails.
func run(cmd *runcargs.Command) error {
	if err := notRecursive(); err != nil {
		return err
	}
	switch {
	case cmd.Kind == runcargs.Passthrough:
		return passOn(cmd)
	case cmd.Kind == runcargs.Gate:
		return governed(cmd, facts.AnyCaller().Remember(), start)
	}
	caller, err := facts.LookAtCaller()
	switch {
	case err != nil:
		return err
	case cmd.Verb == runcargs.VerbExec:
		return governed(cmd, caller.Remember(), exec)
	default:
		room(false)
		return governed(cmd, caller.Remember(), create)
	}
}

// guard is the variable by which a call detects that its next runtime is this program again. Its value is the process
// id, which execve keeps, and how many calls in a row came from wrappers that fork.
const guard = "NONROOT_RUNC_GUARD"

const maxDepth = 8

// notRecursive refuses endless recursion: "runc" may be a link to, a copy of or a script around this program
// (SECURITY.md E11).
func notRecursive() error {
	pid, depth := guardValue()
	if pid == os.Getpid() || depth >= maxDepth {
		return fail("the next runtime leads back to nonroot-runc", "name the real runc in runtimes of "+policyHint)
	}
	return nil
}

func guardValue() (pid, depth int) {
	p, d, _ := strings.Cut(os.Getenv(guard), ":")
	pid, _ = strconv.Atoi(p)   // 0, which is no process, if it is missing or malformed
	depth, _ = strconv.Atoi(d) // likewise
	return pid, depth
}

// become execs the next runtime.
func become(runtime string, args []string) error {
	_, depth := guardValue()
	env := environ(guard + "=" + strconv.Itoa(os.Getpid()) + ":" + strconv.Itoa(depth+1))
	err := unix.Exec(runtime, append([]string{runtime}, args...), env)
	return wrap(err, "replace this program with the runtime %q", runtime)
}

// receiver is the variable that makes crun pass a container's system calls to a listener (SECURITY.md B5).
const receiver = "RUN_OCI_SECCOMP_RECEIVER"

// helper is the prefix of the variables by which runc tells its own helper process what to become, before any of its
// other code runs: with one of them and a descriptor, a call of "create" first enters namespaces that another user
// chose, and finds that user's bundle there (runc, libcontainer/nsenter/nsexec.c; SECURITY.md E9).
const helper = "_LIBCONTAINER_"

// environ returns the environment for the next runtime: ours with the guard, without variables that steer a runtime,
// and without sockets that were meant for another process. systemd passes sockets to one process (sd_listen_fds(3),
// LISTEN_PID); runc checks that, but crun passes the descriptors with those numbers to the container, whichever process
// they were meant for (SECURITY.md C14).
func environ(guardEntry string) []string {
	listen := listenFDs() > 0
	old := os.Environ()
	env := make([]string, 0, len(old)+1)
	for _, e := range old {
		if strings.HasPrefix(e, guard+"=") || !listen && strings.HasPrefix(e, "LISTEN_") || strings.HasPrefix(e, receiver+"=") || strings.HasPrefix(e, helper) {
			continue
		}
		env = append(env, e)
	}
	return append(env, guardEntry)
}
