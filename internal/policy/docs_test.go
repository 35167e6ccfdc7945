// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2/unstable"
)

// These tests keep docs/policy.md true: each key has a section there, with the default that Default has and an example
// that changes something, and the document neither describes other keys nor uses them in an example.

const docsFile = "../../docs/policy.md"

// documented is the section of one key.
type documented struct{ key, fallback, example string }

func TestEachKeyIsDocumented(t *testing.T) {
	keys := keysOf(reflect.TypeFor[file](), "")
	var described []string
	for _, d := range parts(readDocs(t, docsFile)) {
		described = append(described, d.key)
		if !slices.Contains(keys, d.key) {
			t.Errorf("%s describes %q, which nobody knows", docsFile, d.key)
			continue
		}
		d.check(t)
	}
	for _, k := range keys {
		if n := count(described, k); n != 1 {
			t.Errorf("%s has %d parts about %q, want one", docsFile, n, k)
		}
	}
}

// check reads the default and the example as a policy file would have them.
func (d documented) check(t *testing.T) {
	t.Helper()
	if d.fallback == "" || d.example == "" {
		t.Errorf("%s: the part has no default or no example: %+v", d.key, d)
		return
	}
	if d.fallback != "none" {
		p := parsed(t, d.key+" = "+strings.Trim(d.fallback, "`"))
		if p.OwnLog = false; !reflect.DeepEqual(p, Default()) {
			t.Errorf("%s: the documented default gives %+v, not what Default has: %+v", d.key, p, Default())
		}
	}
	example := strings.Trim(d.example, "`")
	key, inRule := strings.CutPrefix(d.key, "rule.")
	if !strings.HasPrefix(example, key+" = ") {
		t.Errorf("%s: the example is about something else: %q", d.key, example)
	}
	// The examples of these keys need another key.
	example += map[string]string{
		"log.required": "\nlog.journald = true", "identity.block": "\nidentity.range = \"100000-165535\"",
		"identity.groups_file": "\nidentity.users_file = \"/etc/nonroot-runc/users\"",
	}[d.key]
	if inRule {
		example = "[[rule]]\n" + example
		if key != "name" {
			example += "\nname = \"x\""
		}
	}
	if p := parsed(t, example); reflect.DeepEqual(p, Default()) {
		t.Errorf("%s: the example %q changes nothing", d.key, example)
	}
}

func TestExamplesInDocs(t *testing.T) {
	keys := keysOf(reflect.TypeFor[file](), "")
	whole := 0
	for _, name := range []string{docsFile, "../../docs/rollout.md"} {
		blocks := tomlBlocks(readDocs(t, name))
		if len(blocks) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, b := range blocks {
			parsed(t, b)
			var set []string
			walk([]byte(b), func(key string, _ unstable.Range) bool {
				set = append(set, regexp.MustCompile(`\[[0-9]+\]`).ReplaceAllString(key, ""))
				return true
			})
			if !slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(set, k) }) {
				whole++
			}
		}
	}
	if whole != 1 {
		t.Errorf("%d examples set every key, want one", whole)
	}
}

// TestKeysNamedInPapers finds unknown keys in the documents.
func TestKeysNamedInPapers(t *testing.T) {
	keys := keysOf(reflect.TypeFor[file](), "")
	named := regexp.MustCompile("`((?:identity|home|process|hooks|build|rule|log)(?:\\.[a-zA-Z_]+)+)")
	for _, name := range []string{docsFile, "../../README.md", "../../SECURITY.md", "../../CHANGELOG.md"} {
		for _, m := range named.FindAllStringSubmatch(readDocs(t, name), -1) {
			if m[1] != "log.json" && !slices.Contains(keys, m[1]) { // that one is an engine's file
				t.Errorf("%s names the key %q, which nobody knows", name, m[1])
			}
		}
	}
}

// keysOf returns the keys of a struct that go-toml fills, "table.key", except those that rules and [audit] share with
// the general part, which are described there.
func keysOf(s reflect.Type, table string) []string {
	var keys []string
	for i := range s.NumField() {
		f := s.Field(i)
		name := table + f.Tag.Get("toml")
		switch {
		case f.Anonymous && table == "":
			keys = append(keys, keysOf(f.Type, table)...)
		case f.Anonymous:
		case f.Type == reflect.TypeFor[*settings]():
			keys = append(keys, name)
		case f.Type == reflect.TypeFor[[]*ruleFile]():
			keys = append(keys, keysOf(f.Type.Elem().Elem(), name+".")...)
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(f.Type, name+".")...)
		default:
			keys = append(keys, name)
		}
	}
	return keys
}

// parts reads the headings that name a key, and the list items "Default:" and "Example:" below them.
func parts(text string) []documented {
	heading := regexp.MustCompile("^#+ `([^`]+)`$")
	var all []documented
	var open *string // the item that a continued line belongs to
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			all, open = append(all, documented{key: m[1]}), nil
			continue
		}
		if len(all) == 0 {
			continue
		}
		d := &all[len(all)-1]
		if v, ok := strings.CutPrefix(line, "- Default: "); ok {
			d.fallback, open = v, &d.fallback
		} else if v, ok := strings.CutPrefix(line, "- Example: "); ok {
			d.example, open = v, &d.example
		} else if v, ok := strings.CutPrefix(line, "  "); ok && open != nil {
			*open += " " + v
		} else {
			open = nil
		}
	}
	return all
}

// tomlBlocks returns the fenced blocks that are marked as TOML.
func tomlBlocks(text string) []string {
	var blocks []string
	for _, rest := range strings.Split(text, "```toml\n")[1:] {
		block, _, _ := strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

func parsed(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse("", []byte(text))
	if err != nil {
		t.Errorf("%q: %v", text, err)
	}
	return p
}

func readDocs(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func count(all []string, one string) int {
	n := 0
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}
