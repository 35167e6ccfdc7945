// SPDX-License-Identifier: Apache-2.0

package imagefile

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Limits on what is kept of an image's files.
const (
	maxNodes   = 300_000 // directories, links, and files that matter
	maxPath    = 4096    // bytes: PATH_MAX
	maxLinks   = 40      // MAXSYMLINKS
	maxDepth   = 256
	maxKept    = 1 << 20  // bytes of passwd or group
	maxHead    = 4096     // bytes of a script
	maxScripts = 256      // heads of scripts
	maxTexts   = 16 << 20 // bytes of all files with names like passwd and group
)

// Entry is a file in an image.
type Entry struct {
	Mode     int64 // permissions, with the setuid, setgid and sticky bits of tar
	UID, GID int
	Size     int64
	Type     byte   // of tar: tar.TypeReg, tar.TypeDir, tar.TypeSymlink, ...
	Link     string // if Type is tar.TypeSymlink
	Caps     bool   // has file capabilities
	Text     []byte // of passwd and group; of a script, the beginning
}

// Set-user-ID and set-group-ID bits of tar.
const (
	SetUID = 0o4000
	SetGID = 0o2000
)

// node is an entry in the tree. Most regular files are not kept.
type node struct {
	Entry
	layer    int
	children map[string]*node
}

// Tree is an image's file system.
type Tree struct {
	root    *node
	nodes   int
	scripts int
	dir     string              // the directory of the last entry, because the next one is usually in the same
	in      *node               // the node of dir; nil after something was removed
	wanted  func(p string) bool // reports whether a regular file is kept, whatever its mode
	texts   map[string]bool     // the text of files with these names is kept
	kept    int64               // bytes of kept texts
	linked  []string            // hard links to these files became accounts, but their text was not kept
	pool    *pool
	windows bool // keeps nothing, and returns errNotWindows for files that Windows doesn't have
}

func newTree(wanted func(string) bool, texts map[string]bool, pool *pool) *Tree {
	return &Tree{root: &node{Entry: Entry{Mode: 0o755, Type: tar.TypeDir}, layer: -1}, wanted: wanted, texts: texts, pool: pool}
}

// errNotWindows stops the reading of an image that claims to be for Windows.
var errNotWindows = errors.New("its files are not those of an image for Windows")

// ofWindows are the top directories in a layer of Windows.
var ofWindows = []string{"files", "hives", "utilityvm"}

// The files with accounts.
var accountFiles = []string{"/etc/passwd", "/etc/group"}

// unread returns the names of files that accounts are links to, and that were not kept.
func (t *Tree) unread() (names []string) {
	names = t.linked
	for _, p := range accountFiles {
		for n := range maxLinks {
			dir, where := t.find(path.Dir(p), 0)
			if dir == nil || dir.Type != tar.TypeDir {
				break
			}
			at := dir.children[path.Base(p)]
			if at == nil {
				if n > 0 {
					names = append(names, path.Base(p))
				}
				break
			}
			if at.Type != tar.TypeSymlink {
				if n > 0 && at.Type == tar.TypeReg && at.Text == nil {
					names = append(names, path.Base(p))
				}
				break
			}
			if p = at.Link; !path.IsAbs(p) {
				p = path.Join(where, p)
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return t.texts[name] })
}

// Names of whiteouts (OCI image specification, layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	metadata = ".wh..wh." // other files of AUFS, without a meaning (moby, pkg/archive)
)

// apply reads a layer that has to be unpacked.
func (t *Tree) apply(layer int, r io.Reader) error {
	in := tar.NewReader(r)
	return t.each(layer, func() (header, io.Reader, error) {
		h, err := in.Next()
		if err != nil {
			return header{}, nil, err
		}
		return headerOf(h), in, nil
	})
}

// applyFile reads a layer that is not compressed.
func (t *Tree) applyFile(layer int, w *window) error {
	in := newHeaders(w)
	return t.each(layer, func() (header, io.Reader, error) {
		h, err := in.next()
		return h, in.content, err
	})
}

func (t *Tree) each(layer int, next func() (header, io.Reader, error)) error {
	for {
		h, content, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.pool.entries--; t.pool.entries < 0 {
			return errors.New("the layers are named too often for what they weigh")
		}
		if err := t.entry(layer, h, content); err != nil {
			return err
		}
	}
}

func (t *Tree) entry(layer int, h header, content io.Reader) error {
	if len(h.name) > maxPath || len(h.link) > maxPath {
		return fmt.Errorf("a name in it has more than %d bytes", maxPath)
	}
	for part := range strings.SplitSeq(h.name, "/") {
		if part == ".." {
			return fmt.Errorf("the name %.100q leads out of it", h.name)
		}
	}
	p := path.Clean("/" + h.name)
	if strings.Count(p, "/") > maxDepth {
		return fmt.Errorf("the name %.100q has more than %d parts", h.name, maxDepth)
	}
	dir, base := path.Split(p)
	if h.flag == tar.TypeXGlobalHeader {
		return nil
	}
	if t.windows {
		if top, _, _ := strings.Cut(p[1:], "/"); top != "" && !strings.HasPrefix(top, whiteout) && !slices.Contains(ofWindows, strings.ToLower(top)) {
			return errNotWindows
		}
		return nil
	}
	if base == "" {
		t.root.Mode, t.root.UID, t.root.GID = h.mode, h.uid, h.gid
		return nil
	}
	if strings.HasPrefix(base, whiteout) {
		return t.white(layer, dir, base)
	}
	e := Entry{Mode: h.mode & 0o7777, UID: h.uid, GID: h.gid, Size: h.size, Type: h.flag, Caps: h.caps}
	switch h.flag {
	case tar.TypeSymlink:
		e.Link = h.link
	case tar.TypeLink:
		// Both names are one file, which gets the owner, mode and capabilities of the later header (containerd, pkg/archive; Docker does
		// the same). So a link can turn a file into a setuid program.
		target := path.Clean("/" + h.link)
		old := t.at(target, 0)
		if old == nil { // the file didn't matter so far
			e.Type, e.Size = tar.TypeReg, 0
			if slices.Contains(accountFiles, p) {
				t.linked = append(t.linked, path.Base(target))
			}
			if err := t.keep(layer, target, &e); err != nil {
				return err
			}
			break
		}
		if e.Type, e.Size, e.Link, e.Text = old.Type, old.Size, old.Link, old.Text; old.Type == tar.TypeReg {
			old.Entry = e
		}
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		e.Type = tar.TypeReg
		if err := t.read(&e, base, content); err != nil {
			return err
		}
	}
	parent, err := t.directory(layer, dir)
	if err != nil {
		return err
	}
	if e.Type == tar.TypeReg && !t.matters(p, &e) {
		if old := parent.children[base]; old != nil {
			t.remove(parent, base)
		}
		return nil
	}
	return t.put(layer, parent, base, e)
}

// keep adds a file that matters only because of a link to it.
func (t *Tree) keep(layer int, p string, e *Entry) error {
	dir, base := path.Split(p)
	if !t.matters(p, e) || strings.Count(p, "/") > maxDepth {
		return nil
	}
	parent, err := t.directory(layer, dir)
	if err != nil {
		return err
	}
	return t.put(layer, parent, base, *e)
}

// matters reports whether a regular file is kept: it has a privilege, a text that was read, or a name that is wanted.
func (t *Tree) matters(p string, e *Entry) bool {
	return e.Mode&(SetUID|SetGID) != 0 || e.Caps || e.Text != nil || t.wanted != nil && t.wanted(p)
}

// read reads the part of a file's content that is needed.
func (t *Tree) read(e *Entry, base string, content io.Reader) (err error) {
	switch {
	case t.texts[base] && e.Size <= maxKept:
		if t.kept += e.Size; t.kept > maxTexts {
			return fmt.Errorf("its files that are named like accounts have more than %d bytes", maxTexts)
		}
		e.Text, err = io.ReadAll(io.LimitReader(content, maxKept))
		if e.Text == nil {
			e.Text = []byte{}
		}
	case t.wanted != nil && e.Mode&0o111 != 0 && e.Size > 2 && t.scripts < maxScripts && t.wanted("/"+base):
		var head []byte
		head, err = io.ReadAll(io.LimitReader(content, maxHead))
		if strings.HasPrefix(string(head), "#!") {
			t.scripts++
			e.Text = head
		}
	}
	return err
}

// white handles a whiteout, which removes files of lower layers.
func (t *Tree) white(layer int, dir, base string) error {
	parent := t.at(path.Clean(dir), 0)
	if parent == nil || parent.Type != tar.TypeDir {
		return nil
	}
	switch {
	case base == opaque:
		for name, c := range parent.children {
			t.below(layer, parent, name, c)
		}
	case strings.HasPrefix(base, metadata):
	default:
		name := strings.TrimPrefix(base, whiteout)
		if c := parent.children[name]; c != nil {
			t.below(layer, parent, name, c)
		}
	}
	return nil
}

// below removes nodes of lower layers, but not those that the same layer has added.
func (t *Tree) below(layer int, parent *node, name string, c *node) {
	if c.layer < layer {
		own := false
		for n, one := range c.children {
			t.below(layer, c, n, one)
			own = own || one.layer >= layer || len(one.children) > 0
		}
		if len(c.children) == 0 || !own {
			t.remove(parent, name)
		}
		return
	}
	for n, one := range c.children {
		t.below(layer, c, n, one)
	}
}

// remove removes a node and everything below it.
func (t *Tree) remove(parent *node, name string) {
	c := parent.children[name]
	if c == nil {
		return
	}
	t.nodes -= count(c)
	t.in = nil
	delete(parent.children, name)
}

func count(n *node) int {
	all := 1
	for _, c := range n.children {
		all += count(c)
	}
	return all
}

// directory returns the node of a directory. Directories that no layer has mentioned are created, for root and with mode 0755.
func (t *Tree) directory(layer int, dir string) (*node, error) {
	if t.in != nil && t.dir == dir {
		return t.in, nil
	}
	at := t.root
	parts := strings.FieldsFunc(dir, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		next := at.children[part]
		if next != nil && next.Type == tar.TypeSymlink {
			if led := t.at("/"+path.Join(parts[:i+1]...), 0); led != nil && led.Type == tar.TypeDir {
				at = led
				continue
			}
		}
		if next == nil || next.Type != tar.TypeDir {
			if err := t.put(layer, at, part, Entry{Mode: 0o755, Type: tar.TypeDir}); err != nil {
				return nil, err
			}
			next = at.children[part]
		}
		at = next
	}
	t.dir, t.in = dir, at
	return at, nil
}

// put adds an entry, or replaces one. A directory keeps its content.
func (t *Tree) put(layer int, parent *node, name string, e Entry) error {
	if old := parent.children[name]; old != nil {
		if old.Type == tar.TypeDir && e.Type == tar.TypeDir {
			old.Entry, old.layer = e, layer
			return nil
		}
		t.remove(parent, name)
	}
	if t.nodes++; t.nodes > maxNodes {
		return fmt.Errorf("it has more than %d directories, links, and files that matter", maxNodes)
	}
	if parent.children == nil {
		parent.children = map[string]*node{}
	}
	parent.children[name] = &node{Entry: e, layer: layer}
	return nil
}

// at returns the node at a path. It follows symbolic links, within the image's root.
func (t *Tree) at(p string, links int) *node {
	n, _ := t.find(p, links)
	return n
}

// find is at, with the path of the node free of links.
func (t *Tree) find(p string, links int) (n *node, where string) { return t.search(p, links, nil) }

// Through calls each for the directories that have to be searched on the way to a path, also for those in links.
func (t *Tree) Through(p string, each func(where string, dir *Entry)) {
	t.search(p, 0, func(n *node, names []string) { each("/"+strings.Join(names, "/"), &n.Entry) })
}

func (t *Tree) search(p string, links int, searched func(dir *node, names []string)) (n *node, where string) {
	way, names := []*node{t.root}, []string{}
	rest := strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
	for steps := 0; len(rest) > 0; steps++ {
		if steps > maxPath {
			return nil, ""
		}
		part := rest[0]
		rest = rest[1:]
		switch part {
		case ".":
			continue
		case "..":
			if len(names) > 0 {
				way, names = way[:len(way)-1], names[:len(names)-1]
			}
			continue
		}
		if searched != nil {
			searched(way[len(way)-1], names)
		}
		next := way[len(way)-1].children[part]
		switch {
		case next == nil:
			return nil, ""
		case next.Type == tar.TypeSymlink:
			if links++; links > maxLinks {
				return nil, ""
			}
			rest = slices.Concat(strings.FieldsFunc(next.Link, func(r rune) bool { return r == '/' }), rest)
			if len(rest) > maxPath {
				return nil, ""
			}
			if strings.HasPrefix(next.Link, "/") {
				way, names = way[:1], names[:0]
			}
		default:
			way, names = append(way, next), append(names, part)
		}
	}
	return way[len(way)-1], "/" + strings.Join(names, "/")
}

// At returns the entry at a path. It follows symbolic links. Regular files that do not matter are missing.
func (t *Tree) At(p string) (Entry, bool) {
	n := t.at(p, 0)
	if n == nil {
		return Entry{}, false
	}
	return n.Entry, true
}

// Walk calls a function for each entry in order, and for a directory before its content.
func (t *Tree) Walk(each func(p string, e *Entry)) { walk("/", t.root, each) }

func walk(p string, n *node, each func(string, *Entry)) {
	each(p, &n.Entry)
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		walk(path.Join(p, name), n.children[name], each)
	}
}

// unlinked returns the node at a path. It follows no links.
func (t *Tree) unlinked(p string) *node {
	at := t.root
	for _, part := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		if at = at.children[part]; at == nil {
			return nil
		}
	}
	return at
}

// Where returns the entry at a path, and the path free of links.
func (t *Tree) Where(p string) (string, Entry, bool) {
	n, where := t.find(p, 0)
	if n == nil {
		return p, Entry{}, false
	}
	return where, n.Entry, true
}

// Names returns the names in a directory in order. Regular files that do not matter are missing.
func (t *Tree) Names(dir string) (names []string) {
	n := t.unlinked(dir)
	if n == nil {
		return nil
	}
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
