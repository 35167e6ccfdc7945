// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Dependent is a container that its engine starts, stops and removes by a runtime's name.
type Dependent struct {
	Name  string // as the engine shows it; the container's creator chose it
	State string // such as "running" or "created"
}

// DockerDependents returns the containers with the runtime below dockerd's data-roots. dockerd records a container's
// runtime when it is created, even the default one, and keeps it (moby, daemon/container, ToDisk: hostconfig.json and
// config.v2.json).
func DockerDependents(dataRoots []string, name string) ([]Dependent, error) {
	var all []Dependent
	store := &engines.Docker.Store
	for _, root := range dataRoots {
		dirs, err := directoriesIn(filepath.Join(root, store.Containers))
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			var host struct{ Runtime string }
			var c struct {
				Name  string
				State struct {
					Running   bool
					StartedAt string
				}
			}
			if err := readInto(filepath.Join(dir, store.Runtime), &host); err != nil {
				return nil, err
			}
			if host.Runtime != name {
				continue
			}
			if err := readInto(filepath.Join(dir, store.Record), &c); err != nil {
				return nil, err
			}
			state := "exited"
			switch {
			case c.State.Running:
				state = running
			case strings.HasPrefix(c.State.StartedAt, "0001-"): // Go's zero time
				state = "created"
			}
			all = append(all, Dependent{cmp.Or(strings.TrimPrefix(c.Name, "/"), filepath.Base(dir)), state})
		}
	}
	return all, nil
}

// DockerDataRoots returns a data-root, and those that dockerd has below it for user namespaces, named after the first
// ids of their maps (moby, daemon/daemon_unix.go, setupDaemonRoot).
func DockerDataRoots(root string) []string {
	mapped, _ := filepath.Glob(engines.DockerMapped(root)) // the pattern is well formed
	return append([]string{root}, mapped...)
}

// ContainerdDependents returns the pods' containers below containerd's state directory that use the binary as their
// runtime. The shim writes it into the bundle (containerd, cmd/containerd-shim-runc-v2/runc, WriteRuntime).
func ContainerdDependents(state, binary string) ([]Dependent, error) {
	dirs, err := directoriesIn(engines.Containerd.Bundles.Dir(state, engines.CRINamespace, ""))
	if err != nil {
		return nil, err
	}
	var all []Dependent
	for _, dir := range dirs {
		used, err := os.ReadFile(filepath.Join(dir, engines.Containerd.Store.Runtime))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if string(used) != binary {
			continue
		}
		a, err := annotations(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, Dependent{podName(dir, a, &engines.Containerd.Labels), running})
	}
	return all, nil
}

// CRIODependents returns the containers below the runtime_root that a drop-in sets for its runtime. CRI-O has no other
// record of the runtime of a container that uses the default.
func CRIODependents(dropIn []byte, name string, owners trusted.Owners) ([]Dependent, error) {
	tree, err := parseTOML(dropIn)
	if err != nil {
		return nil, err
	}
	root, err := textAt(tree, append(crioTable(name), "runtime_root")...)
	if err != nil || root == "" {
		return nil, err
	}
	dirs, err := directoriesIn(root)
	if err != nil {
		return nil, err
	}
	var all []Dependent
	for _, dir := range dirs {
		id := filepath.Base(dir)
		s, err := runc.ReadState(root, true, id, owners)
		if errors.Is(err, runc.ErrNoState) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("container %q: %w", id, err)
		}
		a, err := annotations(s.Bundle)
		if err != nil {
			return nil, err
		}
		all = append(all, Dependent{podName(dir, a, &engines.CRIO.Labels), running})
	}
	return all, nil
}

// podName returns a container's name in Kubernetes, or else its directory.
func podName(dir string, annotations map[string]string, by *engines.Labels) string {
	if annotations[by.Pod] == "" {
		return filepath.Base(dir)
	}
	return strings.TrimSuffix(annotations[by.Namespace]+"/"+annotations[by.Pod]+"/"+annotations[by.Container], "/")
}

// PodmanDependents returns the caller's containers and, for root, all users' running ones: every user's Podman reads a
// drop-in of the system.
func PodmanDependents(ctx context.Context, name string) ([]Dependent, error) {
	all, err := byConmon(name)
	if err != nil || !usesPodman() {
		return all, err
	}
	own, err := byPodman(ctx, name)
	if err != nil {
		return nil, err
	}
	return append(slices.DeleteFunc(all, func(d Dependent) bool {
		return slices.ContainsFunc(own, func(o Dependent) bool { return o.Name == d.Name && d.State == running })
	}), own...), nil
}

const running = "running"

// usesPodman reports whether asking Podman creates no storage for a user who has none: the usual place is not empty
// once an image was pulled.
func usesPodman() bool {
	if os.Geteuid() == 0 {
		return true
	}
	data := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(os.Getenv("HOME"), ".local/share"))
	_, err := os.Stat(filepath.Join(data, filepath.Dir(engines.Podman.Store.User)))
	return err == nil
}

// byPodman returns the containers in every state that Podman lists for the caller.
func byPodman(ctx context.Context, name string) ([]Dependent, error) {
	ids, err := ask.Run(ctx, nil, engines.Podman.Client, "ps", "--all", "--quiet", "--no-trunc")
	if err != nil {
		return nil, err
	}
	var all []Dependent
	for some := range slices.Chunk(strings.Fields(string(ids)), 100) {
		out, err := ask.Run(ctx, nil, engines.Podman.Client, append([]string{"container", "inspect", "--"}, some...)...)
		if err != nil {
			return nil, err
		}
		var containers []struct {
			Name, OCIRuntime string
			State            struct{ Status string }
		}
		if err := json.Unmarshal(out, &containers); err != nil {
			return nil, fmt.Errorf("read what podman inspect says: %w", err)
		}
		for _, c := range containers {
			if c.OCIRuntime == name {
				all = append(all, Dependent{c.Name, c.State.Status})
			}
		}
	}
	return all, nil
}

// byConmon returns running containers, the caller's or, for root, all users', wherever their storage is. Each has a
// monitor with arguments that say how Podman is called when the container ends, including the runtime (podman,
// libpod/oci_conmon_common.go, createOCIContainer).
func byConmon(name string) ([]Dependent, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	me := strconv.Itoa(os.Geteuid())
	var all []Dependent
	for _, file := range lines {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		container, ok := monitored(strings.Split(string(text), "\x00"), name)
		if !ok {
			continue
		}
		owner, err := ownerOf(filepath.Dir(file))
		switch {
		case err != nil:
		case owner == me:
			all = append(all, Dependent{container, running})
		case me == "0":
			if user, needs := otherUser(owner, name); needs {
				all = append(all, Dependent{container, running + ", of user " + user})
			}
		}
	}
	return all, nil
}

// otherUser returns a uid's name. A user with a registration of their own does not need the system's.
func otherUser(uid, runtime string) (name string, needs bool) {
	u, err := osuser.LookupId(uid)
	if err != nil {
		return uid, true
	}
	_, err = os.Stat(filepath.Join(u.HomeDir, ".config", engines.Podman.Config.UserDropIns, engines.Podman.Config.DropIn(runtime)))
	return u.Username, err != nil
}

// monitored returns the name of the container that a conmon monitors, if it has the runtime.
func monitored(args []string, runtime string) (container string, ok bool) {
	if filepath.Base(args[0]) != engines.ConmonProgram {
		return "", false
	}
	// conmon's options come before those of the command that it passes on as "--exit-command-arg VALUE".
	var exit []string
	for i := 1; i+1 < len(args); i++ {
		switch args[i] {
		case "-n":
			container = args[i+1]
		case "--exit-command-arg":
			exit = append(exit, args[i+1])
		default:
			continue
		}
		i++
	}
	i := slices.Index(exit, "--runtime")
	return container, i >= 0 && i+1 < len(exit) && exit[i+1] == runtime
}

// ownerOf returns a process's real uid.
func ownerOf(proc string) (string, error) {
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return "", err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nUid:\t"))
	uid, _, ok := bytes.Cut(rest, []byte("\t"))
	if !ok {
		return "", fmt.Errorf("%q has no Uid", proc)
	}
	return string(uid), nil
}

// annotations returns those of a bundle's config.json. A bundle that is just being removed has none.
func annotations(dir string) (map[string]string, error) {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	err := readInto(filepath.Join(dir, "config.json"), &spec)
	return spec.Annotations, err
}

// readInto leaves the value unchanged if there is no file.
func readInto(file string, to any) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("read %q: %w", file, err)
	}
	return nil
}

// directoriesIn lists the subdirectories of a directory that may not exist.
func directoriesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(dir, e.Name()))
		}
	}
	return dirs, nil
}
