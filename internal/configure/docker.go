// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tailscale/hujson"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// Docker is dockerd's daemon.json. It is edited in place: order, spelling of numbers, unknown keys and indentation
// are kept.
type Docker struct{}

const (
	runtimesKey = "runtimes"
	defaultKey  = "default-runtime"
)

// Add registers a runtime under "runtimes", and as "default-runtime" if it is to be the default. An empty file counts
// as a missing one: Docker 23.0 and later read it, 20.10 does not start with it.
func (Docker) Add(old []byte, r Runtime, n Note) ([]byte, Note, error) {
	d, err := parseDaemon(old)
	if err != nil {
		return nil, n, err
	}
	runtimes := d.table(runtimesKey)
	if runtimes == nil {
		n.Made = []string{runtimesKey}
		runtimes = d.addTable(d.root, 1, runtimesKey)
	}
	entry, file := d.entry(r.Name)
	switch {
	case entry == nil:
		d.add(d.addTable(runtimes, 2, r.Name), 3, "path", hujson.String(r.Path))
	case !IsOurs(file):
		return nil, n, errTaken(r.Name, file)
	case file != r.Path:
		member(entry, "path").Value = hujson.String(r.Path)
	}
	if old, was := d.text(defaultKey); r.Default && old != r.Name {
		n = n.replaceDefault(old, r.Name)
		if was == nil {
			d.add(d.root, 1, defaultKey, hujson.String(r.Name))
		} else {
			was.Value = hujson.String(r.Name)
		}
	}
	return d.bytes(old), n, nil
}

// Remove removes what Add has added. The previous default comes back if it still exists.
func (Docker) Remove(old []byte, name string, n Note) ([]byte, error) {
	d, err := parseDaemon(old)
	if err != nil {
		return nil, err
	}
	entry, file := d.entry(name)
	if entry == nil {
		return old, nil
	}
	if !IsOurs(file) {
		return nil, errTaken(name, file)
	}
	runtimes := d.table(runtimesKey)
	drop(runtimes, name)
	if len(runtimes.Members) == 0 && slices.Contains(n.Made, runtimesKey) {
		drop(d.root, runtimesKey)
	}
	d.undefault(name, n)
	return d.bytes(old), nil
}

// Yield restores the default, and keeps the runtime.
func (Docker) Yield(old []byte, name string, n Note) ([]byte, error) {
	d, err := parseDaemon(old)
	if err != nil {
		return nil, err
	}
	d.undefault(name, n)
	return d.bytes(old), nil
}

// undefault restores the previous default if it still exists.
func (d *daemonJSON) undefault(name string, n Note) {
	now, was := d.text(defaultKey)
	if now != name {
		return
	}
	back := n.restored(func(s string) bool {
		e, _ := d.entry(s)
		return e != nil || s == "runc" || strings.HasPrefix(s, engines.ShimPrefix)
	})
	if back == "" {
		drop(d.root, defaultKey)
	} else {
		was.Value = hujson.String(back)
	}
}

// DockerDefault returns the default runtime of daemon.json, and its program; "" if it is not set.
func DockerDefault(daemonJSON []byte) (name, program string, err error) {
	d, err := parseDaemon(daemonJSON)
	if err != nil {
		return "", "", err
	}
	name, _ = d.text(defaultKey)
	_, program = d.entry(name)
	return name, program, nil
}

// ReloadEnough reports whether dockerd applies a change on SIGHUP. It does not notice that a key was removed (moby,
// daemon/reload_unix.go, reloadPlatform, 20.10 to 28).
func ReloadEnough(before, after []byte) bool {
	was, err := parseDaemon(before)
	if err != nil {
		return false
	}
	is, err := parseDaemon(after)
	if err != nil {
		return false
	}
	for _, key := range []string{runtimesKey, defaultKey} {
		if member(was.root, key) != nil && member(is.root, key) == nil {
			return false
		}
	}
	return true
}

// DataRoot returns where dockerd keeps its data, according to its configuration file.
func DataRoot(daemonJSON []byte) (string, error) {
	d, err := parseDaemon(daemonJSON)
	if err != nil {
		return "", err
	}
	for _, key := range []string{"data-root", "graph"} { // "graph" is 20.10's old name for it
		v := member(d.root, key)
		if v == nil {
			continue
		}
		s, ok := v.Value.(hujson.Literal)
		if !ok || s.Kind() != '"' || !path.IsAbs(s.String()) {
			return "", fmt.Errorf("%q is not an absolute path", key)
		}
		return path.Clean(s.String()), nil
	}
	return engines.Docker.Store.Root, nil
}

// Remaps reports whether daemon.json asks for a user namespace; dockerd then keeps its data in a directory below its
// data-root (moby, daemon/daemon_unix.go, setupDaemonRoot).
func Remaps(daemonJSON []byte) (bool, error) {
	d, err := parseDaemon(daemonJSON)
	return err == nil && member(d.root, "userns-remap") != nil, err
}

// daemonJSON is a parsed daemon.json and its layout.
type daemonJSON struct {
	value                  hujson.Value
	root                   *hujson.Object
	newline, indent, colon string
}

// parseDaemon accepts only what every dockerd reads in the same way. Docker's decoder uses the last of two equal keys,
// and ignores what follows the document: neither is intended. It accepts no comments and no trailing commas.
func parseDaemon(data []byte) (*daemonJSON, error) {
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("it begins with a byte order mark, with which Docker 20.10 does not start\nhint: save it without one")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}\n")
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	if _, err := dec.ReadValue(); err != nil {
		return nil, fmt.Errorf("it is not the JSON that Docker reads: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the document at byte %d", dec.InputOffset())
	}
	v, err := hujson.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("it is not the JSON that Docker reads: %w", err)
	}
	root, ok := v.Value.(*hujson.Object)
	if !ok {
		return nil, errors.New("it is not an object: it should begin with \"{\"")
	}
	d := &daemonJSON{value: v, root: root, newline: "\n", indent: "    ", colon: " "}
	d.learn()
	return d, d.check()
}

// learn takes the layout from the first member.
func (d *daemonJSON) learn() {
	if len(d.root.Members) == 0 {
		return
	}
	first := d.root.Members[0]
	d.colon = string(first.Value.BeforeExtra)
	before := string(first.Name.BeforeExtra)
	end := strings.LastIndex(before, "\n")
	if end < 0 {
		d.newline, d.indent = "", ""
		return
	}
	d.indent = before[end+1:]
	if strings.Contains(before, "\r\n") {
		d.newline = "\r\n"
	}
}

// check refuses keys of ours that don't have the form that Docker documents.
func (d *daemonJSON) check() error {
	for _, m := range d.root.Members {
		name := m.Name.Value.(hujson.Literal).String()
		for _, key := range []string{runtimesKey, defaultKey} {
			if name != key && strings.EqualFold(name, key) {
				return fmt.Errorf("it has a key %q, which Docker may take for %q", name, key)
			}
		}
	}
	if v := member(d.root, defaultKey); v != nil && v.Value.Kind() != '"' {
		return fmt.Errorf("%q is not a string", defaultKey)
	}
	v := member(d.root, runtimesKey)
	if v == nil {
		return nil
	}
	runtimes, ok := v.Value.(*hujson.Object)
	if !ok {
		return fmt.Errorf("%q is not an object of runtimes by their names", runtimesKey)
	}
	for _, m := range runtimes.Members {
		name := m.Name.Value.(hujson.Literal).String()
		entry, ok := m.Value.Value.(*hujson.Object)
		if !ok {
			return fmt.Errorf("the runtime %q is not an object", name)
		}
		if p := member(entry, "path"); p != nil && p.Value.Kind() != '"' {
			return fmt.Errorf("the runtime %q has a path that is not a string", name)
		}
	}
	return nil
}

// bytes formats the document. If nothing was changed, it returns the old text, even if that was empty.
func (d *daemonJSON) bytes(old []byte) []byte {
	out := d.value.Pack()
	if len(bytes.TrimSpace(old)) == 0 && len(d.root.Members) == 0 {
		return old
	}
	return out
}

func (d *daemonJSON) table(key string) *hujson.Object {
	if v := member(d.root, key); v != nil {
		return v.Value.(*hujson.Object) // check has ensured that
	}
	return nil
}

func (d *daemonJSON) text(key string) (string, *hujson.Value) {
	v := member(d.root, key)
	if v == nil {
		return "", nil
	}
	return v.Value.(hujson.Literal).String(), v
}

// entry returns a runtime's entry and path.
func (d *daemonJSON) entry(name string) (*hujson.Object, string) {
	runtimes := d.table(runtimesKey)
	if runtimes == nil {
		return nil, ""
	}
	v := member(runtimes, name)
	if v == nil {
		return nil, ""
	}
	entry := v.Value.(*hujson.Object)
	p := member(entry, "path")
	if p == nil {
		return entry, ""
	}
	return entry, p.Value.(hujson.Literal).String()
}

// add appends a member at a depth, laid out like its neighbours.
func (d *daemonJSON) add(to *hujson.Object, depth int, key string, value hujson.ValueTrimmed) {
	m := hujson.ObjectMember{
		Name:  hujson.Value{Value: hujson.String(key)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(d.colon), Value: value},
	}
	if n := len(to.Members); n > 0 {
		m.Name.BeforeExtra = slices.Clone(to.Members[n-1].Name.BeforeExtra)
		if n == 1 && d.newline == "" && len(m.Name.BeforeExtra) == 0 && d.colon != "" {
			m.Name.BeforeExtra = hujson.Extra(" ") // {"a": 1, "b": 2}
		}
	} else if d.newline != "" {
		m.Name.BeforeExtra = hujson.Extra(d.newline + strings.Repeat(d.indent, depth))
		to.AfterExtra = hujson.Extra(d.newline + strings.Repeat(d.indent, depth-1))
	}
	to.Members = append(to.Members, m)
}

func (d *daemonJSON) addTable(to *hujson.Object, depth int, key string) *hujson.Object {
	table := &hujson.Object{}
	d.add(to, depth, key, table)
	return table
}

func member(o *hujson.Object, key string) *hujson.Value {
	for i := range o.Members {
		if o.Members[i].Name.Value.(hujson.Literal).String() == key {
			return &o.Members[i].Value
		}
	}
	return nil
}

func drop(o *hujson.Object, key string) {
	o.Members = slices.DeleteFunc(o.Members, func(m hujson.ObjectMember) bool {
		return m.Name.Value.(hujson.Literal).String() == key
	})
}
