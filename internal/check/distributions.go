// SPDX-License-Identifier: Apache-2.0

package check

import (
	"strings"

	"github.com/distribution/reference"
)

// distribution is what is known of a distribution's own image, one of Docker's official images. It is a file system and no more: none
// has a USER (docker-library/official-images, library/*, and the Dockerfiles that it names).
type distribution struct {
	name string
	// tools is the distribution by which its programs for accounts are known; "": they are not.
	tools string
	// closed: nobody owns anything in it but root, and the directories of rootsOwn are closed to all others (read on 2026-11-30).
	closed bool
}

var distributions = []distribution{
	{"almalinux", "", true},
	{"alpine", "alpine", true},
	{"amazonlinux", "", false},
	{"archlinux", "", false},
	{"busybox", "", false},
	{"centos", "", false},
	{"debian", "debian", true},
	{"fedora", "fedora", true},
	{"rockylinux", "", true},
	{"ubuntu", "debian", true},
}

// official is the name of one of Docker's official images, also where a mirror has it; "": it is none.
func official(image string) string {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	repository, _ := upstream(ref.Name())
	name, ok := strings.CutPrefix(repository, "docker.io/library/")
	if !ok {
		return ""
	}
	return name
}

// distributionOf is whose own an image is.
func distributionOf(image string) (d distribution, ok bool) {
	name := official(image)
	for _, d := range distributions {
		if d.name == name {
			return d, true
		}
	}
	return d, false
}

// family says by which tools a base makes accounts; "": nobody knows.
func family(base string) string {
	if base == "scratch" {
		return base
	}
	d, _ := distributionOf(base)
	return d.tools
}
