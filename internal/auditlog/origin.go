// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"path"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Engines that give their state no folder of their own, and are known by that of their bundles.
const (
	podman   = "podman"
	crio     = "cri-o"
	buildkit = "buildkit"
)

// Locate fills in where the container comes from, as its engine says on its own account. root is the runtime's --root,
// absolute, "" where the engine names none; dir is the bundle's folder.
func (e *Entry) Locate(root, dir string, annotations map[string]string, owners bundle.Owners) {
	o := policy.OriginOf(root, dir, annotations)
	e.Engine, e.Namespace, e.Pod, e.Container, e.Image = o.Engine, o.Namespace, o.Pod, o.Container, o.Image
	switch e.Engine {
	case "":
		e.Engine = engineOf(root, dir)
	case policy.Docker:
		e.Name, e.Image = dockerNames(e.ID, owners)
	}
}

// dockerContainers is where a daemon with the default data-root keeps what it knows of its containers (moby,
// daemon/container, Container.Root).
const dockerContainers = "/var/lib/docker/containers"

// dockerNames are a container's name and its image as "docker ps" shows them, from the daemon's own file (moby,
// daemon/container, ToDisk). Both are empty where there is none, as with another data-root.
func dockerNames(id string, owners bundle.Owners) (name, image string) {
	if len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", ""
	}
	data, err := bundle.ReadGuarded(path.Join(dockerContainers, id, "config.v2.json"), owners)
	if err != nil {
		return "", ""
	}
	// What is malformed ends the reading; what was read by then counts.
	_ = jsonscan.MembersOf("Config", data, func(member string, value []byte) (err error) {
		switch member {
		case "Config.Image":
			image, err = jsonscan.String(value)
		case "Name":
			name, err = jsonscan.String(value)
		}
		return err
	})
	return strings.TrimPrefix(name, "/"), image
}

// engineOf tells the engine by the bundle's folder. Podman and CRI-O share containers/storage; only CRI-O names a --root
// (conmon, src/runtime_args.c).
func engineOf(root, dir string) string {
	switch above := path.Dir(dir); {
	case path.Base(dir) == "userdata" && path.Base(path.Dir(above)) == "overlay-containers":
		if root != "" {
			return crio
		}
		return podman
	case path.Base(above) == "executor" && (strings.HasSuffix(above, "/buildkit/executor") || strings.HasPrefix(path.Base(path.Dir(above)), "runc-")):
		return buildkit
	}
	return ""
}
