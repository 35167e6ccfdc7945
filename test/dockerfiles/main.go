// SPDX-License-Identifier: Apache-2.0

// Command dockerfiles has BuildKit's own front end evaluate the Dockerfiles of a corpus, and prints as JSON what user each image would
// have; or that no build would read the file, that none of it would come to an end, or that it rests on an image of which nothing is
// known. It is a module of its own: nothing of the product imports the front end.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

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
	answers := map[string]front.Answer{}
	for _, f := range all.Files {
		if strings.HasSuffix(f.Name, ".options") {
			continue
		}
		o := told[f.Name]
		a, err := front.Evaluate(f.Data, o.Target, o.Args, known)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		answers[f.Name] = a
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(answers)
}
