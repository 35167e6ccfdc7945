// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"strings"
)

// The engines that a container's origin can name. None is a tool or an engine that gives its state no directory of its own:
// Podman, BuildKit, runc by hand.
const (
	Docker       = "docker"
	DockerPlugin = "docker-plugin" // what `docker plugin` installs, which runs in the default runtime, too (SECURITY.md F11)
	Kubernetes   = "kubernetes"    // containerd's part for the kubelet
	Containerd   = "containerd"    // other clients of containerd
)

// Origin is where a container comes from, as far as that can be told from what its engine says on its own account. What
// somebody else may have a say in is empty, so that a rule never matches on it.
type Origin struct {
	Engine    string
	Root      string // the runtime's --root, absolute and clean
	Bundle    string // its directory, absolute, clean and free of links
	Namespace string // Kubernetes' or containerd's
	Pod       string
	Container string // its name in the pod
	Image     string // as whoever made the container wrote it: a tag says nothing of what is in it

	Annotations map[string]string // all of them: whoever makes the container, or its image, may have set them
}

// engineRoot says which engine keeps its containers' state below a directory. Engines pass it as --root, and give it the
// name of one of their own namespaces (moby, daemon/runtime_unix.go and libcontainerd; containerd,
// runtime/v2/runc/options and core/runtime/v2/shim).
type engineRoot struct {
	engine, pattern string
	own             func(o *Origin, annotations map[string]string) // what else the engine says on its own account
}

// engineRoots are tried in order.
var engineRoots = []engineRoot{
	{Docker, "*/runtime-*/moby", nil},
	{DockerPlugin, "*/runtime-*/plugins.moby", nil},
	{Kubernetes, "/run/containerd/runc/k8s.io", (*Origin).kubelet},
	{Containerd, "/run/containerd/runc/*", func(o *Origin, _ map[string]string) { o.Namespace = path.Base(o.Root) }},
}

// OriginOf reads a container's origin from the directory of its state, "" where the call names none, from its bundle's, and
// from its annotations.
func OriginOf(root, bundle string, annotations map[string]string) *Origin {
	o := &Origin{Bundle: bundle, Annotations: annotations}
	if root == "" {
		return o
	}
	o.Root = path.Clean(root)
	if rest, ok := strings.CutPrefix(o.Root, "/var/run/"); ok { // the same directory (Filesystem Hierarchy Standard, /var/run)
		o.Root = "/run/" + rest
	}
	for _, e := range engineRoots {
		if e.matches(o.Root) {
			o.Engine = e.engine
			if e.own != nil {
				e.own(o, annotations)
			}
			break
		}
	}
	return o
}

// matches: a pattern that begins with "*/" is about the last directories of a path, wherever an engine's own directory is.
func (e engineRoot) matches(root string) bool {
	pattern, anywhere := strings.CutPrefix(e.pattern, "*/")
	if anywhere {
		root = path.Join(path.Base(path.Dir(root)), path.Base(root))
	}
	ok, err := path.Match(pattern, root)
	return ok && err == nil
}

// kubelet takes the annotations that containerd's CRI plugin writes behind those of the pod, so that a pod's own of the same
// name do not count (containerd, internal/cri/annotations and server/podsandbox; SECURITY.md F3). CRI-O's are no such: there
// a container's own come last (F4).
func (o *Origin) kubelet(annotations map[string]string) {
	o.Namespace = annotations["io.kubernetes.cri.sandbox-namespace"]
	o.Pod = annotations["io.kubernetes.cri.sandbox-name"]
	o.Container = annotations["io.kubernetes.cri.container-name"]
	o.Image = annotations["io.kubernetes.cri.image-name"]
}
