// SPDX-License-Identifier: Apache-2.0

package govern_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/govern"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// BenchmarkCreate measures a create except for the program's start, reading the policy file, and execve.
func BenchmarkCreate(b *testing.B) {
	testkit.NeedRoot(b)
	config, err := os.ReadFile("../spec/testdata/recorded/docker-plain.config.json")
	testkit.Must(b, err)
	name := b.TempDir()
	rootfs := regexp.MustCompile(`"/var/lib/docker/overlay2/[^"]*"`)
	config = rootfs.ReplaceAll(config, []byte(`"rootfs"`))
	caller, err := facts.LookAtCaller()
	testkit.Must(b, err)
	testkit.Must(b, os.MkdirAll(filepath.Join(name, "rootfs", "etc"), 0o755))
	b.ReportAllocs()
	for b.Loop() {
		testkit.Must(b, os.WriteFile(filepath.Join(name, bundle.Config), config, 0o600))
		dir, err := bundle.Open(name, caller.Owners)
		testkit.Must(b, err)
		o := govern.Container(&facts.Call{ID: "c", Caller: caller.Remember(), Policy: policy.Default(), Bundle: dir})
		if o.Plan == nil {
			b.Fatal(o.Decision.Reason)
		}
		_, err = apply.Container(o.Plan, dir, caller.Owners)
		testkit.Must(b, err)
		o.Close()
		dir.Close()
	}
}
