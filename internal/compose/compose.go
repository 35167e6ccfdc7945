// SPDX-License-Identifier: Apache-2.0

// Package compose reads Compose files by Compose's own loader (compose-go): variables, profiles, extends and include mean what they
// mean to docker compose. Nothing is fetched. What a service's user means is not said here (internal/check).
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

// MaxBytes bounds a file. With includes, the loader has a bound of its own on what it visits.
const (
	MaxBytes    = 4 << 20
	maxVisits   = 200_000
	maxServices = 2000
)

// Service is one of a file's.
type Service struct {
	Name, Image, User string
	Line, UserLine    int // 0: it is another file's
	Groups            []string
	Command           []string // entrypoint and command, as far as the file names them
	Build             *Build
	Mounts            []Mount
	Hooks             []Hook
	Secrets           []Secret
	HostNetwork       bool
	Ports             []string // that it says it listens on
	Probe             []string // the test of its health check, as Docker has it
	ProbeLine         int
}

// Build is how its image is made.
type Build struct {
	Context, Dockerfile, Inline, Target string
	Args                                map[string]string
}

// Mount is a volume or a directory of the host's.
type Mount struct {
	Source, Target string // Source: the volume's name, or a path
	Bind, ReadOnly bool
}

// Hook is a command that runs in the container beside its own.
type Hook struct {
	When, User string
	Command    []string
}

// Secret is one that Compose writes into the container, with an owner and a mode; or a file of the host's, of which both stay.
type Secret struct {
	Name, UID string
	Mode      *int64
	File      string // "": it is none
}

// Is reports whether a text is a Compose file's, as far as that can be told without reading it: it has services at its top.
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

// Read reads a file of a directory, with variables' values.
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
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: full, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(full, filepath.Base(name)), Content: text}}, Environment: environment,
	}, func(o *loader.Options) {
		o.SkipResolveEnvironment, o.SkipConsistencyCheck, o.ResolvePaths, o.Profiles, o.MaxNodeVisits = true, true, true, []string{"*"}, maxVisits
		o.SetProjectName("check", true)
	})
	if err != nil {
		return nil, &unread.Error{Line: lineOf(err), Err: err}
	}
	if len(project.Services) == 0 {
		return nil, &unread.Error{Err: errors.New("it has no services")}
	}
	if len(project.Services) > maxServices {
		return nil, &unread.Error{Err: fmt.Errorf("it has more than %d services", maxServices)}
	}
	var root node.Node
	_ = node.Unmarshal(text, &root) // without it there are no lines
	for _, s := range project.Services {
		all = append(all, service(s, project, lines(&root, s.Name)))
	}
	slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func lineOf(err error) (n int) {
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		for i := 0; i < len(rest) && i < 9 && rest[i] >= '0' && rest[i] <= '9'; i++ {
			n = n*10 + int(rest[i]-'0')
		}
	}
	return n
}

// lines are where a service's members stand in the file, and under "" the service itself.
func lines(root *node.Node, name string) map[string]int {
	at := map[string]int{}
	if len(root.Content) != 1 {
		return at
	}
	services := child(root.Content[0], "services")
	for i := 0; services != nil && i+1 < len(services.Content); i += 2 {
		if services.Content[i].Value != name {
			continue
		}
		at[""] = services.Content[i].Line
		for inner, j := services.Content[i+1], 0; inner.Kind == node.MappingNode && j+1 < len(inner.Content); j += 2 {
			at[inner.Content[j].Value] = inner.Content[j].Line
		}
	}
	return at
}

func child(n *node.Node, name string) *node.Node {
	for i := 0; n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func service(s types.ServiceConfig, project *types.Project, at map[string]int) Service {
	out := Service{Name: s.Name, Image: s.Image, User: s.User, Groups: s.GroupAdd, Line: at["image"], UserLine: at["user"]}
	if out.Line == 0 {
		out.Line = at[""]
	}
	out.Command = slices.Concat([]string(s.Entrypoint), []string(s.Command))
	if b := s.Build; b != nil {
		out.Build = &Build{Context: b.Context, Dockerfile: b.Dockerfile, Inline: b.DockerfileInline, Target: b.Target, Args: map[string]string{}}
		for name, value := range b.Args {
			if value != nil {
				out.Build.Args[name] = *value
			}
		}
	}
	for _, v := range s.Volumes {
		if v.Source != "" && (v.Type == types.VolumeTypeVolume || v.Type == types.VolumeTypeBind) {
			out.Mounts = append(out.Mounts, Mount{v.Source, v.Target, v.Type == types.VolumeTypeBind, v.ReadOnly})
		}
	}
	out.HostNetwork = s.NetworkMode == "host"
	out.Ports = s.Expose
	if h := s.HealthCheck; h != nil && !h.Disable {
		out.Probe, out.ProbeLine = h.Test, at["healthcheck"]
	}
	for _, h := range s.PostStart {
		out.Hooks = append(out.Hooks, Hook{"post_start", h.User, h.Command})
	}
	for _, h := range s.PreStop {
		out.Hooks = append(out.Hooks, Hook{"pre_stop", h.User, h.Command})
	}
	for _, secret := range s.Secrets {
		from, ok := project.Secrets[secret.Source]
		if !ok || bool(from.External) {
			continue
		}
		one := Secret{Name: secret.Source, UID: secret.UID, File: from.File}
		if secret.Mode != nil {
			mode := int64(*secret.Mode)
			one.Mode = &mode
		}
		out.Secrets = append(out.Secrets, one)
	}
	return out
}
