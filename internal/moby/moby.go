// SPDX-License-Identifier: Apache-2.0

// Package moby reads what Docker's daemon keeps of its containers.
package moby

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
)

// Container is what the daemon knows of a container. All of it was chosen by whoever made the container.
type Container struct {
	Name    string // as "docker ps" shows it
	Image   string // likewise: a tag says nothing of what is in it
	Project string // Compose's (the label com.docker.compose.project); "": none
}

// dataRoot is the daemon's directory where nobody has configured another one (moby, cmd/dockerd, --data-root).
const dataRoot = "/var/lib/docker"

// layers are the directories of a data-root below which containers' file systems are mounted: one of each graph driver (moby,
// daemon/graphdriver), and "rootfs" with containerd's image store (daemon/snapshotter).
var layers = []string{"overlay2", "rootfs", "fuse-overlayfs", "btrfs", "zfs", "vfs", "overlay", "devicemapper", "aufs"}

// Read gives what the daemon's own file has of a container (moby, daemon/container, ToDisk: config.v2.json). The data-root is
// where the container's file system lies. All is empty where there is no such file, or others could write it.
func Read(id, rootfs string, owners bundle.Owners) Container {
	var c Container
	if len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return c
	}
	data, err := bundle.ReadGuarded(path.Join(rootOf(rootfs), "containers", id, "config.v2.json"), owners)
	if err != nil {
		return c
	}
	// What is malformed ends the reading; what was read by then counts.
	_ = jsonscan.MembersOf("Config", data, func(member string, value []byte) (err error) {
		switch member {
		case "Config.Image":
			c.Image, err = jsonscan.String(value)
		case "Name":
			c.Name, err = jsonscan.String(value)
			c.Name = strings.TrimPrefix(c.Name, "/")
		case "Config.Labels":
			c.Project, err = project(value)
		}
		return err
	})
	return c
}

func project(labels []byte) (name string, err error) {
	if string(labels) == "null" {
		return "", nil
	}
	err = jsonscan.Members(labels, func(member string, value []byte) (err error) {
		if member == "com.docker.compose.project" {
			name, err = jsonscan.String(value)
		}
		return err
	})
	return name, err
}

// rootOf is the part of a file system's path before the directory of its driver, the last one of that name.
func rootOf(rootfs string) string {
	parts := strings.Split(path.Clean(rootfs), "/")
	for i, part := range slices.Backward(parts) {
		if path.IsAbs(rootfs) && i > 1 && slices.Contains(layers, part) {
			return strings.Join(parts[:i], "/")
		}
	}
	return dataRoot
}
