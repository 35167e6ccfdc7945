// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestRelativeRoot: a rule recognizes an engine by the runtime's --root, however the call spells it. Otherwise a caller
// could escape the rule, and the general part may exempt it.
func TestRelativeRoot(t *testing.T) {
	r := run(t, nil, nil)
	p, err := policy.Parse("p", []byte("mode = \"off\"\nreason = \"x\"\n[[rule]]\nname = \"r\"\nmatch.root = [\""+r.root+"\"]\nmode = \"rewrite\"\n"))
	Must(t, err)
	t.Chdir(filepath.Dir(r.root))
	for _, root := range []string{r.root, filepath.Base(r.root), "./" + filepath.Base(r.root) + "/"} {
		e, err := Find(root, true, "c", caller())
		Must(t, err)
		e.Match()
		e.By(p)
		if got := e.Rule().Rule; got != "r" {
			t.Errorf("--root %s is of the rule %q", root, got)
		}
	}
}

// TestExecWithoutABundle: an exec without a process file into a container whose bundle is gone gets an answer, whether
// the container is exempt or not.
func TestExecWithoutABundle(t *testing.T) {
	for text, exempt := range map[string]bool{"existing = \"leave\"\n": true, "": false} {
		r := run(t, nil, nil)
		Must(t, os.RemoveAll(r.bundle))
		p, err := policy.Parse("p", []byte(text))
		Must(t, err)
		e := r.find(p)
		_, err = e.GatherExec(Exec{Flags: &runcargs.ExecFlags{}})
		Must(t, err)
		if d := e.Settle(p); d.Mode.Exempts() != exempt || d.Refused() == exempt {
			t.Errorf("%s: %+v", text, d)
		}
	}
}
