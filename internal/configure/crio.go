// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"cmp"
	"slices"
)

// CRIO is a crio.conf or a drop-in for it. Drop-ins are merged as Podman's are (cri-o, docs/crio.conf.d.5.md).
type CRIO struct{}

var crioRuntime = []string{"crio", "runtime"}

func crioTable(name string) []string { return []string{"crio", "runtime", "runtimes", name} }

// Add registers a runtime handler (cri-o, docs/crio.conf.5.md, "CRIO.RUNTIME.RUNTIMES TABLE"). Keys that are not set
// have CRI-O's defaults, as for its own runtimes: the monitor is conmon.
func (CRIO) Add(old []byte, r Runtime, n Note) ([]byte, Note, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, n, err
	}
	file, err := textAt(tree, append(crioTable(r.Name), "runtime_path")...)
	if err != nil {
		return nil, n, err
	}
	entry, err := tableAt(tree, crioTable(r.Name)...)
	if err != nil {
		return nil, n, err
	}
	if entry != nil && !IsOurs(file) {
		return nil, n, errTaken(r.Name, file)
	}
	was, err := textAt(tree, "crio", "runtime", "default_runtime")
	if err != nil {
		return nil, n, err
	}
	d := begin(old)
	if r.Default {
		n = n.replaceDefault(was, r.Name)
		d.set(crioRuntime, "default_runtime", r.Name)
	}
	d.set(crioTable(r.Name), "runtime_path", r.Path)
	if entry == nil {
		d.set(crioTable(r.Name), "runtime_type", "oci")
		d.set(crioTable(r.Name), "runtime_root", "/run/"+r.Name)
	}
	n.Tables = append(n.Tables, d.tables...)
	out, err := d.done()
	return out, n, err
}

// CRIODefault returns the default runtime, and its program, from files in which later ones take precedence; "" if it is
// not set.
func CRIODefault(texts [][]byte) (name, program string, err error) {
	programs := map[string]string{}
	for _, text := range texts {
		tree, err := parseTOML(text)
		if err != nil {
			return "", "", err
		}
		now, err := textAt(tree, append(slices.Clone(crioRuntime), "default_runtime")...)
		if err != nil {
			return "", "", err
		}
		name = cmp.Or(now, name)
		all, err := tableAt(tree, append(slices.Clone(crioRuntime), "runtimes")...)
		if err != nil {
			return "", "", err
		}
		for runtime := range all {
			path, err := textAt(all, runtime, "runtime_path")
			if err != nil {
				return "", "", err
			}
			programs[runtime] = cmp.Or(path, programs[runtime])
		}
	}
	return name, programs[name], nil
}

// Yield restores the default, and keeps the runtime.
func (CRIO) Yield(old []byte, name string, n Note) ([]byte, error) {
	return yield(old, name, n, "crio", "runtime", "default_runtime")
}

// Remove removes what Add has added.
func (CRIO) Remove(old []byte, name string, n Note) ([]byte, error) {
	tree, err := parseTOML(old)
	if err != nil {
		return nil, err
	}
	entry, err := tableAt(tree, crioTable(name)...)
	if err != nil || entry == nil {
		return old, err
	}
	if file, err := textAt(entry, "runtime_path"); err != nil || !IsOurs(file) {
		return nil, errTaken(name, file)
	}
	d := edit(old)
	d.dropTable(crioTable(name)...)
	if err := d.undefault(tree, name, n, "crio", "runtime", "default_runtime"); err != nil {
		return nil, err
	}
	d.sweep(n.Tables)
	return d.done()
}
