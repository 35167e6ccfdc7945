// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Change is what a rewrite changes in a document.
type Change struct {
	// Process applies to config.json and to exec's process file.
	Process ProcessChange
	// Container applies to config.json only; nil for a process file.
	Container *ContainerChange
}

// ProcessChange is what changes in a process.
type ProcessChange struct {
	UID, GID     uint32   // container ids; 0 is refused
	Groups       []uint32 // all supplementary groups; 0 is refused
	DropBounding bool     // empties the bounding set, too
	Home         string   // HOME
	Name         string   // USER and LOGNAME; "" removes them, for a uid without a name
	User         string   // USER, if it differs from the name; "": it doesn't
	LogName      string   // LOGNAME likewise
}

// ContainerChange is what changes in the rest of a config.json.
type ContainerChange struct {
	// Ours recognizes the mounts of an earlier rewrite; Mounts replace them, so that rewriting twice gives the same
	// result as rewriting once.
	Ours   func(Mount) bool
	Mounts []Mount // appended after all others
	// Owned maps the mounts that will belong to the process's user, by their index in the document's list, to their
	// options without the owner.
	Owned               map[int][]string
	AllowUserNamespaces bool    // leaves seccomp unchanged
	EmulateOwnership    bool    // changes of owners and groups succeed, and do nothing
	Machine             Machine // the machine whose system calls are meant; needed unless AllowUserNamespaces is set without EmulateOwnership
	UserNamespace       string  // replaces the path of the user namespace that is joined; "": unchanged
	Sysctls             []Sysctl
	Devices             *DeviceChange // nil: they stay unchanged
}

// Sysctl is an entry of linux.sysctl (config-linux.md, "Sysctl"), which is added unless the name is set already.
type Sysctl struct{ Name, Value string }

// Rewrite returns the document with the change applied: the five promises on credentials (ids, groups, no new
// privileges, capabilities, no user namespaces inside), environment, mounts, disks, and no annotation that steers a
// runtime. It must be called only once per document. What the change does not name keeps its bytes.
//
// An id of 0 is an error, and so is a part of the wrong type.
func (d *Document) Rewrite(c Change) ([]byte, error) {
	parts, err := d.RewriteParts(c)
	if err != nil {
		return nil, err
	}
	return Join(parts), nil
}

// RewriteParts is Rewrite, but returns the document in parts; the long ones are slices of the source.
func (d *Document) RewriteParts(c Change) ([][]byte, error) {
	if err := rewriteProcess(d.process, c.Process); err != nil {
		return nil, err
	}
	if c.Container != nil {
		if err := d.rewriteContainer(*c.Container, c.Process); err != nil {
			return nil, err
		}
	}
	if !d.root.isTouched() {
		return [][]byte{d.source}, nil
	}
	r := renderer{b: make([]byte, 0, min(len(d.source), longPart)+4096)}
	r.node(d.root)
	return append(r.parts, r.b), nil
}

// Join joins the parts of a document.
func Join(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}

func rewriteProcess(p *node, c ProcessChange) error {
	if c.UID == 0 || c.GID == 0 || slices.Contains(c.Groups, 0) {
		return errors.New("a decision that names uid 0, gid 0 or group 0 is never written")
	}
	if err := rewriteUser(p, c); err != nil {
		return err
	}
	if _, err := p.get("noNewPrivileges").boolean("process.noNewPrivileges"); err != nil {
		return err
	}
	p.set("noNewPrivileges", trueLeaf())
	if err := rewriteCapabilities(p, c.DropBounding); err != nil {
		return err
	}
	return rewriteEnv(p, c)
}

// rewriteUser always writes both ids: a missing one means 0 (SECURITY.md A1).
func rewriteUser(p *node, c ProcessChange) error {
	user, err := p.childObject("user", "process.user")
	if err != nil {
		return err
	}
	user.set("uid", uintLeaf(uint64(c.UID)))
	user.set("gid", uintLeaf(uint64(c.GID)))
	have, err := user.get("additionalGids").list("process.user.additionalGids")
	if err != nil {
		return err
	}
	same := len(have) == len(c.Groups)
	for i := 0; same && i < len(have); i++ {
		same = string(have[i].raw) == string(uintLeaf(uint64(c.Groups[i])).raw)
	}
	if !same {
		user.set("additionalGids", uintsLeaf(c.Groups))
	}
	return nil
}

// rewriteCapabilities writes all five sets: runc 1.3 and later read a missing object, or a missing set in it, as "all
// of them" (SECURITY.md A8). The names in the sets don't matter (A13).
func rewriteCapabilities(p *node, dropBounding bool) error {
	caps, err := p.childObject("capabilities", "process.capabilities")
	if err != nil {
		return err
	}
	bounding, err := caps.get("bounding").strings("process.capabilities.bounding")
	if err != nil {
		return err
	}
	if dropBounding || bounding == nil {
		caps.clear("bounding")
	}
	for _, set := range []string{"effective", "permitted", "inheritable", "ambient"} {
		caps.clear(set)
	}
	return nil
}

// clear makes the member an empty array, unless it is one already.
func (n *node) clear(name string) {
	if have := n.get(name); have != nil && have.kind == '[' {
		if elems, err := have.list(name); err == nil && len(elems) == 0 {
			return
		}
	}
	n.set(name, leaf([]byte("[]")))
}

// rewriteEnv makes HOME, USER and LOGNAME match passwd: one entry each, in the place of the first. The others keep
// their bytes, which are not copied: an environment may be a megabyte long.
func rewriteEnv(p *node, c ProcessChange) error {
	e := environment{
		agreed: [...]variable{{name: "HOME", value: c.Home}, {name: "USER", value: cmp.Or(c.User, c.Name)}, {name: "LOGNAME", value: cmp.Or(c.LogName, c.Name)}},
	}
	if old := p.get("env"); old != nil {
		e.source = old.raw
		if err := old.eachStringAt("process.env", e.pass); err != nil {
			return err
		}
		e.flush()
	}
	for i := range e.agreed {
		e.write(&e.agreed[i], "")
	}
	if e.changed {
		if len(e.parts) == 0 {
			e.parts = append(e.parts, leaf([]byte("[")))
		}
		p.set("env", joined(append(e.parts, leaf([]byte("]")))))
	}
	return nil
}

// environment is the list of entries while it is rebuilt.
type environment struct {
	source     []byte // the original list
	begin, end int    // adjacent entries in it that are kept
	parts      []*node
	agreed     [3]variable
	changed    bool
}

type variable struct {
	name, value string // with value "", the variable is to be removed
	seen        bool
}

// pass keeps an entry, unless it is one of the variables to set.
func (e *environment) pass(at int, raw []byte) error {
	for i := range e.agreed {
		v := &e.agreed[i]
		if !mayBe(raw, v.name) {
			continue
		}
		entry, err := unquote(raw)
		if err != nil {
			return err
		}
		if entry == v.name || strings.HasPrefix(entry, v.name+"=") {
			e.flush()
			e.write(v, entry)
			return nil
		}
	}
	if e.end == 0 {
		e.begin = at
	}
	e.end = at + len(raw)
	return nil
}

// flush writes the entries that are kept.
func (e *environment) flush() {
	if e.end > 0 {
		e.add(e.source[e.begin:e.end])
		e.end = 0
	}
}

// write writes a variable in place of an entry; "" for the entry is the end of the list.
func (e *environment) write(v *variable, entry string) {
	want := v.name + "=" + v.value
	first := !v.seen && v.value != ""
	if first {
		e.add(jsonQuote(want))
	}
	e.changed = e.changed || first && entry != want || !first && entry != ""
	v.seen = true
}

func (e *environment) add(text []byte) {
	separator := "["
	if len(e.parts) > 0 {
		separator = ","
	}
	e.parts = append(e.parts, leaf([]byte(separator)), leaf(text))
}

func (d *Document) rewriteContainer(c ContainerChange, p ProcessChange) error {
	if err := dropAnnotations(d.root); err != nil {
		return err
	}
	if err := d.ownMounts(c.Owned, p); err != nil { // before the indexes change
		return err
	}
	if err := d.rewriteMounts(c); err != nil {
		return err
	}
	if err := noListener(d.root.get("linux").get("seccomp")); err != nil {
		return err
	}
	if c.AllowUserNamespaces && !c.EmulateOwnership && c.UserNamespace == "" && len(c.Sysctls) == 0 && c.Devices == nil {
		return nil
	}
	linux, err := d.root.childObject("linux", "linux")
	if err != nil {
		return err
	}
	if c.Devices != nil {
		if err := closeDisks(linux, *c.Devices); err != nil {
			return err
		}
	}
	if c.UserNamespace != "" {
		if err := joinUserNamespace(linux, c.UserNamespace); err != nil {
			return err
		}
	}
	if err := addSysctls(linux, c.Sysctls); err != nil {
		return err
	}
	if c.EmulateOwnership {
		if err := emulateOwnership(linux, c.Machine); err != nil {
			return err
		}
	}
	if c.AllowUserNamespaces {
		return nil
	}
	return denyUserNamespaces(linux, c.Machine)
}

// dropAnnotations removes annotations that steer a runtime instead of describing the container. Any user may have
// written them (SECURITY.md B4, C5, D6, D9, F1-F6).
func dropAnnotations(root *node) error {
	n := root.get("annotations")
	if n == nil {
		return nil
	}
	if n.kind != '{' {
		return fmt.Errorf("annotations is %s, not an object", kindName(n))
	}
	n.drop(func(m member) bool { return Steers(m.name) })
	return nil
}

// Steers reports whether a runtime acts on annotations of this name without engines needing it: such annotations are
// dropped.
func Steers(name string) bool {
	switch {
	case name == "bundle": // runc's own label for the bundle, which exec trusts (D6)
		return true
	case strings.HasPrefix(name, "run.oci."): // crun's switches (B4, B5, C5, F5, F6)
		return true
	case strings.HasPrefix(name, "org.criu."): // a CRIU configuration file, read as root (D9)
		return true
	case strings.HasPrefix(name, "org.systemd.property."):
		return !slices.Contains(unitProperties, strings.TrimPrefix(name, "org.systemd.property."))
	}
	return strings.ContainsFunc(name, func(r rune) bool {
		return r == '=' || r < 0x20 || r >= 0x7f && r < 0xa0
	})
}

// unitProperties are the systemd unit properties that CRI-O sets on every container (cri-o
// server/container_create_linux.go), all of them harmless.
var unitProperties = []string{"TimeoutStopUSec", "DefaultDependencies", "After", "CollectMode"}

func (d *Document) rewriteMounts(c ContainerChange) error {
	have, err := d.mounts()
	if err != nil {
		return err
	}
	ours := make([]bool, len(have))
	removed := 0
	for i, m := range have {
		if ours[i] = c.Ours != nil && c.Ours(m); ours[i] {
			removed++
		}
	}
	if tail := have[len(have)-removed:]; removed == len(c.Mounts) && slices.EqualFunc(tail, c.Mounts, sameMount) {
		return nil // what an earlier rewrite appended is still at the end of the list
	}
	mounts := d.root.get("mounts")
	if mounts == nil {
		mounts = &node{kind: '[', raw: []byte("[]"), elems: []*node{}}
		d.root.set("mounts", mounts)
	}
	kept := make([]*node, 0, len(have)+len(c.Mounts))
	for i, e := range mounts.elems {
		if !ours[i] {
			kept = append(kept, e)
		}
	}
	for _, m := range c.Mounts {
		kept = append(kept, mountNode(m))
	}
	mounts.elems, mounts.touched = kept, true
	return nil
}

// ownMounts adds an owner to the options of mounts (tmpfs(5): uid, gid).
func (d *Document) ownMounts(owned map[int][]string, p ProcessChange) error {
	if len(owned) == 0 {
		return nil
	}
	have, err := d.mounts()
	if err != nil {
		return err
	}
	for i, bare := range owned {
		if options := append(slices.Clone(bare), Owner(p.UID, p.GID)...); !slices.Equal(options, have[i].Options) {
			d.root.get("mounts").elems[i].set("options", stringsLeaf(options))
		}
	}
	return nil
}

// Owner returns the options that set the owner of a tmpfs.
func Owner(uid, gid uint32) []string {
	return []string{fmt.Sprintf("uid=%d", uid), fmt.Sprintf("gid=%d", gid)}
}

func sameMount(a, b Mount) bool {
	return a.Destination == b.Destination && a.Type == b.Type && a.Source == b.Source &&
		slices.Equal(a.Options, b.Options) && a.UIDMap == nil && a.GIDMap == nil
}

func mountNode(m Mount) *node {
	n := object()
	n.set("destination", stringLeaf(m.Destination))
	n.set("type", stringLeaf(m.Type))
	n.set("source", stringLeaf(m.Source))
	n.set("options", stringsLeaf(m.Options))
	return n
}

func joinUserNamespace(linux *node, path string) error {
	elems, err := linux.get("namespaces").list("linux.namespaces")
	if err != nil {
		return err
	}
	for _, e := range elems {
		if kind, err := e.get("type").text("linux.namespaces' type"); err == nil && kind == "user" {
			e.set("path", stringLeaf(path))
			return nil
		}
	}
	return errors.New("linux.namespaces has no user namespace to join")
}

func addSysctls(linux *node, sysctls []Sysctl) error {
	if len(sysctls) == 0 {
		return nil
	}
	all, err := linux.childObject("sysctl", "linux.sysctl")
	if err != nil {
		return err
	}
	for _, s := range sysctls {
		// Runtimes accept either separator between a name's parts (sysctl.d(5)), and write two spellings in any
		// order.
		if all.get(s.Name) == nil && all.get(strings.ReplaceAll(s.Name, ".", "/")) == nil {
			all.set(s.Name, stringLeaf(s.Value))
		}
	}
	return nil
}

// childObject returns the member of that name, created if it is missing or null.
func (n *node) childObject(name, what string) (*node, error) {
	child := n.get(name)
	if child == nil {
		child = object()
		n.set(name, child)
		child.touched = true
		return child, nil
	}
	if child.kind != '{' {
		return nil, fmt.Errorf("%s is %s, not an object", what, kindName(child))
	}
	return child, nil
}
