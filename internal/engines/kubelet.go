// SPDX-License-Identifier: Apache-2.0

package engines

import "strings"

// What exists on a machine that is a node of a cluster (cmd/kubelet/app/options).
const (
	KubeletProgram = "kubelet"
	KubeletDir     = "/var/lib/kubelet"
)

// Kubelet describes what the kubelet creates for the containers of its pods, whichever engine runs them.
var Kubelet = Engine{
	Name: KubernetesName,
	// pkg/kubelet/kubelet_pods.go, and the volume plugins that hold nothing of the host's.
	Files: []string{
		"pods/*/etc-hosts", "pods/*/containers/*/*",
		"pods/*/volumes/kubernetes.io~empty-dir/*", "pods/*/volumes/kubernetes.io~configmap/*", "pods/*/volumes/kubernetes.io~secret/*",
		"pods/*/volumes/kubernetes.io~projected/*", "pods/*/volumes/kubernetes.io~downward-api/*",
	},
	Cgroup: func(name, above string) (engine, id string) { // pkg/kubelet/cm
		if IsID(name) && (strings.HasPrefix(above, "pod") || strings.HasPrefix(above, "kubepods")) {
			return KubernetesName, name
		}
		return "", ""
	},
	Without: []Gap{
		{"Origins ByBundle StateRoots Bundles Store Rootfs Builds Init Networks Monitor Labels Client Config", "the engine that it calls has them"},
		{"Secrets", "they are a pod's, and rewritten while its containers run (PodSecret)"},
		{"Volumes", "a pod's volumes are not the container's alone: the kubelet has prepared them for their pod"},
		{"Sockets Groups", "its API is asked over the network, with a certificate"},
	},
}
