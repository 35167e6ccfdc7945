// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"fmt"
)

// header is the first line of a new file.
const header = "# Written by nonroot-ctl configure, and removed by nonroot-ctl configure --uninstall.\n"

// Podman is a containers.conf or a drop-in for it, of Podman 4.0 and later: a drop-in's tables are merged key by key
// with those of the files before it (containers/common, pkg/config/config.go, readConfigFromFile).
type Podman struct{}

// Add registers a runtime under [engine.runtimes], and as the engine's runtime if it is to be the default.
func (Podman) Add(old []byte, r Runtime, n Note) ([]byte, Note, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, n, err
	}
	paths, err := podmanPaths(tree, r.Name)
	if err != nil {
		return nil, n, err
	}
	if len(paths) > 0 && !IsOurs(paths[0]) {
		return nil, n, errTaken(r.Name, paths[0])
	}
	was, err := textAt(tree, "engine", "runtime")
	if err != nil {
		return nil, n, err
	}
	d := begin(old)
	if len(paths) != 1 || paths[0] != r.Path {
		d.set([]string{"engine", "runtimes"}, r.Name, []string{r.Path})
	}
	if r.Default {
		n = n.replaceDefault(was, r.Name)
		d.set([]string{"engine"}, "runtime", r.Name)
	}
	n.Tables = append(n.Tables, d.tables...)
	out, err := d.done()
	return out, n, err
}

// Yield restores the default, and keeps the runtime.
func (Podman) Yield(old []byte, name string, n Note) ([]byte, error) {
	return yield(old, name, n, "engine", "runtime")
}

// Remove removes what Add has added.
func (Podman) Remove(old []byte, name string, n Note) ([]byte, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, err
	}
	paths, err := podmanPaths(tree, name)
	if err != nil || len(paths) == 0 {
		return old, err
	}
	if !IsOurs(paths[0]) {
		return nil, errTaken(name, paths[0])
	}
	d := edit(old)
	d.dropKey("engine", "runtimes", name)
	err = d.undefault(tree, name, n, "engine", "runtime")
	if err != nil {
		return nil, err
	}
	d.sweep(n.Tables)
	return d.done()
}

// podmanPaths returns where Podman looks for a runtime: the first existing path counts.
func podmanPaths(tree map[string]any, name string) ([]string, error) {
	path := []string{"engine", "runtimes", name}
	paths, err := textsAt(tree, path...)
	if err == nil && paths != nil && len(paths) == 0 {
		return nil, fmt.Errorf("%s is not a list of paths: it is empty", joinKeys(path))
	}
	return paths, err
}

// begin is edit, with a first line for a new file.
func begin(old []byte) *document {
	if old == nil {
		old = []byte(header)
	}
	return edit(old)
}

// yield is Yield for a file with a key at a path that names the default.
func yield(old []byte, name string, n Note, path ...string) ([]byte, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, err
	}
	d := edit(old)
	if err := d.undefault(tree, name, n, path...); err != nil {
		return nil, err
	}
	d.sweep(n.Tables)
	return d.done()
}

// undefault restores the previous default's name in the key, or removes the key if the name is not known.
func (d *document) undefault(tree map[string]any, name string, n Note, path ...string) error {
	now, err := textAt(tree, path...)
	if err != nil || now != name {
		return err
	}
	last := len(path) - 1
	if back := n.restored(func(s string) bool { return s != "" }); back != "" {
		d.set(path[:last], path[last], back)
	} else {
		d.dropKey(path...)
	}
	return nil
}
