// SPDX-License-Identifier: Apache-2.0

// Package configure registers nonroot-runc with container engines, and removes it again. Formats of engines'
// configuration files belong here; their paths are in internal/engines, and internal/doctor checks whether an engine is
// well configured.
//
// Pure functions, bytes in, bytes out, determine how a configuration file changes (docker.go, containerd.go, podman.go,
// crio.go, build.go, based on the editor in toml.go); receipt.go and file.go carry the change out, and can undo it byte
// for byte. guard.go puts nonroot-runc in the place of runc itself.
package configure

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Runtime is a runtime to register.
type Runtime struct {
	Name    string // its name in the engine
	Path    string // nonroot-runc, or a link to it that names a profile
	Default bool   // it becomes the engine's default
}

// Note records what is needed to remove a registration again.
type Note struct {
	Replaced *string    `json:"replaced,omitempty"` // the previous default, "" for none; nil: it was not made the default
	Made     []string   `json:"made,omitempty"`     // what was added along with it: a table of runtimes, entries of other runtimes
	Tables   [][]string `json:"tables,omitempty"`   // tables of TOML that were added for it
}

// Format is a kind of configuration file. Both functions are pure. A missing file is nil. Files that they can't read,
// or that don't have the form that the engine documents, are errors.
type Format interface {
	// Add registers a runtime. If it is registered already, the text is unchanged.
	Add(old []byte, r Runtime, n Note) ([]byte, Note, error)
	// Remove removes a registration and nothing else. If there is none, the text is unchanged.
	Remove(old []byte, name string, n Note) ([]byte, error)
}

// Yielder is a Format that can name a runtime as the engine's default.
type Yielder interface {
	Format
	// Yield restores the default, and keeps the registration. If the runtime is not the default, the text is
	// unchanged.
	Yield(old []byte, name string, n Note) ([]byte, error)
}

// Binary is the name of the program.
const Binary = "nonroot-runc"

// Profile returns the path of the link by which a binary is called under the profile's name.
func Profile(binary, name string) string { return binary + "." + name }

// IsOurs reports whether an entry's path may have been written by this package.
func IsOurs(file string) bool {
	base := path.Base(file)
	return base == Binary || strings.HasPrefix(base, Profile(Binary, ""))
}

// nameForm is a DNS label (RFC 1123): what Kubernetes accepts as a RuntimeClass's handler.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// taken lists names that engines use for runtimes of their own (moby, daemon/runtime_unix.go; containers/common,
// pkg/config/default.go).
var taken = []string{"runc", "crun", "crun-vm", "crun-wasm", "kata", "krun", "ocijail", "runj", "runsc", "youki", "default", "untrusted"}

// CheckName refuses a name that some engine would not accept, or uses for something else.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("the runtime name %q is not of up to 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends", name)
	}
	if slices.Contains(taken, name) {
		return fmt.Errorf("the runtime name %q belongs to another runtime\nhint: choose one such as \"nonroot\"", name)
	}
	return nil
}

// profileForm allows names that are one component of a path, and need no quoting anywhere.
var profileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// CheckProfileName refuses a name that can't be a policy file's.
func CheckProfileName(name string) error {
	if !profileForm.MatchString(name) {
		return fmt.Errorf("the profile %q is not of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", with a letter or digit in front", name)
	}
	return nil
}

// errTaken reports an entry with our name that this program did not write.
func errTaken(name, file string) error {
	return fmt.Errorf("the runtime %q is %q, which is not nonroot-runc\nhint: choose another --runtime-name", name, file)
}

// replaceDefault records which default a runtime replaces.
func (n Note) replaceDefault(old, name string) Note {
	if old != name {
		n.Replaced = &old
	}
	return n
}

// restored returns the default that comes back when a runtime is removed, "" for none. A runtime that doesn't exist any
// more doesn't come back.
func (n Note) restored(exists func(string) bool) string {
	if n.Replaced == nil || !exists(*n.Replaced) {
		return ""
	}
	return *n.Replaced
}
