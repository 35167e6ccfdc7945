// SPDX-License-Identifier: Apache-2.0

// Command real holds the verdicts of nonroot-ctl check about Dockerfiles against BuildKit's own front end, which is told of each image that they
// begin with what a table of bases says. Of an image that the table lacks it is told several things: where the answer rests on them, it is
// open. hack/real-dockerfiles calls it. It imports nothing of the product, and reads the table by itself.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/front"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: real BASES VERDICTS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "real:", err)
		os.Exit(1)
	}
}

// entry is one of the table.
type entry struct {
	Image                            string
	Also, Tags, Except, Env, OnBuild []string
	User, OS                         string
}

type bases struct {
	table   []entry
	unknown front.Image
	asked   *bool // one was asked for that the table lacks
}

// bare are images of which the table has no entries, as they are file systems and no more.
var bare = []string{"almalinux", "alpine", "amazonlinux", "archlinux", "busybox", "debian", "fedora", "rockylinux", "ubuntu"}

var (
	mirror       = regexp.MustCompile(`^(mirror\.gcr\.io/|public\.ecr\.aws/docker/)`)
	architecture = regexp.MustCompile(`^docker\.io/(amd64|arm32v[567]|arm64v8|i386|mips64le|ppc64le|riscv64|s390x)/`)
)

func (b bases) of(name string) front.Image {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		*b.asked = true
		return b.unknown
	}
	tag := "latest"
	if t, ok := ref.(reference.Tagged); ok {
		tag = t.Tag()
	} else if _, ok := ref.(reference.Digested); ok {
		tag = ""
	}
	repository := architecture.ReplaceAllString(mirror.ReplaceAllString(ref.Name(), "docker.io/"), "docker.io/library/")
	matches := func(patterns []string, text string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, text); return ok })
	}
	for _, e := range b.table {
		if matches(append(e.Also, e.Image), repository) && matches(e.Tags, tag) && !matches(e.Except, tag) {
			return front.Image{User: e.User, Env: e.Env, OnBuild: e.OnBuild, OS: e.OS}
		}
	}
	if name, ok := strings.CutPrefix(repository, "docker.io/library/"); ok && slices.Contains(bare, name) {
		return front.Image{}
	}
	if strings.HasPrefix(repository, "mcr.microsoft.com/windows") {
		return front.Image{OS: "windows"}
	}
	*b.asked = true
	return b.unknown
}

// ResolveImageConfig is the front end's look at a registry.
func (b bases) ResolveImageConfig(_ context.Context, name string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return b.of(name).Config(name)
}

// The answers, by the words of nonroot-ctl check.
const (
	root, nonRoot, unknown, invalid, windows = "root", "non-root", "unknown", "invalid", "windows"
)

// right is the front end's answer.
func right(text []byte, table []entry) string {
	answer := ""
	for _, world := range front.Worlds(text) {
		asked := false
		one := built(text, bases{table, world, &asked})
		if answer == "" {
			answer = one
		}
		switch {
		case !asked:
			return one
		case one != answer:
			return unknown
		}
	}
	return answer
}

// isRoot are the users that are root: of a name, its uid is not known here.
var isRoot = regexp.MustCompile(`^([+-]?0+|root)?(:|$)`)

// able is a builder that can do all that the front end may ask for.
var able = pb.Caps.CapSet(pb.Caps.All())

func built(text []byte, known bases) string {
	if err := front.Reads(text); err != nil {
		return invalid
	}
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), text, dockerfile2llb.ConvertOpt{MetaResolver: known, LLBCaps: &able})
	switch {
	case err != nil:
		return invalid
	case result.Image.OS == "windows":
		return windows
	case isRoot.MatchString(result.Image.Config.User):
		return root
	}
	return nonRoot
}

func run(basesFile, verdicts string) error {
	var file struct{ Base []entry }
	text, err := os.ReadFile(basesFile)
	if err == nil {
		err = toml.Unmarshal(text, &file)
	}
	if err != nil || len(file.Base) == 0 {
		return fmt.Errorf("%s: %d entries: %w", basesFile, len(file.Base), err)
	}
	var said struct {
		Results []struct{ File, Verdict string }
	}
	text, err = os.ReadFile(verdicts)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil || len(said.Results) == 0 {
		return fmt.Errorf("%s: %d results: %w", verdicts, len(said.Results), err)
	}
	decided, open, passes, alarms, undecided, byStep, other := 0, 0, 0, 0, 0, 0, 0
	for _, r := range said.Results {
		text, err := os.ReadFile(r.File)
		if err != nil {
			return err
		}
		want := right(text, file.Base)
		if want == unknown {
			open++
		} else {
			decided++
		}
		is := ""
		switch {
		case r.Verdict == want:
		case r.Verdict == nonRoot:
			passes++
			is = "false pass"
		case want == unknown && r.Verdict == root:
			byStep++ // a step of the build that passes for root alone
		case want == nonRoot && r.Verdict != unknown:
			alarms++
			is = "false alarm"
		case r.Verdict == unknown:
			undecided++
			is = "not decided"
		default:
			other++
			is = "another answer"
		}
		if is != "" {
			fmt.Printf("  %s: %s: %q, by the front end %q\n", is, r.File, r.Verdict, want)
		}
	}
	fmt.Printf("  the front end decides %d of %d: %d false passes, %d false alarms, %d not decided here, %d with another answer; of the %d that it leaves open, %d are root's by a step of the build\n",
		decided, decided+open, passes, alarms, undecided, other, open, byStep)
	if passes+alarms > 0 {
		return fmt.Errorf("%d wrong verdicts", passes+alarms)
	}
	return nil
}
