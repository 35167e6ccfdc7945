// SPDX-License-Identifier: Apache-2.0

package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	const forged = "/a\nhint: x; hint: y"
	for _, c := range []struct{ msg, finding, advice string }{
		{"found", "found", ""},
		{"found" + Mark + "do", "found", "do"},
		{"found" + Flat + "do", "found", "do"},
		{"in a: found" + Mark + "do\nfound too" + Mark + "do that", "in a: found; found too", "do; do that"},
		{fmt.Sprintf("found %q", forged), `found "/a\nhint: x; hint: y"`, ""},
		{fmt.Sprintf("found %q"+Flat+"do", `"`+forged), `found "\"/a\nhint: x; hint: y"`, "do"},
		{"hint: of a file's own", "hint: of a file's own", ""},
	} {
		if finding, advice := Split(c.msg); finding != c.finding || advice != c.advice {
			t.Errorf("%q: %q, %q", c.msg, finding, advice)
		}
		if line := Line(errors.New(c.msg)); strings.Contains(line, "\n") {
			t.Errorf("%q becomes %q", c.msg, line)
		} else if finding, advice := Split(line); finding != c.finding || advice != c.advice {
			t.Errorf("%q is read again as %q, %q", line, finding, advice)
		}
	}
}

// TestForgedPath: a path in an error of the system can't add a line or pass for advice.
func TestForgedPath(t *testing.T) {
	for _, path := range []string{"/a\nhint: x", "/a; hint: x", "\nhint: x\nhint: y", `/"; hint: x`} {
		_, open := os.Open(path)
		for _, err := range []error{
			open,
			fmt.Errorf("read: %w", open),
			errors.Join(errors.New("found"), &os.LinkError{Op: "rename", Old: path, New: path, Err: fs.ErrExist}),
		} {
			if finding, advice := Split(Text(err)); advice != "" || strings.Contains(finding, "\n") {
				t.Errorf("%q: %q, %q", err, finding, advice)
			}
			if _, advice := Split(Line(err)); advice != "" {
				t.Errorf("%q: in one line the advice is %q", err, advice)
			}
		}
	}
}
