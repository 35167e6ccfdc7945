// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	. "github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func TestMain(m *testing.M) { os.Exit(Private(m)) }

// whole is the id map of a caller on the host itself.
var whole = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}, GID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}}

// caller returns the host's root, whoever runs the tests.
func caller() Caller { return Caller{Own: whole, Owners: trusted.CallersOwners(nil)} }

// small is an image without a service user, apps one with a user of its own.
var (
	small = []string{"etc/passwd = " + Root, "etc/group = root:x:0:\n", "bin/sh = #!", "tmp/", "proc/"}
	apps  = []string{
		"etc/passwd = " + Root + "app:x:1000:1000::/home/app:/bin/sh\n", "etc/group = root:x:0:\napp:x:1000:\n",
		"bin/sh = #!", "tmp/", "home/app/", "proc/",
	}
)

// callFor makes a bundle, and a call that creates a container from it.
func callFor(t *testing.T, p *policy.Policy, edit func(*specs.Spec), image ...string) *Call {
	t.Helper()
	s := Spec()
	if edit != nil {
		edit(s)
	}
	if image == nil {
		image = small
	}
	dir, err := bundle.Open(SpecBundle(t, s, image...), trusted.CallersOwners(nil))
	Must(t, err)
	t.Cleanup(dir.Close)
	if p == nil {
		p = policy.Default()
	}
	if p.State == policy.Default().State {
		p.State = filepath.Join(t.TempDir(), "state")
	}
	return &Call{ID: "c", Caller: caller(), Policy: p, Bundle: dir, Root: "/run/runc", Runtime: "/usr/sbin/runc"}
}

// gather gathers the facts of a call that must succeed.
func gather(t *testing.T, c *Call) *Gathered {
	t.Helper()
	g, err := c.Gather()
	t.Cleanup(g.Close)
	Must(t, err)
	return g
}

// gathered does both.
func gathered(t *testing.T, edit func(*specs.Spec), image ...string) *Gathered {
	t.Helper()
	return gather(t, callFor(t, nil, edit, image...))
}

// write creates a file on the host, with the directories above it.
func write(t *testing.T, name, text string) {
	t.Helper()
	Must(t, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644))
}

// rewriteConfig replaces config.json in a call's bundle.
func rewriteConfig(t *testing.T, c *Call, s *specs.Spec) {
	t.Helper()
	config, err := json.Marshal(s)
	Must(t, err, os.WriteFile(c.Bundle.Join(bundle.Config), config, 0o600))
}
