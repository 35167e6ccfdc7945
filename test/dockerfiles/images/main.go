// SPDX-License-Identifier: Apache-2.0

// Command images says of the archives in a directory whom engines start of each, and what that user may not do: the layers are unpacked by
// containerd's own code, the user is read by moby/sys/user and containerd's pkg/oci, and the kernel says who may write or run what. It
// needs root, and imports nothing of the product.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/pkg/archive"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/kernel"
	"github.com/nonroot-runc/nonroot-runc/test/dockerfiles/readers"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// answer is what is right of an image.
type answer struct {
	Docker     string `json:"docker"` // UID:GID, or never
	Containerd string `json:"containerd"`
	// RootGroup says that a user who is not root is in root's group; what follows is of that user.
	RootGroup   bool     `json:"rootGroup,omitempty"`
	Program     string   `json:"program,omitempty"`     // what it starts, where the user may not run it
	Directories []string `json:"directories,omitempty"` // of /tmp, the working directory and the home, those that the user may not write
	Volumes     []string `json:"volumes,omitempty"`     // that are not there, or closed to the user
	SetID       []string `json:"setID,omitempty"`       // programs that change the user or the group
	Caps        []string `json:"caps,omitempty"`        // files with capabilities
}

type config struct {
	Config struct {
		User, WorkingDir     string
		Env, Entrypoint, Cmd []string
		Volumes              map[string]struct{}
	} `json:"config"`
}

func run(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no archive in %s: %w", dir, err)
	}
	answers := map[string]answer{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".tar")
		if answers[name], err = image(file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(answers)
}

// unpack unpacks an image, as containerd would.
func unpack(file, root string) (of config, err error) {
	f, err := os.Open(file)
	if err != nil {
		return of, err
	}
	defer f.Close()
	members := map[string][]byte{}
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return of, err
		}
		if members[h.Name], err = io.ReadAll(in); err != nil {
			return of, err
		}
	}
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(members["manifest.json"], &manifest); err != nil {
		return of, err
	}
	for _, layer := range manifest[0].Layers {
		if _, err := archive.Apply(context.Background(), root, bytes.NewReader(members[layer])); err != nil {
			return of, err
		}
	}
	return of, json.Unmarshal(members[manifest[0].Config], &of)
}

func image(file string) (a answer, err error) {
	root, err := os.MkdirTemp("", "images")
	if err != nil {
		return a, err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil {
		return a, err
	}
	of, err := unpack(file, root)
	if err != nil {
		return a, err
	}
	a.Docker, a.Containerd = readers.Docker(root, of.Config.User), readers.Containerd(root, of.Config.User)
	if a.SetID, a.Caps, err = privileges(root); err != nil {
		return a, err
	}
	if isRoot := func(who string) bool { return strings.HasPrefix(who, "0:") }; isRoot(a.Docker) || isRoot(a.Containerd) || a.Docker == readers.Never {
		return a, nil
	}
	who, err := readers.User(root, of.Config.User)
	if err != nil {
		return a, err
	}
	a.RootGroup = who.Gid == 0
	may := func(path string, mode uint32) (bool, error) {
		return kernel.Allows(root, path, who.Uid, who.Gid, who.Sgids, mode)
	}
	if a.Program, err = closedProgram(of, may); err != nil {
		return a, err
	}
	home := who.Home
	for _, kv := range of.Config.Env {
		if value, ok := strings.CutPrefix(kv, "HOME="); ok {
			home = value
		}
	}
	for _, dir := range []string{"/tmp", of.Config.WorkingDir, home} {
		ok, err := may(dir, unix.W_OK|unix.X_OK)
		if err == nil && !ok && dir != "/" && !slices.Contains(a.Directories, dir) {
			a.Directories = append(a.Directories, dir)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return a, err
		}
	}
	for dir := range of.Config.Volumes {
		ok, err := may(dir, unix.W_OK|unix.X_OK)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return a, err
		}
		if !ok {
			a.Volumes = append(a.Volumes, dir)
		}
	}
	return a, nil
}

// closedProgram is what the image starts, where that is there and the user may not run it.
func closedProgram(of config, may func(string, uint32) (bool, error)) (string, error) {
	args := slices.Concat(of.Config.Entrypoint, of.Config.Cmd)
	if len(args) == 0 {
		return "", nil
	}
	search := []string{args[0]}
	if !strings.Contains(args[0], "/") {
		search = nil
		for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
			search = append(search, path.Join(dir, args[0]))
		}
	}
	for _, at := range search {
		ok, err := may(at, unix.X_OK)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", err
		case !ok:
			return at, nil
		default:
			return "", nil
		}
	}
	return "", nil
}

// privileges are the files that would give some, as file systems have them.
func privileges(root string) (setID, caps []string, err error) {
	err = filepath.WalkDir(root, func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return err
		}
		name := strings.TrimPrefix(at, root)
		if st.Mode&unix.S_ISUID != 0 || st.Mode&unix.S_ISGID != 0 && st.Mode&unix.S_IXGRP != 0 {
			setID = append(setID, name)
		}
		if n, err := unix.Lgetxattr(at, "security.capability", nil); err == nil && n > 0 {
			caps = append(caps, name)
		}
		return nil
	})
	return setID, caps, err
}
