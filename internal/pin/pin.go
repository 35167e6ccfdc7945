// SPDX-License-Identifier: Apache-2.0

// Package pin keeps the digests that policy files must have. They are stored apart from the files: if the files are
// replaced without calling a runtime, such as by `docker cp` into a mount of their directory, the pins stay as they are
// (SECURITY.md F16). The file has the format of sha256sum(1), so `sha256sum --check` reads it as well. The content of
// policy files, and the consequences of a mismatch, don't belong here.
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

// File is where pins are kept: beside the directory of the policies, so that a mount of that does not include it, and
// every directory above it is also above the policies.
const File = "/etc/nonroot-runc.pin"

// Pins are the contents of a pin file. Nil, like an empty one, pins nothing.
type Pins struct {
	name  string
	lines []line
}

type line struct{ digest, file string }

// Read reads the pins; without a pin file there are none. A file that users other than the owners could have written,
// or that has an invalid line, is an error: it may pin less than the administrator wanted.
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

// Digests returns those that a file is pinned to.
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

// Check returns an error if a file's digest does not match its pins; nil if it matches, or if the file is not pinned. A
// file with several pins must match one of them: so it can be replaced, and matches a pin at each moment.
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

// advice ends a message about a pinned file.
const advice = `pin it with "nonroot-ctl policy pin", or put another one in its place with "nonroot-ctl policy apply"`

// Missing returns an error if the file is pinned, for a file that is missing.
func (p *Pins) Missing(file string) error {
	if !p.Has(file) {
		return nil
	}
	return fmt.Errorf("it does not exist, but is pinned in %q\nhint: restore it, or remove the pin with \"nonroot-ctl policy pin --remove\"", p.name)
}

// short returns as much of a digest as people compare.
func short(digest string) string { return digest[:12] }

// Set pins a file to one of the digests, SHA-256 in hex, replacing its previous pins. Without digests the file is no
// longer pinned.
func Set(owners trusted.Owners, file string, digests ...string) error {
	return set(File, owners, file, digests...)
}

// Replacing replaces a file by calling a function, and pins a pinned one to the new text's digest: the file matches a
// pin at each moment. With the digest "" the file is removed, and its pin before it: a pin without its file would stop
// every call. pinned reports whether it was pinned.
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
