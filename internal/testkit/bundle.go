// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"encoding/json"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Spec is a small container that asks for root, as engines write one.
func Spec() *specs.Spec {
	return &specs.Spec{
		Version: "1.0.2",
		Process: &specs.Process{
			Args: []string{"/bin/sh"}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"},
			Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}},
		},
		Root:   &specs.Root{Path: "rootfs"},
		Mounts: []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.NetworkNamespace},
		}},
	}
}

// SpecBundle is Bundle for a configuration that is put together in Go.
func SpecBundle(t testing.TB, s *specs.Spec, rootfs ...string) string {
	t.Helper()
	config, err := json.Marshal(s)
	Must(t, err)
	return Bundle(t, config, rootfs...)
}
