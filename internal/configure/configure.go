// SPDX-License-Identifier: Apache-2.0

// Package configure registers nonroot-runc with container engines, and takes it out again. An engine's format of configuration
// belongs here; its paths stand in internal/engines, and whether it is well configured is checked by internal/doctor.
//
// What becomes of a configuration file is said by pure functions, bytes in, bytes out (docker.go, containerd.go, podman.go,
// crio.go, build.go, on the editor of toml.go); what makes it so, and can undo it byte for byte, is in receipt.go and file.go.
// guard.go puts the wrapper in the place of the runtime itself.
package configure

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Runtime is what gets registered.
type Runtime struct {
	Name    string // how the engine's users call it
	Path    string // the wrapper, or a link to it that names a profile
	Default bool   // whether it becomes the engine's default
}

// Note is what the removal of a registration needs to know of how it was added.
type Note struct {
	Replaced *string    `json:"replaced,omitempty"` // the default before it became the default, "" for none; nil: it was not made the default
	Made     []string   `json:"made,omitempty"`     // what was added beside it: a table of runtimes, other runtimes' entries
	Tables   [][]string `json:"tables,omitempty"`   // TOML's tables that were added for it
}

// Format is one kind of configuration file. Both functions are pure. Absent files are nil. What they can't read, or what
// has another form than the engine's documentation gives it, is refused.
type Format interface {
	// Add registers a runtime. Where it's registered already, the bytes stay as they are.
	Add(old []byte, r Runtime, n Note) ([]byte, Note, error)
	// Remove takes a registration out and leaves all else. Where there is none, the bytes stay as they are.
	Remove(old []byte, name string, n Note) ([]byte, error)
}

// Yielder is a Format in which a runtime can be the engine's default.
type Yielder interface {
	Format
	// Yield gives the default back, and leaves the registration. Where the runtime is not the default, the bytes stay as they are.
	Yield(old []byte, name string, n Note) ([]byte, error)
}

// Binary is the name of the program, and Profile that of a link which names a profile.
const Binary = "nonroot-runc"

// Profile is the path of the link through which a binary is called under the profile's name.
func Profile(binary, name string) string { return binary + "." + name }

// IsOurs says whether an entry's path can be one that this package wrote.
func IsOurs(file string) bool {
	base := path.Base(file)
	return base == Binary || strings.HasPrefix(base, Profile(Binary, ""))
}

// nameForm is a DNS label (RFC 1123): what Kubernetes takes as a RuntimeClass's handler.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// taken are names that engines have runtimes of their own for (moby, daemon/runtime_unix.go; containers/common,
// pkg/config/default.go).
var taken = []string{"runc", "crun", "crun-vm", "crun-wasm", "kata", "krun", "ocijail", "runj", "runsc", "youki", "default", "untrusted"}

// CheckName refuses a name that some engine would not take or has another meaning for.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("the runtime name %q is not of up to 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends", name)
	}
	if slices.Contains(taken, name) {
		return fmt.Errorf("the runtime name %q belongs to another runtime\nhint: choose one such as \"nonroot\"", name)
	}
	return nil
}

// profileForm keeps to what is one file's name, and needs no quoting anywhere.
var profileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// CheckProfileName refuses a name that could be no policy file's.
func CheckProfileName(name string) error {
	if !profileForm.MatchString(name) {
		return fmt.Errorf("the profile %q is not of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", with a letter or digit in front", name)
	}
	return nil
}

// errTaken is for an entry under our name that is somebody else's.
func errTaken(name, file string) error {
	return fmt.Errorf("the runtime %q is %q, which is not nonroot-runc\nhint: choose another --runtime-name", name, file)
}

// replaceDefault notes which default a runtime takes the place of.
func (n Note) replaceDefault(old, name string) Note {
	if old != name {
		n.Replaced = &old
	}
	return n
}

// restored is the default that comes back when a runtime goes, "" for none. A runtime that is gone, too, doesn't.
func (n Note) restored(exists func(string) bool) string {
	if n.Replaced == nil || !exists(*n.Replaced) {
		return ""
	}
	return *n.Replaced
}
