// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
)

// file is the policy file's form. docs/policy.md describes each key.
type file struct {
	Mode     *string  `toml:"mode"`
	Reason   *string  `toml:"reason"`
	Runtimes []string `toml:"runtimes"`
	Existing *string  `toml:"existing"`
	Restore  *string  `toml:"restore"`
	Identity struct {
		UID              *int64   `toml:"uid"`
		GID              *int64   `toml:"gid"`
		Name             *string  `toml:"name"`
		Sources          []string `toml:"sources"`
		Requests         []string `toml:"requests"`
		AllowedUIDs      []any    `toml:"allowed_uids"`
		AllowedGIDs      []any    `toml:"allowed_gids"`
		PrivilegedGroups []string `toml:"privileged_groups"`
	} `toml:"identity"`
	Home struct {
		Mode *string `toml:"mode"`
		Size *string `toml:"size"`
		Path *string `toml:"path"`
	} `toml:"home"`
	Process struct {
		Bounding       *string `toml:"bounding"`
		UserNamespaces *string `toml:"user_namespaces"`
	} `toml:"process"`
	Build struct {
		Mode    *string  `toml:"mode"`
		Reason  *string  `toml:"reason"`
		Bundles []string `toml:"bundles"`
	} `toml:"build"`
	Log logTable `toml:"log"`
}

// Parse reads a policy file: TOML (https://toml.io/en/v1.0.0) with the keys of docs/policy.md and no others. What it
// doesn't set is as in Default. Errors begin with file, line and column.
func Parse(name string, data []byte) (*Policy, error) {
	var f file
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, located(name, err)
	}
	p := Default()
	p.File = name
	r := reader{file: name, data: data}
	r.spelling()
	f.basics(p, &r)
	f.Log.read(p, &r)
	f.identity(p, &r)
	f.process(p, &r)
	f.build(p, &r)
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// located words an error of the library's with its place. It leaves its drawing of the line to the library.
func located(name string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		first := &unknown.Errors[0]
		row, col := first.Position()
		return fmt.Errorf("%s:%d:%d: nobody knows the key %q: see docs/policy.md for the keys there are", name, row, col, strings.Join(first.Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, col := wrong.Position()
		return fmt.Errorf("%s:%d:%d: %s", name, row, col, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// reader collects the first value that makes no sense, with its place.
type reader struct {
	file string
	data []byte
	err  error
}

func (r *reader) fail(key, format string, args ...any) {
	if r.err == nil {
		row, col := position(r.data, key)
		r.err = fmt.Errorf("%s:%d:%d: %s: %s", r.file, row, col, key, fmt.Sprintf(format, args...))
	}
}

// spelling refuses a key that is a known one but for its case: TOML's keys are case-sensitive, the library folds them.
func (r *reader) spelling() {
	walk(r.data, func(key string, _, _ int) bool {
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_.") == "" {
			return true
		}
		r.fail(key, "nobody knows this key: see docs/policy.md for the keys there are")
		return false
	})
}

// oneOf gives the value that belongs to the text of a key that was set.
func oneOf[T any](r *reader, key string, set *string, names []string, values []T, to *T) {
	if set == nil {
		return
	}
	for i, n := range names {
		if n == *set {
			*to = values[i]
			return
		}
	}
	r.fail(key, "%q is none of %s", *set, strings.Join(names, ", "))
}

func (f *file) basics(p *Policy, r *reader) {
	modes := []Mode{Rewrite, Refuse, Audit, Off}
	oneOf(r, "mode", f.Mode, []string{"rewrite", "refuse", "audit", "off"}, modes, &p.Mode)
	oneOf(r, "existing", f.Existing, []string{"enforce", "leave"}, []Mode{Rewrite, Off}, &p.Existing)
	oneOf(r, "restore", f.Restore, []string{"refuse", "allow"}, []bool{false, true}, &p.Restore)
	if f.Reason != nil {
		p.Reason = *f.Reason
	}
	if p.Mode == Off && strings.TrimSpace(p.Reason) == "" {
		r.fail("mode", "\"off\" exempts every container and needs a reason: add reason = \"why\"")
	}
	if f.Runtimes == nil {
		return
	}
	if len(f.Runtimes) == 0 {
		r.fail("runtimes", "the list is empty: name at least one runtime, such as \"runc\"")
	}
	for _, name := range f.Runtimes {
		if name == "" || strings.Contains(name, "/") && (!path.IsAbs(name) || path.Clean(name) != name) || strings.ContainsRune(name, 0) {
			r.fail("runtimes", "%q is neither a name such as \"runc\" nor a clean absolute path", name)
		}
	}
	p.Runtimes = f.Runtimes
}

func (f *file) identity(p *Policy, r *reader) {
	id := &f.Identity
	number := func(key string, set *int64, to *ID) {
		if set == nil {
			return
		}
		if *set < 1 || *set > MaxID {
			r.fail(key, "%d is not from 1 to %d", *set, MaxID)
			return
		}
		*to = ID(*set) // bounded just above
	}
	number("identity.uid", id.UID, &p.UID)
	number("identity.gid", id.GID, &p.GID)
	if id.Name != nil {
		if p.Name = *id.Name; !validName(p.Name) {
			r.fail("identity.name", "%q is no user name: use up to 32 of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", and begin with a letter or \"_\"", p.Name)
		}
	}
	if id.Sources != nil {
		p.Sources = nil
		for _, s := range id.Sources {
			source := Fixed
			oneOf(r, "identity.sources", &s, []string{"requested", "kept", "fixed"}, []Source{Requested, Kept, Fixed}, &source)
			p.Sources = append(p.Sources, source)
		}
		if len(p.Sources) == 0 || p.Sources[len(p.Sources)-1] != Fixed {
			r.fail("identity.sources", "the last source must be \"fixed\", as only it has an identity for every container")
		}
	}
	for _, s := range id.Requests {
		var heard *bool
		oneOf(r, "identity.requests", &s, []string{"annotation", "environment"}, []*bool{&p.Annotation, &p.Variable}, &heard)
		if heard != nil {
			*heard = true
		}
	}
	p.AllowedUIDs = r.ranges("identity.allowed_uids", id.AllowedUIDs)
	p.AllowedGIDs = r.ranges("identity.allowed_gids", id.AllowedGIDs)
	if id.PrivilegedGroups != nil {
		p.Privileged = id.PrivilegedGroups
	}
}

// ranges reads a list of ids and of ranges such as "1000-1999".
func (r *reader) ranges(key string, list []any) Ranges {
	var all Ranges
	for _, e := range list {
		one, err := parseRange(fmt.Sprint(e))
		if err != nil {
			r.fail(key, "%s", err)
			return nil
		}
		all = append(all, one)
	}
	return all
}

func (f *file) process(p *Policy, r *reader) {
	oneOf(r, "home.mode", f.Home.Mode, []string{"auto", "always", "never"}, []homedir.Mode{homedir.Auto, homedir.Always, homedir.Never}, &p.HomeMode)
	if s := f.Home.Size; s != nil {
		if p.HomeSize = *s; !validSize(p.HomeSize) {
			r.fail("home.size", "%q is no size: give a number with k, m, g or %%, such as \"256m\"", p.HomeSize)
		}
	}
	if s := f.Home.Path; s != nil {
		if p.HomePath = *s; !path.IsAbs(p.HomePath) || path.Clean(p.HomePath) != p.HomePath || strings.ContainsAny(p.HomePath, ":,\n\x00") {
			r.fail("home.path", "%q is not a clean absolute path without \":\" and \",\"", p.HomePath)
		}
	}
	keepDrop := []bool{false, true}
	oneOf(r, "process.bounding", f.Process.Bounding, []string{"keep", "drop"}, keepDrop, &p.DropBounding)
	oneOf(r, "process.user_namespaces", f.Process.UserNamespaces, []string{"deny", "allow"}, keepDrop, &p.AllowUserNamespaces)
}

func (f *file) build(p *Policy, r *reader) {
	b := &f.Build
	oneOf(r, "build.mode", b.Mode, []string{"rewrite", "off"}, []Mode{Rewrite, Off}, &p.Build.Mode)
	if b.Reason != nil {
		p.Build.Reason = *b.Reason
	}
	if len(b.Bundles) > 0 && p.Build.Mode == Off && strings.TrimSpace(p.Build.Reason) == "" {
		r.fail("build.mode", "\"off\" exempts every build and needs a reason: add reason = \"why\"")
	}
	for _, dir := range b.Bundles {
		if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" {
			r.fail("build.bundles", "%q is not a clean absolute path of a builder's folder", dir)
		}
	}
	p.Build.Bundles = append(p.Build.Bundles, b.Bundles...)
}

// validName keeps to what useradd(8) of Debian and of shadow-utils accept.
func validName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789.-", r)) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// validSize is tmpfs(5)'s size option. 0 is left out: to the kernel it means that there is no limit.
func validSize(s string) bool {
	digits := strings.TrimRight(s, "kKmMgG%")
	return len(s)-len(digits) <= 1 && digits != "" && digits[0] != '0' && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// position finds line and column of a key, "table.key". A key that was not written is looked for where it would stand:
// at the file's beginning.
func position(data []byte, key string) (row, col int) {
	row, col = 1, 1
	walk(data, func(k string, line, column int) bool {
		if k == key {
			row, col = line, column
		}
		return k != key
	})
	return row, col
}

// walk calls a function with each key of a well-formed file, "table.key", and its place, until it returns false.
func walk(data []byte, each func(key string, row, col int) bool) {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		name, more := visit(&p, e, table, each)
		if !more {
			return
		}
		if e.Kind == unstable.Table || e.Kind == unstable.ArrayTable {
			table = name + "."
		}
	}
}

// visit calls the function with one key, and with those of an inline table behind it.
func visit(p *unstable.Parser, e *unstable.Node, table string, each func(string, int, int) bool) (name string, more bool) {
	if e.Kind != unstable.KeyValue {
		table = ""
	}
	var at unstable.Position
	for it := e.Key(); it.Next(); {
		if name == "" {
			at, name = p.Shape(it.Node().Raw).Start, table
		} else {
			name += "."
		}
		name += string(it.Node().Data)
	}
	more = each(name, at.Line, at.Column)
	if e.Kind != unstable.KeyValue || e.Value().Kind != unstable.InlineTable {
		return name, more
	}
	for it := e.Value().Children(); more && it.Next(); {
		_, more = visit(p, it.Node(), name+".", each)
	}
	return name, more
}
