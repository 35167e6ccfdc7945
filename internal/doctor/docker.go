// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// dockerInfo is the part of "docker info" about runtimes.
type dockerInfo struct {
	Runtimes       dockerRuntimes
	DefaultRuntime string
	DockerRootDir  string
	ServerErrors   []string
}

// dockerRuntimes are runtimes by name, in the form that daemon.json and "docker info" share.
type dockerRuntimes map[string]struct {
	Path    string   `json:"path"`
	Options struct { // for a runtime that is registered by its shim, since Docker 23
		BinaryName string
	} `json:"options"`
}

func (all dockerRuntimes) registered(standard string) *registered {
	r := &registered{runtimes: map[string]string{}, standard: standard}
	for name, rt := range all {
		r.runtimes[name] = rt.Path
		if rt.Options.BinaryName != "" {
			r.runtimes[name] = rt.Options.BinaryName
		}
	}
	return r
}

func (d *doctor) docker(ctx context.Context, p *policy.Policy) {
	if d.o.Engine != &engines.Docker && !Installed(&engines.Docker) {
		return
	}
	info := &dockerInfo{}
	out, err := d.callDocker(ctx, "info", "--format", "{{json .}}")
	if err == nil {
		err = json.Unmarshal(out, info)
	}
	if err == nil && len(info.ServerErrors) > 0 {
		err = fmt.Errorf("it says %q", strings.Join(info.ServerErrors, "; "))
	}
	if err != nil {
		status := Warn
		if d.o.Engine == &engines.Docker {
			status = Fail
		}
		d.bad(status, "docker: registered", "start the daemon, or name it by DOCKER_HOST or --docker-host", "the daemon does not answer: %v", err)
		return
	}
	names := d.registration(engines.Docker.Config.Command, info.Runtimes.registered(info.DefaultRuntime))
	if names == nil {
		return
	}
	d.dockerDoors(p, info.DockerRootDir)
	d.older(ctx, names)
}

// dockerDoors checks the ways to root that the daemon leaves open whatever its default runtime is: the name "runc"
// can't be registered for another program (SECURITY.md F7), and builds run "runc" from PATH (F8).
func (d *doctor) dockerDoors(p *policy.Policy, root string) {
	if d.guarded() {
		d.ok("docker: --runtime runc", "\"runc\" is nonroot-runc")
		d.builds(p, root)
		return
	}
	const hint = "guard it: nonroot-ctl configure docker --guard --builds off (builds stay root's) or --builds rewrite"
	d.bad(Warn, "docker: --runtime runc", hint, "OPEN: whoever reaches the daemon's socket can start root containers with --runtime runc or --runtime %s", engines.RuncShim)
	d.bad(Warn, "docker: builds", hint, "OPEN: BuildKit runs \"runc\" from PATH as root, whatever the default runtime is")
}

// builds checks BuildKit: if its "runc" is nonroot-runc, builds follow [build] of the policy, provided that it names
// the directory where dockerd really has them.
func (d *doctor) builds(p *policy.Policy, root string) {
	const name = "docker: builds"
	if p == nil || len(p.Build.Bundles) == 0 {
		d.ok(name, "BuildKit runs \"runc\", which is nonroot-runc")
		return
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		if directory := filepath.Join(real, engines.Docker.Builds.Dir); !slices.Contains(p.Build.Bundles, directory) {
			d.bad(Warn, name, "nonroot-ctl configure docker --guard --builds rewrite", "the policy's rule for builds is for %q, and dockerd has them in %q: they go by the rest of the policy", p.Build.Bundles, directory)
			return
		}
	}
	if p.Build.Mode == policy.Off {
		d.bad(Note, name, "nonroot-ctl configure docker --guard --builds rewrite governs them", "OPEN: builds run as root by the policy's rule for them (%q)", p.Build.Reason)
		return
	}
	d.ok(name, "BuildKit runs \"runc\", which is nonroot-runc, by the policy's rule for builds: %s", p.Build.Mode)
}

// older reports containers that were created with another runtime, which they keep (SECURITY.md F9).
func (d *doctor) older(ctx context.Context, names []string) {
	const name, hint = "docker: containers", "remove these containers and create them again"
	out, err := d.callDocker(ctx, "ps", "--all", "--quiet", "--no-trunc")
	if err != nil {
		d.bad(Warn, name, "see why", "the containers can't be listed: %v", err)
		return
	}
	var all []container
	for ids := range slices.Chunk(strings.Fields(string(out)), 100) {
		// If one of them no longer exists, the others are still listed.
		out, err := d.callDocker(ctx, append([]string{"inspect", "--type", "container", "--format", "{{json .Name}} {{json .HostConfig.Runtime}} {{json .Id}} {{json .State.Pid}}", "--"}, ids...)...)
		some, bad := parseContainers(out)
		if bad != nil || err != nil && len(some) == 0 {
			d.bad(Warn, name, "see why", "the containers can't be inspected: %v", err)
			return
		}
		all = append(all, some...)
	}
	d.containersOf(name, hint, all, names)
}

// containersOf reports two lists of an engine's containers: those of other runtimes, and those that are root although
// their runtime has a name of ours. Neither implies anything about the other.
func (d *doctor) containersOf(name, hint string, all []container, names []string) {
	outside, root := notOurs(all, names), asRoot(ours(all, names))
	if n := len(outside); n > 0 {
		were, are := "were", "are"
		if n == 1 {
			were, are = "was", "is"
		}
		d.bad(Warn, name, hint, "OPEN: %d of %s %s created with another runtime and %s NOT governed: %s", n, counted(len(all)), were, are, strings.Join(outside, ", "))
	}
	if n := len(root); n > 0 {
		run, they := "run as root, though their runtime is", "they were created before it stood there or in mode audit, or are exempt"
		if n == 1 {
			run, they = "runs as root, though its runtime is", "it was created before it stood there or in mode audit, or is exempt"
		}
		d.bad(Warn, name, hint+", unless the policy exempts them", "OPEN: %d of %s %s called like nonroot-runc by now: %s: %s", n, counted(len(all)), run, they, strings.Join(root, ", "))
	}
	switch {
	case len(outside)+len(root) > 0:
	case len(all) == 0:
		d.ok(name, "there are none")
	default:
		d.ok(name, "%s: created with nonroot-runc, and none that runs is root", counted(len(all)))
	}
}

// counted formats a number of containers.
func counted(n int) string {
	if n == 1 {
		return "1 container"
	}
	return strconv.Itoa(n) + " containers"
}

// ours returns the containers with a runtime of one of nonroot-runc's names.
func ours(all []container, names []string) []container {
	var some []container
	for _, c := range all {
		if slices.Contains(names, c.runtime) {
			some = append(some, c)
		}
	}
	return some
}

// asRoot lists, by name, those that run on this machine with a first process that is root.
func asRoot(all []container) []string {
	var names []string
	for _, c := range all {
		proc := "/proc/" + strconv.Itoa(c.pid)
		group, err := os.ReadFile(proc + "/cgroup")
		if c.pid == 0 || err != nil || len(c.id) != 64 || !bytes.Contains(group, []byte(c.id)) {
			continue // not running, or on another machine: the pid is another process's here
		}
		status, err := os.ReadFile(proc + "/status")
		if err == nil && bytes.Contains(status, []byte("\nUid:\t0\t")) {
			names = append(names, fmt.Sprintf("%q", strings.TrimPrefix(c.name, "/")))
		}
	}
	return names
}

type container struct {
	name, runtime, id string
	pid               int
}

// parseContainers reads the JSON of names, runtimes, ids and pids, one line per container.
func parseContainers(out []byte) ([]container, error) {
	var all []container
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var c container
		if err := dec.Decode(&c.name); err != nil {
			return nil, err
		}
		if err := dec.Decode(&c.runtime); err != nil {
			return nil, err
		}
		if err := dec.Decode(&c.id); err != nil {
			return nil, err
		}
		if err := dec.Decode(&c.pid); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// notOurs lists the containers of other runtimes, by name.
func notOurs(all []container, names []string) []string {
	var outside []string
	for _, c := range all {
		if !slices.Contains(names, c.runtime) {
			outside = append(outside, fmt.Sprintf("%q (%q)", strings.TrimPrefix(c.name, "/"), c.runtime))
		}
	}
	return outside
}

func (d *doctor) callDocker(ctx context.Context, args ...string) ([]byte, error) {
	return ask.Docker(ctx, d.o.DockerHost, nil, args...)
}
