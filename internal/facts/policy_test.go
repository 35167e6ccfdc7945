// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// TestInheritLog: a profile logs where the general file says, unless the profile itself says where. A general file that
// can't be read is then an error, so that no log is lost silently.
func TestInheritLog(t *testing.T) {
	owners := trusted.CallersOwners(nil)
	for _, c := range []struct {
		profile, general string
		want             policy.Log
		refused          bool
	}{
		{"mode = \"audit\"", "[log]\nfile = \"/var/log/x\"\nrequired = true", policy.Log{File: "/var/log/x", Required: true}, false},
		{"[log]\nsyslog = true", "[log]\nfile = \"/var/log/x\"", policy.Log{Syslog: true}, false},
		{"[log]\nsyslog = false", "[log]\nfile = \"/var/log/x\"", policy.Log{}, false},
		{"mode = \"audit\"", "-", policy.Log{}, false},
		{"mode = \"audit\"", "mode = 5", policy.Log{}, true},
		{"[log]\nsyslog = true", "mode = 5", policy.Log{Syslog: true}, false},
	} {
		general := filepath.Join(t.TempDir(), "config.toml")
		if c.general != "-" {
			if err := os.WriteFile(general, []byte(c.general), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := policy.Parse("profile", []byte(c.profile))
		if err != nil {
			t.Fatal(err)
		}
		if err := inheritLog(p, general, nil, owners); (err != nil) != c.refused || p.Log != c.want {
			t.Errorf("%q beside %q: %+v, %v", c.profile, c.general, p.Log, err)
		}
	}
}
