// SPDX-License-Identifier: Apache-2.0

// Command users has the engines' own readers say whom they would start: it reads the cases of internal/imageuser's testdata, and prints
// the answers of moby/sys/user, as dockerd calls it, and of containerd's pkg/oci.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/readers"
)

type account struct {
	Passwd, Group *string
}

type cases struct {
	Accounts map[string]account
	Users    []string
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "users:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all cases
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	answers := map[string]map[string][2]string{}
	for name, a := range all.Accounts {
		root, err := os.MkdirTemp("", "users")
		if err != nil {
			return err
		}
		defer os.RemoveAll(root)
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			return err
		}
		for file, text := range map[string]*string{"passwd": a.Passwd, "group": a.Group} {
			if text != nil {
				if err := os.WriteFile(filepath.Join(root, "etc", file), []byte(*text), 0o644); err != nil {
					return err
				}
			}
		}
		answers[name] = map[string][2]string{}
		for _, u := range all.Users {
			answers[name][u] = [2]string{readers.Docker(root, u), readers.Containerd(root, u)}
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(answers)
}
