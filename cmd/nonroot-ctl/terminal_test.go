// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// TestFold: long lines break at blanks and keep their indent; colours take no columns, and commands stay in one piece.
func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"short\n":                 "short\n",
		"no end":                  "no end",
		"one two three four\n":    "one two\n    three\n    four\n",
		"  one two three four":    "  one two\n      three\n      four",
		"\x1b[32mok  \x1b[0m a b": "\x1b[32mok  \x1b[0m a b",
		"hint: one two three\n    see: docs/page.md#T1 x\n": "hint: one two three\n    see: docs/page.md#T1 x\n",
		"onelongword12345\n":   "onelongword12345\n",
		"a  b\n\nc\n":          "a  b\n\nc\n",
		"key  one two three\n": "key  one\n     two\n     three\n",
		"key  onelongword12":   "key  onelongword12",
		"größer größer":        "größer\n    größer",
	} {
		if got := fold(text, 10); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestTable: a table that is too wide has its headings in two lines and long names in lines of their own; one that is still too wide is
// no table. No line is wider than the terminal, and what no terminal shows is in one piece.
func TestTable(t *testing.T) {
	head := []string{"NAMESPACE", "AS ROOT", "LEFT ALONE", "LAST"}
	long := "first/" + strings.Repeat("x", 45) + "/last"
	rows := [][]string{{"nginx", "12", "0", "2026-03-04T12:00:00Z"}, {"größer", "3", "10", "-"}, {long, "1", "0", "-"}}
	gap := strings.Repeat(" ", len(long)-9)
	whole := "NAMESPACE" + gap + "  AS ROOT  LEFT ALONE  LAST\n" +
		"nginx    " + gap + "  12       0           2026-03-04T12:00:00Z\n" +
		"größer   " + gap + "  3        10          -\n" +
		long + "  1        0           -\n"
	apart := `           AS    LEFT
NAMESPACE  ROOT  ALONE  LAST
nginx      12    0      2026-03-04T12:00:00Z
größer     3     10     -
`
	for width, want := range map[int]string{
		0:  whole,
		99: whole,
		98: "         " + gap + "  AS    LEFT\n" +
			"NAMESPACE" + gap + "  ROOT  ALONE  LAST\n" +
			"nginx    " + gap + "  12    0      2026-03-04T12:00:00Z\n" +
			"größer   " + gap + "  3     10     -\n" +
			long + "  1     0      -\n",
		60: apart + long + "\n           1     0      -\n",
		50: apart + "first/" + strings.Repeat("x", 17) + "..." + strings.Repeat("x", 19) + "/last\n           1     0      -\n",
		43: `NAMESPACE
  nginx
    as root 12, left alone 0, last 2026-03-04T12:00:00Z
  größer
    as root 3, left alone 10, last -
  first/xxxxxxxxxxxxx...xxxxxxxxxxxxxx/last
    as root 1, left alone 0, last -
`,
	} {
		if got := table(width, head, rows) + "\n"; got != want {
			t.Errorf("%d columns:\n%s\nwant\n%s", width, got, want)
		}
	}
	for width := narrowest; width < 120; width++ {
		for line := range strings.Lines(fold(table(width, head, rows), width)) {
			if line = strings.TrimSuffix(line, "\n"); columns(line) > width || strings.HasSuffix(line, " ") {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}
