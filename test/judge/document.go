// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object whose members have an order, and names that may be doubled or spelled in any way.
type object struct{ members []*member }

type member struct {
	name string // JSON text, quotes included
	val  any    // object, list, raw, or what encoding/json knows
}

type (
	list []any
	raw  string // JSON text as it is to stand there
)

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func obj(pairs ...any) *object {
	o := &object{}
	for i := 0; i < len(pairs); i += 2 {
		o.set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func (o *object) set(name string, val any) {
	for _, m := range o.members {
		if m.name == quoted(name) {
			m.val = val
			return
		}
	}
	o.members = append(o.members, &member{quoted(name), val})
}

func (o *object) get(name string) any {
	for _, m := range o.members {
		if m.name == quoted(name) {
			return m.val
		}
	}
	return nil
}

// object is the member of that name, made where there is none.
func (o *object) object(name string) *object {
	child, ok := o.get(name).(*object)
	if !ok {
		child = obj()
		o.set(name, child)
	}
	return child
}

// append adds to the member of that name, which is a list.
func (o *object) append(name string, vals ...any) {
	old, _ := o.get(name).(list)
	o.set(name, append(old, vals...))
}

// insert puts a member somewhere, whatever names there are.
func (o *object) insert(at int, name string, val any) {
	o.members = append(o.members, nil)
	copy(o.members[at+1:], o.members[at:])
	o.members[at] = &member{name, val}
}

// objects are this one and all below it.
func (o *object) objects() []*object {
	all := []*object{o}
	for _, m := range o.members {
		all = append(all, objectsIn(m.val)...)
	}
	return all
}

func objectsIn(v any) []*object {
	switch v := v.(type) {
	case *object:
		return v.objects()
	case list:
		var all []*object
		for _, e := range v {
			all = append(all, objectsIn(e)...)
		}
		return all
	}
	return nil
}

func encode(v any) string {
	var b strings.Builder
	write(&b, v)
	return b.String()
}

func write(b *strings.Builder, v any) {
	switch v := v.(type) {
	case *object:
		b.WriteByte('{')
		for i, m := range v.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(m.name)
			b.WriteByte(':')
			write(b, m.val)
		}
		b.WriteByte('}')
	case list:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e)
		}
		b.WriteByte(']')
	case raw:
		b.WriteString(string(v))
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("%v: %v", v, err))
		}
		b.Write(text)
	}
}
