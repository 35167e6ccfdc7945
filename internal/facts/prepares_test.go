// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestPrepares: a command counts if it is about a mount that can be written.
func TestPrepares(t *testing.T) {
	for options, want := range map[string]uint32{"rw": 1000, "ro": 0} {
		g := gathered(t, func(s *specs.Spec) {
			s.Process.Args = []string{"chown", "-R", "1000:1001", "/data"}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/data/", Type: "bind", Source: t.TempDir(), Options: []string{"rbind", options}})
		})
		who := g.prepares()
		if who.UID != want || want != 0 && who.GID != 1001 {
			t.Errorf("%s: %+v", options, who)
		}
		if d := g.Settle(); (d.Source == policy.Prepared) != (want != 0) {
			t.Errorf("%s: %s", options, d.Source)
		}
	}
	g := gathered(t, func(s *specs.Spec) { s.Process.Args = []string{"chown", "-R", "1000:1001", "/data"} })
	if who := g.prepares(); who.UID != 0 {
		t.Errorf("of its own layer: %+v", who)
	}
}
