// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"os"
	"path/filepath"
	"testing"
)

func TestContainerd(t *testing.T) {
	state := t.TempDir()
	bundle := filepath.Join(state, "io.containerd.runtime.v2.task", "k8s.io", "web-1")
	if err := os.MkdirAll(bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Containerd("k8s.io/web-1", state); err == nil {
		t.Error("a directory without a config.json is a bundle")
	}
	if err := os.WriteFile(bundle+"/config.json", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Containerd("k8s.io/web-1", state); err != nil || c.Bundle != bundle || c.ID != "web-1" || !c.Running {
		t.Errorf("%+v, %v", c, err)
	}
	for _, name := range []string{"", "web-1", "/web-1", "k8s.io/", "k8s.io/.", "k8s.io/..", "../web-1", "k8s.io/../web-1", "k8s.io/web-1/", "k8s.io/web-1\n"} {
		if c, err := Containerd(name, state); err == nil {
			t.Errorf("%q is %+v", name, c)
		}
	}
}
