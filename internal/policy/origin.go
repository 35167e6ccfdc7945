// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// The engines that an origin can name. Tools, and engines without a state directory of their own, have no name here:
// Podman, BuildKit, runc called by hand.
const (
	Docker       = engines.DockerName
	DockerPlugin = engines.DockerPluginName
	Kubernetes   = engines.KubernetesName
	Containerd   = engines.ContainerdName
)

// Origin is where a container comes from, as far as its engine vouches for it. A field that anyone else can influence
// is empty, so that no rule ever matches it.
type Origin struct {
	Engine    string
	Root      string // the runtime's --root, absolute and clean
	Bundle    string // its directory, absolute, clean and free of links
	Namespace string // Kubernetes' or containerd's
	Pod       string
	Container string // its name in the pod
	Image     string // as written by the container's creator: a tag says nothing about content

	Annotations map[string]string // all of them: the container's creator or its image may have set them
}

// OriginOf reads a container's origin from its state directory ("" if the call names none), from its bundle's
// directory, and from its annotations.
func OriginOf(root, bundle string, annotations map[string]string) *Origin {
	o := &Origin{Bundle: bundle, Annotations: annotations}
	if root == "" {
		return o
	}
	o.Root = path.Clean(root)
	if rest, ok := strings.CutPrefix(o.Root, "/var/run/"); ok { // the same directory (Filesystem Hierarchy Standard, /var/run)
		o.Root = "/run/" + rest
	}
	if from := engines.OriginOf(o.Root); from != nil {
		o.Engine = from.Name
		if from.Own != nil {
			said := from.Own(o.Root, annotations)
			o.Namespace, o.Pod, o.Container, o.Image = said.Namespace, said.Pod, said.Container, said.Image
		}
	}
	return o
}
