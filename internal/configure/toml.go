// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file that is edited in place: comments, order and layout stay. The library's parser finds the
// positions, and only the bytes there change. Errors are kept until the end, and the result is parsed again.
type document struct {
	data   []byte
	err    error
	tables [][]string // tables that were added
}

// item is a table's header or a key with its value.
type item struct {
	path   []string // from the root
	header bool
	inline bool // the key is in an inline table
	list   bool // it is an [[array of tables]], or below one: its path doesn't tell which element
	line   span // its whole lines, except for an inline table's key
	value  span // a key's value
}

type span struct{ start, end int }

// parseTOML reads a file; nil stands for a missing one.
func parseTOML(data []byte) (map[string]any, error) {
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, col := at.Position()
			return nil, fmt.Errorf("it is not the TOML that engines read: line %d, column %d: %s", row, col, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, fmt.Errorf("it is not the TOML that engines read: %w", err)
	}
	return tree, nil
}

// edit begins an edit.
func edit(data []byte) *document {
	_, err := parseTOML(data)
	return &document{data: slices.Clone(data), err: err}
}

// done returns the edited file. It must parse: this detects a key that was added to a closed table, such as an inline
// one.
func (d *document) done() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	if _, err := parseTOML(d.data); err != nil {
		return nil, fmt.Errorf("it cannot be edited in place, perhaps as an inline table stands where a table is needed: %w", err)
	}
	return d.data, nil
}

// items lists the file's contents in order.
func (d *document) items() []item {
	var p unstable.Parser
	p.Reset(d.data)
	var all []item
	var table item
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.KeyValue {
			all = d.keyValue(all, &p, e, table, false)
			continue
		}
		table = item{header: true}
		first, last := 0, 0
		for it := e.Key(); it.Next(); {
			raw := it.Node().Raw
			if len(table.path) == 0 {
				first = int(raw.Offset)
			}
			last = int(raw.Offset + raw.Length)
			table.path = append(table.path, string(it.Node().Data))
		}
		table.line = d.lines(first, last)
		table.list = e.Kind == unstable.ArrayTable || slices.ContainsFunc(all, func(i item) bool {
			return i.header && i.list && len(i.path) < len(table.path) && slices.Equal(i.path, table.path[:len(i.path)])
		})
		all = append(all, table)
	}
	return all
}

// keyValue adds one key, and those of an inline table after it.
func (d *document) keyValue(all []item, p *unstable.Parser, e *unstable.Node, within item, inline bool) []item {
	i := item{path: slices.Clone(within.path), inline: inline, list: within.list}
	end := 0
	for it := e.Key(); it.Next(); {
		raw := it.Node().Raw
		end = int(raw.Offset + raw.Length)
		i.path = append(i.path, string(it.Node().Data))
	}
	start, stop := int(e.Raw.Offset), int(e.Raw.Offset+e.Raw.Length)
	rest := bytes.TrimLeft(bytes.TrimLeft(d.data[end:stop], " \t")[1:], " \t") // behind the "="
	i.value = span{stop - len(rest), stop - len(rest) + len(bytes.TrimRight(rest, " \t"))}
	if !inline {
		i.line = d.lines(start, stop)
	}
	all = append(all, i)
	if e.Value().Kind == unstable.InlineTable {
		for it := e.Value().Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				all = d.keyValue(all, p, it.Node(), i, true)
			}
		}
	}
	return all
}

// lines widens a span to whole lines, the last break included.
func (d *document) lines(start, end int) span {
	start = bytes.LastIndexByte(d.data[:start], '\n') + 1
	if n := bytes.IndexByte(d.data[end:], '\n'); n >= 0 {
		return span{start, end + n + 1}
	}
	return span{start, len(d.data)}
}

// newline returns the file's line break.
func (d *document) newline() string {
	if n := bytes.IndexByte(d.data, '\n'); n > 0 && d.data[n-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func (d *document) replace(at span, text string) {
	d.data = slices.Concat(d.data[:at.start], []byte(text), d.data[at.end:])
}

// insert inserts a line where one begins, or at the end of a file without a final line break.
func (d *document) insert(at int, line string) {
	if at > 0 && d.data[at-1] != '\n' {
		line = d.newline() + line
	}
	d.replace(span{at, at}, line+d.newline())
}

// set gives a key a value: in place if it has one, else in a new line after the table's other keys. A missing table is
// added at the end.
func (d *document) set(table []string, key string, value any) {
	if d.err != nil {
		return
	}
	text, err := literal(value)
	if err != nil {
		d.err = err
		return
	}
	path := append(slices.Clone(table), key)
	items := d.items()
	for _, i := range items {
		if i.list || i.header || !slices.Equal(i.path, path) {
			continue
		}
		if !sameValue(string(d.data[i.value.start:i.value.end]), text) {
			d.replace(i.value, text)
		}
		return
	}
	line := quoteKey(key) + " = " + text
	behind := d.lastLine(items, table)
	if behind == nil {
		if len(table) == 0 { // the root's keys come before all tables
			begin := 0
			if bytes.HasPrefix(d.data, []byte(header)) {
				begin = len(header)
			}
			d.insert(begin, line)
			return
		}
		if len(d.data) > 0 {
			d.insert(len(d.data), "")
		}
		d.insert(len(d.data), "["+joinKeys(table)+"]")
		d.tables = append(d.tables, table)
		d.insert(len(d.data), line)
		return
	}
	text = string(d.data[behind.start:behind.end])
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	d.insert(behind.end, indent+line)
}

// lastLine returns the line of a table's last key, or its header; nil if it has none.
func (d *document) lastLine(items []item, table []string) *span {
	var last *span
	within := len(table) == 0
	for _, i := range items {
		switch {
		case i.header:
			within = !i.list && slices.Equal(i.path, table)
			if within {
				last = &i.line
			}
		case within && !i.inline:
			last = &i.line
		}
	}
	return last
}

// dropKey removes a key's line.
func (d *document) dropKey(path ...string) {
	if d.err != nil {
		return
	}
	for _, i := range d.items() {
		if i.header || i.list || !slices.Equal(i.path, path) {
			continue
		}
		if i.inline {
			d.err = fmt.Errorf("the key %q is in an inline table\nhint: move it out by hand", strings.Join(path, "."))
			return
		}
		d.replace(i.line, "")
		return
	}
}

// dropTable removes a table and those below it, each with the blank line before it.
func (d *document) dropTable(path ...string) {
	below := func(i item) bool { return len(i.path) >= len(path) && slices.Equal(i.path[:len(path)], path) }
	for d.err == nil {
		items := d.items()
		first := slices.IndexFunc(items, below)
		if first < 0 {
			return
		}
		if !items[first].header {
			// The table is written as dotted keys or inline: remove it key by key.
			d.dropKey(items[first].path...)
			continue
		}
		at := items[first].line
		for _, i := range items[first+1:] {
			if i.header {
				break
			}
			at.end = max(at.end, i.line.end)
		}
		before := bytes.TrimSuffix(bytes.TrimSuffix(d.data[:at.start], []byte("\n")), []byte("\r"))
		if bytes.HasSuffix(before, []byte("\n")) {
			at.start = len(before)
		}
		d.replace(at, "")
	}
}

// sweep removes those of the tables that are empty.
func (d *document) sweep(tables [][]string) {
	for _, path := range tables {
		if d.err != nil {
			return
		}
		tree, err := parseTOML(d.data)
		if err != nil {
			d.err = err
			return
		}
		if t, err := tableAt(tree, path...); err == nil && t != nil && len(t) == 0 {
			d.dropTable(path...)
		}
	}
}

// literal formats a value: plain text in double quotes, as in engines' documentation, anything else as the library
// does.
func literal(value any) (string, error) {
	switch v := value.(type) {
	case string:
		if plain(v) {
			return `"` + v + `"`, nil
		}
	case []string:
		if !slices.ContainsFunc(v, func(s string) bool { return !plain(s) }) {
			return `["` + strings.Join(v, `", "`) + `"]`, nil
		}
	case []any:
		texts := make([]string, len(v))
		for i, e := range v {
			if s, ok := e.(string); ok {
				texts[i] = s
				continue
			}
			return marshal(value)
		}
		return literal(texts)
	}
	return marshal(value)
}

func marshal(value any) (string, error) {
	text, err := toml.Marshal(map[string]any{"v": value})
	if err != nil {
		return "", fmt.Errorf("write %v as TOML: %w", value, err)
	}
	out, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "v = ")
	if !ok {
		return "", fmt.Errorf("%v cannot be written as the value of a key", value)
	}
	return out, nil
}

// plain reports whether a text means the same in double quotes.
func plain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}

// sameValue compares the texts of two values.
func sameValue(a, b string) bool {
	var va, vb map[string]any
	return toml.Unmarshal([]byte("v = "+a), &va) == nil && toml.Unmarshal([]byte("v = "+b), &vb) == nil && fmt.Sprintf("%#v", va) == fmt.Sprintf("%#v", vb)
}

// quoteKey formats a key, in double quotes if needed, as in engines' documentation.
func quoteKey(key string) string {
	if key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" {
		return key
	}
	text, err := literal(key)
	if err != nil || strings.HasPrefix(text, `"""`) || strings.HasPrefix(text, "'''") {
		return fmt.Sprintf("%q", key) // no engine has a table name with line breaks
	}
	return text
}

func joinKeys(path []string) string {
	quoted := make([]string, len(path))
	for i, k := range path {
		quoted[i] = quoteKey(k)
	}
	return strings.Join(quoted, ".")
}

// at returns the value at a path of a parsed file, nil if there is none. A value on the way that is not a table is an
// error.
func at(tree map[string]any, path ...string) (any, error) {
	var v any = tree
	for i, key := range path {
		table, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is not a table", joinKeys(path[:i]))
		}
		if v, ok = table[key]; !ok {
			return nil, nil
		}
	}
	return v, nil
}

// tableAt is at for a table.
func tableAt(tree map[string]any, path ...string) (map[string]any, error) {
	v, err := at(tree, path...)
	if v == nil || err != nil {
		return nil, err
	}
	table, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a table", joinKeys(path))
	}
	return table, nil
}

// textAt is at for a string.
func textAt(tree map[string]any, path ...string) (string, error) {
	v, err := at(tree, path...)
	if v == nil || err != nil {
		return "", err
	}
	text, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", joinKeys(path))
	}
	return text, nil
}

// textsAt is at for a list of strings.
func textsAt(tree map[string]any, path ...string) ([]string, error) {
	v, err := at(tree, path...)
	if v == nil || err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	texts := make([]string, len(list))
	for i, e := range list {
		text, isText := e.(string)
		ok = ok && isText
		texts[i] = text
	}
	if !ok {
		return nil, fmt.Errorf("%s is not a list of strings", joinKeys(path))
	}
	return texts, nil
}
