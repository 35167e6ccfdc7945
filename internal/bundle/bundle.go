// SPDX-License-Identifier: Apache-2.0

// Package bundle says what an OCI bundle is: a directory with a config.json, whose mounts name the directory's path.
// Reading and replacing files belongs to internal/trusted, what the configuration says to internal/spec.
package bundle

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Config is the name of the container's configuration within a bundle (runtime-spec, bundle.md).
const Config = "config.json"

// Dir is a bundle's directory, held open. The runtime is called with its path.
type Dir struct{ *trusted.Dir }

// Open opens a bundle's directory, "" being the working directory. Its path must be UTF-8, as mounts of the configuration,
// which is JSON, name it.
func Open(name string, owners trusted.Owners) (*Dir, error) {
	d, err := trusted.Open(name, owners)
	if err != nil {
		return nil, fmt.Errorf("open bundle %q: %w", name, errors.Unwrap(err))
	}
	if !utf8.ValidString(d.Path) {
		d.Close()
		return nil, fmt.Errorf("open bundle %q: its path is not UTF-8", name)
	}
	return &Dir{d}, nil
}
