// SPDX-License-Identifier: Apache-2.0

// Package moby reads what Docker's daemon keeps of its containers and does not put into config.json. Where that is stands in
// internal/engines, and what follows from it is decided in internal/policy.
package moby

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// Container is what the daemon knows of a container. All of it was chosen by whoever made the container.
type Container struct {
	Name    string // as "docker ps" shows it
	Image   string // likewise: a tag says nothing of what is in it
	Project string // Compose's; "": none
}

// Read gives what the daemon's own file has of a container (moby, daemon/container, ToDisk: config.v2.json). The data-root is
// where the container's file system lies. All is empty where there is no such file, or others could write it.
func Read(id, rootfs string, owners trusted.Owners) Container {
	var c Container
	if !engines.IsID(id) {
		return c
	}
	store := &engines.Docker.Store
	data, err := trusted.ReadPath(path.Join(rootOf(rootfs), store.Containers, id, store.Record), owners)
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
		if member == engines.Docker.Labels.Project {
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
		if path.IsAbs(rootfs) && i > 1 && slices.Contains(engines.Docker.Store.Layers, part) {
			return strings.Join(parts[:i], "/")
		}
	}
	return engines.Docker.Store.Root
}
