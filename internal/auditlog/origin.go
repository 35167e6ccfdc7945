// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"path"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Engines that give their state no directory of their own, and are known by that of their bundles.
const (
	podman   = "podman"
	crio     = "cri-o"
	buildkit = "buildkit"
)

// Locate fills in where the container comes from, as its engine says on its own account. root is the runtime's --root,
// absolute, "" where the engine names none; dir is the bundle's directory, rootfs the container's file system as config.json has it.
func (e *Entry) Locate(root, dir, rootfs string, annotations map[string]string, owners bundle.Owners) {
	o := policy.OriginOf(root, dir, annotations)
	e.Engine, e.Namespace, e.Pod, e.Container, e.Image = o.Engine, o.Namespace, o.Pod, o.Container, o.Image
	switch e.Engine {
	case "":
		e.Engine = engineOf(root, dir)
	case policy.Docker:
		known := moby.Read(e.ID, rootfs, owners)
		e.Name, e.Image = known.Name, known.Image
	}
}

// IsCRIO says that a container is CRI-O's, by the runtime's --root and the bundle's directory.
func IsCRIO(root, dir string) bool { return engineOf(root, dir) == crio }

// engineOf tells the engine by the bundle's directory. Podman and CRI-O share containers/storage; only CRI-O names a --root
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
