// SPDX-License-Identifier: Apache-2.0

package runcargs

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTableKnowsTheRuntimes asks the installed runc and crun for their flags, and
// wants each in the table, in its place, with the right short name and arity.
func TestTableKnowsTheRuntimes(t *testing.T) {
	for _, tool := range []struct {
		name string
		by   runtimes
		line *regexp.Regexp
	}{
		// urfave: "   --bundle value, -b value  path to ...", "   --tty, -t  allocate"
		{"runc", runc, regexp.MustCompile(`^ {2,}--([a-z0-9-]+)( value| string| int)?(?:, -([a-zA-Z])( value)?)?(?:  |$)`)},
		// argp: "  -b, --bundle=DIR  container bundle", "      --no-pivot  do not"
		{"crun", crun, regexp.MustCompile(`^ {2,}(?:-([a-zA-Z?])(?:, -[A-Z])?, )?--([a-z0-9-]+)(\[?=[A-Z\]]+)?`)},
	} {
		t.Run(tool.name, func(t *testing.T) {
			path, err := exec.LookPath(tool.name)
			if err != nil {
				if os.Getenv("NONROOT_REQUIRE_ALL") == "1" {
					t.Fatalf("%s is not installed", tool.name)
				}
				t.Skipf("%s is not installed", tool.name)
			}
			total := checkHelp(t, path, "", inGlobal, tool.by, tool.line)
			for i := range verbs {
				if v := &verbs[i]; v.in != inHelp {
					total += checkHelp(t, path, v.name, v.in, tool.by, tool.line)
				}
			}
			if total < 50 {
				t.Errorf("only %d flags found in the help of %s", total, path)
			}
		})
	}
}

// checkHelp compares one page of help with the table and returns how many flags it has.
func checkHelp(t *testing.T, path, verb string, in scope, by runtimes, line *regexp.Regexp) int {
	t.Helper()
	args := []string{"--help"}
	if verb != "" {
		args = []string{verb, "--help"}
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		if by == crun && strings.Contains(string(out), "unknown command") {
			return 0 // this build has it not
		}
		t.Fatalf("%s %q: %v: %s", path, args, err, out)
	}
	page := string(out)
	if verb != "" {
		// runc 1.6 repeats the global flags under each verb.
		page, _, _ = strings.Cut(page, "GLOBAL OPTIONS:")
	}
	n := 0
	for _, l := range strings.Split(page, "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		n++
		long, short, takes := m[1], m[3], m[2] != ""
		if by == crun {
			short, long, takes = m[1], m[2], strings.HasPrefix(m[3], "=")
		}
		o := lookup(in, long)
		switch {
		case o == nil:
			t.Errorf("%s: the table lacks --%s", verb, long)
		case o.by&by == 0:
			t.Errorf("%s --%s: the table says that %s lacks it", verb, long, path)
		case takes != (o.kind != boolean):
			t.Errorf("%s --%s: the table is wrong on whether it takes a value", verb, long)
		case short != "" && short != "?" && lookup(in, short) != o:
			t.Errorf("%s --%s: the table lacks -%s", verb, long, short)
		}
	}
	return n
}
