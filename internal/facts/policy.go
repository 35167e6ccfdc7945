// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// profile returns what follows "nonroot-runc." in a binary's name: engines that can't pass arguments choose a policy by
// it.
func profile(binary string) (name string, has bool) {
	return strings.CutPrefix(filepath.Base(binary), "nonroot-runc.")
}

// policyFile returns the path of that policy, and whether it must exist.
func policyFile(named, binary string) (file string, must bool, err error) {
	file = policy.DefaultFile
	name, isProfile := profile(binary)
	switch {
	case named != "":
		file, must = named, true
	case isProfile:
		file, must = policy.ProfileFile(name), true
	}
	file, err = filepath.Abs(file)
	return file, must, err
}

// Policy reads the policy for a call of this binary: from the file that the call names ("": none), else of the profile
// that the binary is named after, else the default one. It is read at each call, so there is nothing to reload. A file
// that users other than root can write is refused: it may not be the administrator's (SECURITY.md E12).
func Policy(named, binary string, owners trusted.Owners) (*policy.Policy, error) {
	return policyBy(policy.Parse, named, binary, owners)
}

// PolicyForOne is Policy for a call about one container (policy.ParseForOne).
func PolicyForOne(named, binary string, owners trusted.Owners) (*policy.Policy, error) {
	return policyBy(policy.ParseForOne, named, binary, owners)
}

func policyBy(parse func(string, []byte) (*policy.Policy, error), named, binary string, owners trusted.Owners) (*policy.Policy, error) {
	file, must, err := policyFile(named, binary)
	if err != nil {
		return nil, err
	}
	pins, err := pin.Read(owners)
	if err != nil {
		return nil, err
	}
	data, digest, err := readPinned(file, pins, owners)
	if errors.Is(err, unix.ENOENT) && !must {
		return policy.Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy %q: %w", file, err)
	}
	p, err := parse(file, data)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w%s", err, wayBack(file, binary, named))
	}
	p.Text, p.Digest = data, digest
	if name, isProfile := profile(binary); isProfile && named == "" {
		p.Profile = name
		if err := inheritLog(p, policy.DefaultFile, pins, owners); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// wayBack returns the advice for a faulty policy that has a good copy.
func wayBack(file, binary, named string) string {
	good := policy.GoodFile(file)
	if good == "" {
		return ""
	}
	if _, err := os.Lstat(good); err != nil {
		return ""
	}
	option := ""
	if name, isProfile := profile(binary); isProfile && named == "" {
		option = " --profile " + quote.Text(name, 64)
	}
	return hint.Mark + "nonroot-ctl policy apply --rollback" + option + " brings back the last one that was good"
}

// Candidate parses a text as the policy that would result if it replaced a file; from is where the text is now, for
// messages. profile is the profile that the file belongs to; "" for the general one.
func Candidate(text []byte, from, file, profile string, owners trusted.Owners) (*policy.Policy, error) {
	p, err := policy.Parse(from, text)
	if err != nil {
		return nil, err
	}
	p.File, p.Text, p.Digest, p.Profile = file, text, record.Digest(text), profile
	if profile == "" {
		return p, nil
	}
	pins, err := pin.Read(owners)
	if err != nil {
		return nil, err
	}
	return p, inheritLog(p, policy.DefaultFile, pins, owners)
}

// readPinned reads a policy file that must match its pin. If a pinned file is missing, the error is not ENOENT, which
// would let the call go on without it: deleting a policy must not bring the defaults back.
func readPinned(file string, pins *pin.Pins, owners trusted.Owners) (data []byte, digest string, err error) {
	data, err = trusted.ReadPath(file, owners)
	if errors.Is(err, unix.ENOENT) {
		if missing := pins.Missing(file); missing != nil {
			return nil, "", missing
		}
	}
	if err != nil {
		return nil, "", err
	}
	digest = record.Digest(data)
	return data, digest, pins.Check(file, digest)
}

// inheritLog logs a profile's decisions where the general file says, unless the profile itself says where: a profile
// must not hide an exemption from the log by having its own file. Without a general file there is no log.
func inheritLog(p *policy.Policy, general string, pins *pin.Pins, owners trusted.Owners) error {
	if p.OwnLog {
		return nil
	}
	data, _, err := readPinned(general, pins, owners)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	var g *policy.Policy
	if err == nil {
		g, err = policy.Parse(general, data)
	}
	if err != nil {
		return fmt.Errorf("the profile %q has no [log], and logs where the general policy says: read %q: %w", p.File, general, err)
	}
	p.Log = g.Log
	return nil
}
