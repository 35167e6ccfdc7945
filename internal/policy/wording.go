// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// The library words its errors in terms of characters and Go's types. These functions word them in terms of keys, and
// show the corrected line. They only run on a file that was refused, so they cost a successful call nothing.

// located words an error of the library, with its position.
func located(name string, data []byte, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		return unknownAt(name, &unknown.Errors[0])
	}
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %s", name, quote.Text(err.Error(), 300))
	}
	if at, text, found := mistyped(data); found {
		return &Fault{name, at.Line, at.Column, text}
	}
	row, col := wrong.Position()
	what := unquotedValue(data, row)
	if what == "" {
		what = characters(strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	if strings.Contains(what, "struct") || strings.Contains(what, "cannot decode") { // such as a key in another case
		what = "the value has the wrong type\nhint: see docs/policy.md for what belongs there"
		if key := wrong.Key(); len(key) > 0 {
			what = quote.Path(key...) + ": " + what
		}
	}
	finding, advice, advised := strings.Cut(what, hint.Mark)
	if finding = quote.Text(finding, 500); advised {
		finding += hint.Mark + quote.Text(advice, 500)
	}
	return &Fault{name, row, col, finding}
}

// characters removes code points from the library's words: U+0072 'r'.
func characters(text string) string {
	before, rest, found := strings.Cut(text, "U+")
	if !found {
		return text
	}
	rest = strings.TrimLeft(rest, "0123456789ABCDEF")
	if shown, ok := strings.CutPrefix(rest, " '"); ok {
		return before + "'" + shown
	}
	return before + "one that can't be printed" + rest
}

// mistyped finds the first value of the wrong type for its key.
func mistyped(data []byte) (at unstable.Position, text string, found bool) {
	var p unstable.Parser
	p.Reset(data)
	root := reflect.TypeFor[file]()
	table, name := root, ""
	report := func(n *unstable.Node, what string) {
		at, text, found = p.Shape(n.Raw).Start, what, true
	}
	for p.NextExpression() && !found {
		e := p.Expression()
		if e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			if e.Kind == unstable.KeyValue && table != nil {
				pair(&p, e, table, name, report)
			}
			continue
		}
		key, first := keyNames(e)
		name = strings.Join(key, ".")
		table = typeOf(root, key)
		isList := table != nil && table.Kind() == reflect.Slice
		switch {
		case table == nil:
		case isList && table.Elem().Kind() == reflect.Pointer:
			table = table.Elem().Elem()
			if e.Kind == unstable.Table && len(key) == 1 {
				report(first, fmt.Sprintf("%s: these are tables of a list\nhint: write [[%s]]", name, name))
			}
		case e.Kind == unstable.ArrayTable && table.Kind() == reflect.Struct:
			report(first, fmt.Sprintf("%s: this is one table, not a list\nhint: write [%s]", name, name))
		case table.Kind() != reflect.Struct && table.Kind() != reflect.Map:
			report(first, fmt.Sprintf("%s: this is not a table\nhint: write %s", name, example(key[len(key)-1], name, table)))
		}
		name += "."
	}
	return at, text, found
}

// pair checks one key and its value, and the keys of an inline table.
func pair(p *unstable.Parser, e *unstable.Node, table reflect.Type, prefix string, report func(*unstable.Node, string)) {
	key, first := keyNames(e)
	want := typeOf(table, key)
	if want == nil {
		return
	}
	name, last := prefix+strings.Join(key, "."), key[len(key)-1]
	value := e.Value()
	if want.Kind() == reflect.Struct || want.Kind() == reflect.Map || isTables(want) && value.Kind == unstable.Array {
		if value.Kind == unstable.InlineTable && want.Kind() == reflect.Struct {
			for it := value.Children(); it.Next(); {
				pair(p, it.Node(), want, name+".", report)
			}
			return
		}
		if value.Kind == unstable.InlineTable && want.Kind() == reflect.Map {
			for it := value.Children(); it.Next(); {
				entry := it.Node()
				names, _ := keyNames(entry)
				if !fits(entry.Value(), want.Elem()) {
					report(first, fmt.Sprintf("%s.%s: this is not a list of strings\nhint: write one, such as [\"yes\"]", name, quote.Path(names...)))
				}
			}
			return
		}
		if !isTables(want) {
			report(first, fmt.Sprintf("%s: %s is not a table\nhint: write [%s], and its keys below", name, said(p, value), name))
		}
		return
	}
	if !fits(value, want) {
		report(first, fmt.Sprintf("%s: %s is not %s\nhint: write %s", name, said(p, value), wanted(want), corrected(p, last, name, value, want)))
	}
}

func isTables(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Pointer
}

// keyNames returns the parts of a key, and its first node.
func keyNames(e *unstable.Node) (names []string, first *unstable.Node) {
	for it := e.Key(); it.Next(); {
		if first == nil {
			first = it.Node()
		}
		names = append(names, string(it.Node().Data))
	}
	return names, first
}

// typeOf returns the type of a key in a table; nil if there is no such key.
func typeOf(t reflect.Type, key []string) reflect.Type {
	for _, name := range key {
		if isTables(t) {
			t = t.Elem()
		}
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			var ok bool
			if t, ok = member(t, name); !ok {
				return nil
			}
		default:
			return nil
		}
	}
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		t = t.Elem()
	}
	return t
}

func member(t reflect.Type, name string) (reflect.Type, bool) {
	for f := range t.Fields() {
		if f.Anonymous {
			if found, ok := member(f.Type, name); ok {
				return found, true
			}
		} else if f.Tag.Get("toml") == name {
			return f.Type, true
		}
	}
	return nil, false
}

// fits reports whether a value has a type.
func fits(v *unstable.Node, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return v.Kind == unstable.String
	case reflect.Int64:
		return v.Kind == unstable.Integer
	case reflect.Bool:
		return v.Kind == unstable.Bool
	case reflect.Slice:
		if v.Kind != unstable.Array {
			return false
		}
		for it := v.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment && !fits(it.Node(), t.Elem()) {
				return false
			}
		}
	}
	return true
}

func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Int64:
		return "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Elem().Kind() == reflect.String:
		return "a list of strings"
	}
	return "a list of numbers and strings"
}

// said returns a value as it is written in the file.
func said(p *unstable.Parser, v *unstable.Node) string {
	switch v.Kind {
	case unstable.Array:
		return "the list"
	case unstable.InlineTable:
		return "the table"
	case unstable.String:
		return quote.Value(string(v.Data))
	}
	return quote.Text(raw(p, v), 40)
}

func raw(p *unstable.Parser, v *unstable.Node) string {
	if v.Raw.Length > 0 {
		return string(p.Raw(v.Raw))
	}
	return string(v.Data)
}

// words returns the values of a key that accepts only certain words.
func words(key string) []string {
	switch key {
	case "mode":
		return []string{"rewrite", "refuse", "audit", "off"}
	case "home.mode":
		return []string{"auto", "always", "never"}
	case "build.mode":
		return []string{"rewrite", "off"}
	case "existing":
		return []string{"enforce", "leave"}
	case "restore":
		return []string{"refuse", "allow"}
	case "process.bounding":
		return []string{"keep", "drop"}
	case "process.user_namespaces":
		return []string{"deny", "allow"}
	case "identity.share":
		return []string{"container", "pod", "namespace"}
	}
	return nil
}

// usualNumber returns an example for a key that takes a number; "" if it takes none.
func usualNumber(key string) string {
	switch key {
	case "identity.uid", "identity.gid":
		return "65532"
	case "identity.block":
		return "1000"
	}
	return ""
}

// corrected returns the line that was probably meant.
func corrected(p *unstable.Parser, last, name string, v *unstable.Node, want reflect.Type) string {
	if want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	text, isText := raw(p, v), v.Kind == unstable.String
	if isText {
		text = string(v.Data)
	}
	simple := v.Kind != unstable.Array && v.Kind != unstable.InlineTable && len(text) <= 64
	switch {
	case want.Kind() == reflect.Slice && simple && isText:
		return fmt.Sprintf("%s = [%s]", last, quote.Value(text))
	case want.Kind() == reflect.Slice && simple && want.Elem().Kind() != reflect.String:
		return fmt.Sprintf("%s = [%s]", last, text)
	case want.Kind() == reflect.Slice && want.Elem().Kind() == reflect.String && v.Kind == unstable.Array:
		if line := quotedList(p, last, v); line != "" {
			return line
		}
	case want.Kind() == reflect.Int64 && isText && decimal(text):
		return fmt.Sprintf("%s = %s", last, text)
	case want.Kind() == reflect.Bool && isText && (text == "true" || text == "false"):
		return fmt.Sprintf("%s = %s", last, text)
	case want.Kind() == reflect.String && simple && !isText && v.Kind != unstable.Bool && len(wordsOf(name)) == 0:
		return fmt.Sprintf("%s = %s", last, quote.Value(text))
	}
	return example(last, name, want)
}

func decimal(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func quotedList(p *unstable.Parser, last string, v *unstable.Node) string {
	var all []string
	for it := v.Children(); it.Next(); {
		switch n := it.Node(); n.Kind {
		case unstable.Array, unstable.InlineTable, unstable.Comment:
			return ""
		case unstable.String:
			all = append(all, strconv.Quote(string(n.Data)))
		default:
			all = append(all, strconv.Quote(raw(p, n)))
		}
	}
	if line := fmt.Sprintf("%s = [%s]", last, strings.Join(all, ", ")); len(line) <= 100 {
		return line
	}
	return ""
}

// example returns a line with a value of the right type, or several to choose from.
func example(last, name string, want reflect.Type) string {
	if want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	switch {
	case want.Kind() == reflect.Bool:
		return fmt.Sprintf("%s = true or %s = false", last, last)
	case want.Kind() == reflect.Int64:
		if n := usualNumber(ending(name)); n != "" {
			return fmt.Sprintf("a number without quotes, such as %s = %s", last, n)
		}
		return "a number without quotes"
	case want.Kind() == reflect.String && len(wordsOf(name)) > 0:
		var all []string
		for _, w := range wordsOf(name) {
			all = append(all, fmt.Sprintf("%s = %q", last, w))
		}
		return strings.Join(all, " or ")
	case want.Kind() == reflect.String:
		return fmt.Sprintf("%s = \"...\", in quotes", last)
	case want.Kind() == reflect.Slice && want.Elem().Kind() == reflect.String:
		return fmt.Sprintf("%s = [\"...\"], each text in quotes", last)
	}
	return fmt.Sprintf("%s = [1000, \"2000-2999\"], ranges and names in quotes", last)
}

func wordsOf(name string) []string { return words(ending(name)) }

// ending returns a key without the part of the file that it is in: a rule has the same settings as the general part.
func ending(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "rule."), "audit.")
}

// unquotedValue returns the message for a line with a text that lacks quotes; "" if that is not the fault.
func unquotedValue(data []byte, row int) string {
	all := strings.Split(string(data), "\n")
	if row < 1 || row > len(all) {
		return ""
	}
	key, value, assigns := strings.Cut(all[row-1], "=")
	key = strings.TrimSpace(key)
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	if !assigns || value == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_.") != "" || strings.ContainsAny(value, "\"'{}=") || len(value) > 100 {
		return ""
	}
	table := ""
	for _, line := range all[:row-1] {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[] \t") + "."
		}
	}
	name := table + key
	want := typeOf(reflect.TypeFor[file](), strings.Split(name, "."))
	if want != nil && want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	if inside, isList := strings.CutPrefix(value, "["); isList {
		inside, closed := strings.CutSuffix(inside, "]")
		if !closed || strings.ContainsAny(inside, "[]") {
			return ""
		}
		var entries []string
		for entry := range strings.SplitSeq(inside, ",") {
			if entry = strings.TrimSpace(entry); !decimal(entry) && entry != "" {
				entry = strconv.Quote(entry)
			}
			entries = append(entries, entry)
		}
		return fmt.Sprintf("%s: text stands in quotes\nhint: write %s = [%s]", name, key, strings.Join(entries, ", "))
	}
	if strings.ContainsAny(value, "[]") {
		return ""
	}
	if want != nil && (want.Kind() == reflect.Bool || want.Kind() == reflect.Int64) {
		return fmt.Sprintf("%s: %s is not %s\nhint: write %s", name, value, wanted(want), example(key, name, want))
	}
	return fmt.Sprintf("%s: text stands in quotes\nhint: write %s = %s", name, key, strconv.Quote(value))
}

// unknownAt returns the message for an unknown key, with its position.
func unknownAt(name string, at *toml.DecodeError) error {
	row, col := at.Position()
	key := strings.Join(at.Key(), ".")
	return &Fault{name, row, col, fmt.Sprintf("unknown key %s\nhint: %s", quote.Value(key), unknownKey(key))}
}
