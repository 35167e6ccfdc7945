// SPDX-License-Identifier: Apache-2.0

// Package engines holds what is known of each container engine from outside: its paths, names and layouts, one file an
// engine, as data and small pure functions with the source of each fact. What reads or changes an engine's files belongs
// elsewhere (moby, locate, configure), and so does everything that needs I/O or a package beyond the standard library:
// nonroot-runc links this package, and pays for what it does at start.
package engines

import (
	"path"
	"slices"
	"strings"
)

// Engine is what is known of an engine. A member that is empty has its reason in Without.
type Engine struct {
	Name string // as rules and the log name it

	// Origins are those on whose behalf it runs containers, as far as the runtime's --root tells; tried in order.
	Origins []Origin
	// ByBundle says that a bundle's directory is the engine's, where it gives its state no directory of its own. root is
	// the runtime's --root, "" where the call names none.
	ByBundle func(root, dir string) bool
	// StateRoots are patterns (path.Match) of the --root that it gives to runtimes, each a directory with one for each container.
	StateRoots []string

	Bundles Bundles // where config.json lies
	Store   Store   // where it keeps the rest
	// Rootfs are patterns of the last parts of a path where it mounts a container's file system; "{id}" is the container's.
	// What lies below the bundle's directory is the container's anyway.
	Rootfs []string
	// Files are patterns of the last parts of paths that it makes for a container or its pod and mounts into it, in which
	// nothing of the host's is.
	Files []string
	// Secrets are patterns of the last parts of paths of secrets that it puts into a directory of its own for one container;
	// "{id}" is the container's, and that part is the directory.
	Secrets []string
	Volumes Volumes
	Builds  Builds
	Init    string // the program that it can put before the container's own, by its name

	Sockets  []string // who may write to one starts containers as root
	Groups   []string // groups of the host that its packages give one of these sockets
	Networks Networks

	// Cgroup finds a container's id in the name of a cgroup and that of the one above; engine is how ps names it. "": it's none.
	Cgroup func(name, above string) (engine, id string)
	// Monitor finds it in the name and the arguments of the process that the engine leaves with a container.
	Monitor func(name string, args []string) (engine, id string)

	Labels Labels
	Client string // the command line that is asked about its containers
	Config Config

	// Without says for what is empty why it is.
	Without []Gap
}

// Gap is a reason for members of an Engine to be empty.
type Gap struct {
	Members string // separated by blanks
	Why     string
}

// Origin is somebody on whose behalf an engine runs containers. An engine passes a directory of its own as --root, and gives
// it the name of one of its own namespaces.
type Origin struct {
	Name string // as rules and the log name it
	// Root is a pattern of --root. One that begins with "*/" is about the last directories of a path, wherever an engine's
	// own directory is.
	Root string
	// Example is a --root that Root takes; "{namespace}" stands for the namespace.
	Example string
	// Own is what else the engine says on its own account, so that rules can rely on it; nil: nothing.
	Own func(root string, annotations map[string]string) Said
}

// Said is what an engine says of a container on its own account.
type Said struct{ Namespace, Pod, Container, Image string }

// Bundles are where an engine keeps config.json.
type Bundles struct {
	States    []string // directories below which they are where nobody has configured others
	ExecRoots []string // directories in which it runs a containerd of its own (see ExecState), likewise
	Namespace string   // the name that the engine gives its containers there; "": they have none, or several
	Dir       func(state, namespace, id string) string
	PIDFile   string // the name of the file with the pid of a container's first process
}

// Of are the directories that a container's bundle can be in: below the exec-roots, then below the states.
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

// Store is where an engine keeps what it knows of its containers.
type Store struct {
	Root   string   // where nobody has configured another one
	User   string   // the same of a user without root, below $XDG_DATA_HOME
	Layers []string // directories of Root below which containers' file systems are mounted

	Containers string // the directory of Root with one for each container, by its id
	Record     string // the name of the file in that which says what is known of the container; Podman's is in Containers itself
	Runtime    string // likewise, of the file that names the container's runtime; containerd's is in the bundle
}

// Volumes are an engine's named volumes.
type Volumes struct {
	Path   string   // a pattern of the last parts of a volume's path
	Beside []string // what lies beside the directory of volumes where it is the engine's; one of them is enough
}

// Builds are the containers in which an engine runs the commands of an image that it builds.
type Builds struct {
	Dir      string // their directory, from Store.Root; a bundle for each is in it
	IDPrefix string // what their ids begin with
}

// Networks are the network namespaces that an engine makes for a container or its pod.
type Networks struct {
	Named func(name string) bool // by the last part of their path
	// Pods says that others of the pod may have been there before, and that nothing but the bundle tells the engine.
	Pods bool
}

// Labels are the annotations and labels in which an engine writes down where a container comes from.
type Labels struct {
	Namespace, Pod, Container, Image, Project string
	Sandbox                                   string // which container of a pod the others share namespaces with
}

// Format is what a configuration file is written in.
type Format int

// The formats of configuration files.
const (
	JSON Format = iota + 1
	TOML
)

// Config is how an engine is configured.
type Config struct {
	Command string   // how nonroot-ctl configure and doctor call the engine
	Program string   // the daemon's program, or the engine itself where it has none
	Dir     string   // the directory that is there where the engine is installed
	Files   []string // in the order in which they count; patterns (path.Match)
	DropIns string   // the directory for files that are merged; "": the file itself is edited
	Ext     string   // how a drop-in's name must end
	PIDFile string   // the daemon's
	Format  Format   // 0: nonroot-ctl configure does not know the engine

	UserFiles   []string // a user's own, like Files, below $XDG_CONFIG_HOME
	UserDropIns string   // likewise
}

// DropIn is the name of a runtime's drop-in. The last one of a directory counts.
func (c *Config) DropIn(runtime string) string { return "zz-" + runtime + c.Ext }

// All is every engine that is known. Origins, and what else is a matter of order, are looked for in this order.
var All = []*Engine{&Docker, &Containerd, &Kubelet, &Podman, &CRIO, &BuildKit, &Buildah, &Incus, &LXD, &LXC, &Nspawn}

// ByBundle is the engine whose directory a bundle is in, for those that give their state no directory of their own; "" for none.
func ByBundle(root, dir string) string {
	for _, e := range All {
		if e.ByBundle != nil && e.ByBundle(root, dir) {
			return e.Name
		}
	}
	return ""
}

// MountsRootfs says that a path is where an engine mounts the file system of the container with an id, wherever it keeps its data.
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

// MakesFile says that a path has the form of one that an engine makes for a container. Who can write there is for the caller to see.
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

// SecretOf is the directory of an engine's own for the container with an id in which a secret lies, and the secret's path below it;
// false: the path is not of that form.
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

// PodSecret says that a path has the form of a pod's volume that the kubelet fills, and writes anew when what is in it changes.
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

// PodToken says that such a volume may hold a token of a service account (pkg/volume/projected).
func PodToken(name string) bool {
	return PodSecret(name) && strings.Contains(name, "/kubernetes.io~projected/")
}

// Stores are directories in which engines keep images and layers, whose files root runs in exempt containers.
func Stores() []string {
	return []string{Docker.Store.Root, path.Dir(storageRoot), "/var/lib/containerd"} // containerd, defaults/defaults_unix.go
}

// VolumeStores are the directories in which engines have their volumes, each with one of its name, where nobody has configured
// another store.
func VolumeStores() (dirs []string) {
	for _, e := range All {
		if at, _, ok := strings.Cut(e.Volumes.Path, "/*/"); ok && e.Store.Root != "" {
			dirs = append(dirs, path.Join(e.Store.Root, at))
		}
	}
	return dirs
}

// VolumeMarks are the paths of which one is there if the path is that of an engine's volume; none: its form is another one.
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

// MakesNetwork says that a network namespace has the name of one that an engine makes for a container or its pod. Where others
// of the pod may have been there before, pods is true.
func MakesNetwork(name, root, bundle string) (made, pods bool) {
	for _, e := range All {
		n := &e.Networks
		if n.Named != nil && n.Named(name) && (!n.Pods || e.ByBundle(root, bundle)) {
			return true, n.Pods
		}
	}
	return false, false
}

// Sockets are all engines'.
func Sockets() []string {
	all := make([]string, 0, 16)
	for _, e := range All {
		all = append(all, e.Sockets...)
	}
	return all
}

// NamesSocket says that a path ends like an engine's socket. Names that say nothing by themselves, such as unix.socket, don't count.
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

// IsInit says that a program is one that an engine can put before the container's own.
func IsInit(program string) bool {
	for _, e := range All {
		if e.Init != "" && e.Init == program {
			return true
		}
	}
	return false
}

// IsDaemon says that a program is one that starts containers as a service.
func IsDaemon(program string) bool {
	for _, e := range All {
		if e.Config.Program == program && program != "" && program != e.Client {
			return true
		}
	}
	return program == KubeletProgram
}

// IsBuild says that a container is one in which an engine builds an image, where its id tells.
func IsBuild(id string) bool {
	for _, e := range All {
		if e.Builds.IDPrefix != "" && strings.HasPrefix(id, e.Builds.IDPrefix) {
			return true
		}
	}
	return false
}

// Capabilities are those that engines give to every container (moby, oci/caps/defaults.go; containerd, oci/spec.go,
// defaultUnixCaps; Podman's and CRI-O's are fewer).
var Capabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// OriginOf is the origin that a --root tells of, clean and without /var/run; nil: none.
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

// Origins are all engines', in their order.
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

// IsID says that a name is an id as most engines make them: 64 hexadecimal digits in lower case.
func IsID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// plain says that a path is absolute and clean.
func plain(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// matchesEnd holds a pattern against the last parts of a path, as many as it has. The path is plain. The part "{id}" is the id, letter by letter.
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

// OfCgroups finds engine and id in the paths of a process's cgroups: the innermost name that has one counts, as engines run in
// containers, too.
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

// JoinsSandbox says whether a process that is in a container's pid namespace belongs to the sandbox of the container's own pod
// ("" is none): by what the engine says of the container, and by whose process it is, "" where that is not known. Where it can't be
// told, it does.
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

// scoped is the id in the name of a cgroup that begins with the engine's own prefix: 64 hexadecimal digits. With systemd as the
// manager of cgroups ".scope" follows; bare says that it may be missing.
func scoped(name, prefix string, bare bool) (id string, ok bool) {
	id, ok = strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	id, scope := strings.CutSuffix(id, ".scope")
	return id, (scope || bare) && IsID(id)
}

// valueOf is what follows one of the options in a command line; "" for nothing.
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
