// SPDX-License-Identifier: Apache-2.0

package pin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func owners() trusted.Owners { return trusted.CallersOwners(nil) }

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// wrong checks that an error contains these words; "" means that there must be no error.
func wrong(t *testing.T, err error, words ...string) {
	t.Helper()
	if (err == nil) != (len(words) == 0) {
		t.Fatalf("%v, want %q", err, words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v says nothing of %q", err, w)
		}
	}
}

func TestPins(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policy.pin")
	const general, profile = "/etc/nonroot-runc/config.toml", "/etc/nonroot-runc/a  b.toml"
	none, err := read(name, owners())
	wrong(t, err)
	wrong(t, none.Check(general, sum("anything")))
	wrong(t, none.Missing(general))

	testkit.Must(t, set(name, owners(), general, sum("one")))
	testkit.Must(t, set(name, owners(), profile, sum("two")))
	p, err := read(name, owners())
	wrong(t, err)
	wrong(t, p.Check(general, sum("one")))
	wrong(t, p.Check(profile, sum("two")))
	wrong(t, p.Check("/etc/nonroot-runc/other.toml", sum("anything")))
	wrong(t, p.Missing("/etc/nonroot-runc/other.toml"))
	wrong(t, p.Missing(general), "does not exist", "--remove")
	// printf two | sha256sum; printf one | sha256sum
	wrong(t, p.Check(general, sum("two")), "sha256 3fc4ccfe7458", "pinned 7692c3ad3540", name, "nonroot-ctl policy pin")

	testkit.Must(t, set(name, owners(), general, sum("one"), sum("three"))) // during a replacement
	p, err = read(name, owners())
	wrong(t, err)
	wrong(t, p.Check(general, sum("one")))
	wrong(t, p.Check(general, sum("three")))
	wrong(t, p.Check(general, sum("two")), "differs from the one")
	wrong(t, p.Check(profile, sum("two")))

	testkit.Must(t, set(name, owners(), general))
	p, err = read(name, owners())
	wrong(t, err)
	wrong(t, p.Check(general, sum("anything")))
	wrong(t, p.Check(profile, sum("anything")), "differs from the one")
	testkit.Must(t, set(name, owners(), profile))
	if _, err := os.Lstat(name); !os.IsNotExist(err) {
		t.Errorf("a pin file without pins is left: %v", err)
	}
	wrong(t, set(name, owners(), "relative.toml"), "cannot be pinned")
	wrong(t, set(name, owners(), "/etc/a\nb"), "cannot be pinned")
}

// TestSha256sum: the file is sha256sum's own format.
func TestSha256sum(t *testing.T) {
	dir := t.TempDir()
	file, name := filepath.Join(dir, "config.toml"), filepath.Join(dir, "policy.pin")
	testkit.Must(t, os.WriteFile(file, []byte("one"), 0o600))
	testkit.Must(t, set(name, owners(), file, sum("one")))
	if out, err := exec.Command("sha256sum", "--check", "--strict", name).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	out, err := exec.Command("sha256sum", file).Output()
	testkit.Must(t, err)
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, out) {
		t.Errorf("%q, %v; sha256sum prints %q", got, err, out)
	}
}

// TestUnsound: a pin file that may pin less than the administrator wanted is an error.
func TestUnsound(t *testing.T) {
	sound := sum("one") + "  /etc/nonroot-runc/config.toml\n"
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{sound, 0o666, "can be written by others"},
		{sound + "\n", 0o644, ":2 is not a line"},
		{"# none\n", 0o644, ":1 is not a line"},
		{sound[1:], 0o644, "is not a line"},
		{sound[2:], 0o644, "is not a line"},
		{strings.Replace(sound, "  /", "  ", 1), 0o644, "is not a line"},
		{strings.Replace(sound, "  ", " ", 1), 0o644, "is not a line"},
		{sound, 0o644, ""},
		{strings.ToUpper(sound[:64]) + sound[64:], 0o644, ""},
		{strings.TrimSuffix(sound, "\n"), 0o644, ""},
	} {
		name := filepath.Join(t.TempDir(), "policy.pin")
		testkit.Must(t, os.WriteFile(name, []byte(c.text), 0o600))
		testkit.Must(t, os.Chmod(name, c.mode))
		p, err := read(name, owners())
		if c.want == "" {
			wrong(t, err)
			wrong(t, p.Check("/etc/nonroot-runc/config.toml", sum("one")))
			continue
		}
		wrong(t, err, c.want)
		wrong(t, set(name, owners(), "/etc/x", sum("x")), c.want)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "policy.pin")
	testkit.Must(t, os.Symlink(filepath.Join(dir, "nowhere"), name))
	_, err := read(name, owners())
	wrong(t, err, "symbolic link")
}

// BenchmarkCheck measures the check of a pinned policy of 20 kB, with five pins. It excludes the digest, which the
// record and the log need in any case. The file has as many directories above it as the product's own.
func BenchmarkCheck(b *testing.B) {
	f, err := os.CreateTemp("", "*.pin")
	testkit.Must(b, err)
	testkit.Must(b, f.Close())
	name := f.Name()
	b.Cleanup(func() { _ = os.Remove(name) })
	is := sum(strings.Repeat("0123456789abcdef", 20*1024/16))
	for i := range 4 {
		testkit.Must(b, set(name, owners(), fmt.Sprintf("/etc/nonroot-runc/%d.toml", i), is))
	}
	testkit.Must(b, set(name, owners(), "/etc/nonroot-runc/config.toml", is))
	o := owners()
	for b.Loop() {
		p, err := read(name, o)
		if err != nil || p.Check("/etc/nonroot-runc/config.toml", is) != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDigest measures the digest of such a policy.
func BenchmarkDigest(b *testing.B) {
	policy := strings.Repeat("0123456789abcdef", 20*1024/16)
	for b.Loop() {
		sum(policy)
	}
}

// BenchmarkNone measures a call without pins.
func BenchmarkNone(b *testing.B) {
	name := filepath.Join(b.TempDir(), "policy.pin")
	o := owners()
	for b.Loop() {
		if p, err := read(name, o); err != nil || p.Check("/etc/nonroot-runc/config.toml", "") != nil {
			b.Fatal(err)
		}
	}
}
