// SPDX-License-Identifier: Apache-2.0

// Package locate finds the bundle of a container that an engine knows by name. It asks the engine's own command line
// for the id, as that knows how to reach the engine (DOCKER_HOST, contexts, CONTAINER_HOST), and looks for the directory
// where the engine keeps bundles (internal/engines). What is in a bundle is not read here.
package locate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// Container is what an engine says of a container.
type Container struct {
	ID      string
	Bundle  string
	Root    string   // the runtime's --root, where it is known
	Running bool     // it was created by some runtime
	Runtime string   // by which, as far as the engine says
	Ports   []uint16 // those that the image or its user declares as listened on
}

// identifier is what engines accept as ids and namespaces (containerd, identifiers.Validate); it can't lead elsewhere as a
// part of a path.
var identifier = regexp.MustCompile(`^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$`)

// EndedError says that a container does not run, and that its engine kept nothing of it that could be explained.
type EndedError struct{ Name, Status string }

func (e *EndedError) Error() string {
	return fmt.Sprintf("the container %q is not running (%s), and Docker keeps config.json only while it runs, so there is nothing to explain", e.Name, e.Status)
}

// Docker finds a running container's bundle: Docker removes it when the container stops. The host is docker's -H, "" for
// the one in force; the exec-roots are dockerd's --exec-root, where it runs a containerd of its own; the states are those
// of containerds that it may use instead.
func Docker(ctx context.Context, name, host string, execRoots, states []string) (*Container, error) {
	out, err := ask.Docker(ctx, host, nil, "inspect", "--type", "container", "--format", "{{json .}}", "--", name)
	if err != nil {
		return nil, err
	}
	var c struct {
		ID    string `json:"Id"`
		State struct {
			Status string
			Pid    int
		}
		Config struct {
			ExposedPorts map[string]any
		}
		HostConfig struct{ Runtime string }
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return nil, fmt.Errorf("read what docker inspect says of %q: %w", name, err)
	}
	if !identifier.MatchString(c.ID) {
		return nil, fmt.Errorf("docker inspect says that the id of %q is %q, which is not an id", c.ID, name)
	}
	if c.State.Pid == 0 {
		return nil, &EndedError{name, c.State.Status}
	}
	found := &Container{ID: c.ID, Running: true, Runtime: c.HostConfig.Runtime}
	for spec := range c.Config.ExposedPorts { // "80/tcp"
		number, _, _ := strings.Cut(spec, "/")
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			found.Ports = append(found.Ports, uint16(n)) // ParseUint was given 16 bits
		}
	}
	slices.Sort(found.Ports)
	found.Bundle, err = first(engines.Docker.Bundles.Of(c.ID, execRoots, states))
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("find the bundle of the container %q: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("find the bundle of the container %q (%s): %w: is the daemon on this machine, and where is its --exec-root", name, c.ID, err)
	}
	return found, nil
}

// Containerd finds the bundle of a task by "namespace/id" below containerd's state directory.
func Containerd(name, state string) (*Container, error) {
	namespace, id, ok := strings.Cut(name, "/")
	if !ok || !identifier.MatchString(namespace) || !identifier.MatchString(id) {
		return nil, fmt.Errorf("%q is not a namespace and an id\nhint: write it as \"default/web\"", name)
	}
	dir, err := first([]string{engines.Containerd.Bundles.Dir(state, namespace, id)})
	if err != nil {
		return nil, fmt.Errorf("find the bundle of the task %q: %w: it is there only while the task is\nhint: see \"ctr -n %s tasks list\"", name, err, namespace)
	}
	return &Container{ID: id, Bundle: dir, Running: true}, nil
}

// Podman finds a container's bundle, which is there from its first start until it is removed.
func Podman(ctx context.Context, name string) (*Container, error) {
	out, err := ask.Run(ctx, nil, engines.Podman.Client, "container", "inspect", "--format", "json", "--", name)
	if err != nil {
		return nil, err
	}
	var all []struct {
		ID            string `json:"Id"`
		OCIConfigPath string
		StaticDir     string
		OCIRuntime    string
		State         struct {
			Status string
			Pid    int
		}
	}
	if err := json.Unmarshal(out, &all); err != nil || len(all) != 1 {
		return nil, fmt.Errorf("read what podman inspect says of %q: %w", name, errors.Join(err, fmt.Errorf("%d containers", len(all))))
	}
	c := all[0]
	dirs := []string{}
	for _, dir := range []string{filepath.Dir(c.OCIConfigPath), c.StaticDir} {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	dir, err := first(dirs)
	if err != nil {
		return nil, fmt.Errorf("find the bundle of the container %q (%s): %w: Podman writes it when the container starts for the first time", name, c.State.Status, err)
	}
	return &Container{ID: c.ID, Bundle: dir, Running: c.State.Pid != 0, Runtime: c.OCIRuntime}, nil
}

// first is the first directory that has a config.json. Its error is os.ErrPermission where one of them can't be looked into.
func first(dirs []string) (string, error) {
	var hidden error
	for _, dir := range dirs {
		_, err := os.Lstat(filepath.Join(dir, "config.json"))
		if err == nil {
			return dir, nil
		}
		if errors.Is(err, os.ErrPermission) {
			hidden = err
		}
	}
	if hidden != nil {
		return "", hidden
	}
	return "", fmt.Errorf("there is no config.json in %q", dirs)
}
