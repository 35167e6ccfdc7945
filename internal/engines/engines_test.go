// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestMembers checks that each engine has every member of Engine, or a reason in Without.
func TestMembers(t *testing.T) {
	if len(All) < 6 {
		t.Fatalf("%d engines", len(All))
	}
	var members []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Engine]()) {
		if f.Name != "Name" && f.Name != "Without" {
			members = append(members, f.Name)
		}
	}
	names := map[string]bool{}
	for i, e := range All {
		if e.Name == "" {
			t.Errorf("engine %d has no name", i)
		}
		without := map[string]bool{}
		for _, gap := range e.Without {
			if len(gap.Why) < 10 {
				t.Errorf("%s: Without gives %q as the reason for no %s", e.Name, gap.Why, gap.Members)
			}
			for _, member := range strings.Fields(gap.Members) {
				if !slices.Contains(members, member) || without[member] {
					t.Errorf("%s: Without names %q, which is not a member, or named twice", e.Name, member)
				}
				without[member] = true
			}
		}
		for _, member := range members {
			empty := reflect.ValueOf(e).Elem().FieldByName(member).IsZero()
			switch {
			case empty && !without[member]:
				t.Errorf("%s has no %s, and Without does not say why", e.Name, member)
			case !empty && without[member]:
				t.Errorf("%s has %s, and Without says that it has none", e.Name, member)
			}
		}
		if names[e.Name] && e != &Kubelet {
			t.Errorf("two engines are called %q", e.Name)
		}
		names[e.Name] = true
	}
}

// TestAll checks that All has every engine of the sources.
func TestAll(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			declared += strings.Count(string(text), " = Engine{\n")
		}
	}
	if declared != len(All) {
		t.Errorf("%d engines are declared, and %d are in All", declared, len(All))
	}
}

// TestParts checks that a part that is filled in has all the members that make it useful.
func TestParts(t *testing.T) {
	for _, e := range All {
		if b := e.Bundles; b.Dir != nil || len(b.States) > 0 {
			if b.Dir == nil || len(b.States) == 0 || b.PIDFile == "" {
				t.Errorf("%s: Bundles has no Dir, States or PIDFile", e.Name)
			}
			if dirs := b.Of("0123", b.ExecRoots, b.States); len(dirs) != len(b.ExecRoots)+len(b.States) || !strings.Contains(dirs[0], "/0123") {
				t.Errorf("%s: bundles of 0123 are %q", e.Name, dirs)
			}
		}
		if v := e.Volumes; (v.Path == "") != (len(v.Beside) == 0) {
			t.Errorf("%s: Volumes has only one of Path and Beside", e.Name)
		}
		if n := e.Networks; n.Pods && (n.Named == nil || e.ByBundle == nil) {
			t.Errorf("%s: Networks can't be told without Named and ByBundle", e.Name)
		}
		for _, o := range e.Origins {
			if got := OriginOf(strings.ReplaceAll(o.Example, "{namespace}", "ns")); got == nil || got.Name != o.Name {
				t.Errorf("%s: the example %q is of %v, not %q", e.Name, o.Example, got, o.Name)
			}
		}
		if c := e.Config; c.Format != 0 && (c.Command == "" || c.Program == "" || c.Dir == "" || len(c.Files) == 0) {
			t.Errorf("%s: Config has no Command, Program, Dir or Files", e.Name)
		}
		if c := e.Config; (c.DropIns != "") && c.Ext == "" {
			t.Errorf("%s: Config has DropIns, and no Ext", e.Name)
		}
		patterns := slices.Concat(e.Rootfs, e.Files, e.StateRoots, e.Config.Files)
		for _, o := range e.Origins {
			patterns = append(patterns, o.Root)
		}
		for _, p := range patterns {
			if _, err := filepath.Match(p, "x"); err != nil {
				t.Errorf("%s: pattern %q: %v", e.Name, p, err)
			}
		}
		for _, s := range e.Sockets {
			if !filepath.IsAbs(s) || filepath.Clean(s) != s {
				t.Errorf("%s: socket %q", e.Name, s)
			}
		}
	}
}

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestOriginOf(t *testing.T) {
	for root, want := range map[string]string{
		"/run/docker/runtime-runc/moby":                           DockerName,
		"/elsewhere/runtime-nonroot/moby":                         DockerName,
		"/run/docker/runtime-runc/plugins.moby":                   DockerPluginName,
		"/run/containerd/runc/k8s.io":                             KubernetesName,
		"/run/containerd/runc/default":                            ContainerdName,
		"/run/containerd/runc":                                    "",
		"/run/containerd/runc/a/b":                                "",
		"/elsewhere/run/containerd/runc/k8s.io":                   "",
		"/run/docker/moby":                                        "",
		"/run/docker/runtime-runc/moby/x":                         "",
		"/run/runc":                                               "",
		"/":                                                       "",
		"/var/lib/docker/containers/x/runtime-runc/xplugins.moby": "",
	} {
		got := ""
		if o := OriginOf(root); o != nil {
			got = o.Name
		}
		if got != want {
			t.Errorf("%s: %q, not %q", root, got, want)
		}
	}
}

func TestByBundle(t *testing.T) {
	for _, c := range []struct{ root, dir, want string }{
		{"", "/var/lib/containers/storage/overlay-containers/" + id + "/userdata", "podman"},
		{"/run/runc", "/var/lib/containers/storage/overlay-containers/" + id + "/userdata", "cri-o"},
		{"", "/var/lib/containers/storage/other-containers/" + id + "/userdata", ""},
		{"", "/var/lib/containers/storage/overlay-containers/" + id + "/data", ""},
		{"", "/var/lib/docker/buildkit/executor/abc", "buildkit"},
		{"", "/var/lib/buildkit/runc-overlayfs/executor/abc", "buildkit"},
		{"", "/var/lib/executor/abc", ""},
		{"", "/var/lib/docker/buildkit/executor", ""},
		{"", "/", ""},
	} {
		if got := ByBundle(c.root, c.dir); got != c.want {
			t.Errorf("--root %q, bundle %q: %q, not %q", c.root, c.dir, got, c.want)
		}
	}
}

func TestMountsRootfs(t *testing.T) {
	for rootfs, want := range map[string]bool{
		"/var/lib/docker/overlay2/abc/merged":                                         true,
		"/var/lib/containers/storage/overlay/abc/merged":                              true,
		"/var/lib/containers/storage/overlay/abc/merge":                               true,
		"/run/containers/storage/overlay-containers/" + id + "/rootfs/merge":          true,
		"/run/containers/storage/overlay-containers/" + id[:60] + "ffff/rootfs/merge": false,
		"/var/lib/docker/rootfs/overlayfs/" + id:                                      true,
		"/var/lib/docker/rootfs/overlayfs/other":                                      false,
		"/overlay2/abc/merged":                                                        true,
		"/x/overlay2/abc/merged/":                                                     false,
		"/x/overlay2/../merged":                                                       false,
		"/x/overlay2/a/b/merged":                                                      false,
		"/xoverlay2/a/merged":                                                         false,
		"overlay2/a/merged":                                                           false,
		"x/overlay2/a/merged":                                                         false,
		"/a/merged":                                                                   false,
		"/":                                                                           false,
		"":                                                                            false,
		"/srv/rootfs":                                                                 false,
	} {
		if got := MountsRootfs(rootfs, id); got != want {
			t.Errorf("%q: %v", rootfs, got)
		}
	}
}

func TestMakesFile(t *testing.T) {
	for name, want := range map[string]bool{
		"/var/lib/docker/containers/" + id + "/hosts":                              true,
		"/var/lib/docker/containers/" + id + "/mounts/shm":                         true,
		"/var/lib/docker/containers/zzz/hosts":                                     false,
		"/var/lib/docker/containers/" + id + "/passwd":                             false,
		"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/" + id + "/shm":       true,
		"/run/containers/storage/overlay-containers/" + id + "/userdata/hosts":     true,
		"/var/lib/kubelet/pods/1-2/etc-hosts":                                      true,
		"/var/lib/kubelet/pods/1-2/containers/web/0af":                             true,
		"/var/lib/kubelet/pods/1-2/volumes/kubernetes.io~secret/token":             true,
		"/var/lib/kubelet/pods/1-2/volumes/kubernetes.io~host-path/etc":            false,
		"/var/lib/kubelet/pods/1-2/volumes/kubernetes.io~secret/token/../../../..": false,
		"/etc/hosts": false,
	} {
		if got := MakesFile(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestVolumeMarks(t *testing.T) {
	got := VolumeMarks("/data/volumes/name/_data")
	for _, mark := range []string{"/data/volumes/metadata.db", "/data/overlay-containers", "/data/vfs-containers", "/data/btrfs-containers"} {
		if !slices.Contains(got, mark) {
			t.Errorf("%q is not among %q", mark, got)
		}
	}
	for _, source := range []string{"", "/", "/data/volumes/name", "/data/volumes/name/data", "/data/x/name/_data", "/data/volumes/a/../_data", "data/volumes/a/_data"} {
		if got := VolumeMarks(source); len(got) > 0 {
			t.Errorf("%q: %q", source, got)
		}
	}
}

func TestMakesNetwork(t *testing.T) {
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	crio := "/var/lib/containers/storage/overlay-containers/" + id + "/userdata"
	for _, c := range []struct {
		name, root, bundle string
		made, pods         bool
	}{
		{"netns-" + uuid, "", "/b", true, false},
		{"cni-" + uuid, "/run/containerd/runc/k8s.io", "/b", true, false},
		{uuid, "/run/runc", crio, true, true},
		{uuid, "", crio, false, false}, // Podman's
		{uuid, "/run/runc", "/b", false, false},
		{uuid + "0", "/run/runc", crio, false, false},
		{"01234567-89AB-cdef-0123-456789abcdef", "/run/runc", crio, false, false},
		{"0123456708900cdef00123-456789abcdefa", "/run/runc", crio, false, false},
		{"mine", "/run/runc", crio, false, false},
		{"", "", "", false, false},
	} {
		if made, pods := MakesNetwork(c.name, c.root, c.bundle); made != c.made || pods != c.pods {
			t.Errorf("%q of %q, %q: %v, %v", c.name, c.root, c.bundle, made, pods)
		}
	}
}

func TestCgroup(t *testing.T) {
	for _, c := range []struct{ name, above, engine, id string }{
		{"docker-" + id + ".scope", "", "docker", id},
		{"docker-" + id, "", "", ""},
		{id, "docker", "docker", id},
		{"libpod-" + id + ".scope", "", "podman", id},
		{"libpod-" + id, "", "podman", id},
		{"libpod-conmon-" + id + ".scope", "", "", ""},
		{"crio-" + id + ".scope", "", "cri-o", id},
		{"cri-containerd-" + id + ".scope", "", "kubernetes", id},
		{"cri-containerd-" + id, "", "", ""},
		{id, "podab-12", "kubernetes", id},
		{id, "kubepods-besteffort.slice", "kubernetes", id},
		{id, "system.slice", "", ""},
		{"lxc.payload.web", "", "lxc", "web"},
		{"lxc.payload.", "", "", ""},
		{"machine-web.scope", "", "systemd-nspawn", "web"},
		{"machine-.scope", "", "", ""},
		{"docker.service", "system.slice", "", ""},
	} {
		engine, found := "", ""
		for _, e := range All {
			if e.Cgroup != nil && found == "" {
				engine, found = e.Cgroup(c.name, c.above)
			}
		}
		if engine != c.engine || found != c.id {
			t.Errorf("%q below %q: %q, %q", c.name, c.above, engine, found)
		}
	}
}

func TestOfCgroups(t *testing.T) {
	id := strings.Repeat("a", 64)
	for path, want := range map[string]string{
		"/": "", "/user.slice/user-0.slice/session-1.scope": "", "/system.slice/docker.service": "",
		"/docker/" + id:                                                      "docker",
		"/system.slice/docker-" + id + ".scope":                              "docker",
		"/machine.slice/libpod-" + id + ".scope/container":                   "podman",
		"/machine.slice/libpod-conmon-" + id + ".scope":                      "",
		"/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope":          "cri-o",
		"/kubepods/burstable/pod1-2/" + id:                                   "kubernetes",
		"/k.slice/cri-containerd-" + id + ".scope":                           "kubernetes",
		"/docker/" + strings.Repeat("b", 64) + "/libpod_parent/libpod-" + id: "podman",
	} {
		engine, got := OfCgroups([]string{path})
		if engine != want || (want != "") != (got == id) {
			t.Errorf("%s: %q, %q", path, engine, got)
		}
	}
}

func TestJoinsSandbox(t *testing.T) {
	one, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	cri := map[string]string{"io.kubernetes.cri.sandbox-id": one}
	for _, c := range []struct {
		annotations map[string]string
		pod, of     string
		want        bool
	}{
		{nil, "", "", false},
		{nil, "", one, false},
		{nil, "web", other, true},
		{cri, "web", one, true},
		{cri, "web", "", true},
		{cri, "web", other, false},
		{cri, "", one, true},
		{map[string]string{"io.kubernetes.cri-o.SandboxID": one}, "", other, true},
	} {
		if got := JoinsSandbox(c.annotations, c.pod, c.of); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestMonitor(t *testing.T) {
	for _, c := range []struct {
		args       []string
		engine, id string
	}{
		{[]string{"containerd-shim-runc-v2", "-namespace", "moby", "-id", "a"}, "docker", "a"},
		{[]string{"containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "a"}, "kubernetes", "a"},
		{[]string{"containerd-shim-runc-v2", "-namespace", "x", "-id", "a"}, "containerd", "a"},
		{[]string{"containerd-shim-runc-v2", "-id"}, "containerd", ""},
		{[]string{"conmon", "--api-version", "1", "-c", "a"}, "podman", "a"},
		{[]string{"sh", "-c", "a"}, "", ""},
	} {
		engine, id := "", ""
		for _, e := range All {
			if e.Monitor != nil && engine == "" {
				engine, id = e.Monitor(c.args[0], c.args)
			}
		}
		if engine != c.engine || id != c.id {
			t.Errorf("%q: %q, %q", c.args, engine, id)
		}
	}
}

func TestNamesSocket(t *testing.T) {
	for name, want := range map[string]bool{
		"/mnt/docker.sock": true, "/run/user/1000/podman/podman.sock": true, "/x/containerd.sock": true,
		"/var/lib/incus/unix.socket": false, "/x/mysql.sock": false, "/x/docker.socket": false, "": false,
	} {
		if got := NamesSocket(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestVolumeStores(t *testing.T) {
	got := VolumeStores()
	for _, want := range []string{"/var/lib/docker/volumes", "/var/lib/containers/storage/volumes"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
}

// TestSecretOf checks the container's directory, and the secret's path below it.
func TestSecretOf(t *testing.T) {
	for name, want := range map[string][2]string{
		"/var/lib/docker/containers/c/mounts/secrets/x":                       {"/var/lib/docker/containers/c", "mounts/secrets/x"},
		"/var/lib/containers/storage/overlay-containers/c/userdata/secrets/x": {"/var/lib/containers/storage/overlay-containers/c", "userdata/secrets/x"},
		"/var/lib/containers/storage/vfs-containers/c/userdata/secrets/x":     {"/var/lib/containers/storage/vfs-containers/c", "userdata/secrets/x"},
		"/var/lib/docker/containers/d/mounts/secrets/x":                       {},
		"/var/lib/docker/containers/c/mounts/secrets":                         {},
		"/var/lib/docker/containers/c/mounts/secrets/x/y":                     {},
		"/var/lib/docker/containers/c/../c/mounts/secrets/x":                  {},
		"containers/c/mounts/secrets/x":                                       {},
		"/var/lib/containers/storage/overlay-containers/c/userdata/other/x":   {},
		"/var/lib/kubelet/pods/c/volumes/kubernetes.io~secret/x":              {},
	} {
		own, below, ok := SecretOf(name, "c")
		if own != want[0] || below != want[1] || ok != (want[0] != "") {
			t.Errorf("%s: %q, %q, %v", name, own, below, ok)
		}
	}
	if _, _, ok := SecretOf("/containers//mounts/secrets/x", ""); ok {
		t.Error("a container without an id has secrets")
	}
	for name, want := range map[string]bool{
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/t":   true,
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/t":      true,
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/t":   true,
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/t":   false,
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected":     false,
		"/var/lib/kubelet/pods/u/../u/volumes/kubernetes.io~secret/t": false,
	} {
		if PodSecret(name) != want {
			t.Errorf("%s is a pod's secret: %v", name, !want)
		}
	}
}

func TestDockerExecRoots(t *testing.T) {
	for _, test := range []struct{ runtimeDir, host, want string }{
		{"", "", ""},
		{"/run/user/1000", "", "/run/user/1000/docker"},
		{"/run/user/1000", "unix:///run/user/1000/docker.sock", "/run/user/1000/docker"},
		{"", "unix:///run/user/7/docker.sock", "/run/user/7/docker"},
		{"/run/user/1000", "unix:///run/user/7/docker.sock", "/run/user/7/docker /run/user/1000/docker"},
		{"", "tcp://127.0.0.1:2375", ""},
		{"relative", "unix:///var/run/docker.sock", ""},
	} {
		got := strings.Join(DockerExecRoots(test.runtimeDir, test.host)[len(Docker.Bundles.ExecRoots):], " ")
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
