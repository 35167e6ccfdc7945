// SPDX-License-Identifier: Apache-2.0

// Command services says of the Compose files of internal/check's corpus who each container is, and what it can't do as that: by the model
// that compose-go makes of the file, moby/sys/user, BuildKit's front end and the kernel. It needs root, and imports nothing of the product.
package main

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

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/front"
	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/kernel"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

// answer is what is right of a container.
type answer struct {
	Verdict      string   `json:"verdict"`
	RootGroup    bool     `json:"rootGroup,omitempty"`    // by what the file says
	RootHook     bool     `json:"rootHook,omitempty"`     // a command in it is root's, whoever it is
	ClosedSecret bool     `json:"closedSecret,omitempty"` // one that it can't read; of root: that who it becomes can't
	SharesWith   []string `json:"sharesWith,omitempty"`   // containers before it, of another user, that have a volume of its, which one of both writes
}

// stranger is somebody who is nobody in particular, as root becomes under nonroot-runc.
const stranger = 65532

type corpus struct {
	images        map[string]front.Image
	passwd, group []byte
	files         map[string]string
	secrets       map[string][3]int
}

func run(file string) error {
	all, err := txtar.ParseFile(file)
	if err != nil {
		return err
	}
	c := corpus{files: map[string]string{}}
	for _, f := range all.Files {
		c.files[f.Name] = string(f.Data)
	}
	c.passwd, c.group = []byte(c.files["passwd"]), []byte(c.files["group"])
	if err := json.Unmarshal([]byte(c.files["images.json"]), &c.images); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(c.files["secrets.json"]), &c.secrets); err != nil {
		return err
	}
	answers := map[string]map[string]answer{}
	for _, f := range all.Files {
		if name, ok := strings.CutSuffix(f.Name, ".yaml"); ok {
			if answers[name], err = c.services(f.Data); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(answers)
}

// container is one of a file's, and what is worked out of it.
type container struct {
	object string
	spec   types.ContainerSpec
	build  *types.BuildConfig
	hooks  []types.ServiceHook
	mounts []types.ServiceVolumeConfig

	known, starts, prepares bool
	who                     user.ExecUser
	text                    string // the user
}

// services are the answers of a file, none where Compose refuses it.
func (c *corpus) services(text []byte) (map[string]answer, error) {
	root, err := os.MkdirTemp("", "services")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil {
		return nil, err
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: root, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(root, "compose.yaml"), Content: text}},
		Environment: map[string]string{"UID_OF_APP": "7"},
	}, func(o *loader.Options) {
		o.SkipResolveEnvironment, o.SkipConsistencyCheck, o.ResolvePaths, o.Profiles = true, true, true, []string{"*"}
		o.SetProjectName("corpus", true)
	})
	if err != nil || len(project.Services)+len(project.Jobs) == 0 {
		return map[string]answer{}, nil
	}
	var all []*container
	for name, s := range project.Services {
		of := &container{object: "service " + name, spec: s.ContainerSpec, build: s.Build, hooks: slices.Concat(s.PostStart, s.PreStop), mounts: s.Volumes}
		all = append(all, of)
		for n, h := range s.PreStart {
			one := &container{object: fmt.Sprintf("service %s, pre_start %d", name, n+1), spec: h.ContainerSpec, mounts: slices.Concat(h.Volumes, s.Volumes)}
			if h.Image == s.Image {
				one.build = s.Build
			}
			all = append(all, one)
		}
	}
	for name, j := range project.Jobs {
		all = append(all, &container{object: "job " + name, spec: j.ContainerSpec, build: j.Build, mounts: j.Volumes})
	}
	slices.SortFunc(all, func(a, b *container) int { return strings.Compare(a.object, b.object) })
	answers := map[string]answer{}
	for n, one := range all {
		for _, from := range one.spec.VolumesFrom {
			name, mode, _ := strings.Cut(from, ":")
			for _, v := range project.Services[name].Volumes {
				v.ReadOnly = v.ReadOnly || mode == "ro"
				one.mounts = append(one.mounts, v)
			}
		}
		a, err := c.answer(one, project, root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.object, err)
		}
		for _, before := range all[:n] {
			if before.apart(one) {
				a.SharesWith = append(a.SharesWith, before.object)
			}
		}
		answers[one.object] = a
	}
	return answers, nil
}

func (c *corpus) answer(one *container, project *types.Project, root string) (a answer, err error) {
	one.text, one.known = one.spec.User, one.spec.User != ""
	if !one.known {
		if one.text, one.known, err = c.image(one); err != nil {
			return a, err
		}
	}
	if !one.known {
		a.Verdict = "unknown"
		return a, nil
	}
	who, err := c.user(one.text)
	if err != nil {
		a.Verdict = "never starts"
		return a, nil
	}
	added, err := user.GetAdditionalGroups(one.spec.GroupAdd, bytes.NewReader(c.group))
	if err != nil {
		return a, err
	}
	one.starts, one.who = true, *who
	one.who.Sgids = append(one.who.Sgids, added...)
	a.Verdict = "non-root"
	if who.Uid == 0 {
		a.Verdict = "root"
	}
	a.RootGroup = who.Uid != 0 && (slices.Contains(added, 0) || one.spec.User != "" && strings.Contains(one.text, ":") && who.Gid == 0)
	for _, h := range one.hooks {
		if h.User != "" {
			as, err := c.user(h.User)
			if err != nil {
				return a, err
			}
			a.RootHook = a.RootHook || as.Uid == 0
		}
	}
	one.prepares = one.changesOwners()
	a.ClosedSecret, err = c.closed(one, project, root)
	return a, err
}

// user is whom Docker starts.
func (c *corpus) user(text string) (*user.ExecUser, error) {
	who, err := user.GetExecUser(text, nil, bytes.NewReader(c.passwd), bytes.NewReader(c.group))
	if err == nil && (who.Uid > 1<<31-1 || who.Gid > 1<<31-1) {
		err = fmt.Errorf("runc refuses %d", who.Uid)
	}
	return who, err
}

// image is the user of a container's image.
func (c *corpus) image(one *container) (text string, known bool, err error) {
	b := one.build
	if b == nil {
		of, known := c.images[one.spec.Image]
		return of.User, known, nil
	}
	dockerfile := b.DockerfileInline
	if dockerfile == "" {
		var ok bool
		if dockerfile, ok = c.files["build/"+filepath.Base(b.Context)+"/"+filepath.Base(b.Dockerfile)]; !ok {
			return "", false, nil
		}
	}
	args := map[string]string{}
	for name, value := range b.Args {
		if value != nil {
			args[name] = *value
		}
	}
	a, err := front.Evaluate([]byte(dockerfile), b.Target, args, c.images)
	return a.User, err == nil && !a.Invalid && !a.Error && !a.Unknown, err
}

// changesOwners says that a container only gives what is mounted to a number, which the runtime knows.
func (one *container) changesOwners() bool {
	words := slices.Concat([]string(one.spec.Entrypoint), []string(one.spec.Command))
	if len(words) < 2 || words[0] != "chown" {
		return false
	}
	words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-") })
	if _, err := strconv.Atoi(words[0]); err != nil {
		return false
	}
	for _, path := range words[1:] {
		if !slices.ContainsFunc(one.mounts, func(v types.ServiceVolumeConfig) bool { return v.Target == path }) {
			return false
		}
	}
	return true
}

// apart says that two containers have a volume that one of them writes, and are different users.
func (one *container) apart(other *container) bool {
	if !one.starts || !other.starts || one.prepares || other.prepares || one.who.Uid == other.who.Uid {
		return false
	}
	for _, v := range one.mounts {
		if slices.ContainsFunc(other.mounts, func(w types.ServiceVolumeConfig) bool {
			return v.Type == w.Type && v.Source == w.Source && !(v.ReadOnly && w.ReadOnly)
		}) {
			return true
		}
	}
	return false
}

// closed says that there is a secret that the kernel does not let a container read.
func (c *corpus) closed(one *container, project *types.Project, root string) (bool, error) {
	who := one.who
	if who.Uid == 0 {
		who = user.ExecUser{Uid: stranger, Gid: stranger}
	}
	for _, s := range one.spec.Secrets {
		owner := [3]int{0, 0, 0o444}
		if from := project.Secrets[s.Source]; from.File != "" {
			owner = c.secrets[filepath.Base(from.File)]
		} else {
			for n, id := range []string{s.UID, s.GID} {
				if id != "" {
					var err error
					if owner[n], err = strconv.Atoi(id); err != nil {
						return false, err
					}
				}
			}
			if s.Mode != nil {
				owner[2] = int(*s.Mode)
			}
		}
		name := filepath.Join(root, "secret")
		if err := os.RemoveAll(name); err != nil {
			return false, err
		}
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			return false, err
		}
		if err := os.Chown(name, owner[0], owner[1]); err != nil {
			return false, err
		}
		if err := os.Chmod(name, os.FileMode(owner[2])); err != nil {
			return false, err
		}
		ok, err := kernel.Allows(root, "/secret", who.Uid, who.Gid, who.Sgids, unix.R_OK)
		if err != nil {
			return false, err
		}
		if !ok {
			return true, nil
		}
	}
	return false, nil
}
