// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// errNoGood reports that no copy of the policy is kept.
var errNoGood = errors.New("no copy of it is kept")

// LastGood returns the last good copy of a call's policy. An exec into a rewritten container uses it while the file
// can't be read: the identity comes from the container, health checks keep working, and no container is created under
// it. If no copy is kept, and the container was created when there was no policy file, it returns the built-in policy.
func LastGood(named, binary string, builtIn bool, owners trusted.Owners) (*policy.Policy, error) {
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

// readGood reads the copy of a policy file. The copy has to match the file's pin.
func readGood(file string, pins *pin.Pins, owners trusted.Owners) (data []byte, digest string, err error) {
	data, err = trusted.ReadPath(policy.GoodFile(file), owners)
	if err != nil {
		return nil, "", err
	}
	digest = record.Digest(data)
	return data, digest, pins.Check(file, digest)
}
