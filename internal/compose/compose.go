// SPDX-License-Identifier: Apache-2.0

// Package compose reads Compose files with Compose's own loader (compose-go), so that variables, profiles, extends and include mean the
// same as in docker compose. It fetches nothing. What a service's user means is up to internal/check.
package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	node "go.yaml.in/yaml/v3"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// MaxBytes is the largest file that is read. maxVisits is the loader's limit on nodes, also in included files.
const (
	MaxBytes    = 4 << 20
	maxVisits   = 200_000
	maxServices = 2000
)

// Service is a container in a file: of a service, of a job, or one that has to end before a service starts (pre_start).
type Service struct {
	Object            string // its kind and name
	Name, Image, User string
	Line, UserLine    int // 0: in another file
	Groups            []string
	Command           []string // entrypoint and command, if the file sets them
	Build             *Build
	Mounts            []Mount
	Hooks             []Hook
	Secrets           []Secret
	HostNetwork       bool
	Ports             []string // that the file exposes
	Probe             []string // the test of its health check, in Docker's form
	ProbeLine         int
}

// Build describes how the image is built.
type Build struct {
	Context, Dockerfile, Inline, Target string
	Args                                map[string]string
}

// Mount is a volume, or a directory on the host.
type Mount struct {
	Source, Target string // Source is the volume's name, or a path
	Bind, ReadOnly bool
}

// Hook is a further command that runs in the container.
type Hook struct {
	When, User string
	Command    []string
}

// Secret is a file that Compose writes into the container, with an owner and a mode, or a file on the host, which keeps its own.
type Secret struct {
	Name, UID, GID string
	Mode           *int64
	File           string // "": none
}

// Is reports whether a text seems to be a Compose file, without parsing it: it has services at the top level.
func Is(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("services:")) || bytes.HasPrefix(line, []byte(`"services"`)) {
			return true
		}
	}
	return false
}

// IsName reports whether a file has a name that docker compose looks for.
func IsName(name string) bool {
	base, ext := strings.ToLower(name), strings.ToLower(path.Ext(name))
	return (ext == ".yaml" || ext == ".yml") && (strings.HasPrefix(base, "compose.") || strings.HasPrefix(base, "docker-compose.") || strings.HasPrefix(base, "compose-") || strings.HasPrefix(base, "docker-compose-"))
}

// Read reads a file in a directory. environment has the values of variables.
func Read(name, dir string, text []byte, environment map[string]string) (all []Service, err error) {
	if len(text) > MaxBytes {
		return nil, &unread.Error{Err: fmt.Errorf("it has more than %d bytes", MaxBytes)}
	}
	defer func() {
		if r := recover(); r != nil {
			all, err = nil, &unread.Error{Err: fmt.Errorf("compose's loader fails: %v", r)}
		}
	}()
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var root node.Node
	if node.Unmarshal(text, &root) == nil { // otherwise the loader says what is wrong, and lines are unknown
		if err := checkWeight(filepath.Join(full, filepath.Base(name)), &root); err != nil {
			return nil, &unread.Error{Err: err}
		}
	}
	if environment, err = withEnv(full, text, environment); err != nil {
		return nil, &unread.Error{Err: err}
	}
	g := &guard{root: full, environment: environment, seen: map[string]bool{}}
	if err := g.file(full, text); err != nil {
		return nil, &unread.Error{Err: err}
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: full, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(full, filepath.Base(name)), Content: text}}, Environment: environment,
	}, func(o *loader.Options) {
		o.SkipResolveEnvironment, o.SkipResolveLabels, o.SkipConsistencyCheck, o.ResolvePaths, o.Profiles, o.MaxNodeVisits = true, true, true, true, []string{"*"}, maxVisits
		o.SetProjectName("check", true)
	})
	if err != nil {
		return nil, &unread.Error{Line: lineOf(err), Err: err}
	}
	for _, s := range project.Services {
		all = append(all, services(s, project, under(&root, "services"))...)
	}
	for _, j := range project.Jobs {
		at := lines(under(&root, "jobs"), j.Name)
		all = append(all, container(Service{Object: "job " + j.Name, Name: j.Name}, &j.ContainerSpec, &j.WorkloadSpec, project, at))
	}
	if len(all) == 0 {
		return nil, &unread.Error{Err: errors.New("it has no services")}
	}
	if len(all) > maxServices {
		return nil, &unread.Error{Err: fmt.Errorf("it has more than %d services", maxServices)}
	}
	slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Object, b.Object) })
	return all, nil
}

// services returns a service and the containers that have to end before it starts. The loader has filled in their settings from the
// service's, except for the volumes, which they get through volumes_from.
func services(s types.ServiceConfig, project *types.Project, all *node.Node) []Service {
	of := container(Service{Object: "service " + s.Name, Name: s.Name}, &s.ContainerSpec, &s.WorkloadSpec, project, lines(all, s.Name))
	for _, h := range s.PostStart {
		of.Hooks = append(of.Hooks, Hook{"post_start", h.User, h.Command})
	}
	for _, h := range s.PreStop {
		of.Hooks = append(of.Hooks, Hook{"pre_stop", h.User, h.Command})
	}
	with := []Service{of}
	hooks := under(under(all, s.Name), "pre_start")
	for i, h := range s.PreStart {
		at := map[string]int{"": of.Line}
		if hooks != nil && i < len(hooks.Content) {
			at = members(hooks.Content[i])
			at[""] = hooks.Content[i].Line
		}
		name := fmt.Sprintf("%s, pre_start %d", s.Name, i+1)
		one := container(Service{Object: "service " + name, Name: name}, &h.ContainerSpec, &types.WorkloadSpec{}, project, at)
		if h.Image == s.Image {
			one.Build = of.Build
		}
		one.Mounts = append(one.Mounts, of.Mounts...)
		with = append(with, one)
	}
	return with
}

func lineOf(err error) (n int) {
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		for i := 0; i < len(rest) && i < 9 && rest[i] >= '0' && rest[i] <= '9'; i++ {
			n = n*10 + int(rest[i]-'0')
		}
	}
	return n
}

// lines returns the lines of a container's members in the file. The key "" has the line of the container itself.
func lines(all *node.Node, name string) map[string]int {
	at := members(under(all, name))
	for i := 0; all != nil && i+1 < len(all.Content); i += 2 {
		if all.Content[i].Value == name {
			at[""] = all.Content[i].Line
		}
	}
	return at
}

func members(n *node.Node) map[string]int {
	at := map[string]int{}
	for i := 0; n != nil && n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		at[n.Content[i].Value] = n.Content[i].Line
	}
	return at
}

// target returns what an alias stands for, or else the node itself.
func target(n *node.Node) *node.Node {
	if n != nil && n.Kind == node.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// under returns the value of a member, or nil.
func under(n *node.Node, name string) *node.Node {
	if n != nil && n.Kind == node.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	for i := 0; n != nil && n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func container(out Service, c *types.ContainerSpec, w *types.WorkloadSpec, project *types.Project, at map[string]int) Service {
	out.Image, out.User, out.Groups, out.Line, out.UserLine = c.Image, c.User, c.GroupAdd, at["image"], at["user"]
	if out.Line == 0 {
		out.Line = at[""]
	}
	out.Command = slices.Concat([]string(c.Entrypoint), []string(c.Command))
	if b := w.Build; b != nil {
		out.Build = &Build{Context: b.Context, Dockerfile: b.Dockerfile, Inline: b.DockerfileInline, Target: b.Target, Args: map[string]string{}}
		for name, value := range b.Args {
			if value != nil {
				out.Build.Args[name] = *value
			}
		}
	}
	out.Mounts = mounts(c)
	for _, from := range c.VolumesFrom {
		name, mode, _ := strings.Cut(from, ":")
		other := project.Services[name] // containers of other projects are unknown
		for _, m := range mounts(&other.ContainerSpec) {
			m.ReadOnly = m.ReadOnly || mode == "ro"
			out.Mounts = append(out.Mounts, m)
		}
	}
	out.HostNetwork = c.NetworkMode == "host"
	out.Ports = w.Expose
	if h := w.HealthCheck; h != nil && !h.Disable {
		out.Probe, out.ProbeLine = h.Test, at["healthcheck"]
	}
	for _, secret := range c.Secrets {
		from, ok := project.Secrets[secret.Source]
		if !ok || bool(from.External) {
			continue
		}
		one := Secret{Name: secret.Source, UID: secret.UID, GID: secret.GID, File: from.File}
		if secret.Mode != nil {
			mode := int64(*secret.Mode)
			one.Mode = &mode
		}
		out.Secrets = append(out.Secrets, one)
	}
	return out
}

func mounts(c *types.ContainerSpec) (all []Mount) {
	for _, v := range c.Volumes {
		if v.Source != "" && (v.Type == types.VolumeTypeVolume || v.Type == types.VolumeTypeBind) {
			all = append(all, Mount{v.Source, v.Target, v.Type == types.VolumeTypeBind, v.ReadOnly})
		}
	}
	return all
}
