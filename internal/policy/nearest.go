// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"reflect"
	"strings"
)

// unknownKey returns the advice for an unknown key: the key that was probably meant, if one is spelled almost the same
// or is in another table.
func unknownKey(key string) string {
	const all = "see docs/policy.md for the keys there are"
	if near := nearest(key, keys(reflect.TypeFor[file](), "")); near != "" {
		return "did you mean " + near + "? " + all
	}
	return all
}

// keys lists a table's keys and those of its tables, dotted.
func keys(t reflect.Type, table string) (all []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if f.Anonymous {
			all = append(all, keys(f.Type, table)...)
			continue
		}
		if name := f.Tag.Get("toml"); name != "" && f.IsExported() {
			all = append(all, table+name)
			all = append(all, keys(f.Type, table+name+".")...)
		}
	}
	return all
}

// nearest returns the known key that was probably meant; "" if there is none. A key of the same table comes first.
func nearest(key string, known []string) (near string) {
	const most = 2 // edits: a letter inserted, deleted, replaced, or swapped with the next
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	table, name := cutLast(key)
	least := most + 1
	for _, k := range known {
		its, last := cutLast(k)
		d := edits(name, last)
		if its != table {
			d += most // in another table, only the same name counts
		}
		if d < least && d*2 < len(name) {
			near, least = k, d
		}
	}
	return near
}

// cutLast cuts a key into its table and its last part.
func cutLast(key string) (table, name string) {
	i := strings.LastIndexByte(key, '.')
	return key[:max(i, 0)], key[i+1:]
}

// edits counts the letters to insert, delete, replace or swap with the next to turn a into b (the optimal string
// alignment distance).
func edits(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := before
		before, row = row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], last[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
