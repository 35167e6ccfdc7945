// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"os"
	"path"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// KeepGood keeps a copy of the policy by which a container has just been created, for when the file can't be read.
// Unless the policy has changed, it only reads the copy.
func KeepGood(p *policy.Policy, owners trusted.Owners) error {
	name := policy.GoodFile(p.File)
	if name == "" { // also if the policy is the copy itself
		return nil
	}
	// No need to check who wrote the copy: an identical one is correct.
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, p.Text) { // #nosec G304 -- a name of our own
		return nil
	}
	if err := os.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	dir, err := trusted.OpenPath(path.Dir(name), owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(path.Base(name), p.Text, 0o600, "")
}
