// SPDX-License-Identifier: Apache-2.0

// Package front tells BuildKit's own front end of the images that Dockerfiles begin with, without a registry.
package front

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is what an image is like, as far as a user may rest on it.
type Image struct {
	User         string
	Env, OnBuild []string
	OS           string // "": linux
}

// Config is what a registry answers of an image (sourceresolver.MetaResolver).
func (of Image) Config(name string) (string, digest.Digest, []byte, error) {
	var config struct {
		ocispecs.Platform
		Config struct {
			User    string
			Env     []string
			OnBuild []string
		} `json:"config"`
		RootFS ocispecs.RootFS `json:"rootfs"`
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	if of.OS != "" {
		config.OS = of.OS
	}
	config.RootFS = ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(name)}}
	config.Config.User, config.Config.Env, config.Config.OnBuild = of.User, of.Env, of.OnBuild
	text, err := json.Marshal(config)
	return name, digest.FromBytes(text), text, err
}

// variable is one that a Dockerfile may replace.
var variable = regexp.MustCompile(`\$\{?(\w+)`)

// Worlds are what an image of which nothing is known may be like, as far as a Dockerfile's user may rest on it.
func Worlds(text []byte) []Image {
	all := []Image{{}, {User: "of-unknown"}, {OnBuild: []string{"USER trigger"}}}
	for _, m := range variable.FindAllSubmatch(text, -1) {
		all[1].Env = append(all[1].Env, string(m[1])+"=of-unknown")
	}
	return all
}

// Reads says why no build reads a file.
func Reads(text []byte) error {
	file, err := parser.Parse(bytes.NewReader(text))
	if err == nil {
		_, _, err = instructions.Parse(file.AST, nil)
	}
	return err
}
