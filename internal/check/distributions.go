// SPDX-License-Identifier: Apache-2.0

package check

import (
	"strings"

	"github.com/distribution/reference"
)

// distribution is a distribution's official image on Docker Hub. These images are just file systems, and none of them sets a USER
// (docker-library/official-images, library/*, and the Dockerfiles named there).
type distribution struct {
	name string
	// tools names the distribution with the same programs for accounts; "": unknown.
	tools string
	// closed: root owns everything in the image, and only root can write to the directories in rootsOwn (read on 2026-11-30).
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

// official returns the name of an official image of Docker, also of a mirror's copy; "": it is not one.
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

// distributionOf returns the distribution of an official image.
func distributionOf(image string) (d distribution, ok bool) {
	name := official(image)
	for _, d := range distributions {
		if d.name == name {
			return d, true
		}
	}
	return d, false
}

// family returns the programs with which a base image creates accounts; "": unknown.
func family(base string) string {
	if base == "scratch" {
		return base
	}
	d, _ := distributionOf(base)
	return d.tools
}
