// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"path"
	"strings"
)

// The origins of containerd's containers.
const (
	KubernetesName = "kubernetes" // containerd's CRI plugin, for the kubelet
	ContainerdName = "containerd" // other clients of containerd
)

// CRINamespace is the namespace of the CRI plugin's tasks (containerd, internal/cri/constants, K8sContainerdNamespace).
const CRINamespace = "k8s.io"

// initPID is the name of the pid file that containerd's shim asks the runtime to write (containerd, pkg/process/init.go).
const initPID = "init.pid"

// RuncShim is the shim that runs runc, as a runtime's type in containerd's configuration.
const RuncShim = "io.containerd.runc.v2"

// RuncShims are all shims that run runc: the current one and those of containerd 1.
var RuncShims = []string{RuncShim, "io.containerd.runc.v1", "io.containerd.runtime.v1.linux"}

// ShimPrefix is the prefix of every shim's type.
const ShimPrefix = "io.containerd."

// The names of the CRI plugin's table in containerd's configuration, by its version from 1 on (containerd, docs/PLUGINS.md
// and docs/cri/config.md). Version 4 uses the name of version 3.
var criPlugins = [...]string{"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"}

// CRITable returns the path to the table with the CRI plugin's runtimes, for a version of the configuration from 1 on.
func CRITable(version int) []string {
	return []string{"plugins", criPlugins[min(version, len(criPlugins))-1], "containerd"}
}

// Containerd is containerd with its clients: its own CRI plugin, and others such as ctr and nerdctl. k3s has it built in.
var Containerd = Engine{
	Name: ContainerdName,
	// containerd, runtime/v2/runc/options and core/runtime/v2/shim.
	Origins: []Origin{
		{Name: KubernetesName, Root: "/run/containerd/runc/" + CRINamespace, Example: "/run/containerd/runc/" + CRINamespace, Own: criSays},
		{Name: ContainerdName, Root: "/run/containerd/runc/*", Example: "/run/containerd/runc/{namespace}", Own: func(root string, _ map[string]string) Said {
			return Said{Namespace: path.Base(root)}
		}},
	},
	StateRoots: []string{"/run/containerd/runc/*"},
	Bundles:    Bundles{States: []string{"/run/containerd"}, Namespace: CRINamespace, Dir: taskDir, PIDFile: initPID},
	// The shim writes the path of the runtime into the bundle (containerd, cmd/containerd-shim-runc-v2/runc, WriteRuntime).
	Store: Store{Runtime: "runtime"},
	// internal/cri/server: the sandbox's root directory and its volatile root directory.
	Files: []string{
		"sandboxes/[0-9a-f]*/hosts", "sandboxes/[0-9a-f]*/hostname", "sandboxes/[0-9a-f]*/resolv.conf", "sandboxes/[0-9a-f]*/shm",
	},
	Sockets: []string{
		"/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc", "/run/k3s/containerd/containerd.sock",
	},
	Groups: []string{"containerd", "microk8s"},
	// pkg/netns.
	Networks: Networks{Named: func(name string) bool { return strings.HasPrefix(name, "cni-") }},
	Cgroup: func(name, _ string) (engine, id string) { // containerd, internal/cri
		if id, ok := scoped(name, "cri-containerd-", false); ok {
			return KubernetesName, id
		}
		return "", ""
	},
	Monitor: func(name string, args []string) (engine, id string) { // containerd, pkg/shim: for a pod, the id is the sandbox's
		if !strings.HasPrefix(name, "containerd-shim") {
			return "", ""
		}
		engine = ContainerdName
		switch valueOf(args, "-namespace") {
		case mobyNamespace:
			engine = DockerName
		case CRINamespace:
			engine = KubernetesName
		}
		return engine, valueOf(args, "-id")
	},
	Labels: criLabels,
	Config: Config{
		Command: "containerd", Program: "containerd", Dir: "/etc/containerd", Files: []string{"/etc/containerd/config.toml"},
		Ext: ".toml", Format: TOML,
	},
	Without: []Gap{
		{"ByBundle", "its --root tells"},
		{"Rootfs", "it mounts a container's file system below the bundle"},
		{"Secrets", "it has none of its own for one container"},
		{"Volumes", "it has none: they are its clients'"},
		{"Builds", "it builds nothing: BuildKit does"},
		{"Init", "it has none: nerdctl names a program of the host's"},
		{"Client", "ctr can't say where a bundle is: it is looked for by namespace and id"},
	},
}

// criLabels are the labels of the CRI plugin (internal/cri/annotations).
var criLabels = Labels{
	Namespace: "io.kubernetes.cri.sandbox-namespace", Pod: "io.kubernetes.cri.sandbox-name",
	Container: "io.kubernetes.cri.container-name", Image: "io.kubernetes.cri.image-name",
	Sandbox: "io.kubernetes.cri.sandbox-id",
}

// taskDir returns the directory of a bundle below a state directory, for containerd's runtime v2.
func taskDir(state, namespace, id string) string {
	return path.Join(state, "io.containerd.runtime.v2.task", namespace, id)
}

// ShimRoot returns the --root that the shim passes to the runtime for the containers of a namespace.
func ShimRoot(namespace string) string { return "/run/containerd/runc/" + namespace }

// criSays reads the annotations that containerd's CRI plugin writes. It writes them after the pod's own, so that a pod
// cannot forge them (containerd, internal/cri/annotations and server/podsandbox; SECURITY.md F3). CRI-O does it in the
// opposite order (F4).
func criSays(_ string, annotations map[string]string) Said {
	by := &criLabels
	return Said{annotations[by.Namespace], annotations[by.Pod], annotations[by.Container], annotations[by.Image]}
}

// CtrProgram is containerd's own client, for administrators. It creates containers (ctr run) without the CRI plugin.
const CtrProgram = "ctr"
