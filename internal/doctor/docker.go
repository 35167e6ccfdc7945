// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
)

// dockerInfo is what "docker info" says of runtimes.
type dockerInfo struct {
	Runtimes map[string]struct {
		Path    string   `json:"path"`
		Options struct { // of one that is registered by its shim, from Docker 23 on
			BinaryName string
		} `json:"options"`
	}
	DefaultRuntime string
	ServerErrors   []string
}

func (i *dockerInfo) registered() *registered {
	r := &registered{runtimes: map[string]string{}, standard: i.DefaultRuntime}
	for name, rt := range i.Runtimes {
		r.runtimes[name] = rt.Path
		if rt.Options.BinaryName != "" {
			r.runtimes[name] = rt.Options.BinaryName
		}
	}
	return r
}

func (d *doctor) docker(ctx context.Context) {
	if !d.o.ViaDocker && !present("dockerd", "/run/docker.sock", "/etc/docker/daemon.json") {
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
		if d.o.ViaDocker {
			status = Fail
		}
		d.bad(status, "docker: registered", "start the daemon, or name it by DOCKER_HOST or --docker-host", "the daemon does not answer: %v", err)
		return
	}
	names := d.registration("docker", info.registered())
	if names == nil {
		return
	}
	d.dockerDoors()
	d.older(ctx, names)
}

// dockerDoors are the ways to root that the daemon leaves open whatever its default runtime is: the name "runc" can't be
// given to another program (SECURITY.md F7), and builds run "runc" from PATH (F8).
func (d *doctor) dockerDoors() {
	if d.guarded() {
		d.ok("docker: --runtime runc", "\"runc\" is nonroot-runc")
		d.ok("docker: builds", "BuildKit runs \"runc\", which is nonroot-runc")
		return
	}
	const hint = "guard it: nonroot-ctl configure docker --guard"
	d.bad(Warn, "docker: --runtime runc", hint, "OPEN: whoever reaches the daemon's socket can start root containers with --runtime runc or --runtime io.containerd.runc.v2")
	d.bad(Warn, "docker: builds", hint, "OPEN: BuildKit runs \"runc\" from PATH as root, whatever the default runtime is")
}

// older are containers that were created with another runtime, which they keep (SECURITY.md F9).
func (d *doctor) older(ctx context.Context, names []string) {
	const name, hint = "docker: containers", "remove these containers and create them again"
	out, err := d.callDocker(ctx, "ps", "--all", "--quiet", "--no-trunc")
	if err != nil {
		d.bad(Warn, name, "see why", "the containers can't be listed: %v", err)
		return
	}
	var all []container
	for ids := range slices.Chunk(strings.Fields(string(out)), 100) {
		// Where one of them is gone by now, the others are still told of.
		out, err := d.callDocker(ctx, append([]string{"inspect", "--type", "container", "--format", "{{json .Name}} {{json .HostConfig.Runtime}}", "--"}, ids...)...)
		some, bad := parseContainers(out)
		if bad != nil || err != nil && len(some) == 0 {
			d.bad(Warn, name, "see why", "the containers can't be looked at: %v", err)
			return
		}
		all = append(all, some...)
	}
	if outside := notOurs(all, names); len(outside) > 0 {
		d.bad(Warn, name, hint, "OPEN: %d of %d containers were created with another runtime and are NOT governed: %s", len(outside), len(all), strings.Join(outside, ", "))
		return
	}
	d.ok(name, "all %d were created with nonroot-runc", len(all))
}

type container struct{ name, runtime string }

// parseContainers reads pairs of JSON strings, a line for each container.
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
