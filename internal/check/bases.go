// SPDX-License-Identifier: Apache-2.0

package check

import (
	"strings"

	"github.com/distribution/reference"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// ofDistributions are distributions' own images, by repository. Each is a file system and no more: none has a USER (docker-library/official-images,
// library/*, and the Dockerfiles that it names).
var ofDistributions = []string{
	"docker.io/library/almalinux", "docker.io/library/alpine", "docker.io/library/amazonlinux", "docker.io/library/archlinux",
	"docker.io/library/busybox", "docker.io/library/debian", "docker.io/library/fedora", "docker.io/library/rockylinux",
	"docker.io/library/ubuntu",
}

// Bases says what is known of an image: what was given for it, with or without its tag, else whether it is a distribution's own.
func Bases(given map[string]string) func(name string) (dockerfile.Base, bool) {
	return func(name string) (dockerfile.Base, bool) {
		for _, key := range keys(name) {
			if user, ok := given[key]; ok {
				return dockerfile.Base{User: user, Source: "--base"}, true
			}
		}
		ref, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return dockerfile.Base{}, false
		}
		for _, of := range ofDistributions {
			if ref.Name() == of {
				return dockerfile.Base{Source: "a distribution's own image"}, true
			}
		}
		return dockerfile.Base{Windows: isWindows(ref.Name()), Source: "an image of Windows"}, isWindows(ref.Name())
	}
}

// keys are the names by which an image may have been given: as it is written, and without tag and digest.
func keys(name string) []string {
	all := []string{name}
	if ref, err := reference.ParseNormalizedNamed(name); err == nil {
		all = append(all, reference.FamiliarString(ref), reference.FamiliarName(ref), ref.Name())
	}
	return all
}

// isWindows: Microsoft's own (learn.microsoft.com, "Container base images").
func isWindows(repository string) bool {
	return strings.HasPrefix(repository, "mcr.microsoft.com/windows/") || repository == "mcr.microsoft.com/windows"
}
