// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// KeepGood keeps a copy of the policy that a container has just been created by, for the time when the file can't be read. It costs
// a look at the copy, unless the policy has changed.
func KeepGood(p *policy.Policy, owners bundle.Owners) error {
	name := policy.GoodFile(p.File)
	if name == "" { // also where it is the copy itself
		return nil
	}
	// Whoever could change the copy would gain nothing by one that is the same.
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, p.Text) { // #nosec G304 -- a name of our own
		return nil
	}
	if err := os.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	dir, err := bundle.OpenTrusted(path.Dir(name), owners)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(path.Base(name), p.Text, 0o600, "")
}

// errNoGood says that there is no copy of the policy.
var errNoGood = errors.New("no copy of it is kept")

// LastGood is the policy of a call as it was when it was last good. An exec into a container that was rewritten goes by it while
// the file can't be read, as it has its identity from its container, and health checks go on: nothing is created by it. Where no
// copy is kept, and the container was created when there was no file, that is the built-in policy.
func LastGood(named, binary string, builtIn bool, owners bundle.Owners) (*policy.Policy, error) {
	file, _, err := policyFile(named, binary)
	if err != nil {
		return nil, err
	}
	name := policy.GoodFile(file)
	if name == "" {
		return nil, errNoGood
	}
	pins, err := pin.Read(owners)
	if err != nil {
		return nil, err
	}
	data, digest, err := readGood(file, pins, owners)
	if errors.Is(err, unix.ENOENT) && builtIn && !pins.Has(file) {
		return policy.Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last good policy %q: %w", name, err)
	}
	p, err := policy.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("read the last good policy: %w", err)
	}
	p.Text, p.Digest = data, digest
	if profile, isProfile := profile(binary); isProfile && named == "" {
		p.Profile = profile
		if inheritLog(p, policy.DefaultFile, pins, owners) != nil {
			if _, _, err = readGood(policy.DefaultFile, pins, owners); err == nil || errors.Is(err, unix.ENOENT) {
				err = inheritLog(p, policy.GoodFile(policy.DefaultFile), pins, owners)
			}
		}
	}
	return p, err
}

// readGood reads the copy of a policy file. It is held to the file's own pin.
func readGood(file string, pins *pin.Pins, owners bundle.Owners) (data []byte, digest string, err error) {
	data, err = bundle.ReadGuarded(policy.GoodFile(file), owners)
	if err != nil {
		return nil, "", err
	}
	digest = record.Digest(data)
	return data, digest, pins.Check(file, digest)
}
