// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocumentedCommands: each command and option of nonroot-ctl in the documents exists. This includes those in sentences, which no test
// runs.
func TestDocumentedCommands(t *testing.T) {
	pages := []string{"../../README.md", "../../SECURITY.md"}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(more) < 10 {
		t.Fatal(more, err)
	}
	a, seen := app(), 0
	for _, page := range append(pages, more...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range regexp.MustCompile("(?m)`(?:sudo )?nonroot-ctl ([^`]+)`|^    (?:sudo )?nonroot-ctl (.+)$").FindAllStringSubmatch(string(text), -1) {
			line, _, _ := strings.Cut(said[1]+said[2], " -- ")
			line, _, _ = strings.Cut(line, "#")
			known, at, deeper := a.Commands, (*cli.Command)(nil), true
			for _, word := range strings.Fields(line) {
				seen++
				if flag := strings.TrimLeft(word, "-"); flag != word && flag != "" {
					flag, _, _ = strings.Cut(flag, "=")
					if at == nil || !slices.ContainsFunc(at.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) }) {
						t.Errorf("%s: %q: there is no option %q", page, line, word)
					}
					continue
				}
				i := slices.IndexFunc(known, func(c *cli.Command) bool { return c.Name == word })
				switch {
				case !deeper:
				case i >= 0:
					at, known = known[i], known[i].Subcommands
				case len(known) > 0 && regexp.MustCompile(`^[a-z]+$`).MatchString(word):
					t.Errorf("%s: %q: there is no command %q", page, line, word)
				}
				deeper = deeper && i >= 0
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d words were found", seen)
	}
}

// TestReadmeCounts: README's numbers of images and applications are those of the page that the test runs write.
func TestReadmeCounts(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`(?m)^Of (\d+) images, (\d+) work`).FindSubmatch(page)
	apps := regexp.MustCompile(`(?m)^Of (\d+) applications, (\d+) work`).FindSubmatch(page)
	said := regexp.MustCompile(`the (\d+) images and (\d+) applications that were tried[^.]*?(\d+) and (\d+) work`).FindSubmatch(readme)
	if images == nil || apps == nil || said == nil {
		t.Fatalf("%q %q %q", images, apps, said)
	}
	for n, want := range [][]byte{images[1], apps[1], images[2], apps[2]} {
		if string(said[n+1]) != string(want) {
			t.Errorf("README says %q, the page %q: %q", said[n+1], want, said[0])
		}
	}
}
