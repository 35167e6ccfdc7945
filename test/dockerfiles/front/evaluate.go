// SPDX-License-Identifier: Apache-2.0

package front

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
)

// Answer is whom the image of a Dockerfile runs as.
type Answer struct {
	User    string `json:"user"`
	Invalid bool   `json:"invalid,omitempty"` // no build reads it
	Error   bool   `json:"error,omitempty"`   // it is read, and no build of it comes to an end
	Unknown bool   `json:"unknown,omitempty"` // it rests on what the unknown image is like
}

// unknown is the repository of the image of which nothing is known.
const unknown = "docker.io/unknown/base"

// bases answers for the images that Dockerfiles begin with.
type bases struct {
	known   map[string]Image
	unknown Image
}

// ResolveImageConfig is the front end's look at a registry.
func (b bases) ResolveImageConfig(_ context.Context, name string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	known := ""
	for short := range b.known {
		ref, err := reference.ParseNormalizedNamed(short)
		if err == nil && reference.TagNameOnly(ref).String() == name {
			known = short
		}
	}
	of := b.known[known]
	if strings.HasPrefix(name, unknown) {
		of = b.unknown
	} else if known == "" {
		return "", "", nil, fmt.Errorf("no image %s", name)
	}
	return of.Config(name)
}

// Evaluate is the front end's answer, for images that are known by their names: that it is not known, where it rests on what the unknown
// image is like.
func Evaluate(text []byte, target string, args map[string]string, known map[string]Image) (a Answer, err error) {
	if args == nil {
		args = map[string]string{}
	}
	for n, world := range Worlds(text) {
		one, err := evaluate(text, dockerui.Config{Target: target, BuildArgs: args}, bases{known, world})
		if err != nil {
			return Answer{}, err
		}
		if n > 0 && one != a {
			return Answer{Unknown: true}, nil
		}
		a = one
	}
	return a, nil
}

// evaluate is one answer of the front end's.
func evaluate(text []byte, config dockerui.Config, known bases) (Answer, error) {
	if err := Reads(text); err != nil {
		return Answer{Invalid: true}, nil
	}
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), text, dockerfile2llb.ConvertOpt{Config: config, MetaResolver: known})
	switch {
	case err == nil:
		return Answer{User: result.Image.Config.User}, nil
	case errors.Is(err, context.Canceled):
		return Answer{}, err
	case strings.Contains(err.Error(), "no image "):
		return Answer{}, fmt.Errorf("%w: the bases lack it", err)
	}
	return Answer{Error: true}, nil
}
