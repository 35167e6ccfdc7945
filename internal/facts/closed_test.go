// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestClosedSecrets: only a kubelet volume of the pod that contains a file the identity can't read is named.
func TestClosedSecrets(t *testing.T) {
	NeedPrivate(t)
	const volume, tokens = "/pods/0a1b/volumes/kubernetes.io~secret/s", "/pods/0a1b/volumes/kubernetes.io~projected/t"
	for _, test := range []struct {
		name, at string
		mode     os.FileMode
		hint     string
	}{
		{"closed", volume, 0o400, "; hint: set fsGroup"},
		{"open", volume, 0o444, ""},
		{"somebody's own directory", "/srv/s", 0o400, ""},
		{"a token of a pod with runAsUser: 0", tokens, 0o600, "; hint: leave out runAsUser: 0, or set fsGroup"},
		{"a mode that the pod's volume has", tokens, 0o400, "; hint: set fsGroup"},
	} {
		dir := t.TempDir() + test.at
		write(t, dir+"/..2026/token", "t")
		Must(t, os.Chmod(dir+"/..2026/token", test.mode), os.Symlink("..2026", dir+"/..data"), os.Symlink("..data/token", dir+"/token"),
			os.Symlink("/etc/shadow", dir+"/outside"))
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(dir, "/run/s", "ro")) })
		got := strings.Join(g.closedSecrets(decidedAs(65532, policy.Fixed)), "; ")
		if (got != "") != (test.hint != "") || test.hint != "" && (!strings.Contains(got, `"token" in "/run/s"`) || !strings.Contains(got, test.hint)) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
