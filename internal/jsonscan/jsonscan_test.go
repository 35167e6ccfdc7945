// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// read builds what a document says from its pieces.
func read(value []byte) (any, error) {
	switch value[0] {
	case '{':
		m := map[string]any{}
		err := Members(value, func(name string, v []byte) error {
			e, err := read(v)
			m[name] = e
			return err
		})
		return m, err
	case '[':
		a := []any{}
		err := Elements(value, func(v []byte) error {
			e, err := read(v)
			a = append(a, e)
			return err
		})
		return a, err
	case '"':
		return String(value)
	}
	return string(value), nil
}

// plain is what encoding/json reads, in the same form.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = plain(e)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = plain(e)
		}
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	case nil:
		return "null"
	}
	return v
}

var documents = []string{
	`{}`, `[]`, ` { "a" : [ 1 , -2.5e3 , true , null , "x" ] , "b" : { } } `, `{"a\"b":"c\\","d":"\u00e9\\\"","e":["]","}"]}`,
	`[[[{"a":[{}]}]],"\\\\",""]`, "{\"a\":\n\t1\r\n}",
}

func TestAgainstADecoder(t *testing.T) {
	for _, d := range documents {
		check(t, []byte(d))
	}
}

func check(t *testing.T, data []byte) {
	t.Helper()
	var want any
	if !utf8.Valid(data) || json.Unmarshal(data, &want) != nil {
		return // other bytes than UTF-8 come as they are; encoding/json replaces them
	}
	trimmed := blank(data)
	if trimmed[0] != '{' && trimmed[0] != '[' {
		return
	}
	var numbers any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&numbers); err != nil {
		return
	}
	got, err := read(trimmed)
	if err != nil {
		return // stricter, as with lone surrogates
	}
	if !reflect.DeepEqual(got, plain(numbers)) {
		t.Fatalf("%s\nis read as %v\nnot as    %v", data, got, plain(numbers))
	}
}

func TestMembersOf(t *testing.T) {
	got := map[string]string{}
	err := MembersOf("b", []byte(`{"a":1,"b":{"a":2,"b":{"c":3}},"c":[{"b":{}}]}`), func(name string, v []byte) error {
		got[name] = string(v)
		return nil
	})
	want := map[string]string{"a": "1", "b.a": "2", "b.b": `{"c":3}`, "c": `[{"b":{}}]`}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if err := MembersOf("b", []byte(`{"b":[]}`), func(string, []byte) error { return nil }); err == nil {
		t.Error("an array is taken for an object")
	}
}

func TestCut(t *testing.T) {
	for _, d := range documents {
		whole := []byte(d)
		for i := range len(blank(whole)) - 3 {
			part := blank(whole)[:i+1]
			if part[len(part)-1] == '}' || part[len(part)-1] == ']' {
				continue
			}
			if v, err := read(part); err == nil && (part[0] == '{' || part[0] == '[') {
				t.Errorf("%q is read as %v", part, v)
			}
		}
	}
}

func TestScalars(t *testing.T) {
	for _, v := range []string{"1", "{}", `"`, "", "null"} {
		if s, err := String([]byte(v)); err == nil {
			t.Errorf("String(%q) is %q", v, s)
		}
	}
	for _, v := range []string{"-1", "1.0", "256", `"1"`, "", "+1"} {
		if n, err := Uint([]byte(v), 8); err == nil {
			t.Errorf("Uint(%q) is %d", v, n)
		}
	}
	if n, err := Uint([]byte("255"), 8); n != 255 || err != nil {
		t.Errorf("Uint(255) is %d, %v", n, err)
	}
}

func FuzzAgainstADecoder(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(check)
}
