// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// A part of one of Argo's templates, and the word that stands for it, so that the text around it can be read.
var isTemplate = regexp.MustCompile(`\{\{[^{}]*\}\}`)

const template = "ARGO-TEMPLATE"

// isOpen reports whether a text has a part of a template in it.
func isOpen(text string) bool {
	return strings.Contains(text, template) || strings.Contains(text, "{{")
}

// maxPatch is the longest patch of a pod that is read, in bytes.
const maxPatch = 64 << 10

// patched merges Argo's podSpecPatch into a pod's specification: first the workflow's, then the template's (argo-workflows,
// workflow/controller/workflowpod.go). unclear says why what comes out is not known.
func patched(v map[string]any, patches []string, single string) (out map[string]any, unclear string) {
	out = maps.Clone(v)
	containers, _ := v["containers"].([]any)
	if c, ok := first(containers); ok && (single == "container" || single == "script") {
		c = maps.Clone(c)
		c["name"] = "main" // Argo's name for it
		containers = []any{c}
	}
	sidecars, _ := v["sidecars"].([]any)
	out["containers"] = slices.Concat(containers, sidecars)
	delete(out, "sidecars")
	for _, text := range patches {
		patch, why := parsePatch(text)
		if why != "" {
			return v, fmt.Sprintf("podSpecPatch %s: %s", quote.Value(text[:min(len(text), maxShownPatch)]), why)
		}
		out = merged(out, patch)
	}
	return out, ""
}

// maxShownPatch is how much of a patch is shown.
const maxShownPatch = 100

func first(list []any) (map[string]any, bool) {
	if len(list) != 1 {
		return nil, false
	}
	c, ok := list[0].(map[string]any)
	return c, ok
}

func parsePatch(text string) (patch map[string]any, why string) {
	if len(text) > maxPatch {
		return nil, "it is too long"
	}
	switch err := decodeTemplated([]byte(text), &patch); {
	case err != nil && !errors.Is(err, errSpread) && strings.Contains(text, "{{"):
		return nil, "what it is depends on a template"
	case err != nil:
		return nil, "it can't be read"
	}
	return patch, uncertain(patch)
}

var errSpread = errors.New("its aliases stand for too much")

// decodeTemplated reads YAML with parts of Argo's templates in it, each of which becomes a word.
func decodeTemplated(text []byte, into any) error {
	as, err := yaml.YAMLToJSON(isTemplate.ReplaceAll(text, []byte(template)))
	if err != nil {
		return err
	}
	if len(as) > maxSpread {
		return errSpread
	}
	in := json.NewDecoder(bytes.NewReader(as))
	in.UseNumber()
	return in.Decode(into)
}

// harmless are members of a pod or container that can't change who a container runs as.
var harmless = []string{
	"activeDeadlineSeconds", "affinity", "args", "command", "env", "envFrom", "imagePullPolicy", "imagePullSecrets", "nodeName", "nodeSelector", "ports", "priorityClassName",
	"resources", "schedulerName", "serviceAccountName", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumeMounts", "volumes",
}

// uncertain says why it is not known what a patch does to users: templates, and directives, which are not evaluated.
func uncertain(v any) string {
	switch v := v.(type) {
	case string:
		if isOpen(v) {
			return "which user it sets depends on a template"
		}
	case []any:
		for _, one := range v {
			if why := uncertain(one); why != "" {
				return why
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch {
			case strings.HasPrefix(key, "$"):
				return fmt.Sprintf("%s is not evaluated", quote.Value(key))
			case slices.Contains(harmless, key):
				continue
			}
			if why := uncertain(key); why != "" {
				return why
			}
			if why := uncertain(v[key]); why != "" {
				return why
			}
		}
	}
	return ""
}

// mergeKeys are the members by which the elements of a pod's lists are found (k8s.io/api/core/v1, patchMergeKey). Other lists are replaced.
var mergeKeys = map[string]string{
	"containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name", "ports": "containerPort", "volumeMounts": "mountPath",
}

// merged returns a value with a strategic merge patch applied to it. It changes neither.
func merged(before, patch map[string]any) map[string]any {
	out := maps.Clone(before)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(out, key)
			continue
		case map[string]any:
			if was, ok := out[key].(map[string]any); ok {
				out[key] = merged(was, value)
				continue
			}
		case []any:
			if was, ok := out[key].([]any); ok && mergeKeys[key] != "" {
				out[key] = mergedLists(was, value, mergeKeys[key])
				continue
			}
		}
		out[key] = value
	}
	return out
}

func mergedLists(before, patch []any, by string) []any {
	out := slices.Clone(before)
	for _, value := range patch {
		one, ok := value.(map[string]any)
		at := slices.IndexFunc(out, func(was any) bool {
			other, isMap := was.(map[string]any)
			return ok && isMap && other[by] != nil && fmt.Sprint(other[by]) == fmt.Sprint(one[by])
		})
		if at < 0 {
			out = append(out, value)
			continue
		}
		was, _ := out[at].(map[string]any)
		out[at] = merged(was, one)
	}
	return out
}

// resource reads the manifest that a template of Argo's creates. It is a text, in which there may be parts of a template.
func (r *reader) resource(v map[string]any, path []any, of owner) error {
	in, _ := v["resource"].(map[string]any)
	text, _ := in["manifest"].(string)
	if text == "" {
		return nil
	}
	at := join(path, "resource", "manifest")
	unclear := func() error {
		if r.containers++; r.containers > maxContainers || len(r.pods) >= maxPods {
			return &unread.Error{Line: r.line, Err: fmt.Errorf("it has more than %d pods", maxPods)}
		}
		r.pods = append(r.pods, Pod{
			Kind: of.kind, Namespace: of.namespace, Name: of.name, Line: r.at(at...), Unclear: "what it creates depends on a template, or can't be read",
			Containers: []Container{{Role: "container", Name: "of its resource", Line: r.at(at...)}},
		})
		return nil
	}
	for _, d := range documents([]byte(text)) {
		if len(bytes.TrimSpace(d.text)) == 0 {
			continue
		}
		var value any
		err := decodeTemplated(d.text, &value)
		if object, ok := value.(map[string]any); err != nil || !ok || decidedByTemplate(object, false) {
			return unclear()
		}
		if err := r.look(value, at, owner{}); err != nil {
			return unclear() // a part of a template may not have the type that it has in the end
		}
	}
	return nil
}

// decidedByTemplate reports whether a part of a template decides about users.
func decidedByTemplate(v any, inside bool) bool {
	switch v := v.(type) {
	case string:
		return inside && isOpen(v)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return decidedByTemplate(one, inside) })
	case map[string]any:
		for key, value := range v {
			if decidedByTemplate(value, inside || slices.Contains([]string{"securityContext", "hostUsers", "runtimeClassName", "os"}, key)) {
				return true
			}
		}
	}
	return false
}
