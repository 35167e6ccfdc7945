// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestRun: what a program prints, and what it says about its failure; one that does not answer, or leaves its output
// open in another process, is not waited for.
func TestRun(t *testing.T) {
	limit = 200 * time.Millisecond
	for _, c := range []struct{ script, out, failure string }{
		{"echo a; echo b >&2", "a\n", ""},
		{"echo a; echo b >&2; exit 3", "a\n", `sh: exit status 3: it says "b"`},
		{"exec sleep 600", "", "sh: it gave no answer within 200ms"},
		{"sleep 5 & wait", "", "sh: it gave no answer within 200ms"},
	} {
		out, err := Run(t.Context(), nil, "sh", "-c", c.script)
		if string(out) != c.out || (err == nil) != (c.failure == "") || err != nil && err.Error() != c.failure {
			t.Errorf("%q: %q, %v", c.script, out, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, nil, "sh", "-c", "exec sleep 600"); err == nil || strings.Contains(err.Error(), "no answer") {
		t.Errorf("who has given up is told %v", err)
	}
}
