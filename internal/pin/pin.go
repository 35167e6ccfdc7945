// SPDX-License-Identifier: Apache-2.0

// Package pin keeps the digests that policy files must have. They lie elsewhere than the files: what replaces those without any
// runtime being called, such as `docker cp` into a mount of their directory, leaves the pins as they are (SECURITY.md F16). The
// file is what sha256sum(1) prints, so that `sha256sum --check` reads it as well. What a policy file says, and what follows when
// a pin does not match, is not for this package to know.
package pin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// File is where pins are kept: beside the directory of the policies, so that a mount of that does not reach it, and each
// directory on the way to it is one on the way to them.
const File = "/etc/nonroot-runc.pin"

// Pins are those of a pin file. None, also nil, pin nothing.
type Pins struct {
	name  string
	lines []line
}

type line struct{ digest, file string }

// Read reads the pins; without a pin file there are none. One that others could have written, or with a line that is no pin, is an
// error: it may say less than whoever pinned wanted.
func Read(owners trusted.Owners) (*Pins, error) { return read(File, owners) }

func read(name string, owners trusted.Owners) (*Pins, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	data, err := trusted.ReadPath(name, owners)
	if err != nil {
		return nil, fmt.Errorf("read the pins of policies: %w", err)
	}
	p := &Pins{name: name}
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		digest, file, ok := strings.Cut(strings.TrimSuffix(text, "\n"), "  ")
		if sum, err := hex.DecodeString(digest); !ok || err != nil || len(sum) != sha256.Size || !path.IsAbs(file) {
			return nil, fmt.Errorf("read the pins of policies: %s:%d is not a line in sha256sum's format, such as \"DIGEST  /etc/nonroot-runc/config.toml\"\nhint: fix it, or remove the file and pin again", name, n)
		}
		p.lines = append(p.lines, line{strings.ToLower(digest), file})
	}
	return p, nil
}

// Has reports whether a file is pinned, by its absolute path.
func (p *Pins) Has(file string) bool {
	if p == nil {
		return false
	}
	for _, l := range p.lines {
		if l.file == file {
			return true
		}
	}
	return false
}

// Digests are those that a file is pinned to.
func (p *Pins) Digests(file string) (all []string) {
	if p == nil {
		return nil
	}
	for _, l := range p.lines {
		if l.file == file {
			all = append(all, l.digest)
		}
	}
	return all
}

// Check says why a file, by its digest, is not what is pinned, nil if it is or if the file is not pinned. A file that has several
// pins must have one of them: so it can be replaced, and at each moment what lies there is pinned.
func (p *Pins) Check(file, is string) error {
	if !p.Has(file) {
		return nil
	}
	want := ""
	for _, l := range p.lines {
		if l.file != file {
			continue
		}
		if l.digest == is {
			return nil
		}
		want = l.digest
	}
	return fmt.Errorf("it differs from the one pinned in %q (sha256 %s, pinned %s)\nhint: find out who changed it, and once you have read it, %s", p.name, short(is), short(want), advice)
}

// advice ends what is wrong with a pinned file.
const advice = `pin it with "nonroot-ctl policy pin", or put another one in its place with "nonroot-ctl policy apply"`

// Missing says why a pinned file must not be missing.
func (p *Pins) Missing(file string) error {
	if !p.Has(file) {
		return nil
	}
	return fmt.Errorf("it does not exist, but is pinned in %q\nhint: restore it, or remove the pin with \"nonroot-ctl policy pin --remove\"", p.name)
}

// short is as much of a digest as people compare.
func short(digest string) string { return digest[:12] }

// Set pins a file to one of the digests, SHA-256 in hex, in place of the pins that it has. Without digests it has none.
func Set(owners trusted.Owners, file string, digests ...string) error {
	return set(File, owners, file, digests...)
}

// Replacing replaces a file by a function, and pins a pinned one to the new text's digest: at each moment what lies there is pinned.
// With the digest "" the file goes, and its pin before it: one without its file stops everything. pinned says that it was pinned.
func Replacing(owners trusted.Owners, file, digest string, replace func() error) (pinned bool, err error) {
	pins, err := Read(owners)
	if err != nil {
		return false, err
	}
	if !pins.Has(file) {
		return false, replace()
	}
	if digest == "" {
		return true, errors.Join(Set(owners, file), replace())
	}
	if err := Set(owners, file, append(pins.Digests(file), digest)...); err != nil {
		return false, err
	}
	if err := replace(); err != nil {
		return true, err
	}
	if err := Set(owners, file, digest); err != nil {
		return true, fmt.Errorf("the policy was replaced, but its predecessor is still the pinned one: %w", err)
	}
	return true, nil
}

func set(name string, owners trusted.Owners, file string, digests ...string) error {
	if !path.IsAbs(file) || path.Clean(file) != file || strings.ContainsAny(file, "\n\\") {
		return fmt.Errorf("%q cannot be pinned", file)
	}
	old, err := read(name, owners)
	if err != nil {
		return err
	}
	var b strings.Builder
	if old != nil {
		for _, l := range old.lines {
			if l.file != file {
				fmt.Fprintf(&b, "%s  %s\n", l.digest, l.file)
			}
		}
	}
	for _, digest := range digests {
		fmt.Fprintf(&b, "%s  %s\n", digest, file)
	}
	if b.Len() == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return trusted.ReplacePath(name, []byte(b.String()), 0o644, owners) // rootless engines' users read it, too
}
