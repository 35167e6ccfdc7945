// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/moby"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Locate adds where the container comes from, as far as its engine vouches for it. root is the runtime's --root,
// absolute, or "" if the engine sets none; dir is the bundle's directory, rootfs the container's file system as written
// in config.json.
func Locate(e *decision.Decision, root, dir, rootfs string, annotations map[string]string, owners trusted.Owners) {
	o := policy.OriginOf(root, dir, annotations)
	e.Engine, e.Namespace, e.Pod, e.Container, e.Image = o.Engine, o.Namespace, o.Pod, o.Container, o.Image
	switch e.Engine {
	case "":
		e.Engine = engines.ByBundle(root, dir)
	case policy.Docker:
		known := moby.Read(e.ID, rootfs, owners)
		e.Called, e.Image = known.Name, known.Image
	}
}
