// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// Containerd is a file with settings of containerd's CRI plugin: its config.toml, or a drop-in that it imports.
type Containerd struct {
	// Version is the format of a new file: it must be that of containerd's main file, as containerd does not
	// translate older settings once it has read a newer file (containerd 2, cmd/containerd/server/config,
	// LoadConfig).
	Version int
	// Effective is the whole configuration that containerd uses, according to its config dump, or as much of it as is
	// known. The new runtime gets the options of the one that it replaces.
	Effective map[string]any
	// Replaces reports that the file's runtimes replace the built-in ones, as in containerd 1: the file must list all of
	// them.
	Replaces bool
}

// newest is the last version with a known format. 4 has the tables of 3.
const newest = 4

// ContainerdVersion returns the version of a configuration file: 1 if it has none.
func ContainerdVersion(data []byte) (int, error) {
	tree, err := parseTOML(data)
	if err != nil {
		return 0, err
	}
	switch v := tree["version"].(type) {
	case nil:
		return 1, nil
	case int64:
		if v >= 1 && v <= newest {
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("it has version %v: nonroot-ctl knows 1 to %d", tree["version"], newest)
}

const defaultName = "default_runtime_name"

// Add registers a runtime handler, with the options of the runtime that it replaces.
func (c Containerd) Add(old []byte, r Runtime, n Note) ([]byte, Note, error) {
	version := c.Version
	var err error
	if old != nil {
		if version, err = ContainerdVersion(old); err != nil {
			return nil, n, err
		}
	}
	tree, err := parseTOML(old)
	if err != nil {
		return nil, n, err
	}
	cri := engines.CRITable(version)
	file, entry, err := handler(tree, cri, r.Name)
	if err != nil {
		return nil, n, err
	}
	if entry != nil && !IsOurs(file) {
		return nil, n, errTaken(r.Name, file)
	}
	was, err := textAt(tree, append(slices.Clone(cri), defaultName)...)
	if err != nil {
		return nil, n, err
	}
	d := begin(old)
	if old == nil && version > 1 {
		d.set(nil, "version", version)
	}
	table := append(slices.Clone(cri), "runtimes", r.Name)
	if entry == nil {
		if n.Made, err = c.keepOthers(d, tree, cri); err != nil {
			return nil, n, err
		}
		d.setAll(table, c.standsFor(r.Name))
	}
	if file != r.Path {
		d.set(append(table, "options"), "BinaryName", r.Path)
	}
	if r.Default {
		if err := c.outranked(); err != nil {
			return nil, n, err
		}
		n = n.replaceDefault(was, r.Name)
		d.set(cri, defaultName, r.Name)
	}
	n.Tables = append(n.Tables, d.tables...)
	out, err := d.done()
	return out, n, err
}

// handler returns a runtime's entry, and its binary.
func handler(tree map[string]any, cri []string, name string) (binary string, entry map[string]any, err error) {
	table := append(slices.Clone(cri), "runtimes", name)
	if entry, err = tableAt(tree, table...); err != nil || entry == nil {
		return "", nil, err
	}
	binary, err = textAt(tree, append(table, "options", "BinaryName")...)
	return binary, entry, err
}

// setAll writes a table with its subtables, in alphabetical order, plain keys first.
func (d *document) setAll(table []string, settings map[string]any) {
	var below []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if _, ok := settings[key].(map[string]any); ok {
			below = append(below, key)
			continue
		}
		d.set(table, key, settings[key])
	}
	for _, key := range below {
		d.setAll(append(slices.Clone(table), key), settings[key].(map[string]any))
	}
}

// keepOthers writes the built-in runtimes, usually runc, which would be lost with the file's first runtime of its own.
func (c Containerd) keepOthers(d *document, tree map[string]any, cri []string) ([]string, error) {
	if !c.Replaces {
		return nil, nil
	}
	has, err := tableAt(tree, append(slices.Clone(cri), "runtimes")...)
	if err != nil || len(has) > 0 {
		return nil, err
	}
	_, all := c.effective()
	if len(all) == 0 {
		all = map[string]any{"runc": map[string]any{"runtime_type": engines.RuncShim}}
	}
	made := slices.Sorted(maps.Keys(all))
	for _, name := range made {
		settings, ok := all[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the runtime %q is not a table", name)
		}
		d.setAll(append(slices.Clone(cri), "runtimes", name), trimmed(settings))
	}
	return made, nil
}

// effective returns the CRI plugin's part of the effective configuration, under any version's name, and its runtimes.
func (c Containerd) effective() (settings, runtimes map[string]any) {
	for version := newest; version >= 1; version-- {
		settings, err := tableAt(c.Effective, engines.CRITable(version)...)
		if err != nil || settings == nil {
			continue
		}
		runtimes, err := tableAt(settings, "runtimes")
		if err == nil && runtimes != nil {
			return settings, runtimes
		}
	}
	return nil, nil
}

// outranked refuses to set a default that containerd 1 would ignore.
func (c Containerd) outranked() error {
	settings, _ := c.effective()
	if kind, _ := textAt(settings, "default_runtime", "runtime_type"); kind != "" {
		return errors.New("the deprecated table default_runtime outranks default_runtime_name\nhint: name its runtime under runtimes instead, and remove it")
	}
	return nil
}

// StandsFor returns the runtime that a new one replaces, with its binary: the default, if that is a runc, else "runc".
func (c Containerd) StandsFor(name string) (runtime, binary string) {
	settings, runtimes := c.effective()
	candidates := []string{"runc"}
	if now, err := textAt(settings, defaultName); err == nil && now != "" && now != name {
		candidates = []string{now, "runc"}
	}
	for _, candidate := range candidates {
		entry, _ := runtimes[candidate].(map[string]any)
		if kind, _ := entry["runtime_type"].(string); slices.Contains(engines.RuncShims, kind) {
			binary, _ = textAt(entry, "options", "BinaryName")
			return candidate, binary
		}
	}
	return "", ""
}

// standsFor returns a copy of that runtime's settings.
func (c Containerd) standsFor(name string) map[string]any {
	_, runtimes := c.effective()
	runtime, _ := c.StandsFor(name)
	entry, _ := runtimes[runtime].(map[string]any)
	settings := trimmed(entry)
	if entry["runtime_type"] != engines.RuncShim {
		delete(settings, "runtime_path") // another shim's binary
	}
	settings["runtime_type"] = engines.RuncShim
	return settings
}

// trimmed copies a runtime's settings without empty ones, and without those of the old shim (containerd 1.6,
// pkg/cri/config: "only works for runtime type io.containerd.runtime.v1.linux").
func trimmed(settings map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range settings {
		switch v := value.(type) {
		case map[string]any:
			if t := trimmed(v); len(t) > 0 {
				out[key] = t
			}
			continue
		case []any:
			if len(v) == 0 {
				continue
			}
		case string, bool, int64, float64:
			if v == "" || v == false || v == int64(0) || v == float64(0) {
				continue
			}
		}
		if key != "runtime_engine" && key != "runtime_root" {
			out[key] = value
		}
	}
	return out
}

// Yield restores the default, and keeps the runtime.
func (c Containerd) Yield(old []byte, name string, n Note) ([]byte, error) {
	version, err := ContainerdVersion(old)
	if err != nil {
		return nil, err
	}
	return yield(old, name, n, append(slices.Clone(engines.CRITable(version)), defaultName)...)
}

// State returns containerd's state directory, which contains bundles.
func (c Containerd) State() string {
	dir, _ := textAt(c.Effective, "state")
	return cmp.Or(dir, engines.Containerd.Bundles.States[0])
}

// Remove removes what Add has added. Runtimes that Add wrote only to keep them are removed when no other is left.
func (c Containerd) Remove(old []byte, name string, n Note) ([]byte, error) {
	version, err := ContainerdVersion(old)
	if err != nil {
		return nil, err
	}
	tree, err := parseTOML(old)
	if err != nil {
		return nil, err
	}
	cri := engines.CRITable(version)
	file, entry, err := handler(tree, cri, name)
	if err != nil || entry == nil {
		return old, err
	}
	if !IsOurs(file) {
		return nil, errTaken(name, file)
	}
	d := edit(old)
	runtimes := append(slices.Clone(cri), "runtimes")
	d.dropTable(append(slices.Clone(runtimes), name)...)
	all, err := tableAt(tree, runtimes...)
	if err != nil {
		return nil, err
	}
	if len(all) == len(n.Made)+1 && !slices.ContainsFunc(n.Made, func(m string) bool { return all[m] == nil }) {
		for _, made := range n.Made {
			d.dropTable(append(slices.Clone(runtimes), made)...)
		}
	}
	if err := d.undefault(tree, name, n, append(slices.Clone(cri), defaultName)...); err != nil {
		return nil, err
	}
	d.sweep(n.Tables)
	return d.done()
}

// Runtimes returns the handlers of a configuration with their binaries, and the default one.
func (c Containerd) Runtimes() (binaries map[string]string, fallback string) {
	settings, runtimes := c.effective()
	binaries = map[string]string{}
	for name, entry := range runtimes {
		table, _ := entry.(map[string]any)
		binaries[name], _ = textAt(table, "options", "BinaryName")
	}
	fallback, _ = textAt(settings, defaultName)
	return binaries, fallback
}

// ParseContainerd reads a configuration, for example the output of config dump.
func ParseContainerd(data []byte) (map[string]any, error) { return parseTOML(data) }

// Release is the version of a containerd, such as 1.6; only two numbers matter. The zero value means unknown.
type Release struct{ Major, Minor int }

// ParseRelease reads the output of containerd --version: the program's module, the version and the commit.
func ParseRelease(text string) (Release, error) {
	for _, word := range strings.Fields(text) {
		parts := strings.SplitN(strings.TrimPrefix(word, "v"), ".", 3)
		if len(parts) < 3 {
			continue
		}
		major, err := strconv.ParseUint(parts[0], 10, 16)
		if err != nil {
			continue
		}
		minor, err := strconv.ParseUint(parts[1], 10, 16)
		if err != nil {
			continue
		}
		return Release{int(major), int(minor)}, nil
	}
	return Release{}, fmt.Errorf("%q has no version in it", text)
}

// Imports is the line of containerd's config.toml that names drop-ins. 2.2 and later have one for conf.d in the file
// that "containerd config default" writes, but read no drop-in if that file, or that line in it, is missing
// (cmd/containerd/command/main.go and server/config, LoadConfig, 2.2.0 to 2.4.2).
type Imports struct {
	Main   string // the path of config.toml
	DropIn string // the path of the drop-in
}

// Add lists the drop-in, unless a pattern matches it already. The drop-in must exist: otherwise containerd does not
// start.
func (i Imports) Add(old []byte, _ Runtime, n Note) ([]byte, Note, error) {
	list, err := imports(old)
	if err != nil || slices.ContainsFunc(list, i.covers) {
		return old, n, err
	}
	d := begin(old)
	if old == nil {
		d.set(nil, "version", 3)
	}
	d.set(nil, "imports", append(list, i.DropIn))
	out, err := d.done()
	return out, n, err
}

// Remove removes the drop-in's name from the list.
func (i Imports) Remove(old []byte, _ string, _ Note) ([]byte, error) {
	list, err := imports(old)
	if err != nil || !slices.Contains(list, i.DropIn) {
		return old, err
	}
	d := edit(old)
	if list = slices.DeleteFunc(list, func(s string) bool { return s == i.DropIn }); len(list) == 0 {
		d.dropKey("imports")
	} else {
		d.set(nil, "imports", list)
	}
	return d.done()
}

// Covered reports whether config.toml reads the drop-in.
func (i Imports) Covered(main []byte) bool {
	list, err := imports(main)
	return err == nil && slices.ContainsFunc(list, i.covers)
}

// covers resolves an entry of the list as containerd does (server/config, resolveImports).
func (i Imports) covers(pattern string) bool {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(i.Main), pattern)
	}
	match, err := filepath.Match(filepath.Clean(pattern), i.DropIn)
	return err == nil && match
}

func imports(data []byte) ([]string, error) {
	tree, err := parseTOML(data)
	if err != nil {
		return nil, err
	}
	return textsAt(tree, "imports")
}

// ImportedDirectories returns the directories from which config.toml imports files by a pattern.
func ImportedDirectories(main string, data []byte) []string {
	list, err := imports(data)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, pattern := range list {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(main), pattern)
		}
		if dir := filepath.Dir(filepath.Clean(pattern)); !strings.ContainsAny(dir, `*?[\`) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
