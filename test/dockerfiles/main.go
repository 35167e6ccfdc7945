// SPDX-License-Identifier: Apache-2.0

// Command dockerfiles has BuildKit's own front end evaluate the Dockerfiles of a corpus, and prints as JSON what user each image would
// have; or that no build would read the file, that none of it would come to an end, or that it rests on an image of which nothing is
// known. It is a module of its own: nothing of the product imports the front end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	"golang.org/x/tools/txtar"

	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/front"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: dockerfiles CORPUS BASES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "dockerfiles:", err)
		os.Exit(1)
	}
}

type answer struct {
	User    string `json:"user"`
	Invalid bool   `json:"invalid,omitempty"` // no build reads it
	Error   bool   `json:"error,omitempty"`   // it is read, and no build of it comes to an end
	Unknown bool   `json:"unknown,omitempty"` // it rests on what the unknown image is like
}

// unknown is the repository of the image of which nothing is known.
const unknown = "docker.io/unknown/base"

// bases answers for the images that Dockerfiles begin with.
type bases struct {
	known   map[string]front.Image
	unknown front.Image
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

func run(corpus, basesFile string) error {
	all, err := txtar.ParseFile(corpus)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(basesFile)
	if err != nil {
		return err
	}
	known := map[string]front.Image{}
	if err := json.Unmarshal(text, &known); err != nil {
		return err
	}
	type options struct {
		Target string            `json:"target"`
		Args   map[string]string `json:"args"`
	}
	told := map[string]options{}
	for _, f := range all.Files {
		if name, ok := strings.CutSuffix(f.Name, ".options"); ok {
			var o options
			if err := json.Unmarshal(f.Data, &o); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			told[name] = o
		}
	}
	answers := map[string]answer{}
	for _, f := range all.Files {
		if strings.HasSuffix(f.Name, ".options") {
			continue
		}
		o := told[f.Name]
		if o.Args == nil {
			o.Args = map[string]string{}
		}
		var a answer
		for n, world := range front.Worlds(f.Data) {
			one, err := evaluate(f.Data, dockerui.Config{Target: o.Target, BuildArgs: o.Args}, bases{known, world})
			if err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			if n > 0 && one != a {
				a = answer{Unknown: true}
				break
			}
			a = one
		}
		answers[f.Name] = a
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(answers)
}

// evaluate is one answer of the front end's.
func evaluate(text []byte, config dockerui.Config, known bases) (answer, error) {
	if err := front.Reads(text); err != nil {
		return answer{Invalid: true}, nil
	}
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), text, dockerfile2llb.ConvertOpt{Config: config, MetaResolver: known})
	switch {
	case err == nil:
		return answer{User: result.Image.Config.User}, nil
	case errors.Is(err, context.Canceled):
		return answer{}, err
	case strings.Contains(err.Error(), "no image "):
		return answer{}, fmt.Errorf("%w: the bases lack it", err)
	}
	return answer{Error: true}, nil
}
