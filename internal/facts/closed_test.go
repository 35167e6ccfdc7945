// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestClosedBinds: of the directories that are bound to be written, those that are root's and empty are named.
func TestClosedBinds(t *testing.T) {
	NeedPrivate(t)
	for _, test := range []struct {
		name   string
		make   func(dir string)
		mount  func(dir string) specs.Mount
		closed bool
	}{
		{"empty, and root's", nil, nil, true},
		{"something is in it", func(dir string) { write(t, dir+"/x", "") }, nil, false},
		{"anybody may write it", func(dir string) { Must(t, os.Chmod(dir, 0o777)) }, nil, false},
		{"to be read", nil, func(dir string) specs.Mount { return bindOf(dir, "/data", "ro") }, false},
		{"a file", nil, func(dir string) specs.Mount {
			write(t, dir+"/file", "")
			return bindOf(dir+"/file", "/data")
		}, false},
		{"no bind", nil, func(dir string) specs.Mount { return specs.Mount{Destination: "/data", Type: "tmpfs", Source: dir} }, false},
		{"a link", nil, func(dir string) specs.Mount {
			Must(t, os.Symlink(dir, dir+".link"))
			return bindOf(dir+".link", "/data")
		}, false},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		Must(t, os.Mkdir(dir, 0o755))
		if test.make != nil {
			test.make(dir)
		}
		m := bindOf(dir, "/data")
		if test.mount != nil {
			m = test.mount(dir)
		}
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) })
		got := strings.Join(g.closedBinds(decidedAs(65532, policy.Fixed)), "; ")
		if (got != "") != test.closed || test.closed && !strings.Contains(got, "chown 65532:65532") {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// TestClosedSecrets: a pod's volume of the kubelet's in which there is a file that the identity can't read is named, and nothing else.
func TestClosedSecrets(t *testing.T) {
	NeedPrivate(t)
	const volume = "/pods/0a1b/volumes/kubernetes.io~secret/s"
	for _, test := range []struct {
		name, at string
		mode     os.FileMode
		closed   bool
	}{
		{"closed", volume, 0o400, true},
		{"open", volume, 0o444, false},
		{"somebody's own directory", "/srv/s", 0o400, false},
	} {
		dir := t.TempDir() + test.at
		write(t, dir+"/..2026/token", "t")
		Must(t, os.Chmod(dir+"/..2026/token", test.mode), os.Symlink("..2026", dir+"/..data"), os.Symlink("..data/token", dir+"/token"),
			os.Symlink("/etc/shadow", dir+"/outside"))
		g := gathered(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, bindOf(dir, "/run/s", "ro")) })
		got := strings.Join(g.closedSecrets(decidedAs(65532, policy.Fixed)), "; ")
		if (got != "") != test.closed || test.closed && !strings.Contains(got, `"token" in "/run/s"`) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
