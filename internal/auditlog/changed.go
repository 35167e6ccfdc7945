// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"bytes"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/jsonscan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Seen is what a log wants to know of a document, whatever is decided about it: the members of a config.json, or of an
// exec's process file, by their paths. It comes from a document that an engine has written; what can't be read of it is
// left out, as nothing is decided by it.
type Seen []member

type member struct {
	path  string
	value []byte
}

// Look reads a config.json.
func Look(config []byte) Seen { return look("", config) }

// LookAtProcess reads the process file of an exec.
func LookAtProcess(file []byte) Seen { return look("process.", file) }

func look(prefix string, document []byte) Seen {
	s := make(Seen, 0, 40)
	_ = jsonscan.Walk(document, func(path string) bool { return hasParts(prefix + path) }, func(path string, value []byte) error {
		s = append(s, member{prefix + path, value})
		return nil
	})
	return s
}

// part is a name for a member that a rewrite changes. Any other goes by its path.
func part(path string) string {
	switch path {
	case "process.user.uid", "process.user.gid":
		return "user"
	case "process.user.additionalGids":
		return "groups"
	case "process.capabilities", "process.noNewPrivileges", "process.env",
		"linux.seccomp", "linux.namespaces", "linux.sysctl", "linux.devices":
		return path[strings.IndexByte(path, '.')+1:]
	case "linux.resources.devices":
		return "devices"
	}
	return path
}

// hasParts reports whether a member is an object whose own members have names.
func hasParts(path string) bool {
	switch path {
	case "process", "process.user", "linux", "linux.resources":
		return true
	}
	return false
}

// Rootfs is root.path; "" where there is none.
func (s Seen) Rootfs() (path string) {
	for _, m := range s {
		if m.path != "root" {
			continue
		}
		_ = jsonscan.Members(m.value, func(name string, value []byte) (err error) {
			if name == "path" {
				path, err = jsonscan.String(value)
			}
			return err
		})
	}
	return path
}

// Changed lists the parts in which a document differs from what it was.
func (s Seen) Changed(was Seen) []string {
	var names []string
	differs := func(path string) {
		name := part(path)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, m := range s {
		if !bytes.Equal(was.value(m.path), m.value) {
			differs(m.path)
		}
	}
	for _, m := range was {
		if s.value(m.path) == nil {
			differs(m.path)
		}
	}
	return names
}

// value is nil where there is no such member.
func (s Seen) value(path string) []byte {
	for _, m := range s {
		if m.path == path {
			return m.value
		}
	}
	return nil
}

// User is who the process asks to be. Absent ids are 0; nil where an id can't be read, or nothing at all could.
func (s Seen) User() *policy.Identity {
	id := &policy.Identity{}
	for _, m := range s {
		var err error
		switch m.path {
		case "process.user.uid":
			id.UID, err = ids.Number(m.value)
		case "process.user.gid":
			id.GID, err = ids.Number(m.value)
		case "process.user.additionalGids":
			err = jsonscan.Elements(m.value, func(value []byte) error {
				gid, err := ids.Number(value)
				id.Groups = append(id.Groups, gid)
				return err
			})
		}
		if err != nil {
			return nil
		}
	}
	if !slices.ContainsFunc(s, func(m member) bool { return strings.HasPrefix(m.path, "process.") }) {
		return nil
	}
	return id
}

// Annotations are the container's.
func (s Seen) Annotations() map[string]string {
	all := map[string]string{}
	_ = jsonscan.Members(s.value("annotations"), func(key string, value []byte) error {
		text, err := jsonscan.String(value)
		all[key] = text
		return err
	})
	return all
}
