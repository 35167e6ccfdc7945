// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	node "go.yaml.in/yaml/v3"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// IsKustomization reports whether a file has a name that kustomize looks for (kustomize, api/konfig/general.go).
func IsKustomization(name string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, path.Base(name))
}

// Patch is a patch of a Kustomization: a file, or a text in it.
type Patch struct {
	File string
	Text string
	Line int // the line before the text's first
}

// top returns what a Kustomization has at its top. It is nothing if it can't be parsed: kustomize does not read it either.
func top(text []byte) *node.Node {
	var root node.Node
	if len(text) > MaxBytes || node.Unmarshal(text, &root) != nil || len(root.Content) != 1 {
		return &node.Node{}
	}
	return root.Content[0]
}

// Patches returns the patches in a Kustomization.
func Patches(text []byte) (all []Patch) {
	seen := map[*node.Node]bool{} // targets of aliases, each of which is read once
	target := func(n *node.Node) *node.Node {
		if n.Kind != node.AliasNode || n.Alias == nil {
			return n
		}
		if seen[n.Alias] {
			return &node.Node{}
		}
		seen[n.Alias] = true
		return n.Alias
	}
	add := func(n *node.Node, inline bool) {
		n = target(n)
		switch {
		case n.Kind != node.ScalarNode || n.Value == "":
		case inline || strings.ContainsAny(n.Value, "\n{"):
			line := n.Line - 1
			if n.Style&(node.LiteralStyle|node.FoldedStyle) != 0 {
				line++ // it begins below the indicator
			}
			all = append(all, Patch{Text: n.Value, Line: line})
		default:
			all = append(all, Patch{File: n.Value})
		}
	}
	top := top(text)
	for i := 0; top.Kind == node.MappingNode && i+1 < len(top.Content); i += 2 {
		if !slices.Contains([]string{"patches", "patchesStrategicMerge", "patchesJson6902"}, top.Content[i].Value) {
			continue
		}
		for _, one := range target(top.Content[i+1]).Content {
			if one = target(one); one.Kind == node.ScalarNode {
				add(one, false)
			}
			for j := 0; one.Kind == node.MappingNode && j+1 < len(one.Content); j += 2 {
				switch one.Content[j].Value {
				case "path":
					add(one.Content[j+1], false)
				case "patch":
					add(one.Content[j+1], true)
				}
			}
		}
	}
	return all
}

// Resources returns the files that a Kustomization has as resources.
func Resources(text []byte) (all []string) {
	top := top(text)
	for _, key := range []string{"resources", "bases"} {
		if list := field(top, key); list != nil {
			for _, one := range list.Content {
				all = append(all, one.Value)
			}
		}
	}
	return all
}

// Weakening is a part of a patch after which a container may be root, whatever was said before.
type Weakening struct {
	Line int
	Root bool // it asks for root
	Word string
	Why  string
}

// Weakens returns what in a patch may make root of a container. It may be a strategic merge, or JSON's (RFC 6902).
func Weakens(text string) (all []Weakening, err error) {
	w := &weakener{seen: map[*node.Node]bool{}}
	for in := node.NewDecoder(bytes.NewReader([]byte(text))); ; {
		var doc node.Node
		err := in.Decode(&doc)
		switch {
		case errors.Is(err, io.EOF):
			return w.found, nil
		case err != nil:
			return nil, &unread.Error{Line: lineOf(err), Err: err}
		}
		w.look(&doc, "", 0)
	}
}

type weakener struct {
	found []Weakening
	seen  map[*node.Node]bool // targets of aliases, each of which is visited once
}

// look looks at a node below a key; the elements of a list are below that of the list.
func (w *weakener) look(n *node.Node, below string, depth int) {
	if n.Kind == node.AliasNode {
		if n = n.Alias; n == nil || w.seen[n] {
			return
		}
		w.seen[n] = true
	}
	if depth > maxDepth {
		w.found = append(w.found, Weakening{Line: n.Line, Why: fmt.Sprintf("it is deeper than %d levels", maxDepth)})
		return
	}
	if n.Kind == node.MappingNode {
		if op := field(n, "op"); op != nil && op.Value == "test" && field(n, "path") != nil {
			return // it changes nothing
		}
		w.operation(n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; strings.HasPrefix(key.Value, "$") {
				w.directive(key, n.Content[i+1], below, n)
			} else if !slices.Contains(harmless, key.Value) {
				w.member(key.Value, key, n.Content[i+1])
				w.look(n.Content[i+1], key.Value, depth+1)
			}
		}
		return
	}
	for _, c := range n.Content {
		w.look(c, below, depth+1)
	}
}

// containerLists are the lists of a pod's containers.
var containerLists = []string{"containers", "initContainers", "ephemeralContainers"}

// rulesOut are the members that may say that a container is not root.
var rulesOut = []string{"runAsUser", "runAsNonRoot"}

// directive checks a directive of a strategic merge.
func (w *weakener) directive(key, value *node.Node, below string, in *node.Node) {
	inside := below == "securityContext"
	why := ""
	switch {
	case key.Value == "$patch" && value.Value == "delete" && inside:
		why = "the patch takes the securityContext away"
	case key.Value == "$patch" && value.Value == "replace" && (inside && !has(in, rulesOut) || slices.Contains(containerLists, below) || has(in, containerLists)):
		why = "the patch replaces what was there, also a securityContext"
	case key.Value == "$retainKeys" && (inside && !names(value, rulesOut...) || has(in, containerLists) && !names(value, "securityContext")):
		why = "the patch takes away what $retainKeys does not name, also a securityContext"
	default:
		return
	}
	w.found = append(w.found, Weakening{key.Line, false, key.Value, why})
}

// names reports whether a list has one of some words in it.
func names(list *node.Node, words ...string) bool {
	return slices.ContainsFunc(list.Content, func(n *node.Node) bool { return slices.Contains(words, n.Value) })
}

// has reports whether one of some members is in a value.
func has(n *node.Node, members []string) bool { return hasIn(n, members, map[*node.Node]bool{}) }

// hasIn visits each target of an alias once.
func hasIn(n *node.Node, members []string, seen map[*node.Node]bool) bool {
	if n.Kind == node.AliasNode && n.Alias != nil && !seen[n.Alias] {
		seen[n.Alias] = true
		return hasIn(n.Alias, members, seen)
	}
	for i, c := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 0 {
			if slices.Contains(members, c.Value) {
				return true
			}
		} else if hasIn(c, members, seen) {
			return true
		}
	}
	return false
}

// member checks one member, or what an operation puts in its place.
func (w *weakener) member(name string, at, value *node.Node) {
	if value.Kind == node.AliasNode && value.Alias != nil {
		value = value.Alias
	}
	add := func(root bool, format string, args ...any) {
		w.found = append(w.found, Weakening{at.Line, root, at.Value, fmt.Sprintf(format, args...)})
	}
	scalar := value.Kind == node.ScalarNode
	switch name {
	case "runAsUser":
		uid, err := strconv.ParseInt(value.Value, 0, 64) //lint:allow YAML has other bases
		switch {
		case !scalar: // another kind's
		case err == nil && uid == 0:
			add(true, "the patch sets runAsUser to 0")
		case err != nil || uid < 0:
			add(false, "the patch sets runAsUser to %.20q", value.Value)
		}
	case "runAsNonRoot":
		if scalar && value.Value != "true" {
			add(false, "the patch sets runAsNonRoot to %.20q", value.Value)
		}
	case "securityContext":
		if scalar {
			add(false, "the patch takes the securityContext away")
		}
	}
}

// operation checks an operation of a JSON patch.
func (w *weakener) operation(n *node.Node) {
	op, at, from, value := field(n, "op"), field(n, "path"), field(n, "from"), field(n, "value")
	if op == nil || at == nil {
		return
	}
	found := func(at *node.Node, format string, args ...any) {
		w.found = append(w.found, Weakening{at.Line, false, at.Value, fmt.Sprintf(format, args...)})
	}
	removes := func(at *node.Node) {
		if name, _, inside := pointer(at.Value); inside && (slices.Contains(rulesOut, name) || name == "securityContext") {
			found(at, "the patch takes %s away", name)
		}
	}
	name, parent, inside := pointer(at.Value)
	switch op.Value {
	case "remove":
		removes(at)
	case "move", "copy":
		if inside {
			found(at, "the patch replaces what was there, also a securityContext")
		} else if op.Value == "move" && from != nil {
			removes(from)
		}
	case "add", "replace":
		replaces := op.Value == "replace"
		switch {
		case value == nil:
		case name == "securityContext" && replaces && value.Kind == node.MappingNode && !has(value, rulesOut),
			replaces && (slices.Contains(containerLists, name) || slices.Contains(containerLists, parent)),
			// A pod always has these, so that adding them replaces them, too (RFC 6902, 4.1).
			name == "containers", !slices.Contains(containerLists, parent) && has(value, containerLists):
			found(at, "the patch replaces what was there, also a securityContext")
		case inside:
			w.member(name, at, value)
		}
	}
}

// pointer returns the last name of a JSON pointer, and the one before it, and whether it leads into a securityContext.
func pointer(text string) (name, parent string, inside bool) {
	all := strings.Split(text, "/")
	for n, one := range all {
		all[n] = strings.ReplaceAll(strings.ReplaceAll(one, "~1", "/"), "~0", "~") // RFC 6901, 4
	}
	if len(all) > 1 {
		parent = all[len(all)-2]
	}
	return all[len(all)-1], parent, slices.Contains(all, "securityContext")
}

// field returns a member's value, or nil.
func field(n *node.Node, name string) *node.Node {
	for i := 0; n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// kustomized records patches in an object of Flux's, or in an application of Argo CD's.
func (r *reader) kustomized(v map[string]any, path []any, of owner) {
	if !strings.HasPrefix(of.api, "kustomize.toolkit.fluxcd.io/") && !strings.HasPrefix(of.api, "argoproj.io/") {
		return
	}
	list, _ := v["patches"].([]any)
	for i, one := range list {
		of, _ := one.(map[string]any)
		text, _ := of["patch"].(string)
		if text == "" || len(r.patches) >= maxPods {
			continue
		}
		line := r.at(join(path, "patches", i, "patch")...)
		if !strings.Contains(text, "\n") {
			line-- // it is in the line of its key, and not below
		}
		r.patches = append(r.patches, Patch{Text: text, Line: line})
	}
}
