// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestExamplePolicies: each complete example in docs/policies meets the expectations next to it.
func TestExamplePolicies(t *testing.T) {
	suites, err := filepath.Glob("../../docs/policies/*_test.toml")
	if err != nil || len(suites) != 3 {
		t.Fatalf("%q, %v; want three", suites, err)
	}
	for _, name := range suites {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		suite, err := ParseSuite(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSuffix(filepath.Base(name), "_test.toml")+".toml" != suite.Policy {
			t.Errorf("%s is about %q", name, suite.Policy)
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(name), suite.Policy))
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Parse(suite.Policy, text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range suite.Tests {
			wrong, err := suite.Tests[i].Run(p, suite.World(nothing), time.Now())
			if err != nil || len(wrong) > 0 {
				t.Errorf("%s: %s: %q, %v", name, suite.Tests[i].Name, wrong, err)
			}
		}
	}
}
