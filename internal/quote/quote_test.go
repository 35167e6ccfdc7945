// SPDX-License-Identifier: Apache-2.0

package quote

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuote(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct{ got, want string }{
		{Value("a b"), `"a b"`},
		{Value("\x1b[31m\u009b\u202e\u2067\xff"), `"\x1b[31m\u009b\u202e\u2067\xff"`},
		{Value(long), `"` + long[:MaxValue] + `"...`},
		{Value(strings.Repeat("x", MaxValue-1) + "\u00e4\u00e4"), `"` + long[:MaxValue-1] + `"...`},
		{Path("annotations", "io.kubernetes.cri/x-y_z:1"), "annotations.io.kubernetes.cri/x-y_z:1"},
		{Path("annotations", "a\x1bb", ""), `annotations."a\x1bb".""`},
		{Path(strings.Split("a.b.c.d.e.f.g.h.i", ".")...), "...b.c.d.e.f.g.h.i"},
		{Text("plain \u00e4", 100), "plain \u00e4"},
		{Text("\r\n\x7f\u2028\u202e\xc3\ufffd", 100), `\r\n\x7f\u2028\u202e\xc3` + "\ufffd"},
		{Text(long, 10), "xxxxxxxxxx..."},
		{Text("xxxxxxxx\x00y", 10), "xxxxxxxx..."},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("\u202e\x1b\xff")
	f.Add(strings.Repeat("\U000e0001", 4000))
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Value(s), Path("a", s), Text(s, 500)} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !strconv.IsPrint(r) }) || len(got) > 10*MaxValue {
				t.Errorf("%q becomes %q", s, got)
			}
		}
	})
}
