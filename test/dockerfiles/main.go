// SPDX-License-Identifier: Apache-2.0

// Command dockerfiles has BuildKit's own front end evaluate the Dockerfiles of a corpus, and prints as JSON what user each image would
// have, or that no build would read the file. It is a module of its own: nothing of the product imports the front end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/tools/txtar"
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
}

// bases answers for the images that Dockerfiles begin with.
type bases map[string]struct {
	User    string
	Env     []string
	OnBuild []string
}

// ResolveImageConfig is the front end's look at a registry.
func (b bases) ResolveImageConfig(_ context.Context, name string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	known := ""
	for short := range b {
		ref, err := reference.ParseNormalizedNamed(short)
		if err == nil && reference.TagNameOnly(ref).String() == name {
			known = short
		}
	}
	if known == "" {
		return "", "", nil, fmt.Errorf("no image %s", name)
	}
	var image struct {
		ocispecs.Platform
		Config struct {
			User    string
			Env     []string
			OnBuild []string
		} `json:"config"`
		RootFS ocispecs.RootFS `json:"rootfs"`
	}
	image.OS, image.Architecture = "linux", runtime.GOARCH
	image.RootFS = ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(name)}}
	of := b[known]
	image.Config.User, image.Config.Env, image.Config.OnBuild = of.User, of.Env, of.OnBuild
	text, err := json.Marshal(image)
	return name, digest.FromBytes(text), text, err
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
	known := bases{}
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
		result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), f.Data, dockerfile2llb.ConvertOpt{
			Config: dockerui.Config{Target: o.Target, BuildArgs: o.Args}, MetaResolver: known,
		})
		a := answer{Invalid: err != nil}
		if err == nil {
			a.User = result.Image.Config.User
		} else if errors.Is(err, context.Canceled) {
			return err
		} else if strings.Contains(err.Error(), "no image ") {
			return fmt.Errorf("%s: %w: %s lacks it", f.Name, err, basesFile)
		}
		answers[f.Name] = a
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(answers)
}
