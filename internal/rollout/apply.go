// SPDX-License-Identifier: Apache-2.0

// Package rollout replaces the current policy by another one, and restores the previous one. The code that decides
// (internal/govern) predicts what that changes for the running containers; what a policy may say is not judged here.
//
//	apply.go  the files: the policy, the previous one, the pins
//	diff.go   what happens to running containers by either policy
package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Target is a policy's path, and the current policy there.
type Target struct {
	File    string
	Profile string         // "": the general policy
	InForce *policy.Policy // nil: neither it nor its last good copy can be read
	Broken  error          // why the current policy can't be read; InForce is then the last good one

	owners trusted.Owners
}

// Look finds the path of a profile's policy ("": of the general one), and reads the current one.
func Look(profile string, owners trusted.Owners) (*Target, error) {
	t := &Target{File: policy.DefaultFile, Profile: profile, owners: owners}
	binary := "nonroot-runc"
	if profile != "" {
		t.File = policy.ProfileFile(profile)
		if path.Base(t.File) != profile+".toml" || strings.HasPrefix(profile, ".") || strings.ContainsAny(profile, "\\\n") {
			return nil, fmt.Errorf("%q is not the name of a profile", profile)
		}
		binary += "." + profile
	}
	if t.InForce, t.Broken = facts.Policy("", binary, owners); t.Broken != nil {
		t.InForce, _ = facts.LastGood("", binary, false, owners) // it may never have been good
	}
	return t, nil
}

// Previous returns the text to roll back to, and where it was kept: the policy before the current one; if the current
// one can't be read, the last good one, which may be newer than that.
func (t *Target) Previous() (text []byte, from string, err error) {
	if t.Broken != nil && t.InForce != nil {
		return t.InForce.Text, t.InForce.File, nil
	}
	from = policy.PreviousFile(t.File)
	text, err = trusted.ReadPath(from, t.owners)
	if errors.Is(err, os.ErrNotExist) {
		return nil, from, fmt.Errorf("there is nothing to roll back to: nonroot-ctl policy apply has not replaced %q", t.File)
	}
	return text, from, err
}

// Is reports whether a policy is the current one already.
func (t *Target) Is(p *policy.Policy) bool {
	return t.Broken == nil && t.InForce.File != "" && bytes.Equal(t.InForce.Text, p.Text)
}

// none is kept as the previous policy if there was no file: an empty policy is the built-in one.
const none = "# There was no file: the built-in policy held.\n"

// Replace puts a policy into place, atomically. The previous one is kept for a rollback; if it could not be read, that
// is the last good one. A pinned file is pinned to the new text; at each moment the file matches a pin. pinned reports
// whether it is pinned, kept whether there is a policy to roll back to.
func (t *Target) Replace(p *policy.Policy) (pinned, kept bool, err error) {
	if t.InForce != nil {
		text := t.InForce.Text
		if text == nil {
			text = []byte(none)
		}
		if err := put(policy.PreviousFile(t.File), text, 0o700, 0o600, t.owners); err != nil {
			return false, false, fmt.Errorf("keep the policy before: %w", err)
		}
		kept = true
	}
	pinned, err = pin.Replacing(t.owners, t.File, p.Digest, func() error { return put(t.File, p.Text, 0o755, 0o644, t.owners) })
	if err != nil {
		return pinned, kept, err
	}
	if err := apply.KeepGood(p, t.owners); err != nil {
		return pinned, kept, fmt.Errorf("the policy was replaced, but no copy was kept as the last good one: %w", err)
	}
	return pinned, kept, nil
}

// put replaces a file in a directory of root's, which is created if it is missing.
func put(name string, text []byte, dirMode os.FileMode, mode uint32, owners trusted.Owners) error {
	if err := os.MkdirAll(path.Dir(name), dirMode); err != nil {
		return err
	}
	return trusted.ReplacePath(name, text, mode, owners)
}
