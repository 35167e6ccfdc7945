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

// Seen holds what a log reports of a document, regardless of the decision about it: the members of a config.json, or of
// an exec's process file, by their paths. The document was written by an engine. Unreadable members are left out, as no
// decision depends on them.
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

// part returns a name for a member that a rewrite changes. Any other is named by its path.
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

// hasParts reports whether a member is an object with named members of its own.
func hasParts(path string) bool {
	switch path {
	case "process", "process.user", "linux", "linux.resources":
		return true
	}
	return false
}

// Rootfs returns root.path; "" if there is none.
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

// Changed lists the parts in which a document differs from an earlier version of it.
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

// value returns a member's value; nil if there is no such member.
func (s Seen) value(path string) []byte {
	for _, m := range s {
		if m.path == path {
			return m.value
		}
	}
	return nil
}

// User returns the user that the process asks for. Missing ids are 0; nil if an id can't be read, or the document
// can't.
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

// Annotations returns the container's annotations.
func (s Seen) Annotations() map[string]string {
	all := map[string]string{}
	_ = jsonscan.Members(s.value("annotations"), func(key string, value []byte) error {
		text, err := jsonscan.String(value)
		all[key] = text
		return err
	})
	return all
}
