// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// node is a JSON value that remembers the bytes it came from. An unchanged node is written back as these bytes; a
// changed one is assembled from its members, which keep their own bytes.
//
// Only what a shape names is parsed; everything else is a leaf, checked by the decoder and kept whole.
type node struct {
	kind    jsontext.Kind
	raw     []byte // the source bytes; stale for a changed node
	touched bool
	members []member // of an object that was parsed
	elems   []*node  // of an array that was parsed
}

type member struct {
	name string
	raw  []byte // the name as it was spelled, quotes included
	val  *node
}

// parser walks a document once. The decoder refuses duplicate names at any depth, invalid UTF-8 and everything that
// is not JSON (RFC 8259, RFC 7493); the walk refuses names that two runtimes would read differently.
type parser struct {
	data []byte
	dec  *jsontext.Decoder
	path []string
	slab []node   // nodes are taken from here, to allocate rarely
	open []member // of the objects that are being read, one after the other
	list []*node  // of the arrays, likewise
}

// parse reads exactly one JSON value of the given shape.
//
// Errors name the place of the fault in the document. A NUL in any name or string is one: C programs such as crun end
// the string there (SECURITY.md E4).
func parse(data []byte, s *shape) (*node, error) {
	if at := escapedNUL(data); at >= 0 {
		return nil, fmt.Errorf("the string at byte %d holds a NUL (\\u0000), which runtimes read differently", at)
	}
	p := &parser{
		data: data, dec: jsontext.NewDecoder(bytes.NewBuffer(data)),
		path: make([]string, 0, 8), open: make([]member, 0, 32), list: make([]*node, 0, 32),
	}
	n, err := p.value(s)
	if err != nil {
		return nil, p.located(err)
	}
	if rest := bytes.TrimLeft(data[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("there is more data after the end of the document, at byte %d", len(data)-len(rest))
	}
	return n, nil
}

// escapedNUL finds the escape sequence of a NUL character. A raw NUL is not JSON and left to the decoder.
func escapedNUL(data []byte) int {
	const escape = `\u0000`
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(escape))
		if i < 0 {
			return -1
		}
		at := from + i
		slashes := 0
		for at-1-slashes >= 0 && data[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 { // an even number before it: this backslash is not itself escaped
			return at
		}
		from = at + len(escape)
	}
}

func (p *parser) located(err error) error {
	var theirs *jsontext.SyntacticError
	if errors.As(err, &theirs) { // it contains names of the document in full
		err = errors.New(quote.Text(strings.TrimPrefix(err.Error(), "jsontext: "), quote.MaxValue))
	}
	if len(p.path) == 0 {
		return err
	}
	return fmt.Errorf("at %s: %w", quote.Path(p.path...), err)
}

func (p *parser) newNode() *node {
	if len(p.slab) == 0 {
		p.slab = make([]node, 32)
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	return n
}

// value reads the next value. A value of a kind that does not match its shape is kept as a leaf: its reader reports the
// wrong type if it matters, otherwise the runtime does.
func (p *parser) value(s *shape) (*node, error) {
	kind := p.dec.PeekKind()
	if s != nil && kind == '{' && s.kind != list {
		return p.object(s)
	}
	if s != nil && kind == '[' && s.kind == list {
		return p.array(s)
	}
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n := p.newNode()
	n.kind, n.raw = kind, p.last(len(raw))
	return n, nil
}

// last returns the source of the value that was just read. The decoder's own slice is valid only until its next call.
func (p *parser) last(size int) []byte {
	end := int(p.dec.InputOffset())
	return p.data[end-size : end : end]
}

func (p *parser) object(s *shape) (*node, error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	n := p.newNode()
	start := int(p.dec.InputOffset()) - 1
	n.kind = '{'
	first := len(p.open)
	for p.dec.PeekKind() != '}' {
		raw, err := p.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m := member{raw: p.last(len(raw))}
		elem, isKnown := s.known(m.raw, &m.name)
		if !isKnown {
			if m.name, err = unquote(m.raw); err != nil {
				return nil, err
			}
		}
		p.path = append(p.path, m.name)
		if !isKnown {
			if elem, err = s.member(m.name); err != nil {
				return nil, err
			}
		}
		if m.val, err = p.value(elem); err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		p.open = append(p.open, m)
	}
	n.members = append(make([]member, 0, len(p.open)-first), p.open[first:]...)
	p.open = p.open[:first]
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	end := int(p.dec.InputOffset())
	n.raw = p.data[start:end:end]
	return n, nil
}

func (p *parser) array(s *shape) (*node, error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	n := p.newNode()
	start := int(p.dec.InputOffset()) - 1
	n.kind = '['
	first := len(p.list)
	for p.dec.PeekKind() != ']' {
		p.path = append(p.path, strconv.Itoa(len(p.list)-first))
		elem, err := p.value(s.elem)
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		p.list = append(p.list, elem)
	}
	n.elems = append(make([]*node, 0, len(p.list)-first), p.list[first:]...)
	p.list = p.list[:first]
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	end := int(p.dec.InputOffset())
	n.raw = p.data[start:end:end]
	return n, nil
}

// known finds the shape of a member by its raw spelling, if that is one of the shape's names, and sets that name. It
// allocates no string.
func (s *shape) known(raw []byte, name *string) (*shape, bool) {
	if s.kind == mapping || len(raw) < 2 {
		return nil, false
	}
	for i := range s.fields {
		if f := &s.fields[i]; string(raw[1:len(raw)-1]) == f.name {
			*name = f.name
			return f.shape, true
		}
	}
	return nil, false
}

// member returns the shape of the named member; nil if the value is not examined. In an object that decoders fill a
// struct from, a name that differs from a known one only in case is refused (Go ignores case and crun doesn't), and so
// is one with non-ASCII characters (Go folds U+017F to s and U+212A to k): SECURITY.md E2, E3.
func (s *shape) member(name string) (*shape, error) {
	if s.kind == mapping {
		return s.elem, nil
	}
	for i := range s.fields {
		if s.fields[i].name == name {
			return s.fields[i].shape, nil
		}
	}
	for i := range len(name) {
		if name[i] >= 0x80 {
			return nil, fmt.Errorf("the key %s is not plain ASCII; runtimes may read it as another one\nhint: remove it", quote.ASCII(name))
		}
	}
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].name, name) {
			return nil, fmt.Errorf("the key %s differs from %q only by case, which runtimes read differently\nhint: spell it %q", quote.Value(name), s.fields[i].name, s.fields[i].name)
		}
	}
	return nil, nil
}

// get returns the member of that name, or nil. JSON's null counts as missing, as in Go's decoder (encoding/json,
// Unmarshal) and in crun's.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			if n.members[i].val.kind == 'n' {
				return nil
			}
			return n.members[i].val
		}
	}
	return nil
}

// set gives the object a member with this value, replacing one of the same name. If the value is the same already,
// the object stays unchanged.
func (n *node) set(name string, val *node) {
	for i := range n.members {
		if m := &n.members[i]; m.name == name {
			if !val.touched && !m.val.touched && bytes.Equal(m.val.raw, val.raw) {
				return
			}
			m.val = val
			n.touched = true
			return
		}
	}
	n.members = append(n.members, member{name: name, raw: jsonQuote(name), val: val})
	n.touched = true
}

// drop removes the members for which the function returns true.
func (n *node) drop(which func(member) bool) {
	kept := slices.DeleteFunc(n.members, which)
	if len(kept) != len(n.members) {
		n.touched = true
	}
	n.members = kept
}

// isTouched reports whether n, or anything below it, differs from the source.
func (n *node) isTouched() bool {
	if n.touched {
		return true
	}
	for i := range n.members {
		if n.members[i].val.isTouched() {
			return true
		}
	}
	return slices.ContainsFunc(n.elems, (*node).isTouched)
}

// render appends the value's JSON. What is unchanged is copied.
func (n *node) render(b []byte) []byte {
	r := renderer{b: b, whole: true}
	r.node(n)
	return r.b
}

// longPart is the size from which a part of the source is not copied: for shorter ones, copying costs less than one
// more part.
const longPart = 64 << 10

// renderer writes JSON.
type renderer struct {
	parts [][]byte
	b     []byte // what follows the parts
	whole bool   // everything goes into b
}

func (r *renderer) raw(text []byte) {
	if r.whole || len(text) < longPart {
		r.b = append(r.b, text...)
		return
	}
	r.parts = append(r.parts, r.b, text)
	r.b = make([]byte, 0, 4096)
}

func (r *renderer) node(n *node) {
	switch {
	case n.kind == joinedKind:
		for _, e := range n.elems {
			r.raw(e.raw)
		}
	case !n.isTouched():
		r.raw(n.raw)
	case n.kind == '{':
		r.b = append(r.b, '{')
		for i, m := range n.members {
			if i > 0 {
				r.b = append(r.b, ',')
			}
			r.b = append(r.b, m.raw...)
			r.b = append(r.b, ':')
			r.node(m.val)
		}
		r.b = append(r.b, '}')
	default:
		r.b = append(r.b, '[')
		for i, e := range n.elems {
			if i > 0 {
				r.b = append(r.b, ',')
			}
			r.node(e)
		}
		r.b = append(r.b, ']')
	}
}

// joinedKind is the kind of a value whose elements are parts of its text.
const joinedKind = jsontext.Kind('j')

// joined makes a value from parts of its text.
func joined(parts []*node) *node { return &node{kind: joinedKind, touched: true, elems: parts} }

// leaf makes a value from JSON text that is known to be well-formed.
func leaf(text []byte) *node {
	return &node{kind: jsontext.Value(text).Kind(), raw: text}
}

func object() *node { return &node{kind: '{', raw: []byte("{}")} }

func jsonQuote(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // the only error is invalid UTF-8, which AppendQuote has replaced by U+FFFD
		return b
	}
	return b
}

func unquote(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 && len(raw) >= 2 {
		return string(raw[1 : len(raw)-1]), nil
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err
}

func stringLeaf(s string) *node { return leaf(jsonQuote(s)) }

func uintLeaf(v uint64) *node { return leaf(strconv.AppendUint(nil, v, 10)) }

func trueLeaf() *node { return leaf([]byte("true")) }

func uintsLeaf(vs []uint32) *node {
	b := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return leaf(append(b, ']'))
}

func stringsLeaf(vs []string) *node {
	b := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, jsonQuote(v)...)
	}
	return leaf(append(b, ']'))
}
