// SPDX-License-Identifier: Apache-2.0

package engines

import "strings"

// CRIO is CRI-O, with conmon or conmon-rs.
var CRIO = Engine{
	Name:     "cri-o",
	ByBundle: func(root, dir string) bool { return root != "" && inStorage(dir) },
	Bundles:  Bundles{States: []string{storageRoot}, Dir: storageDir, PIDFile: "pidfile"},
	Store:    Store{Root: storageRoot, Containers: storageContainers, Record: storageRecord},
	Rootfs:   []string{"overlay/*/merged"},
	Files:    []string{"overlay-containers/[0-9a-f]*/userdata/*"},
	Sockets:  []string{"/run/crio/crio.sock"},
	Groups:   []string{"crio"},
	// The name is a UUID (cri-o, internal/config/nsmgr), which other programs use as well. A pod need not have a sandbox of
	// its own; then all of its containers join the namespace by this name.
	Networks: Networks{Named: isUUID, Pods: true},
	Cgroup: func(name, _ string) (engine, id string) { // cri-o, internal/config/cgmgr
		if id, ok := scoped(name, "crio-", true); ok {
			return "cri-o", id
		}
		return "", ""
	},
	// A container's own annotations come last and win, so no rule may depend on these (SECURITY.md F4).
	Labels: Labels{
		Namespace: "io.kubernetes.pod.namespace", Pod: "io.kubernetes.pod.name", Container: "io.kubernetes.container.name",
		Sandbox: "io.kubernetes.cri-o.SandboxID", // Podman's pods use it as well (pkg/specgen/generate)
	},
	// crio.conf(5), crio.conf.d(5).
	Config: Config{
		Command: "crio", Program: "crio", Dir: "/etc/crio",
		Files:   []string{"/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"},
		DropIns: "/etc/crio/crio.conf.d", Ext: ".conf", Format: TOML,
	},
	Without: []Gap{
		{"Origins", "its --root is that of a handler, which may be anywhere, and it says nothing on its own account (SECURITY.md F4)"},
		{"StateRoots", "the runtime_root of each handler, in its configuration"},
		{"Volumes", "it makes directories for an image's volumes, and no named ones"},
		{"Secrets", "they are the kubelet's"},
		{"Builds", "it builds nothing"},
		{"Init", "it has none"},
		{"Monitor", "conmon, which is taken for Podman's: the cgroup tells before"},
		{"Client", "crictl asks over the kubelet's socket, which may be another engine's"},
	},
}

// isUUID reports whether a name is a UUID (RFC 9562, section 4).
func isUUID(name string) bool {
	const form = "00000000-0000-0000-0000-000000000000"
	if len(name) != len(form) {
		return false
	}
	for i := range len(form) {
		if (form[i] == '-') != (name[i] == '-') || form[i] != '-' && !strings.Contains("0123456789abcdef", name[i:i+1]) {
			return false
		}
	}
	return true
}
