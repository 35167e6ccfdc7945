// SPDX-License-Identifier: Apache-2.0

// Package engines holds what is known about each container engine from outside: paths, names and layouts, one file an
// engine, as data and small pure functions, each fact with its source. Code that reads or changes an engine's files belongs
// elsewhere (moby, locate, configure). So does anything that does I/O or imports more than the standard library:
// nonroot-runc links this package, and pays for its initialisation on every call.
package engines

import (
	"path"
	"slices"
	"strings"
)

// Engine describes one engine. Every empty member has its reason in Without.
type Engine struct {
	Name string // as in rules and in the log

	// Origins are the clients for which it runs containers, told apart by the runtime's --root. The first match counts.
	Origins []Origin
	// ByBundle reports whether a bundle's directory is the engine's. It is for engines without a --root of their own; root
	// is the runtime's --root, or "" if the call has none.
	ByBundle func(root, dir string) bool
	// StateRoots are patterns (path.Match) of the --root that it passes to runtimes. Each holds a directory per container.
	StateRoots []string

	Bundles Bundles // where config.json is
	Store   Store   // where everything else is
	// Rootfs are patterns of the end of the path at which it mounts a container's file system; "{id}" is the container's id.
	// Paths below the bundle's directory belong to the container anyway.
	Rootfs []string
	// Files are patterns of the end of the path of files that it creates for a container or pod and mounts into it. They
	// hold nothing of the host's.
	Files []string
	// Secrets are patterns of the end of the path of secrets that it copies into a directory for one container. "{id}" is
	// the container's id, and the pattern up to it is that directory.
	Secrets []string
	Volumes Volumes
	Builds  Builds
	Init    string // base name of the program that it can run as pid 1 in front of the container's own

	Sockets  []string // anyone who can write to one can start containers as root
	Groups   []string // groups on the host that its packages allow to use these sockets
	Networks Networks

	// Cgroup finds a container's id in the name of a cgroup and of the cgroup above it. engine is the name that ps prints.
	// It returns "" for a cgroup that is not a container's.
	Cgroup func(name, above string) (engine, id string)
	// Monitor finds the id in the name and arguments of the monitor process that the engine keeps for each container.
	Monitor func(name string, args []string) (engine, id string)

	Labels Labels
	Client string // its command line
	Config Config

	// Without gives the reason for each empty member.
	Without []Gap
}

// Gap is the reason why members of an Engine are empty.
type Gap struct {
	Members string // separated by blanks
	Why     string
}

// Origin is one client for which an engine runs containers, such as containerd's CRI plugin. The engine passes a --root of
// its own for it, named after one of its namespaces.
type Origin struct {
	Name string // as in rules and in the log
	// Root is a pattern of --root. One that begins with "*/" matches the last directories of a path, wherever the engine
	// keeps its data.
	Root string
	// Example is a --root that matches Root; "{namespace}" stands for the namespace.
	Example string
	// Own returns facts that the engine itself vouches for, so that rules can rely on them. nil: there are none.
	Own func(root string, annotations map[string]string) Said
}

// Said holds the facts about a container that the engine vouches for.
type Said struct{ Namespace, Pod, Container, Image string }

// Bundles says where an engine keeps config.json.
type Bundles struct {
	States    []string // default state directories; bundles are below them
	ExecRoots []string // default directories in which it starts its own containerd (see ExecState)
	Namespace string   // the namespace of the engine's containers there; "": none, or several
	Dir       func(state, namespace, id string) string
	PIDFile   string // name of the file with the pid of a container's init process
}

// Of returns the directories that a container's bundle can be in: first below the exec-roots, then below the states.
func (b *Bundles) Of(id string, execRoots, states []string) []string {
	var all []string
	if b.Dir == nil {
		return nil
	}
	for _, root := range execRoots {
		all = append(all, b.Dir(ExecState(root), b.Namespace, id))
	}
	for _, state := range states {
		all = append(all, b.Dir(state, b.Namespace, id))
	}
	return all
}

// Store says where an engine keeps its data on containers.
type Store struct {
	Root   string   // default directory
	User   string   // the same for a user without root, below $XDG_DATA_HOME
	Layers []string // directories below Root in which containers' file systems are mounted

	Containers string // directory below Root with one directory per container, named by id
	Record     string // file in that directory that describes the container; Podman's is in Containers itself
	Runtime    string // file that names the container's runtime, also there; containerd's is in the bundle
}

// Volumes are an engine's named volumes.
type Volumes struct {
	Path   string   // a pattern of the end of a volume's path
	Beside []string // files next to the engine's volumes, by which they are told from other directories; one is enough
}

// Builds describes the containers in which an engine runs the commands of an image build.
type Builds struct {
	Dir      string // the directory of their bundles, relative to Store.Root
	IDPrefix string // the prefix of their ids
}

// Networks describes the network namespaces that an engine creates for a container or pod.
type Networks struct {
	Named func(name string) bool // by the last element of the path
	// Pods means that other containers of the pod may have used the namespace before, and that only the bundle identifies
	// the engine.
	Pods bool
}

// Labels are the annotations and labels that say where a container comes from.
type Labels struct {
	Namespace, Pod, Container, Image, Project string
	Sandbox                                   string // the container whose namespaces the rest of a pod shares
}

// Format is the syntax of a configuration file.
type Format int

// The syntaxes of configuration files.
const (
	JSON Format = iota + 1
	TOML
)

// Config describes an engine's configuration.
type Config struct {
	Command string   // its name for nonroot-ctl configure and doctor
	Program string   // the daemon's program, or the engine's own if it has no daemon
	Dir     string   // a directory that exists where the engine is installed
	Files   []string // in order of precedence; patterns (path.Match)
	DropIns string   // the directory of drop-ins; "": the engine has none, and the file itself is edited
	Ext     string   // the suffix that a drop-in needs
	PIDFile string   // the daemon's
	Format  Format   // 0: nonroot-ctl configure doesn't support the engine

	UserFiles   []string // a user's own files, below $XDG_CONFIG_HOME
	UserDropIns string   // a user's own drop-ins, likewise
}

// DropIn returns the name of a runtime's drop-in. It sorts last, because the last one of a directory wins.
func (c *Config) DropIn(runtime string) string { return "zz-" + runtime + c.Ext }

// All lists every engine. The order matters: origins and all other matches are looked up in it, and the first one counts.
var All = []*Engine{&Docker, &Containerd, &Kubelet, &Podman, &CRIO, &BuildKit, &Buildah, &Incus, &LXD, &LXC, &Nspawn}

// ByBundle returns the engine that owns a bundle's directory, of those without a --root of their own, or "".
func ByBundle(root, dir string) string {
	for _, e := range All {
		if e.ByBundle != nil && e.ByBundle(root, dir) {
			return e.Name
		}
	}
	return ""
}

// MountsRootfs reports whether a path is one at which an engine mounts the file system of the container with this id,
// wherever the engine keeps its data.
func MountsRootfs(rootfs, id string) bool {
	if !plain(rootfs) {
		return false
	}
	for _, e := range All {
		for _, pattern := range e.Rootfs {
			if matchesEnd(pattern, rootfs, id) {
				return true
			}
		}
	}
	return false
}

// MakesFile reports whether a path looks like a file that an engine creates for a container. The caller has to check who can
// write there.
func MakesFile(name string) bool {
	if !plain(name) {
		return false
	}
	for _, e := range All {
		for _, pattern := range e.Files {
			if matchesEnd(pattern, name, "") {
				return true
			}
		}
	}
	return false
}

// SecretOf splits the path of a secret of the container with this id into the engine's own directory and the path below it.
// It returns false if the path does not look like one.
func SecretOf(name, id string) (own, below string, ok bool) {
	if !plain(name) || id == "" {
		return "", "", false
	}
	for _, e := range All {
		for _, pattern := range e.Secrets {
			if !matchesEnd(pattern, name, id) {
				continue
			}
			_, rest, _ := strings.Cut(pattern, "{id}")
			own = name
			for range strings.Count(rest, "/") {
				own = path.Dir(own)
			}
			return own, name[len(own)+1:], true
		}
	}
	return "", "", false
}

// PodSecret reports whether a path looks like a volume that the kubelet fills for a pod, and rewrites when its source
// changes.
func PodSecret(name string) bool {
	if !plain(name) {
		return false
	}
	for _, kind := range []string{"configmap", "downward-api", "projected", "secret"} { // pkg/volume
		if matchesEnd("pods/*/volumes/kubernetes.io~"+kind+"/*", name, "") {
			return true
		}
	}
	return false
}

// PodToken reports whether such a volume may contain a service account's token (pkg/volume/projected).
func PodToken(name string) bool {
	return PodSecret(name) && strings.Contains(name, "/kubernetes.io~projected/")
}

// Stores returns the directories in which engines keep images and layers. In exempt containers, root executes files from
// them.
func Stores() []string {
	return []string{Docker.Store.Root, path.Dir(storageRoot), "/var/lib/containerd"} // containerd, defaults/defaults_unix.go
}

// VolumeStores returns the default directories in which engines keep volumes, each by name.
func VolumeStores() (dirs []string) {
	for _, e := range All {
		if at, _, ok := strings.Cut(e.Volumes.Path, "/*/"); ok && e.Store.Root != "" {
			dirs = append(dirs, path.Join(e.Store.Root, at))
		}
	}
	return dirs
}

// VolumeMarks returns paths of which at least one exists if source really is an engine's volume. It returns none if source
// does not look like a volume.
func VolumeMarks(source string) []string {
	if !plain(source) {
		return nil
	}
	var marks []string
	for _, e := range All {
		if e.Volumes.Path != "" && matchesEnd(e.Volumes.Path, source, "") {
			for _, beside := range e.Volumes.Beside {
				marks = append(marks, path.Join(path.Dir(path.Dir(source)), beside))
			}
		}
	}
	return marks
}

// MakesNetwork reports whether a network namespace has a name that an engine would choose for a container or pod. pods is
// true if other containers of the pod may have used it before.
func MakesNetwork(name, root, bundle string) (made, pods bool) {
	for _, e := range All {
		n := &e.Networks
		if n.Named != nil && n.Named(name) && (!n.Pods || e.ByBundle(root, bundle)) {
			return true, n.Pods
		}
	}
	return false, false
}

// Sockets returns the sockets of all engines.
func Sockets() []string {
	all := make([]string, 0, 16)
	for _, e := range All {
		all = append(all, e.Sockets...)
	}
	return all
}

// NamesSocket reports whether a path ends like an engine's socket. Names that are too general, such as unix.socket, don't
// count.
func NamesSocket(name string) bool {
	if !strings.HasSuffix(name, ".sock") {
		return false
	}
	for _, e := range All {
		for _, s := range e.Sockets {
			if path.Base(s) == path.Base(name) {
				return true
			}
		}
	}
	return false
}

// IsInit reports whether a program is one that an engine can run as pid 1 in front of the container's own.
func IsInit(program string) bool {
	for _, e := range All {
		if e.Init != "" && e.Init == program {
			return true
		}
	}
	return false
}

// IsDaemon reports whether a program is a daemon that starts containers.
func IsDaemon(program string) bool {
	for _, e := range All {
		if e.Config.Program == program && program != "" && program != e.Client {
			return true
		}
	}
	return program == KubeletProgram
}

// IsBuild reports whether an id is that of a container in which an engine builds an image.
func IsBuild(id string) bool {
	for _, e := range All {
		if e.Builds.IDPrefix != "" && strings.HasPrefix(id, e.Builds.IDPrefix) {
			return true
		}
	}
	return false
}

// Capabilities are the default capabilities of a container (moby, oci/caps/defaults.go; containerd, oci/spec.go,
// defaultUnixCaps). Those of Podman and CRI-O are a subset.
var Capabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// OriginOf returns the origin to which a --root belongs, or nil. The path has to be clean, and must not begin with /var/run.
func OriginOf(root string) *Origin {
	for _, e := range All {
		for i := range e.Origins {
			if e.Origins[i].takes(root) {
				return &e.Origins[i]
			}
		}
	}
	return nil
}

// Origins returns the origins of all engines, in order.
func Origins() []*Origin {
	var all []*Origin
	for _, e := range All {
		for i := range e.Origins {
			all = append(all, &e.Origins[i])
		}
	}
	return all
}

func (o *Origin) takes(root string) bool {
	pattern, anywhere := strings.CutPrefix(o.Root, "*/")
	if anywhere {
		root = path.Join(path.Base(path.Dir(root)), path.Base(root))
	}
	ok, err := path.Match(pattern, root)
	return ok && err == nil
}

// IsID reports whether a name has the form of most engines' ids: 64 lower-case hexadecimal digits.
func IsID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// plain reports whether a path is absolute and clean.
func plain(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// matchesEnd matches a pattern against as many last elements of a path as the pattern has. The path must be plain. The
// element "{id}" matches only the id itself, literally.
func matchesEnd(pattern, p, id string) bool {
	for more := true; more; {
		var want string
		if i := strings.LastIndexByte(pattern, '/'); i >= 0 {
			pattern, want = pattern[:i], pattern[i+1:]
		} else {
			want, more = pattern, false
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 || p[i+1:] == "" {
			return false
		}
		part := p[i+1:]
		p = p[:i]
		if want == "{id}" {
			if part != id {
				return false
			}
		} else if ok, err := path.Match(want, part); !ok || err != nil {
			return false
		}
	}
	return true
}

// OfCgroups finds engine and id in the paths of a process's cgroups. The innermost match wins, because engines also run in
// containers.
func OfCgroups(paths []string) (engine, id string) {
	for _, at := range paths {
		parts := strings.Split(at, "/")
		for i, part := range slices.Backward(parts) {
			for _, e := range All {
				if e.Cgroup == nil {
					continue
				}
				if engine, id := e.Cgroup(part, parts[max(i-1, 0)]); id != "" {
					return engine, id
				}
			}
			if IsID(part) {
				return "", part
			}
		}
	}
	return "", ""
}

// JoinsSandbox reports whether a process in the container's pid namespace belongs to the sandbox of the container's own pod,
// judged by the annotations and by the sandbox that the process belongs to (of, "" if unknown). pod is the container's pod,
// "" if it has none. If in doubt, it returns true.
func JoinsSandbox(annotations map[string]string, pod, of string) bool {
	if _, has := annotations[CRIO.Labels.Sandbox]; has {
		return true // CRI-O's or Podman's: the one has the sandbox's id there, the other one the pod's
	}
	own := annotations[criLabels.Sandbox]
	if own == "" {
		return pod != ""
	}
	return of == "" || of == own
}

// scoped returns the id in the name of a cgroup with the engine's prefix: 64 hexadecimal digits, then ".scope" if systemd
// manages cgroups. bare makes that suffix optional.
func scoped(name, prefix string, bare bool) (id string, ok bool) {
	id, ok = strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	id, scope := strings.CutSuffix(id, ".scope")
	return id, (scope || bare) && IsID(id)
}

// valueOf returns the argument that follows one of the options in a command line, or "".
func valueOf(args []string, options ...string) string {
	for i, arg := range args {
		for _, o := range options {
			if arg == o && i+1 < len(args) {
				return args[i+1]
			}
		}
	}
	return ""
}
