// SPDX-License-Identifier: Apache-2.0

// Package spec reads and rewrites the JSON documents of the OCI runtime specification: a bundle's config.json
// (https://github.com/opencontainers/runtime-spec/blob/main/config.md) and the process file of an exec, which has the
// form of config.json's "process".
//
// It is pure: bytes in, facts or bytes out. A rewrite changes what it must; every other byte keeps its meaning,
// including unknown fields, the spelling of numbers and the order of keys.
package spec

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Document is a parsed config.json or process file.
type Document struct {
	root    *node
	process *node // root itself in a process file
	source  []byte
	mounted []Mount // the mounts, once they have been read
}

// ParseConfig reads a config.json. It fails on what runtimes could read differently (duplicate keys at any depth,
// known keys in another case, NULs, trailing data), and if there is no process.
func ParseConfig(data []byte) (*Document, error) {
	root, err := parse(data, &shapeSpec)
	if err != nil {
		return nil, err
	}
	if root.kind != '{' {
		return nil, fmt.Errorf("the document is %s, not an object", kindName(root))
	}
	process := root.get("process")
	if process == nil {
		return nil, fmt.Errorf("there is no process in it")
	}
	if process.kind != '{' {
		return nil, fmt.Errorf("process is %s, not an object", kindName(process))
	}
	return &Document{root: root, process: process, source: data}, nil
}

// ParseProcess reads the process file that engines pass to exec.
func ParseProcess(data []byte) (*Document, error) {
	root, err := parse(data, &shapeProcess)
	if err != nil {
		return nil, err
	}
	if root.kind != '{' {
		return nil, fmt.Errorf("the document is %s, not an object", kindName(root))
	}
	return &Document{root: root, process: root, source: data}, nil
}

// Source returns the text that the document was read from.
func (d *Document) Source() []byte { return d.source }

// Process returns the process of a config.json as a document of its own: if exec gets flags instead of a process file,
// runc starts from it (runc, exec.go, getProcess).
func (d *Document) Process() (*Document, error) {
	return ParseProcess(d.process.render(nil))
}

// User is the user that a process asks for (config.md, "POSIX-platform User").
type User struct {
	UID, GID uint32
	Groups   []uint32 // additionalGids, in order
}

// maxGroups is how many supplementary groups a process can have (setgroups(2), NGROUPS_MAX).
const maxGroups = 65536

// maxMounts limits a container's mounts. The kernel allows 100,000 per namespace (fs.mount-max); engines request
// dozens.
const maxMounts = 10000

// User reads the process's user. Missing ids are 0, as in Go's and crun's decoders.
func (d *Document) User() (User, error) {
	var u User
	n := d.process.get("user")
	if n == nil {
		return u, nil
	}
	if n.kind != '{' {
		return u, fmt.Errorf("process.user is %s, not an object", kindName(n))
	}
	var err error
	if u.UID, err = n.id("process.user.uid", "uid"); err != nil {
		return u, err
	}
	if u.GID, err = n.id("process.user.gid", "gid"); err != nil {
		return u, err
	}
	list := n.get("additionalGids")
	if list == nil {
		return u, nil
	}
	elems, err := list.list("process.user.additionalGids")
	if err != nil {
		return u, err
	}
	if len(elems) > maxGroups {
		return u, fmt.Errorf("process.user.additionalGids has %d groups; the kernel takes %d", len(elems), maxGroups)
	}
	for _, e := range elems {
		gid, err := e.asID("process.user.additionalGids")
		if err != nil {
			return u, err
		}
		u.Groups = append(u.Groups, gid)
	}
	return u, nil
}

// Env returns the process's environment, in order. An entry may lack a "=".
func (d *Document) Env() ([]string, error) {
	return d.process.get("env").strings("process.env")
}

// Args returns the process's command, in order.
func (d *Document) Args() ([]string, error) {
	return d.process.get("args").strings("process.args")
}

// Variable returns the value of the first entry of that name in the environment, which getenv(3) finds; "" if there is
// none.
func (d *Document) Variable(name string) (string, error) {
	value, found := "", false
	err := d.process.get("env").eachString("process.env", func(raw []byte) error {
		if found || !mayBe(raw, name) {
			return nil
		}
		entry, err := unquote(raw)
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value, found = v, true
		}
		return err
	})
	return value, err
}

// mayBe reports whether a quoted entry may belong to a variable: its name is spelled out, or possibly escaped.
func mayBe(raw []byte, name string) bool {
	begin := raw[1:min(len(raw), 1+len(name))]
	return string(begin) == name || bytes.IndexByte(begin, '\\') >= 0
}

// Cwd returns the process's working directory; "" if there is none.
func (d *Document) Cwd() (string, error) {
	return d.process.get("cwd").text("process.cwd")
}

// Bounding returns the process's bounding set as the engine wrote it; nil if it wrote none.
func (d *Document) Bounding() ([]string, error) {
	caps := d.process.get("capabilities")
	if caps == nil {
		return nil, nil
	}
	if caps.kind != '{' {
		return nil, fmt.Errorf("process.capabilities is %s, not an object", kindName(caps))
	}
	return caps.get("bounding").strings("process.capabilities.bounding")
}

// MemoryLimit returns the container's memory limit in bytes; 0 if it has none. A limit that can't be read counts as
// none: the runtime reports the fault.
func (d *Document) MemoryLimit() uint64 {
	n := d.root
	for _, name := range []string{"linux", "resources", "memory", "limit"} {
		if n = n.get(name); n == nil {
			return 0
		}
	}
	limit, _ := n.unsigned("linux.resources.memory.limit", 63) // as said above; -1 means none, too
	return limit
}

// Mount is an entry of "mounts" (config.md, "Mounts").
type Mount struct {
	Destination, Type, Source string
	Options                   []string
	UIDMap, GIDMap            []IDMap // of an idmapped mount
}

// Binds reports whether the mount shows files from elsewhere on the host.
func (m *Mount) Binds() bool { return Binds(m.Type, m.Options) }

// Binds is Mount.Binds for a mount of another Go type. For runtimes either the type or the option is enough.
func Binds(kind string, options []string) bool {
	return kind == "bind" || slices.Contains(options, "bind") || slices.Contains(options, "rbind")
}

// Readonly reports whether nothing can be written through the mount ("rro": nor through those below it; config.md,
// "Mounts"). Docker since 25 and containerd request only the latter (moby, daemon/oci_linux.go, withMounts).
func (m *Mount) Readonly() bool {
	return slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
}

// IDMap is a range of ids (config-linux.md, "User namespace mappings"). For an idmapped mount ContainerID is the id
// on disk.
type IDMap struct{ ContainerID, HostID, Size uint32 }

// Namespace is an entry of "linux.namespaces"; Path is "" for a new one.
type Namespace struct{ Type, Path string }

// Container holds what a config.json says besides its process.
type Container struct {
	Rootfs            string // root.path as written: relative to the bundle, or absolute
	Readonly          bool   // root.readonly
	Mounts            []Mount
	Namespaces        []Namespace
	UIDMap            []IDMap
	GIDMap            []IDMap
	RootfsPropagation string            // linux.rootfsPropagation
	Covers            []string          // what the runtime itself mounts over, as far as config.json says: linux.maskedPaths and readonlyPaths, and the console if there is a terminal
	MountLabel        string            // the SELinux label for mounts
	Annotations       map[string]string // as the engine wrote them: not to be trusted
	Hooks             []Hook
}

// Hook is a program that the runtime runs on the host at a stage of the container's life (config.md, "POSIX-platform
// Hooks").
type Hook struct{ Stage, Path string }

// Container reads the parts of a config.json that decisions depend on. A value of the wrong type is an error: crun
// reads some of them as 0 or false (SECURITY.md A5).
func (d *Document) Container() (*Container, error) {
	c := &Container{}
	var err error
	root := d.root.get("root")
	if root == nil || root.kind != '{' {
		return nil, fmt.Errorf("root is missing, or not an object")
	}
	if c.Rootfs, err = root.get("path").text("root.path"); err != nil {
		return nil, err
	}
	if c.Readonly, err = root.get("readonly").boolean("root.readonly"); err != nil {
		return nil, err
	}
	if c.Mounts, err = d.mounts(); err != nil {
		return nil, err
	}
	linux := d.root.get("linux")
	if linux != nil && linux.kind != '{' {
		return nil, fmt.Errorf("linux is %s, not an object", kindName(linux))
	}
	if c.Namespaces, err = namespaces(linux); err != nil {
		return nil, err
	}
	if c.UIDMap, err = linux.get("uidMappings").idMaps("linux.uidMappings"); err != nil {
		return nil, err
	}
	if c.GIDMap, err = linux.get("gidMappings").idMaps("linux.gidMappings"); err != nil {
		return nil, err
	}
	if c.MountLabel, err = linux.get("mountLabel").text("linux.mountLabel"); err != nil {
		return nil, err
	}
	if c.RootfsPropagation, err = linux.get("rootfsPropagation").text("linux.rootfsPropagation"); err != nil {
		return nil, err
	}
	if c.RootfsPropagation != "" { // otherwise nothing propagates to the host
		if c.Covers, err = d.covers(linux); err != nil {
			return nil, err
		}
	}
	if c.Hooks, err = d.hooks(); err != nil {
		return nil, err
	}
	c.Annotations, err = d.annotations()
	return c, err
}

func (d *Document) covers(linux *node) ([]string, error) {
	masked, err := linux.get("maskedPaths").strings("linux.maskedPaths")
	if err != nil {
		return nil, err
	}
	readonly, err := linux.get("readonlyPaths").strings("linux.readonlyPaths")
	if err != nil {
		return nil, err
	}
	all := slices.Concat(masked, readonly)
	if terminal := d.process.get("terminal"); terminal != nil && terminal.kind == 't' {
		all = append(all, "/dev/console")
	}
	return all, nil
}

// hooks returns those that run as root, on the host or in the container before its process has its credentials. Hooks
// of the stage startContainer run as the container's user.
func (d *Document) hooks() ([]Hook, error) {
	n := d.root.get("hooks")
	if n == nil {
		return nil, nil
	}
	if n.kind != '{' {
		return nil, fmt.Errorf("hooks is %s, not an object", kindName(n))
	}
	var all []Hook
	for _, stage := range []string{"prestart", "createRuntime", "createContainer", "poststart", "poststop"} {
		elems, err := n.get(stage).list("hooks." + stage)
		if err != nil {
			return nil, err
		}
		for _, e := range elems {
			if e.kind != '{' {
				return nil, fmt.Errorf("an entry of hooks.%s is %s, not an object", stage, kindName(e))
			}
			path, err := e.get("path").text("hooks." + stage + "'s path")
			if err != nil {
				return nil, err
			}
			all = append(all, Hook{stage, path})
		}
	}
	return all, nil
}

func (d *Document) mounts() ([]Mount, error) {
	if d.mounted != nil {
		return d.mounted, nil
	}
	elems, err := d.root.get("mounts").list("mounts")
	if err != nil {
		return nil, err
	}
	if len(elems) > maxMounts {
		return nil, fmt.Errorf("mounts has %d entries, more than %d", len(elems), maxMounts)
	}
	mounts := make([]Mount, len(elems))
	for i, e := range elems {
		if e.kind != '{' {
			return nil, fmt.Errorf("mounts.%d is %s, not an object", i, kindName(e))
		}
		if err := e.mount(&mounts[i]); err != nil {
			return nil, fmt.Errorf("mounts.%d.%w", i, err)
		}
	}
	d.mounted = mounts
	return mounts, nil
}

func (n *node) mount(m *Mount) (err error) {
	for _, f := range [...]struct {
		name string
		to   *string
	}{{"destination", &m.Destination}, {"type", &m.Type}, {"source", &m.Source}} {
		if *f.to, err = n.get(f.name).text(f.name); err != nil {
			return err
		}
	}
	if m.Options, err = n.get("options").strings("options"); err != nil {
		return err
	}
	if m.UIDMap, err = n.get("uidMappings").idMaps("uidMappings"); err != nil {
		return err
	}
	m.GIDMap, err = n.get("gidMappings").idMaps("gidMappings")
	return err
}

// HasDevices reports whether the container has devices besides those that every container has, or may have some.
func (d *Document) HasDevices() bool {
	elems, err := d.root.get("linux").get("devices").list("linux.devices")
	return err != nil || len(elems) > 0
}

func namespaces(linux *node) ([]Namespace, error) {
	elems, err := linux.get("namespaces").list("linux.namespaces")
	if err != nil {
		return nil, err
	}
	spaces := make([]Namespace, 0, len(elems))
	for _, e := range elems {
		if e.kind != '{' {
			return nil, fmt.Errorf("an entry of linux.namespaces is %s, not an object", kindName(e))
		}
		var s Namespace
		if s.Type, err = e.get("type").text("linux.namespaces' type"); err != nil {
			return nil, err
		}
		if s.Path, err = e.get("path").text("linux.namespaces' path"); err != nil {
			return nil, err
		}
		// runc refuses a second namespace of the same type; in crun the second one wins.
		if slices.ContainsFunc(spaces, func(o Namespace) bool { return o.Type == s.Type }) {
			return nil, fmt.Errorf("linux.namespaces has two entries of the type %s\nhint: leave one out", quote.Value(s.Type))
		}
		spaces = append(spaces, s)
	}
	return spaces, nil
}

func (d *Document) annotations() (map[string]string, error) {
	n := d.root.get("annotations")
	if n == nil {
		return nil, nil
	}
	if n.kind != '{' {
		return nil, fmt.Errorf("annotations is %s, not an object", kindName(n))
	}
	all := make(map[string]string, len(n.members))
	for _, m := range n.members {
		v, err := m.val.text(quote.Path("annotations", m.name))
		if err != nil {
			return nil, err
		}
		all[m.name] = v
	}
	return all, nil
}

// The readers below accept nil for a missing value. Their argument what names the place in errors.

func (n *node) text(what string) (string, error) {
	if n == nil {
		return "", nil
	}
	if n.kind != '"' {
		return "", fmt.Errorf("%s is %s, not a string", what, kindName(n))
	}
	return unquote(n.raw)
}

func (n *node) boolean(what string) (bool, error) {
	switch {
	case n == nil:
		return false, nil
	case n.kind == 't':
		return true, nil
	case n.kind == 'f':
		return false, nil
	}
	return false, fmt.Errorf("%s is %s, not true or false", what, kindName(n))
}

// list returns the elements of an array. If they have no shape the array is parsed here, on demand; it must hold
// scalars.
func (n *node) list(what string) ([]*node, error) {
	switch {
	case n == nil:
		return nil, nil
	case n.kind != '[':
		return nil, fmt.Errorf("%s is %s, not an array", what, kindName(n))
	case n.elems != nil:
		return n.elems, nil
	}
	var elems []*node
	err := jsonscan.Elements(n.raw, func(v []byte) error {
		e := leaf(v)
		if e.kind == '{' || e.kind == '[' {
			return fmt.Errorf("%s holds %s", what, kindName(e))
		}
		elems = append(elems, e)
		return nil
	})
	return elems, err
}

func (n *node) strings(what string) ([]string, error) {
	if n == nil {
		return nil, nil
	}
	all := []string{}
	err := n.eachString(what, func(raw []byte) error {
		s, err := unquote(raw)
		all = append(all, s)
		return err
	})
	return all, err
}

// eachString calls a function with every string of an array as it is spelled, quotes included.
func (n *node) eachString(what string, each func(raw []byte) error) error {
	return n.eachStringAt(what, func(_ int, raw []byte) error { return each(raw) })
}

// eachStringAt does the same, with the offset of the string in the list's source.
func (n *node) eachStringAt(what string, each func(at int, raw []byte) error) error {
	if n == nil {
		return nil
	}
	if n.kind != '[' {
		return fmt.Errorf("%s is %s, not an array", what, kindName(n))
	}
	return jsonscan.ElementsAt(n.raw, func(at int, v []byte) error {
		if v[0] != '"' {
			return fmt.Errorf("%s holds %s, not only strings", what, kindName(leaf(v)))
		}
		return each(at, v)
	})
}

// unsigned reads a JSON number that is an integer. "-0", "1.0" and "1e3" are refused: decoders differ on them (crun
// reads -0 as 0: SECURITY.md A5).
func (n *node) unsigned(what string, bits int) (uint64, error) {
	if n == nil {
		return 0, nil
	}
	if err := n.isNumber(what); err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(string(n.raw), 10, bits)
	if err != nil {
		return 0, n.notWhole(what, uint64(1)<<(bits-1)*2-1)
	}
	return v, nil
}

func (n *node) isNumber(what string) error {
	if n.kind != '0' {
		return fmt.Errorf("%s is %s, not a number", what, kindName(n))
	}
	return nil
}

func (n *node) notWhole(what string, most uint64) error {
	return fmt.Errorf("%s is %s, not a whole number from 0 to %d", what, quote.Text(string(n.raw), 40), most)
}

// id reads a member that is a uid or gid. 4294967295 is refused: to setresuid(2) and chown(2) it means "leave it
// unchanged", and crun then stays root (SECURITY.md A4).
func (n *node) id(what, name string) (uint32, error) {
	v := n.get(name)
	if v == nil {
		return 0, nil
	}
	return v.asID(what)
}

func (n *node) asID(what string) (uint32, error) {
	if n == nil {
		return 0, nil
	}
	if err := n.isNumber(what); err != nil {
		return 0, err
	}
	v, err := ids.Number(n.raw)
	if err != nil {
		return 0, n.notWhole(what, math.MaxUint32)
	}
	if v == ids.Unchanged {
		return 0, fmt.Errorf("%s is 4294967295, which means \"leave unchanged\" to the kernel\nhint: use an id from 0 to 4294967294", what)
	}
	return v, nil
}

func (n *node) idMaps(what string) ([]IDMap, error) {
	elems, err := n.list(what)
	if err != nil {
		return nil, err
	}
	var all []IDMap
	for _, e := range elems {
		if e.kind != '{' {
			return nil, fmt.Errorf("%s has an entry that is %s, not an object", what, kindName(e))
		}
		var m IDMap
		for _, f := range []struct {
			name string
			to   *uint32
		}{{"containerID", &m.ContainerID}, {"hostID", &m.HostID}, {"size", &m.Size}} {
			v, err := e.get(f.name).unsigned(what+"' "+f.name, 32)
			if err != nil {
				return nil, err
			}
			*f.to = uint32(v) // #nosec G115 -- 32 bits, as above
		}
		all = append(all, m)
	}
	return slices.Clip(all), nil
}

// kindName describes the kind of a JSON value in a message.
func kindName(n *node) string {
	switch n.kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "something else"
}
