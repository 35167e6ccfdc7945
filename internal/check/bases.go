// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
)

// BaseEntry is an entry about base images.
type BaseEntry struct {
	Image   string   `toml:"image"` // a repository with its registry, or a pattern (path.Match)
	Also    []string `toml:"also"`  // other repositories of the same image
	Tags    []string `toml:"tags"`
	Except  []string `toml:"except"`
	User    *string  `toml:"user"`
	Env     []string `toml:"env"`
	OnBuild []string `toml:"onbuild"`
	OS      string   `toml:"os"` // "": linux; windows
	Date    string   `toml:"date"`
	Source  string   `toml:"source"`
}

//go:embed bases.toml
var wellKnown []byte

// table has the well-known images.
var table = sync.OnceValues(func() ([]BaseEntry, error) { return ParseBases("bases.toml", wellKnown) })

var isDate = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// ParseBases parses a file of base images.
func ParseBases(name string, text []byte) ([]BaseEntry, error) {
	var file struct {
		Base []BaseEntry `toml:"base"`
	}
	in := toml.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&file); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return nil, fmt.Errorf("%s: %s\nhint: an entry has image, also, tags, except, user, env, onbuild, os, date and source", name, strings.TrimSpace(strict.String()))
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for n, b := range file.Base {
		bad := ""
		switch {
		case slices.ContainsFunc(b.images(), isNoRepository):
			bad = "image has to be a repository with its registry, such as docker.io/library/node"
		case len(b.Tags) == 0:
			bad = "it has no tags"
		case slices.ContainsFunc(slices.Concat(b.Tags, b.Except), func(p string) bool { _, err := path.Match(p, ""); return err != nil }):
			bad = "a tag is not a pattern"
		case b.User == nil && b.OS != "windows":
			bad = "it has no user; the empty text is root"
		case b.OS != "" && b.OS != "linux" && b.OS != "windows":
			bad = "os has to be linux or windows"
		case !isDate.MatchString(b.Date) || b.Source == "":
			bad = "it needs a date (YYYY-MM-DD) and a source"
		case slices.ContainsFunc(b.Env, func(kv string) bool { return !strings.Contains(kv, "=") }):
			bad = "env has something that is not NAME=VALUE"
		}
		if bad != "" {
			return nil, fmt.Errorf("%s: entry %d (%q): %s\nhint: internal/check/bases.toml has examples", name, n+1, b.Image, bad)
		}
	}
	return file.Base, nil
}

// images returns the repositories of an entry.
func (b *BaseEntry) images() []string { return slices.Concat([]string{b.Image}, b.Also) }

func isNoRepository(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil || !strings.Contains(pattern, "/")
}

// fits reports whether an entry is about an image.
func (b *BaseEntry) fits(repository, tag string) bool {
	matches := func(p string) bool { ok, err := path.Match(p, tag); return err == nil && ok }
	is := func(p string) bool { ok, err := path.Match(p, repository); return err == nil && ok }
	return slices.ContainsFunc(b.images(), is) && slices.ContainsFunc(b.Tags, matches) && !slices.ContainsFunc(b.Except, matches)
}

func (b *BaseEntry) base() dockerfile.Base {
	base := dockerfile.Base{Env: b.Env, OnBuild: b.OnBuild, Windows: b.OS == "windows", Source: b.Source + ", " + b.Date}
	if b.User != nil {
		base.User = *b.User
	}
	return base
}

// Bases returns a function that looks up a base image. It tries, in this order: given, by the name with or without its tag; the entries in
// more; the well-known images; and the distributions' own.
func Bases(given map[string]string, more ...BaseEntry) func(name string) (dockerfile.Base, bool) {
	return BasesWith(given, nil, more)
}

// BasesWith is Bases with a look at this machine's images, right after given; nil: there is none.
func BasesWith(given map[string]string, local func(name string) (dockerfile.Base, bool), more []BaseEntry) func(name string) (dockerfile.Base, bool) {
	return func(name string) (dockerfile.Base, bool) {
		for _, key := range keys(name) {
			if user, ok := given[key]; ok {
				return dockerfile.Base{User: user, Source: "--base", EnvUnknown: true}, true
			}
		}
		if local != nil {
			if base, ok := local(name); ok {
				return base, true
			}
		}
		ref, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return dockerfile.Base{}, false
		}
		tag := "latest"
		if tagged, ok := ref.(reference.Tagged); ok {
			tag = tagged.Tag()
		} else if _, ok := ref.(reference.Digested); ok {
			tag = "" // any tag: only an entry for all of them fits
		}
		known, err := table()
		if err != nil {
			return dockerfile.Base{}, false
		}
		for n := range more {
			if more[n].fits(ref.Name(), tag) {
				return more[n].base(), true
			}
		}
		repository, as := upstream(ref.Name())
		for n := range known {
			if known[n].fits(repository, tag) {
				base := known[n].base()
				base.Source += as
				return base, true
			}
		}
		if _, ok := distributionOf(name); ok {
			return dockerfile.Base{Source: "a distribution's own image" + as}, true
		}
		return dockerfile.Base{Windows: isWindows(repository), Source: "an image of Windows"}, isWindows(repository)
	}
}

// mirrors lists prefixes of repositories with the images of others: Google's cache of Docker Hub (Artifact Registry, "Pull cached Docker
// Hub images"), and Docker's official images in Amazon's public registry, under Docker's alias there, "docker".
var mirrors = [][2]string{{"mirror.gcr.io/", "docker.io/"}, {"public.ecr.aws/docker/library/", "docker.io/library/"}}

// architectures are the namespaces of official images for one architecture (docker-library/faq@0046410, README.md, "How are images
// built?").
var architectures = []string{"amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "i386", "mips64le", "ppc64le", "riscv64", "s390x"}

// upstream returns the repository that another one mirrors, and a remark about that. A repository that is no mirror is its own.
func upstream(repository string) (of, as string) {
	for _, m := range mirrors {
		if rest, ok := strings.CutPrefix(repository, m[0]); ok {
			return m[1] + rest, ", there as " + repository
		}
	}
	if rest, ok := strings.CutPrefix(repository, "docker.io/"); ok {
		if arch, name, ok := strings.Cut(rest, "/"); ok && slices.Contains(architectures, arch) {
			return "docker.io/library/" + name, ", there as " + repository
		}
	}
	return repository, ""
}

// keys returns the names under which --base may have an image: as written, and without tag and digest.
func keys(name string) []string {
	all := []string{name}
	if ref, err := reference.ParseNormalizedNamed(name); err == nil {
		all = append(all, reference.FamiliarString(ref), reference.FamiliarName(ref), ref.Name())
	}
	return all
}

// isWindows reports whether a repository is one of Microsoft's for Windows (learn.microsoft.com, "Container base images").
func isWindows(repository string) bool {
	return strings.HasPrefix(repository, "mcr.microsoft.com/windows/") || repository == "mcr.microsoft.com/windows"
}
