// SPDX-License-Identifier: Apache-2.0

// Command users has the engines' own readers say whom they would start: it reads the cases of internal/imageuser's testdata, and prints
// the answers of moby/sys/user, as dockerd calls it, and of containerd's pkg/oci.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
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
			answers[name][u] = [2]string{docker(root, u), containerd(root, u)}
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(answers)
}

const never = "never"

func id(uid, gid uint32) string {
	if uid > 1<<31-1 || gid > 1<<31-1 { // runc, libcontainer: "cannot be negative", and int32
		return never
	}
	return fmt.Sprintf("%d:%d", uid, gid)
}

func docker(root, text string) string {
	u, err := user.GetExecUserPath(text, nil, filepath.Join(root, "etc/passwd"), filepath.Join(root, "etc/group"))
	if err != nil {
		return never
	}
	return id(uint32(u.Uid), uint32(u.Gid))
}

func containerd(root, text string) string {
	if text == "" { // as WithImageConfigArgs has it, which needs a content store
		return id(0, 0)
	}
	s := &specs.Spec{Root: &specs.Root{Path: root}, Process: &specs.Process{}, Linux: &specs.Linux{}}
	ctx := namespaces.WithNamespace(context.Background(), "test")
	if err := oci.WithUser(text)(ctx, nil, &containers.Container{}, s); err != nil {
		return never
	}
	return id(s.Process.User.UID, s.Process.User.GID)
}
