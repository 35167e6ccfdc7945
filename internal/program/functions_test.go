// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"
	"testing"
)

// TestFunctions: the body of a function is what its call does, and nothing where nobody calls it.
func TestFunctions(t *testing.T) {
	for script, want := range map[string]string{
		"f() {\n touch /a\n}\ntouch /b":                                                 "/b",
		"f() {\n touch /a\n}\ntouch /b\nf":                                              "/b /a",
		"f ()\n{\n touch /a\n}\nf; touch /b":                                            "/a /b",
		"function f {\n touch /a\n}\ntouch /b; f x":                                     "/b /a",
		"function f() { touch /a; }\nf; f":                                              "/a",
		"f() { touch /a; }; touch /b":                                                   "/b",
		"f() { [ -e /x ] || { touch /c; }; touch /a; }\nf\ntouch /b":                    "/c /a /b",
		"f() { touch /a; }\ng() { touch /b; f; }\ng":                                    "/b /a",
		"f() { g; touch /a; }\ng() { f; touch /b; }\nf":                                 "/b /a",
		"f() { touch /a; }\nif [ -n \"$x\" ]; then f; fi\ntouch /b":                     "/b",
		"f() { touch /a; }\n[ -n \"$x\" ] && f\ntouch /b":                               "/b",
		"f() { touch /a; }\nf || true\ntouch /b":                                        "/b",
		"f() { touch /a; }\nif f; then touch /c; fi; touch /b":                          "/b",
		"f() { touch /a; }\nA=1 f\ntouch /b":                                            "/a /b",
		"f() {\n touch /a\n":                                                            "",
		"f() {\n touch /a\n}\nmain() {\n f \"$@\"\n touch /b\n}\nmain \"$@\"\ntouch /c": "/a /b /c",
		"f() { if [ \"$(id -u)\" = 0 ]; then :; fi; touch /a; }\ntouch /b; f; touch /c": "/b",
		"cat <<A; cat <<B >/x\ntouch /a\nA\ntouch /b\nB\ntouch /c":                      "/x /c",
		"case $1 in\n a) touch /a;;\n (b) touch /b;;\nesac\ntouch /c":                   "/c",
		"f() { :; }; f >/a; touch /b":                                                   "/b",
	} {
		var got []string
		for _, w := range writesOf(unrolled(script)) {
			got = append(got, w.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q; unrolled: %q", script, got, want, unrolled(script))
		}
	}
	for script, want := range map[string]string{
		"setup() {\n useradd app\n}\nexec server":                                       "",
		"setup() {\n useradd app\n}\nsetup\nexec server":                                "useradd",
		"drop() { exec gosu app \"$@\"; }\nexec server":                                 "",
		"drop() { exec gosu app \"$@\"; }\ndrop server":                                 "gosu",
		"a() { useradd x; }\nb() { [ \"$(id -u)\" = 0 ] && a; }\nb":                     "",
		"cat >/usage <<EOF\nuseradd app\nEOF\nexec server":                              "",
		"cat <<A <<B\nx\nA\nuseradd app\nB\nexec server":                                "",
		"setup() {\n useradd app\n}\n" + strings.Repeat("# a comment\n", 400) + "setup": "useradd",
	} {
		if got := (Command{}).Script(script); got.By != want {
			t.Errorf("%.60q: %+v, want %q", script, got, want)
		}
	}
	ends := "need() { if [ \"$(id -u)\" -ne 0 ]; then exit 1; fi; }\n"
	for script, want := range map[string]bool{ends: false, ends + "need": true, ends + "need\nexec server": true} {
		if got := (Command{}).Script(script); got.Ends != want {
			t.Errorf("%q: %+v", script, got)
		}
	}
}

// TestUnrolledIsBounded: each body stands once, whatever calls it.
func TestUnrolledIsBounded(t *testing.T) {
	var script strings.Builder
	for i := range 100 {
		fmt.Fprintf(&script, "f%d() { f%d; f%d; }\n", i, i+1, i+1)
	}
	script.WriteString("f0\n")
	if n := len(unrolled(script.String())); n > 2*script.Len() {
		t.Errorf("%d bytes of %d", n, script.Len())
	}
}

func FuzzUnrolled(f *testing.F) {
	f.Add("f() {\n g\n}\nfunction g { h; }\nf || g\ncat <<E\nE\n")
	f.Fuzz(func(t *testing.T, script string) {
		if got := unrolled(script); len(got) > 4*len(script)+100 {
			t.Errorf("%q: %q", script, got)
		}
	})
}
