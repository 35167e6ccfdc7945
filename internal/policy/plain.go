// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"reflect"
	"strconv"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Most policy files are plain: known keys, each once, with values of the right types. Such a file is read straight
// from the library's parser, rule by rule, into one struct that is reused for the next rule. Anything else, or
// anything wrong, is left to the library's decoder, which words the message: this reader either reads a file
// completely or gives up. FuzzPlain compares the two.

// plain reads a plain file.
type plain struct {
	data   []byte
	text   string // the same, as a string that values are slices of
	parser unstable.Parser
	slots  []slot
	tables []seenTable

	// The storage that the struct's pointers and slices refer to.
	texts   []string
	numbers []int64
	lists   []string

	header int // the offset of the [[rule]] whose keys come next
}

// slot is where a struct keeps the value of a key: a field, or a field of an embedded struct.
type slot struct {
	of           reflect.Type
	key          string
	index, inner int // inner is -1 for a field of the struct itself
}

// seenTable is a table that the file has named so far, and how.
type seenTable struct {
	of  reflect.Type
	at  uintptr
	how naming
}

type naming byte

const (
	unnamed  naming = iota
	onTheWay        // by the header of a table in it
	headed          // by its own header
	dotted          // by a dotted key
	inline          // by an inline table, to which nothing can be added
)

// unread holds rules with policies that are made on demand.
type unread struct {
	file    string
	text    []byte
	places  [][2]int  // of each rule in the text
	general Policy    // as it was when the file was read
	audit   *settings // of the general part
	ranges  Ranges    // Policy.Reserved
}

// parsePlain reads a plain file without faults. With later, rules with policies that nothing else depends on are
// checked now and made on demand.
func parsePlain(name string, data []byte, later bool) (*Policy, bool) {
	d := plain{data: data, text: string(data)}
	d.parser.Reset(data)
	var f file
	rules, ok := d.part(reflect.ValueOf(&f).Elem(), false)
	if !ok {
		return nil, false
	}
	p := Default()
	p.File = name
	r := reader{file: name, data: data}
	f.general(p, &r)
	if rules && !d.rules(p, f.Audit, &r, later) {
		return nil, false
	}
	p.reserve()
	if p.unread != nil {
		p.unread.ranges = p.Reserved
	}
	return p, r.faults == nil
}

// rules reads the list of rules, which is the rest of the file.
func (d *plain) rules(p *Policy, general *settings, r *reader, later bool) bool {
	count := bytes.Count(d.data, []byte("[[rule]]"))
	names := make(map[string]bool, count)
	p.Rules = make([]Rule, 0, count)
	all := &unread{file: r.file, text: d.data, general: *p, audit: general}
	if later {
		all.places = make([][2]int, 0, count)
	}
	var form ruleFile
	scratch := new(Policy)
	in := &reader{file: r.file, data: r.data, outer: r}
	d.texts, d.numbers = nil, nil // the general part keeps its own
	chosen := -1                  // the first rule that others can choose
	for more := true; more; {
		from, ok := d.header, false
		form = ruleFile{}
		d.texts, d.numbers = d.texts[:0], d.numbers[:0]
		if more, ok = d.part(reflect.ValueOf(&form).Elem(), true); !ok {
			return false
		}
		in.rule = len(p.Rules) + 1
		rule := form.read(p, general, scratch, in)
		if names[rule.Name] {
			return false
		}
		names[rule.Name] = true
		if scratch.Range.First != 0 {
			in.apart(&rule, p.Rules)
		}
		if r.faults != nil {
			return false
		}
		// Rules after one that others can choose are compared with it, and ranges with each other.
		if chosen < 0 && scratch.General != nil {
			chosen = len(p.Rules)
		}
		if later && chosen < 0 && !scratch.ranged() {
			rule.Policy = nil
		} else {
			scratch = new(Policy)
		}
		p.Rules = append(p.Rules, rule)
		if later {
			to := len(d.data)
			if more {
				to = d.header
			}
			all.places = append(all.places, [2]int{from, to})
		}
	}
	if chosen >= 0 {
		in.evades(p.Rules[chosen:])
	}
	if later {
		p.unread = all
	}
	return true
}

// ranged reports whether the policy, or its [audit], has a range.
func (p *Policy) ranged() bool {
	return p.Range.First != 0 || p.Audit != nil && p.Audit.Range.First != 0
}

// rule makes the policy of a rule that was checked when the file was read.
func (u *unread) rule(i int) *Policy {
	data := u.text[u.places[i][0]:u.places[i][1]]
	d := plain{data: data, text: string(data)}
	d.parser.Reset(data)
	var form ruleFile
	q, r := new(Policy), &reader{file: u.file, data: data}
	_, ok := d.part(reflect.ValueOf(&file{}).Elem(), false)
	if ok {
		_, ok = d.part(reflect.ValueOf(&form).Elem(), true)
	}
	if ok {
		form.read(&u.general, u.audit, q, r)
	}
	if !ok || r.faults != nil {
		panic("policy: the text of a rule has changed since it was read")
	}
	q.Reserved = u.ranges
	if q.Audit != nil {
		q.Audit.Reserved = u.ranges
	}
	return q
}

// part reads keys and tables into a struct, up to the next [[rule]] (more) or the end.
func (d *plain) part(form reflect.Value, ofRule bool) (more, ok bool) {
	d.tables = d.tables[:0]
	table := form
	for d.parser.NextExpression() {
		e := d.parser.Expression()
		it := e.Key()
		switch e.Kind {
		case unstable.ArrayTable:
			it.Next()
			if !it.IsLast() || string(it.Node().Data) != "rule" {
				return false, false
			}
			d.header = bytes.LastIndexByte(d.data[:it.Node().Raw.Offset], '\n') + 1
			return true, true
		case unstable.Table:
			table = form
			if ofRule {
				if it.Next(); string(it.Node().Data) != "rule" || it.IsLast() {
					return false, false
				}
			}
			for it.Next() {
				how := onTheWay
				if it.IsLast() {
					how = headed
				}
				if table, ok = d.below(table, it.Node().Data, how); !ok {
					return false, false
				}
			}
		case unstable.KeyValue:
			if !d.pair(table, e) {
				return false, false
			}
		default:
			return false, false
		}
	}
	return false, d.parser.Error() == nil
}

// pair reads a key and its value.
func (d *plain) pair(table reflect.Value, e *unstable.Node) (ok bool) {
	it := e.Key()
	for it.Next() && !it.IsLast() {
		if table, ok = d.below(table, it.Node().Data, dotted); !ok {
			return false
		}
	}
	value := e.Value()
	if value.Kind != unstable.InlineTable {
		return d.set(table, it.Node().Data, value)
	}
	if table, ok = d.below(table, it.Node().Data, inline); !ok {
		return false
	}
	if table.Kind() == reflect.Map && table.IsNil() {
		table.Set(reflect.MakeMap(table.Type()))
	}
	for pairs := value.Children(); pairs.Next(); {
		if !d.pair(table, pairs.Node()) {
			return false
		}
	}
	return true
}

// below finds the table of that name in another one, if it may be named in this way (TOML: "Table").
func (d *plain) below(table reflect.Value, key []byte, how naming) (reflect.Value, bool) {
	v, ok := d.field(table, key)
	if !ok {
		return v, false
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem().Kind() != reflect.Struct {
			return v, false
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	case reflect.Struct, reflect.Map:
	default:
		return v, false
	}
	return v, d.named(v, how)
}

// named records how a table was named, and reports whether a plain file may name it so.
func (d *plain) named(table reflect.Value, how naming) bool {
	of, at := table.Type(), table.Addr().Pointer()
	for i := range d.tables {
		if t := &d.tables[i]; t.of == of && t.at == at {
			was := t.how
			if was == onTheWay {
				t.how = max(was, how)
			}
			return was == onTheWay && how <= headed || was == headed && how == onTheWay || was == dotted && (how == dotted || how == onTheWay)
		}
	}
	d.tables = append(d.tables, seenTable{of, at, how})
	return true
}

// field finds the field of a key.
func (d *plain) field(table reflect.Value, key []byte) (reflect.Value, bool) {
	if table.Kind() != reflect.Struct {
		return table, false
	}
	of := table.Type()
	for i := range d.slots {
		if s := &d.slots[i]; s.of == of && s.key == string(key) {
			return s.in(table), true
		}
	}
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			for inner := range f.Type.NumField() {
				if f.Type.Field(inner).Tag.Get("toml") == string(key) {
					return d.remember(slot{of, string(key), i, inner}).in(table), true
				}
			}
		} else if f.Tag.Get("toml") == string(key) {
			return d.remember(slot{of, string(key), i, -1}).in(table), true
		}
	}
	return table, false
}

func (d *plain) remember(s slot) *slot {
	d.slots = append(d.slots, s)
	return &d.slots[len(d.slots)-1]
}

func (s *slot) in(table reflect.Value) reflect.Value {
	v := table.Field(s.index)
	if s.inner >= 0 {
		v = v.Field(s.inner)
	}
	return v
}

// set assigns a value to a key, which must not have one yet.
func (d *plain) set(table reflect.Value, key []byte, value *unstable.Node) (ok bool) {
	if table.Kind() == reflect.Map {
		return d.annotation(table, key, value)
	}
	v, ok := d.field(table, key)
	if !ok {
		return false
	}
	switch to := v.Addr().Interface().(type) {
	case **string:
		if *to != nil || value.Kind != unstable.String {
			return false
		}
		*to = one(&d.texts, d.string(value))
	case **int64:
		var n int64
		if n, ok = number(value); *to != nil || !ok {
			return false
		}
		*to = one(&d.numbers, n)
	case **bool:
		if *to != nil || value.Kind != unstable.Bool {
			return false
		}
		*to = new(bool)
		**to = string(value.Data) == "true"
	case *[]string:
		if *to != nil {
			return false
		}
		*to, ok = d.list(value)
	case *[]any:
		if *to != nil {
			return false
		}
		*to, ok = d.mixed(value)
	case *any:
		if *to != nil {
			return false
		}
		*to, ok = d.day(value)
	default:
		return false
	}
	return ok
}

// one allocates a value from a slab.
func one[T any](slab *[]T, v T) *T {
	if len(*slab) == cap(*slab) {
		*slab = make([]T, 0, 16)
	}
	*slab = append(*slab, v)
	return &(*slab)[len(*slab)-1]
}

// annotation sets one of match.annotations.
func (d *plain) annotation(table reflect.Value, key []byte, value *unstable.Node) (ok bool) {
	all, ok := table.Addr().Interface().(*map[string][]string)
	if !ok {
		return false
	}
	if *all == nil {
		*all = map[string][]string{}
	}
	if _, has := (*all)[string(key)]; has {
		return false
	}
	(*all)[string(key)], ok = d.list(value)
	return ok
}

// string returns the text of a value: a slice of the file's text, unless it is escaped there.
func (d *plain) string(value *unstable.Node) string {
	from := int(value.Raw.Offset) + 1 // after the quote
	to := from + len(value.Data)
	if to <= len(d.text) && d.text[from:to] == string(value.Data) {
		return d.text[from:to]
	}
	return string(value.Data)
}

// list reads a list of strings.
func (d *plain) list(value *unstable.Node) ([]string, bool) {
	if value.Kind != unstable.Array {
		return nil, false
	}
	n := 0
	for it := value.Children(); it.Next(); n++ {
		if it.Node().Kind != unstable.String {
			return nil, false
		}
	}
	if n == 0 {
		return []string{}, true // not the same as none
	}
	if len(d.lists)+n > cap(d.lists) {
		d.lists = make([]string, 0, max(n, 64))
	}
	first := len(d.lists)
	for it := value.Children(); it.Next(); {
		d.lists = append(d.lists, d.string(it.Node()))
	}
	end := len(d.lists)
	return d.lists[first:end:end], true
}

// mixed reads a list of strings and integers.
func (d *plain) mixed(value *unstable.Node) ([]any, bool) {
	if value.Kind != unstable.Array {
		return nil, false
	}
	list := []any{}
	for it := value.Children(); it.Next(); {
		e := it.Node()
		if n, ok := number(e); ok {
			list = append(list, n)
		} else if e.Kind == unstable.String {
			list = append(list, d.string(e))
		} else {
			return nil, false
		}
	}
	return list, true
}

// day reads a string or a local date, in the library's form.
func (d *plain) day(value *unstable.Node) (any, bool) {
	switch value.Kind {
	case unstable.String:
		return d.string(value), true
	case unstable.LocalDate:
		day, err := time.Parse(time.DateOnly, string(value.Data))
		return toml.LocalDate{Year: day.Year(), Month: int(day.Month()), Day: day.Day()}, err == nil
	}
	return nil, false
}

// number reads an integer written in plain decimal digits.
func number(value *unstable.Node) (int64, bool) {
	if value.Kind != unstable.Integer || len(value.Data) > 1 && (value.Data[0] < '1' || value.Data[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value.Data), 10, 64)
	return n, err == nil
}
