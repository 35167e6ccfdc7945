// SPDX-License-Identifier: Apache-2.0

// Package compose reads Compose files with Compose's own loader (compose-go), so that variables, profiles, extends and include mean the
// same as in docker compose. It fetches nothing. What a service's user means is up to internal/check.
package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
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
	At, UserAt        Place // of the image, or else of the service, and of the user
	GroupsAt          Place
	Groups            []string
	Command           []string // entrypoint and command, if the file sets them
	Build             *Build
	Mounts            []Mount
	Hooks             []Hook
	Secrets           []Secret
	HostNetwork       bool
	Ports             []string // that the file exposes
	Probe             []string // the test of its health check, in Docker's form
	ProbeAt           Place
}

// Place is a line of one of the files that were read: 0 is the first file, then come its overrides, and then the files that they include.
// Line 0: it is in another file.
type Place struct{ File, Line int }

// File is an override file: its settings are merged into those of the files before it.
type File struct {
	Name string
	Text []byte
}

// Build describes how the image is built.
type Build struct {
	Context, Dockerfile, Inline, Target string
	Args, Contexts                      map[string]string
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

// IsLike reports whether a file has a name that people give to Compose files. It depends on what it says whether it is one.
func IsLike(name string) bool {
	lower := strings.ToLower(name)
	return strings.Contains(lower, "compose") || strings.Contains(lower, "stack")
}

// Default returns the position of a name in the order in which docker compose looks for a file, and for the override that it merges into
// that one; -1: it does not look for it.
func Default(name string) (file, override int) {
	return slices.Index(cli.DefaultFileNames, name), slices.Index(cli.DefaultOverrideFileNames, name)
}

// OverrideOf returns the override that docker compose would merge into a file, if it looked for that file itself; "": none.
func OverrideOf(name string) string {
	if file, _ := Default(filepath.Base(name)); file < 0 {
		return ""
	}
	for _, override := range cli.DefaultOverrideFileNames {
		override = filepath.Join(filepath.Dir(name), override)
		if _, err := os.Lstat(override); err == nil {
			return override
		}
	}
	return ""
}

// Options are what a file is read with.
type Options struct {
	Environment map[string]string
	Overrides   []File // beside the file
	// Root is the directory outside of which no file is read, because the author of the file may not be the one who may read those; "": there
	// is no limit.
	Root string
}

// Read reads a file in a directory.
func Read(name, dir string, text []byte, o Options) ([]Service, error) {
	all, _, err := ReadAll(name, dir, text, o)
	return all, err
}

// ReadAll is Read with the files after the first one: overrides, and those that are included.
func ReadAll(name, dir string, text []byte, o Options) (all []Service, files []File, err error) {
	f := &projectFiles{within: o.Root, seen: map[string]*file{}}
	if all, err = f.read(name, dir, text, o); err != nil {
		return nil, nil, err
	}
	files = slices.Clone(o.Overrides)
	for _, one := range f.included {
		name := one.path
		if rel, err := filepath.Rel(f.root, one.path); err == nil {
			name = filepath.Join(dir, rel)
		}
		files = append(files, File{name, one.text})
	}
	return all, files, nil
}

func (f *projectFiles) read(name, dir string, text []byte, o Options) (all []Service, err error) {
	defer func() {
		if r := recover(); r != nil {
			all, err = nil, &unread.Error{Err: fmt.Errorf("compose's loader fails: %v", r)}
		}
	}()
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f.root = full
	var texts [][]byte
	var configs []types.ConfigFile
	for n, one := range append([]File{{name, text}}, o.Overrides...) {
		if len(one.Text) > MaxBytes {
			return nil, &unread.Error{File: n, Err: fmt.Errorf("it has more than %d bytes", MaxBytes)}
		}
		texts = append(texts, one.Text)
		configs = append(configs, types.ConfigFile{Filename: f.add(one.Name, one.Text).path, Content: one.Text})
	}
	if f.environment, err = f.withEnv(full, o.Environment, texts...); err != nil {
		return nil, &unread.Error{Err: err}
	}
	for n, one := range f.loaded {
		if err := f.guard(one); err != nil {
			return nil, &unread.Error{File: n, Err: err}
		}
	}
	if err := checkWeight(f); err != nil {
		return nil, &unread.Error{Err: err}
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{WorkingDir: full, ConfigFiles: configs, Environment: f.environment}, func(o *loader.Options) {
		o.SkipResolveEnvironment, o.SkipResolveLabels, o.SkipConsistencyCheck, o.ResolvePaths, o.Profiles, o.MaxNodeVisits = true, true, true, true, []string{"*"}, maxVisits
		o.SetProjectName("check", true)
	})
	if err != nil {
		return nil, &unread.Error{File: f.of(err), Line: lineOf(err), Err: err}
	}
	for _, s := range project.Services {
		all = append(all, f.services(s, project)...)
	}
	for _, j := range project.Jobs {
		all = append(all, container(Service{Object: "job " + j.Name, Name: j.Name}, &j.ContainerSpec, &j.WorkloadSpec, project, f.lines("jobs", j.Name)))
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

// of returns the file that an error of the loader names; 0 if it names none.
func (f *projectFiles) of(err error) int {
	for n, one := range slices.Backward(f.loaded) {
		if strings.Contains(err.Error(), one.path+":") {
			return n
		}
	}
	return 0
}

// services returns a service and the containers that have to end before it starts. The loader has filled in their settings from the
// service's, except for the volumes, which they get through volumes_from.
func (f *projectFiles) services(s types.ServiceConfig, project *types.Project) []Service {
	of := container(Service{Object: "service " + s.Name, Name: s.Name}, &s.ContainerSpec, &s.WorkloadSpec, project, f.lines("services", s.Name))
	for _, h := range s.PostStart {
		of.Hooks = append(of.Hooks, Hook{"post_start", h.User, h.Command})
	}
	for _, h := range s.PreStop {
		of.Hooks = append(of.Hooks, Hook{"pre_stop", h.User, h.Command})
	}
	with := []Service{of}
	hooks := f.before(s.Name)
	for i, h := range s.PreStart {
		at := map[string]Place{"": of.At}
		if len(hooks) == len(s.PreStart) { // otherwise some come from other files
			at = hooks[i]
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

// before returns the places of the containers that run before a service.
func (f *projectFiles) before(service string) (all []map[string]Place) {
	for n, one := range slices.Concat(f.loaded, f.included) {
		for _, doc := range one.documents {
			hooks := target(under(target(under(target(under(doc, "services")), service)), "pre_start"))
			for i := 0; hooks != nil && i < len(hooks.Content); i++ {
				at := map[string]Place{}
				members(target(hooks.Content[i]), n, at)
				at[""] = Place{n, hooks.Content[i].Line}
				all = append(all, at)
			}
		}
	}
	return all
}

func lineOf(err error) (n int) {
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		for i := 0; i < len(rest) && i < 9 && rest[i] >= '0' && rest[i] <= '9'; i++ {
			n = n*10 + int(rest[i]-'0')
		}
	}
	return n
}

// lines returns the places of a container's members: the last one, as later files override earlier ones. The key "" has the place of the
// container itself, which is the first one.
func (f *projectFiles) lines(kind, name string) map[string]Place {
	at := map[string]Place{}
	for n, one := range slices.Concat(f.loaded, f.included) {
		if _, ok := at[""]; ok && n == len(f.loaded) {
			break // included files have none of the same name
		}
		for _, doc := range one.documents {
			all := target(under(doc, kind))
			if n > 0 && under(target(under(all, name)), "extends") != nil {
				clear(at) // what it inherits counts more than what earlier files have
			}
			members(target(under(all, name)), n, at)
			for i := 0; all != nil && i+1 < len(all.Content); i += 2 {
				if _, ok := at[""]; !ok && all.Content[i].Value == name {
					at[""] = Place{n, all.Content[i].Line}
				}
			}
		}
	}
	return at
}

// members adds the places of a mapping's members.
func members(n *node.Node, file int, at map[string]Place) {
	for i := 0; n != nil && n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		at[n.Content[i].Value] = Place{file, n.Content[i].Line}
	}
}

// target returns what an alias stands for, or else the node itself.
func target(n *node.Node) *node.Node {
	if n != nil && n.Kind == node.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// inside returns the content of a document, or else the node itself.
func inside(n *node.Node) *node.Node {
	if n != nil && n.Kind == node.DocumentNode && len(n.Content) == 1 {
		return n.Content[0]
	}
	return n
}

// under returns the value of a member, or nil.
func under(n *node.Node, name string) *node.Node {
	n = inside(n)
	for i := 0; n != nil && n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func container(out Service, c *types.ContainerSpec, w *types.WorkloadSpec, project *types.Project, at map[string]Place) Service {
	out.Image, out.User, out.Groups, out.At, out.UserAt = c.Image, c.User, c.GroupAdd, at["image"], at["user"]
	if out.At.Line == 0 {
		out.At = at[""]
	}
	out.GroupsAt = at["group_add"]
	out.Command = slices.Concat([]string(c.Entrypoint), []string(c.Command))
	if b := w.Build; b != nil {
		out.Build = &Build{Context: b.Context, Dockerfile: b.Dockerfile, Inline: b.DockerfileInline, Target: b.Target, Args: map[string]string{}, Contexts: b.AdditionalContexts}
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
		out.Probe, out.ProbeAt = h.Test, at["healthcheck"]
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
